"""Figures of images: single tracks as the network sees them and on the plane, and means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from hepcnn.report.style import INK, SPECIES_COLOUR, SYMBOL, styled
from hepcnn.store.shard import Axis

#: From nothing to full: zero is the paper's colour, on a light page and on a dark one.
_INTENSITY = LinearSegmentedColormap.from_list("intensity", [(0, 0.447, 0.698, a) for a in (0, 1)])
#: Straight pieces along one φ bin's arc: at 32 bins the chord is then within 0.1 % of the circle.
_ARC = 4


_NAMES = {"r": "$r$", "theta": r"$\theta$", "phi": r"$\varphi$"}
#: The same place across the track, by the name of the row axis.
_ACROSS = {
    "r": (r"$u - u_\mathrm{track}$", r"$v - v_\mathrm{track}$"),
    "theta": (r"$\theta\,\cos\varphi$", r"$\theta\,\sin\varphi$"),
}


def _label(axis: Axis) -> str:
    return f"{_NAMES.get(axis.name, axis.name)} [{axis.unit}]"


def _edges(axis: Axis) -> NDArray[np.float64]:
    return np.linspace(axis.low, axis.high, axis.bins + 1)


@dataclass(frozen=True)
class Track:
    """One image with what is known of its track.

    `image` is (bins in r or θ, bins in φ); `momentum` is in MeV; `name` says which track it is;
    `ring` is where its expected ring is, r or θ (in the unit of the axis), NaN below threshold;
    `counted` is what the image counts.
    """

    species: str
    momentum: float
    name: str
    image: NDArray[Any]
    ring: float
    counted: str = "hits"

    @property
    def total(self) -> str:
        """The sum over the image, in words."""
        total = self.image.sum()
        return "1 hit" if total == 1 and self.counted == "hits" else f"{total:.0f} {self.counted}"


def _ring_sector(r: NDArray[np.float64], phi: NDArray[np.float64]) -> NDArray[np.float64]:
    """Outline, in x and y, of the bin between two radii and two azimuths."""
    arc = np.linspace(phi[0], phi[1], _ARC + 1)
    radius = np.concatenate([np.full(arc.size, r[1]), np.full(arc.size, r[0])])
    angle = np.concatenate([arc, arc[::-1]])
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])


def _cells(axes: Axes, track: Track, outlines: list[NDArray[np.float64]], full: float) -> None:
    """Fill the outlines of the occupied bins, the darker the more hits."""
    if outlines:
        shade = 0.35 + 0.65 * np.minimum(track.image[track.image > 0] / full, 1.0)
        colour = SPECIES_COLOUR[track.species]
        axes.add_collection(PolyCollection(outlines, facecolors=colour, alpha=shade, linewidths=0))


def _phi_ticks(axes: Axes) -> None:
    axes.set_xticks([-np.pi, 0, np.pi], [r"$-\pi$", "0", r"$\pi$"])
    axes.tick_params(which="minor", bottom=False, top=False)


@styled
def example(track: Track, r: Axis, phi: Axis) -> Figure:
    """Draw one track's image twice: left in (r, φ) or (θ, φ), right the same around the track.

    Parameters
    ----------
    track : Track
        The image and its track.
    r, phi : Axis
        The image's axes.

    Returns
    -------
    Figure
        Two panels; each occupied bin is one cell in both, darker with more hits. The expected
        ring is dashed.
    """
    figure = Figure(figsize=(5.6, 3.0))
    left, right = figure.subplots(1, 2)
    rows, columns = np.nonzero(track.image)
    full = max(float(track.image.max(initial=0)), 2.0)
    r_edges, phi_edges = _edges(r), _edges(phi)

    boxes = [
        np.array(
            [
                (phi_edges[c], r_edges[i]),
                (phi_edges[c + 1], r_edges[i]),
                (phi_edges[c + 1], r_edges[i + 1]),
                (phi_edges[c], r_edges[i + 1]),
            ]
        )
        for i, c in zip(rows, columns, strict=True)
    ]
    _cells(left, track, boxes, full)
    left.set(xlim=(phi.low, phi.high), ylim=(r.low, r.high), xlabel=_label(phi), ylabel=_label(r))
    _phi_ticks(left)
    left.set_box_aspect(1)

    sectors = [
        _ring_sector(r_edges[i : i + 2], phi_edges[c : c + 2])
        for i, c in zip(rows, columns, strict=True)
    ]
    _cells(right, track, sectors, full)
    circle = np.linspace(-np.pi, np.pi, 181)
    right.plot(r.high * np.cos(circle), r.high * np.sin(circle), color=INK, lw=0.8, alpha=0.5)
    if not np.isnan(track.ring):
        dashed = {"color": INK, "linewidth": 1.0, "linestyle": (0, (4, 3))}
        left.axhline(track.ring, **dashed)
        right.plot(track.ring * np.cos(circle), track.ring * np.sin(circle), **dashed)
    right.plot(0, 0, marker="+", color=INK, markersize=8)
    limit = 1.06 * r.high
    right.set(
        xlim=(-limit, limit),
        ylim=(-limit, limit),
        xlabel=f"{_ACROSS[r.name][0]} [{r.unit}]",
        ylabel=f"{_ACROSS[r.name][1]} [{r.unit}]",
    )
    right.set_box_aspect(1)
    figure.suptitle(
        f"{SYMBOL[track.species]}   $p$ = {track.momentum / 1000:.1f} GeV/$c$,   {track.total}",
        x=0.02,
        ha="left",
        fontsize=13,
    )
    return figure


@styled
def means(
    images: dict[str, tuple[NDArray[np.float64], int]], r: Axis, phi: Axis, counted: str = "hits"
) -> Figure:
    """Draw the mean image of each species, all in one colour scale.

    Parameters
    ----------
    images : dict
        For each species its mean image (bins in r or θ, bins in φ) and the number of tracks; a
        species without tracks has an empty panel that says so.
    r, phi : Axis
        The images' axes.
    counted : str
        What the images count.
    """
    columns = min(3, len(images))
    rows = -(-len(images) // columns)
    figure = Figure(figsize=(7.6, 2.45 * rows + 0.4))
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    highest = max((float(m.max(initial=0)) for m, count in images.values() if count), default=0.0)
    shown = None
    for axes, (species, (mean, count)) in zip(grid.flat, images.items(), strict=False):
        axes.set_title(f"{SYMBOL[species]}   ({count:,} tracks)", fontsize=12)
        if count:
            shown = axes.imshow(
                mean,
                origin="lower",
                extent=(phi.low, phi.high, r.low, r.high),
                aspect="auto",
                cmap=_INTENSITY,
                vmin=0,
                vmax=highest or 1,
                interpolation="none",
            )
        else:
            axes.text(0.5, 0.5, "no tracks", transform=axes.transAxes, ha="center", va="center")
        axes.set(xlim=(phi.low, phi.high), ylim=(r.low, r.high))
        _phi_ticks(axes)
    for axes in list(grid.flat)[len(images) :]:
        axes.set_axis_off()
    figure.supxlabel(_label(phi), fontsize=13)
    figure.supylabel(_label(r), fontsize=13)
    if shown is not None:
        bar = figure.colorbar(shown, ax=grid, shrink=0.9, pad=0.02)
        bar.set_label(f"mean {counted} a bin")
        bar.outline.set_edgecolor(INK)
    return figure


@styled
def profiles(
    images: dict[str, tuple[NDArray[np.float64], int]], r: Axis, counted: str = "hits"
) -> Figure:
    """Draw the mean number of hits in each row of the image, a ring, against its r or θ.

    Parameters
    ----------
    images : dict
        As for `means`.
    r : Axis
        The row axis.
    counted : str
        What the images count.
    """
    figure = Figure(figsize=(7.6, 3.3))
    axes = figure.subplots()
    for species, (mean, count) in images.items():
        if count:
            axes.stairs(
                mean.sum(axis=1),
                _edges(r),
                color=SPECIES_COLOUR[species],
                linewidth=1.6,
                label=SYMBOL[species],
                baseline=None,
            )
    axes.set(xlabel=_label(r), ylabel=f"mean {counted} in the ring", xlim=(r.low, r.high))
    axes.set_ylim(bottom=0)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(ncols=3, loc="upper left")
        axes.set_ylim(top=1.22 * axes.get_ylim()[1])
    return figure
