"""Figures of classes of events: selections, probabilities, and how much of the images is filled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from hepcnn.report.style import COLOURS, INK, SYMBOL, Look, hide_panels, label_panels, plain, styled

Floats = NDArray[np.float64]

#: Efficiency × purity along the thin lines.
_LEVELS = (0.1, 0.3, 0.5, 0.7, 0.9)
_WIDTH, _HEIGHT = 3.0, 2.6


@dataclass(frozen=True, eq=False)
class Selection:
    """Efficiency and purity by cut, each (cuts,), and the best cut's number, if there is one."""

    efficiency: Floats
    purity: Floats
    best: Sequence[int]


def _panels(count: int) -> tuple[Figure, list[Axes]]:
    """A figure with so many panels that share their axes."""
    columns = 3 if count > 4 or count == 3 else min(2, count)
    rows = -(-count // columns)
    figure = Figure(figsize=(_WIDTH * columns + 0.6, _HEIGHT * rows + 0.75))
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    hide_panels(grid, count)
    return figure, list(grid.flat)[:count]


def _percent(value: float, _: int) -> str:
    return f"{100 * value:g}"


@styled
def selections(found: Mapping[str, Mapping[str, Selection]], look: Mapping[str, Look]) -> Figure:
    """Draw purity against efficiency for every cut, a panel a class; the best points are marked.

    Parameters
    ----------
    found : mapping of str to mapping of str to Selection
        By class, then by method.
    look : mapping of str to Look
        By method.
    """
    figure, panels = _panels(len(found))
    line = np.linspace(0.01, 1, 200)
    for axes, (name, by_method) in zip(panels, found.items(), strict=True):
        for level in _LEVELS:
            own = line[line >= level]
            axes.plot(own, level / own, color=INK, linewidth=0.5, alpha=0.3)
        for method, one in by_method.items():
            style = look[method]
            axes.plot(one.efficiency, one.purity, color=style.colour, linestyle=style.line)
            axes.plot(
                one.efficiency[one.best],
                one.purity[one.best],
                marker=style.marker,
                markersize=7,
                color=style.colour,
                linestyle="none",
                label=plain(method),
            )
        axes.set(xlim=(0, 1.02), ylim=(0, 1.02))
        axes.set_title(SYMBOL.get(name, name), fontsize=12)
        axes.xaxis.set_major_formatter(FuncFormatter(_percent))
        axes.yaxis.set_major_formatter(FuncFormatter(_percent))
    return label_panels(figure, "efficiency [%]", "purity [%]")


@styled
def probabilities(probability: Floats, label: NDArray[np.int16], classes: Sequence[str]) -> Figure:
    """Draw the distribution of the probability of each class, by true class, each normalised to 1.

    Parameters
    ----------
    probability : ndarray, (N, C)
        Of each event.
    label : ndarray, (N,)
        True classes; −1 is left out.
    classes : sequence of str
        Names of the C classes.
    """
    figure, panels = _panels(len(classes))
    edges = np.linspace(0, 1, 31)
    for i, (axes, name) in enumerate(zip(panels, classes, strict=True)):
        for j, true in enumerate(classes):
            values = probability[label == j, i]
            counts, _ = np.histogram(values, edges)
            axes.stairs(
                counts / max(len(values), 1),
                edges,
                color=COLOURS[j % len(COLOURS)],
                fill=j == i,
                alpha=0.45 if j == i else 1,
                linewidth=1.4,
                label=f"true {SYMBOL.get(true, true)}  ({len(values):,})",
            )
        axes.set_yscale("log")
        axes.set(xlim=(0, 1), ylim=(0.3 / max(len(label), 10), 3))
        axes.set_title(f"P({SYMBOL.get(name, name)})", fontsize=12)
    return label_panels(figure, "probability", "fraction of events")


@styled
def occupancy(
    fraction: Mapping[str, Floats], label: NDArray[np.int16], classes: Sequence[str]
) -> Figure:
    """Draw how much of the images is filled, a panel a view, by class.

    Parameters
    ----------
    fraction : mapping of str to ndarray, (N,)
        Filled pixels of each image (%), by view.
    label : ndarray, (N,)
        True classes; −1 is left out.
    classes : sequence of str
        Names of the classes; those without an image are left out.
    """
    figure, panels = _panels(len(fraction))
    top = max([1e-3, *(float(values.max(initial=0)) for values in fraction.values())])
    edges = np.linspace(0, top, 41)
    for axes, (view, values) in zip(panels, fraction.items(), strict=True):
        for j in np.unique(label[label >= 0]):
            counts, _ = np.histogram(values[label == j], edges)
            axes.stairs(
                counts,
                edges,
                color=COLOURS[j % len(COLOURS)],
                linewidth=1.4,
                label=SYMBOL.get(classes[j], classes[j]),
            )
        axes.set_yscale("log")
        axes.set(xlim=(0, top))
        axes.set_ylim(bottom=0.6)
        axes.set_title(view.upper(), fontsize=12)
    return label_panels(figure, "pixels with a value [%]", "images")
