"""Figures of performance: training, efficiency and misID in bins, scores, momenta."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from hepcnn.performance.curves import ALIKE, Weights
from hepcnn.performance.histories import History
from hepcnn.report.style import (
    INK,
    SPECIES_COLOUR,
    SYMBOL,
    Look,
    hide_panels,
    label_box,
    label_panels,
    plain,
    styled,
)

Floats = NDArray[np.float64]

#: What momenta are drawn along.
MOMENTUM = "$p$ [GeV/$c$]"
#: Distance of two methods' points in a bin, at most, as a fraction of its width.
_DODGE = 0.07


@dataclass(frozen=True, eq=False)
class Points:
    """A proportion in bins from `low` to `high` (in the axis' unit) with errors, each (bins,)."""

    low: Floats
    high: Floats
    value: Floats
    err_low: Floats
    err_high: Floats


def _percent(axes: Axes) -> None:
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{100 * y:g}"))


def _limits(axes: Axes, series: Sequence[Points]) -> None:
    edges = np.concatenate([*(np.concatenate([s.low, s.high]) for s in series), np.zeros(0)])
    if len(edges):
        axes.set_xlim(edges.min(), edges.max())


def _draw(axes: Axes, points: Points, look: Look, label: str, shift: float, hollow: bool) -> None:
    """Points with horizontal bars over their bins and vertical ones for their intervals."""
    x = (points.low + points.high) / 2 + shift * (points.high - points.low)
    axes.errorbar(
        x,
        points.value,
        yerr=np.vstack([points.err_low, points.err_high]),
        xerr=np.vstack([x - points.low, points.high - x]),
        fmt=look.marker,
        color=look.colour,
        markerfacecolor="none" if hollow else look.colour,
        elinewidth=1.2,
        label=plain(label),
    )


def _shifts(count: int) -> Floats:
    step = min(_DODGE, 0.8 / max(count, 1))
    return step * (np.arange(count, dtype=np.float64) - (count - 1) / 2)


@styled
def training(histories: Mapping[str, History], look: Mapping[str, Look]) -> Figure:
    """Draw all that there is by epoch; a ring marks the epoch whose weights are used.

    Parameters
    ----------
    histories : mapping of str to History
        By network.
    look : mapping of str to Look
        By network.
    """
    known = [h for h in histories.values() if np.isfinite(h.validation_accuracy).any()]
    quantities = ["loss", *(["accuracy"] if known or not histories else [])]
    quantities += dict.fromkeys(name for h in histories.values() for name in h.others)
    rows = -(-len(quantities) // 2)
    figure = Figure(figsize=(7.6, 3.1 * rows + 0.4))
    grid = figure.subplots(rows, 2, squeeze=False)
    for axes, quantity in zip(grid.flat, quantities, strict=False):
        drawn = {n: h for n, h in histories.items() if quantity in ("loss", "accuracy", *h.others)}
        for name, history in drawn.items():
            curves = history.curves(quantity)
            colour = look[name].colour
            axes.plot(history.epoch, curves[0], color=colour, linestyle=":", label="_")
            axes.plot(history.epoch, curves[1], color=colour, label=plain(name))
            chosen = history.epoch == history.best
            axes.plot(
                history.epoch[chosen],
                curves[1][chosen],
                marker="o",
                markersize=8,
                markerfacecolor="none",
                color=colour,
                linestyle="none",
            )
        words = quantity.replace("_", " ")
        axes.set(xlabel="epoch", ylabel=words)
        if words.endswith("accuracy"):
            _percent(axes)
            axes.set_ylabel(f"{words} [%]")
        elif words == "distance":
            axes.set_ylabel("distance [pixels]")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.tick_params(axis="x", which="minor", bottom=False, top=False)
        axes.margins(x=0.06, y=0.08)
    hide_panels(grid, len(quantities))
    loss = figure.axes[0]
    loss.plot([], [], color=INK, linestyle=":", label="training")
    loss.plot([], [], color=INK, label="validation")
    loss.plot([], [], color=INK, linestyle="none", marker="o", markerfacecolor="none", label="used")
    loss.legend()
    return figure


@styled
def cuts(pairs: Mapping[str, tuple[Points, Points]], title: str) -> Figure:
    """Draw K→K and π→K against momentum for stated cuts, as LHCb shows its RICH.

    Parameters
    ----------
    pairs : mapping of str to (Points, Points)
        For each cut, by its text, the kaon efficiency and the pion misID.
    title : str
        Method and number of tracks.
    """
    figure = Figure(figsize=(5.2, 4.1))
    axes = figure.subplots()
    shifts = _shifts(len(pairs))
    for i, (cut, (kaon, pion)) in enumerate(pairs.items()):
        marker, hollow = "os^D"[i % 4], i % 2 == 0
        for points, source, arrow in ((kaon, "kaon", "K"), (pion, "pion", r"$\pi$")):
            look = Look(SPECIES_COLOUR["kaon" if source == "kaon" else "pion"], marker, "")
            _draw(axes, points, look, "", float(shifts[i]), hollow)
            axes.containers[-1].set_label(rf"{arrow} $\to$ K,  {plain(cut)}")
    _limits(axes, [p for pair in pairs.values() for p in pair])
    axes.set_xlabel(MOMENTUM)
    axes.set(ylim=(0, 1.42), ylabel="efficiency [%]", yticks=np.arange(0, 1.01, 0.2))
    axes.legend(loc="upper center", ncols=2, columnspacing=1.5)
    axes.axhline(1, color=INK, linewidth=0.6, alpha=0.4)
    axes.set_title(title)
    _percent(axes)
    return figure


@styled
def panels(
    series: Mapping[str, Mapping[str, Points]],
    look: Mapping[str, Look],
    quantity: str,
    *,
    along: str = MOMENTUM,
    whole: bool = True,
) -> Figure:
    """Draw one quantity of all methods in bins, a panel each for species, cuts or pairs.

    Parameters
    ----------
    series : mapping of str to mapping of str to Points
        By panel title, then by method.
    look : mapping of str to Look
        By method.
    quantity : str
        What is drawn, without the unit.
    along : str
        What the bins are of.
    whole : bool
        Draw 0 to 100 %; otherwise each panel to its highest point.
    """
    columns = 3 if len(series) > 4 else min(2, len(series))
    rows = -(-len(series) // columns)
    width, height = (3.0, 2.45) if columns == 3 else (4.4, 3.1)
    figure = Figure(figsize=(width * columns + 0.6, height * rows + 0.75))
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True)
    for axes, (title, by_method) in zip(grid.flat, series.items(), strict=False):
        for shift, (method, points) in zip(_shifts(len(by_method)), by_method.items(), strict=True):
            _draw(axes, points, look[method], method, float(shift), False)
        _limits(axes, list(by_method.values()))
        axes.set_title(title, fontsize=12)
        known = [(p.value + p.err_high)[~np.isnan(p.value)] for p in by_method.values()]
        highest = float(np.concatenate([*known, np.zeros(0)]).max(initial=0))
        if not any(len(values) for values in known):
            axes.text(0.5, 0.5, "none", transform=axes.transAxes, ha="center", va="center")
        top = 1.0 if whole else min(1.0, 1.1 * max(0.01, highest))
        axes.set_ylim(-0.04 * top, 1.06 * top)
        _percent(axes)
    hide_panels(grid, len(series))
    return label_panels(figure, along, f"{quantity} [%]")


@styled
def scores(
    kaon: Floats, pion: Floats, variable: str, box: list[str], weights: Weights = ALIKE
) -> Figure:
    """Draw the distribution of a log ratio for true kaons and pions, each normalised to 1.

    Scores beyond the range drawn, infinite ones too, are counted in the outermost bins.

    Parameters
    ----------
    kaon, pion : ndarray, (N_K,) and (N_π,)
        Scores of the true kaons and pions.
    variable : str
        Their name.
    box : list of str
        Lines of the label box.
    weights : (ndarray or None, ndarray or None)
        Of the kaons and of the pions.
    """
    figure = Figure()
    axes = figure.subplots()
    both = np.concatenate([kaon, pion])
    finite = both[np.isfinite(both)]
    low, high = np.percentile(finite, [0.1, 99.9]) if len(finite) else (-1.0, 1.0)
    edges = np.linspace(min(low, -1.0), max(high, 1.0), 61)
    for species, values, weight in (("pion", pion, weights[1]), ("kaon", kaon, weights[0])):
        counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges, weights=weight)
        axes.stairs(
            counts / (max(len(values), 1) if weight is None else weight.sum()),
            edges,
            color=SPECIES_COLOUR[species],
            fill=species == "pion",
            alpha=0.45 if species == "pion" else 1,
            linewidth=1.6,
            label=f"true {SYMBOL[species]}  ({len(values):,})",
        )
    axes.set_yscale("log")
    axes.set_ylim(0.3 / max(len(both), 10), 3)
    axes.set(xlabel=variable, ylabel="fraction of tracks", xlim=(edges[0], edges[-1]))
    axes.axvline(0, color=INK, linewidth=0.6, alpha=0.4)
    axes.legend(loc="upper right")
    label_box(axes, box, place="upper left")
    return figure


@styled
def momentum(spectra: Mapping[str, Floats]) -> Figure:
    """Draw the momentum spectrum of each species, with its share of all tracks.

    Parameters
    ----------
    spectra : mapping of str to ndarray
        Momenta (MeV) of each species' tracks.
    """
    figure = Figure()
    axes = figure.subplots()
    total = sum(len(p) for p in spectra.values())
    every = np.concatenate([*spectra.values(), np.zeros(0)]) / 1000
    edges = np.linspace(0, max(float(every.max(initial=1)), 1.0), 51)
    for species, p in spectra.items():
        counts, _ = np.histogram(p / 1000, edges)
        share = f"{100 * len(p) / total:.2f} %" if total else "none"
        axes.stairs(
            counts,
            edges,
            color=SPECIES_COLOUR[species],
            linewidth=1.5,
            label=f"{SYMBOL[species]}  {share}",
        )
    axes.set_yscale("log")
    axes.set_ylim(bottom=0.6)
    axes.set(xlim=(edges[0], edges[-1]), xlabel=MOMENTUM)
    axes.set_ylabel(f"tracks / {edges[1] - edges[0]:.3g} GeV/$c$")
    figure.legend(loc="outside upper left", ncols=3)
    return figure
