"""The confusion matrix as a figure: true classes in columns, as the PID printout has them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from hepcnn.report.style import COLOURS, INK, SYMBOL, styled

#: Above this fraction a cell is dark enough for white text, on a light page and on a dark one.
_DARK = 0.6


@styled
def confusion(
    rate: NDArray[np.float64],
    true: Sequence[str],
    called: Sequence[str],
    counts: Sequence[int],
    kind: str = "species",
    units: str = "tracks",
) -> Figure:
    """Draw the fractions of each true class by what it is called, in %.

    Parameters
    ----------
    rate : ndarray, (called, true)
        Each column sums to 1; NaN where there is nothing, drawn as a dash.
    true, called : sequence of str
        Names of the columns and of the rows.
    counts : sequence of int
        Examples of each true class, written under its column.
    kind, units : str
        What a class is, and what the examples are.
    """
    figure = Figure(figsize=(5.0, 4.4))
    axes = figure.subplots()
    for (row, column), value in np.ndenumerate(rate):
        known = not np.isnan(value)
        axes.add_patch(
            Rectangle(
                (column - 0.5, row - 0.5),
                1,
                1,
                facecolor=COLOURS[0],
                alpha=float(value) if known else 0.0,
                linewidth=0,
            )
        )
        axes.text(
            column,
            row,
            f"{100 * value:.1f}" if known else "–",
            ha="center",
            va="center",
            fontsize=11.5,
            fontweight="bold" if true[column] == called[row] else "normal",
            color="white" if known and value > _DARK else INK,
        )
    names = [f"{SYMBOL.get(name, name)}\n{n:,}" for name, n in zip(true, counts, strict=True)]
    axes.set_xticks(range(len(true)), names)
    axes.set_yticks(range(len(called)), [SYMBOL.get(name, name) for name in called])
    axes.tick_params(which="both", length=0)
    axes.tick_params(axis="y", labelsize=14)
    axes.set(xlim=(-0.5, len(true) - 0.5), ylim=(len(called) - 0.5, -0.5))
    axes.set_xlabel(f"true {kind} and {units}", loc="center")
    axes.set_ylabel("reconstructed as", loc="center")
    axes.set_title(f"% of each true {kind}", fontsize=12)
    for edge in np.arange(0.5, len(true) - 1):
        axes.axvline(edge, color=INK, linewidth=0.4, alpha=0.35)
    return figure
