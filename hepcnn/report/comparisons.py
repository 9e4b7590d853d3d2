"""Figures that hold methods against one another: separation, merits, differences, reliability."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter

from hepcnn.performance.curves import Roc
from hepcnn.performance.intervals import Floats
from hepcnn.report.records import Estimate
from hepcnn.report.style import COLOURS, INK, Look, label_box, label_panels, plain, styled

#: Efficiencies at which two curves are held against each other.
_EFFICIENCIES = np.linspace(0.005, 0.995, 199)


def _in_percent(*axes: Axes, which: str = "xy") -> None:
    for one in axes:
        for name in which:
            getattr(one, f"{name}axis").set_major_formatter(
                FuncFormatter(lambda v, _: f"{100 * v:.4g}")
            )


@styled
def separation(
    curves: Mapping[str, Roc],
    look: Mapping[str, Look],
    misid: Sequence[float],
    box: list[str],
    reference: str | None = None,
    signs: tuple[str, str] = ("K", r"$\pi$"),
) -> Figure:
    """Draw the misID (log) of one class against the efficiency of another, for every cut.

    Parameters
    ----------
    curves : mapping of str to Roc
        By method.
    look : mapping of str to Look
        By method.
    misid : sequence of float
        The working points asked for, drawn as thin lines.
    box : list of str
        Lines of the label box.
    reference : str, optional
        A method; below, every method's misID over its misID at the same efficiency.
    signs : (str, str)
        Symbols of the class looked for, and of the one mistaken for it.
    """
    figure = Figure(figsize=(7.6, 6.4) if reference else (5.4, 4.6))
    ratios = {"height_ratios": [2.4, 1]} if reference else {}
    grid = figure.subplots(2 if reference else 1, 1, sharex=True, squeeze=False, gridspec_kw=ratios)
    axes = grid[0, 0]
    lowest = min([0.1, *(m for m in misid if m > 0)])
    for method, roc in curves.items():
        rate = _straight(roc.misid)
        line = {"color": look[method].colour, "linestyle": look[method].line}
        axes.plot(
            _straight(roc.efficiency),
            np.where(rate > 0, rate, np.nan),
            label=plain(method),
            **line,
        )
        lowest = float(np.min(roc.misid[roc.misid > 0], initial=lowest))
        if reference:
            over = _misid_at(roc) / _misid_at(curves[reference])
            grid[1, 0].plot(_EFFICIENCIES, over, **line)
    for value in (m for m in misid if m > 0):
        axes.axhline(value, color=INK, linewidth=0.6, alpha=0.35)
    axes.set_yscale("log")
    axes.set(xlim=(0, 1), ylim=(10 ** np.floor(np.log10(max(lowest / 3, 1e-5))), 1))
    axes.set_ylabel(rf"{signs[1]} $\to$ {signs[0]} misID [%]")
    grid[-1, 0].set_xlabel(rf"{signs[0]} $\to$ {signs[0]} efficiency [%]")
    _in_percent(axes)
    if reference:
        grid[1, 0].set(yscale="log", ylim=(0.2, 20), ylabel="misID ratio")
        grid[1, 0].yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
    figure.legend(
        *axes.get_legend_handles_labels(),
        loc="outside upper left",
        ncols=min(4 if reference else 3, len(curves)),
    )
    label_box(axes, box, place="lower left")
    return figure


def _straight(vertices: Floats) -> Floats:
    """Points between few vertices: a straight line of tied tracks is a curve in log y."""
    n = len(vertices)
    places = np.linspace(0, n - 1, (n - 1) * (1 + 400 // n) + 1)
    return np.asarray(np.interp(places, np.arange(n), vertices), dtype=np.float64)


def _misid_at(roc: Roc) -> Floats:
    """MisID at each of `_EFFICIENCIES`; NaN where it is 0 or unknown."""
    if np.isnan([roc.efficiency[-1], roc.misid[-1]]).any():
        return np.full(len(_EFFICIENCIES), np.nan)
    rate = np.interp(_EFFICIENCIES, roc.efficiency, roc.misid)
    return np.where(rate > 0, rate, np.nan)


@styled
def merits(
    values: Mapping[str, Mapping[str, Estimate]],
    look: Mapping[str, Look],
    quantity: str = "",
    *,
    whole: bool = True,
    signed: bool = False,
) -> Figure:
    """Draw every row's value of every method, one row above the other.

    Parameters
    ----------
    values : mapping of str to mapping of str to Estimate
        By row, such as a figure of merit or a sample, then by method.
    look : mapping of str to Look
        By method.
    quantity : str
        What is drawn, if the rows do not say it.
    whole : bool
        Draw 0 to 100 %; otherwise to the highest point.
    signed : bool
        Draw all points, on both sides of 0.
    """
    methods = [m for m in look if any(m in by_method for by_method in values.values())]
    height = max(0.42, 0.1 * len(methods))
    figure = Figure(figsize=(7.6, height * len(values) + 1.2 + 0.2 * -(-len(methods) // 4)))
    axes = figure.subplots()
    for place, method in enumerate(methods):
        found = [(row, *by[method]) for row, by in enumerate(values.values()) if method in by]
        rows, value, low, high = np.array(found, dtype=float).T
        axes.errorbar(
            value,
            rows + 0.8 * ((place + 0.5) / len(methods) - 0.5),
            xerr=np.vstack([low, high]),
            fmt=look[method].marker,
            markersize=6,
            color=look[method].colour,
            label=plain(method),
        )
    axes.set_yticks(range(len(values)), [plain(name) for name in values])
    axes.tick_params(axis="y", which="both", length=0)
    axes.set(ylim=(len(values) - 0.5, -0.5), xlabel=f"{quantity} [%]".strip())
    if signed:
        axes.axvline(0, color=INK, linewidth=0.8, alpha=0.5)
    else:
        axes.set_xlim(0, 1 if whole else None)
    _in_percent(axes, which="x")
    for edge in np.arange(0.5, len(values) - 1):
        axes.axhline(edge, color=INK, linewidth=0.4, alpha=0.35)
    figure.legend(loc="outside upper left", ncols=min(4, max(1, len(methods))))
    return figure


@styled
def differences(
    methods: Sequence[str], difference: Mapping[tuple[str, str], tuple[Estimate, bool]]
) -> Figure:
    """Draw the paired difference of every two methods: row minus column, in percentage points.

    Parameters
    ----------
    methods : sequence of str
        Rows from the top and columns from the left.
    difference : mapping of (str, str) to (Estimate, bool)
        Of two methods, the one named first minus the other, and whether that is significant.
        Either order; the errors of a difference are equal.
    """
    n = len(methods)
    figure = Figure(figsize=(0.72 * n + 2.4, 0.5 * n + 2.0))
    axes = figure.subplots()
    for (one, other), ((value, error, _), significant) in difference.items():
        i, j = methods.index(one), methods.index(other)
        for row, column, sign in ((i, j, 1), (j, i, -1)):
            colour = COLOURS[0] if sign * value > 0 else COLOURS[1]
            strength = 0.35 if significant else 0.0
            corner = (column - 0.5, row - 0.5)
            axes.add_patch(Rectangle(corner, 1, 1, facecolor=colour, alpha=strength, linewidth=0))
            shown = "n/a" if np.isnan(value) else _points(sign * value)
            if np.isfinite(error):
                shown += f"\n±{100 * error:.1f}"
            weight = "bold" if significant else "normal"
            axes.text(column, row, shown, ha="center", va="center", fontsize=9, fontweight=weight)
    axes.set_xticks(range(n), [plain(m) for m in methods], rotation=40, ha="right")
    axes.set_yticks(range(n), [plain(m) for m in methods])
    axes.tick_params(which="both", length=0)
    axes.set(xlim=(-0.5, n - 0.5), ylim=(n - 0.5, -0.5))
    return figure


def _points(difference: float) -> str:
    """Percentage points with their sign, which nothing has not."""
    shown = f"{100 * difference:+.1f}"
    return "0.0" if shown[1:] == "0.0" else shown.replace("-", "−")


#: Mean probability, fraction right, its lower and its upper error.
_Curve = tuple[Floats, Floats, Floats, Floats]


@styled
def reliability(curves: Mapping[str, Mapping[str, _Curve]], look: Mapping[str, Look]) -> Figure:
    """Draw what came true against what was said, a panel each for a kind of probability.

    Parameters
    ----------
    curves : mapping of str to mapping of str to (mean, right, err_low, err_high)
        By panel title, then by method; fractions.
    look : mapping of str to Look
        By method.
    """
    columns = min(2, len(curves))
    rows = -(-len(curves) // columns)
    figure = Figure(figsize=(4.2 * columns + 0.4, 3.7 * rows + 0.9))
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes, (title, by_method) in zip(grid.flat, curves.items(), strict=False):
        axes.plot([0, 1], [0, 1], color=INK, linewidth=0.8, alpha=0.5)
        for method, (mean, right, low, high) in by_method.items():
            axes.errorbar(
                mean,
                right,
                yerr=np.vstack([low, high]),
                marker=look[method].marker,
                linestyle=look[method].line,
                color=look[method].colour,
                markersize=4,
                linewidth=1.1,
                elinewidth=0.9,
                label=plain(method),
            )
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        axes.set_title(title, fontsize=12)
        _in_percent(axes)
    return label_panels(figure, "mean probability [%]", "fraction right [%]")
