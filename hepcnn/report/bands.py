"""Event displays: bands of images one below the other, with views side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LogNorm, to_rgba
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from numpy.typing import NDArray

from hepcnn.report.example import Example, Panel
from hepcnn.report.style import COLOURS, CONTROL, INK, SYMBOL, plain, styled

#: Rows or columns above which an image is drawn with several pixels in one.
FINE = 400
#: The colour scale of charge ends at so small a part of the largest.
_RANGE = 1e-3
#: In inches: edge of a view; room left of each, above it and below it; room beside all of them;
#: room for a colour scale below; height of the title.
_VIEW, _LEFT, _ABOVE, _BELOW, _SIDE, _SCALE, _TITLE = 2.1, 0.75, 0.35, 0.55, 2.1, 0.65, 0.4
_EMPTY = "#ffffff"
#: Of the classes of pixels; others are grey.
PIXEL_COLOUR = dict(zip(("mip", "hip", "shower", "michel", "delta"), COLOURS, strict=False))
#: Particles by |PDG code|.
_PARTICLE = {
    11: SYMBOL["electron"],
    13: SYMBOL["muon"],
    22: SYMBOL["photon"],
    111: r"$\pi^0$",
    211: SYMBOL["pion"],
    321: SYMBOL["kaon"],
    2112: r"$\mathrm{n}$",
    2212: SYMBOL["proton"],
}
#: What channels hold, with their unit.
_UNIT = {"charge": "charge [ADC × tick]", "energy": "energy [MeV]"}


@dataclass(frozen=True)
class Scores:
    """What one method says of an example: a probability for each class."""

    method: str
    classes: tuple[str, ...]
    values: NDArray[np.float32]


@dataclass(frozen=True)
class Place:
    """Where a band is drawn: its upper edge (inches from the figure's lower), and its views."""

    figure: Figure
    top: float
    views: int

    def axes(self, left: float, down: float, width: float, height: float) -> Axes:
        """Axes of some inches, so far from the band's upper left corner."""
        across, up = self.figure.get_size_inches()
        bottom = self.top - down - height
        return self.figure.add_axes((left / across, bottom / up, width / across, height / up))

    def images(self, count: int) -> list[Axes]:
        """Axes for so many views."""
        step = _LEFT + _VIEW
        return [self.axes(_LEFT + i * step, _ABOVE, _VIEW, _VIEW) for i in range(count)]

    def side(self, indent: float = 0.2) -> Axes:
        """Axes beside the views."""
        left = self.views * (_LEFT + _VIEW) + indent
        return self.axes(left, _ABOVE, _SIDE - indent - 0.2, _VIEW)

    def say(self, text: str) -> None:
        """Write beside the views."""
        side = self.side()
        side.set_axis_off()
        side.text(0, 0.5, text, transform=side.transAxes, va="center", fontsize=10.5)


@dataclass(frozen=True)
class Band:
    """A row of a display: what draws it, and its height (inches)."""

    draw: Callable[[Place], None]
    height: float = _ABOVE + _VIEW + _BELOW


@styled
def stacked(title: str, views: int, bands: Sequence[Band]) -> Figure:
    """Draw bands one below the other.

    Parameters
    ----------
    title : str
        Above all.
    views : int
        Images in a band, for its width.
    bands : sequence of Band
        What to draw.
    """
    height = sum(band.height for band in bands) + _TITLE
    figure = Figure(figsize=(views * (_LEFT + _VIEW) + _SIDE, height))
    figure.text(0.1 / figure.get_figwidth(), 1 - 0.1 / height, title, va="top", fontsize=13)
    top = height - _TITLE
    for band in bands:
        band.draw(Place(figure, top, views))
        top -= band.height
    return figure


def charge(panels: Sequence[Panel], channel: int, label: str, scores: Sequence[Scores]) -> Band:
    """A band of one channel of all views, in one logarithmic colour scale, with scores beside."""

    def draw(place: Place) -> None:
        axes = place.images(len(panels))
        images = [panel.values[channel] for panel in panels]
        norm = _norm(images)
        cmap = mpl.colormaps["plasma_r"].with_extremes(bad=_EMPTY)
        for ax, panel, image in zip(axes, panels, images, strict=True):
            shown = np.where(image > 0, image, np.nan)
            drawn = _show(ax, panel, shown, image, norm=norm, cmap=cmap)
            if not image.any():
                ax.text(0.5, 0.5, "empty", transform=ax.transAxes, ha="center", color=INK)
        room = place.axes(_LEFT, _ABOVE + _VIEW + _BELOW + 0.05, _VIEW, 0.12)
        bar = place.figure.colorbar(drawn, cax=room, orientation="horizontal")
        bar.set_label(_UNIT.get(label, plain(label)), loc="center", fontsize=11)
        bar.outline.set_edgecolor(INK)
        if scores:
            _bars(place.side(indent=0.9), scores)

    return Band(draw, Band.height + _SCALE)


def _norm(images: Sequence[NDArray[np.float64]]) -> LogNorm:
    highest = max(float(image.max(initial=0)) for image in images)
    if highest <= 0:
        return LogNorm(1, 10)
    lowest = min(float(image[image > 0].min(initial=highest)) for image in images)
    return LogNorm(min(max(lowest, _RANGE * highest), highest / 2), highest)


def truth(example: Example, kind: str) -> Band:
    """A band of the pixels' truth, `semantic` or `instance`, with vertex, ends and boxes."""
    colours = _semantic(example) if kind == "semantic" else _instances(example)

    def draw(place: Place) -> None:
        seen: set[int] = set()
        for ax, panel in zip(place.images(len(example.panels)), example.panels, strict=True):
            numbers = panel.truth[kind]
            seen |= {int(n) for n in np.unique(numbers)}
            occupied = np.asarray(panel.values.any(axis=0))
            _show(ax, panel, _coloured(numbers, occupied, colours), panel.values[0])
            _mark(ax, panel, colours if kind == "instance" else {}, example)
        entries = [
            Patch(facecolor=colour, label=name)
            for number, (colour, name) in colours.items()
            if number in seen
        ]
        side = place.side(indent=0)
        side.set_axis_off()
        side.legend(handles=[*entries, *_MARKS], loc="center left", fontsize=10.5, frameon=False)

    return Band(draw)


_Colours = dict[int, tuple[str, str]]


def _semantic(example: Example) -> _Colours:
    names = example.pixel_classes
    return {i: (PIXEL_COLOUR.get(name, CONTROL), plain(name)) for i, name in enumerate(names)}


def _instances(example: Example) -> _Colours:
    """Colours and names of the marked particles; all others are grey."""
    found: _Colours = {}
    for colour, particle in zip(COLOURS, example.particles, strict=False):
        name = _PARTICLE.get(abs(particle.pdg), str(particle.pdg))
        energy = "" if np.isnan(particle.energy) else f"  {particle.energy:,.0f} MeV"
        found[particle.row] = colour, name + energy
    return found


def _coloured(
    numbers: NDArray[np.int64], occupied: NDArray[np.bool_], colours: _Colours
) -> NDArray[np.float64]:
    """An image in colours; what has none of them is grey."""
    image = np.empty((*numbers.shape, 4))
    image[:] = to_rgba(CONTROL)
    image[~occupied] = to_rgba(_EMPTY)
    for number, (colour, _) in colours.items():
        image[numbers == number] = to_rgba(colour)
    return image


_MARKS = [
    Line2D([], [], color=INK, marker="*", ls="", ms=9, mfc="none", label="vertex"),
    Line2D([], [], color=INK, marker="o", ls="", ms=5, mfc="none", label="start"),
    Line2D([], [], color=INK, marker="x", ls="", ms=5, label="end"),
]


def _mark(ax: Axes, panel: Panel, colours: _Colours, example: Example) -> None:
    """Vertex, and start, end and box of each marked particle."""
    marks = panel.marks
    for particle, start, end, box in zip(
        example.particles, marks.start, marks.end, marks.box, strict=False
    ):
        colour = colours.get(particle.row, (INK, ""))[0]
        ax.plot(start[1], start[0], "o", ms=5, mfc="none", color=colour, mew=1)
        ax.plot(end[1], end[0], "x", ms=5, color=colour, mew=1)
        if np.isfinite(box).all():
            low, left, high, right = box
            frame = Rectangle((left, low), right - left, high - low)
            frame.set(facecolor="none", edgecolor=colour, linewidth=0.7, linestyle=(0, (4, 2)))
            ax.add_patch(frame)
    ax.plot(marks.vertex[1], marks.vertex[0], "*", ms=11, mfc="none", color=INK, mew=1)


def _show(
    ax: Axes,
    panel: Panel,
    image: NDArray[np.float64],
    weight: NDArray[np.float64],
    norm: LogNorm | None = None,
    cmap: Colormap | None = None,
) -> AxesImage:
    """Draw an image on its axes; if it is too fine, of each block the pixel of most weight."""
    rows, columns = panel.rows, panel.columns
    block = -(-max(weight.shape) // FINE)
    if block > 1:
        image = coarse(image, weight, block)
    drawn = ax.imshow(
        image,
        origin="lower",
        extent=(columns.low, columns.high, rows.low, rows.high),
        aspect="auto",
        interpolation="none",
        norm=norm,
        cmap=cmap,
    )
    ax.set_title(plain(panel.title))
    ax.minorticks_off()
    ax.set(xlim=(columns.low, columns.high), ylim=(rows.low, rows.high))
    ax.set_xlabel(_axis(columns.name, columns.unit))
    ax.set_ylabel(_axis(rows.name, rows.unit))
    return drawn


def _axis(name: str, unit: str) -> str:
    return plain(name if unit in (name, f"{name}s") else f"{name} [{unit}]")


def coarse(
    image: NDArray[np.float64], weight: NDArray[np.float64], block: int
) -> NDArray[np.float64]:
    """Of each block of pixels that with the largest weight."""
    height, width = (block * -(-n // block) for n in weight.shape)

    def blocks(array: NDArray[np.float64], fill: float) -> NDArray[np.float64]:
        full = np.full((height, width, *array.shape[2:]), fill)
        full[: array.shape[0], : array.shape[1]] = array
        cut = full.reshape(height // block, block, width // block, block, -1)
        return cut.swapaxes(1, 2).reshape(height // block, width // block, block * block, -1)

    best = blocks(weight, -1.0)[..., 0].argmax(axis=2)[..., np.newaxis, np.newaxis]
    chosen = np.take_along_axis(blocks(image, np.nan), best, axis=2)[:, :, 0]
    return chosen if image.ndim == 3 else chosen[..., 0]


def _bars(ax: Axes, scores: Sequence[Scores]) -> None:
    """Each method's probabilities of the classes."""
    classes = scores[0].classes
    height = 0.8 / len(scores)
    place = np.arange(len(classes))
    for i, (method, colour) in enumerate(zip(scores, COLOURS * 4, strict=False)):
        shift = (i - (len(scores) - 1) / 2) * height
        ax.barh(place + shift, method.values, height, color=colour, label=plain(method.method))
    ax.set_yticks(place, [SYMBOL.get(name, plain(name)) for name in classes])
    ax.tick_params(which="minor", left=False, right=False)
    ax.invert_yaxis()
    ax.set(xlim=(0, 1), xlabel="score")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), fontsize=10, frameon=False)
