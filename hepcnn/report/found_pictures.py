"""Pictures of events with what a network found in them beside the truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize, to_rgba
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from numpy.typing import NDArray

from hepcnn.report.bands import FINE, coarse
from hepcnn.report.blocks import Picture, Studio
from hepcnn.report.found_events import NOBODY, FoundEvent, Plane
from hepcnn.report.style import CONTROL, plain, styled

#: Grounds of pictures of pixels, and of those on which points and boxes are.
_LIGHT, _DARK, _ON_DARK = "#ffffff", "#0d131b", "#e8ecf0"
#: Boxes and vertices: the correct ones, those predicted; pixels called wrongly, and rightly.
TRUE, FOUND, WRONG, RIGHT = "#ffd60a", "#ff453a", "#d1242f", "#d5dade"
#: Key points: colour and marker of each kind.
POINT = {
    "vertex": (TRUE, "*"),
    "track_end": ("#64d2ff", "o"),
    "shower_start": ("#ff9fe0", "^"),
}
#: Scores from which a candidate is one that counts.
_SCORE = 0.5
#: Half of the window about a vertex (cm), and the edge of a view by its number in a row (inches).
_CLOSE, _EDGE = 12.0, {3: 3.3, 4: 2.9, 5: 2.5}

#: What draws a view into axes.
_Draw = Callable[[Axes, Plane], None]


def pictures(events: Sequence[FoundEvent], studio: Studio) -> list[Picture]:
    """Draw events, each one picture with all its views."""
    return [_picture(event, studio) for event in events]


def picture_of(event: FoundEvent) -> Figure:
    """Draw an event as its target asks for."""
    return _DRAWN[event.target][0](event)


def _picture(event: FoundEvent, studio: Studio) -> Picture:
    draw, words = _DRAWN[event.target]
    energy = "" if np.isnan(event.energy) else f", {event.energy:,.0f} MeV"
    weights = " the weights in the loss," if event.weighted else ""
    return studio.picture(
        draw(event),
        f"found_{event.rank}_{event.method}",
        alt=f"Event {event.name}: what {event.method} found in its views, beside the truth",
        caption=f"{event.rank.capitalize()} event of {event.method}, {event.name}{energy}: "
        f"{event.words}. {words.format(weights=weights)}",
        wide=True,
    )


@styled
def classes(event: FoundEvent) -> Figure:
    """Draw charge, true classes, weights, called classes and errors side by side, by view."""
    kinds: dict[str, _Draw] = {"charge": _charge, "truth": _labelled(event, "true")}
    scale = _weight_norm(event)
    if scale is not None:
        kinds["weight"] = partial(_weight, norm=scale)
    kinds |= {event.method: _labelled(event, "found"), "errors": _errors}
    figure = _grid(event, kinds)
    if scale is not None:
        _weight_scale(figure.axes[list(kinds).index("weight")], scale)
    seen = np.unique(np.concatenate([n for p in event.planes for n in (p.true, p.found)]))
    handles = [
        Patch(facecolor=event.labels[k][1], label=plain(event.labels[k][0]))
        for k in seen.tolist()
        if k != NOBODY
    ]
    handles += [
        Patch(facecolor=WRONG, label="called wrongly"),
        Patch(facecolor=RIGHT, label="called rightly"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)
    return figure


@styled
def particles(event: FoundEvent) -> Figure:
    """Draw charge, true particles and clusters side by side, by view."""
    kinds: dict[str, _Draw] = {
        "charge": _charge,
        "truth": _labelled(event, "true"),
        event.method: _labelled(event, "found"),
        "errors": _errors,
    }
    return _grid(event, kinds)


@styled
def vertex(event: FoundEvent) -> Figure:
    """Draw all views with boxes and points: the correct ones yellow, those predicted red."""
    figure = _rows(event, ["whole", "close"], _vertices)
    handles = [
        Line2D([], [], color=TRUE, marker="*", ms=11, mfc="none", label="correct"),
        Line2D([], [], color=FOUND, marker="+", ms=10, mew=1.8, label="predicted"),
        Line2D([], [], color=FOUND, marker="x", ms=5, alpha=0.7, ls="", label="other candidates"),
    ]
    _dark_legend(figure, handles)
    return figure


@styled
def points(event: FoundEvent) -> Figure:
    """Draw all views with true key points, open, and those found, filled."""
    figure = _rows(event, ["whole"], _points)
    handles = [
        Line2D(
            [],
            [],
            color=c,
            marker=m,
            ms=8,
            ls="",
            mfc=fill,
            label=f"{what} {kind.replace('_', ' ')}",
        )
        for kind, (c, m) in POINT.items()
        for what, fill in (("true", "none"), ("found", c))
    ]
    _dark_legend(figure, handles)
    return figure


_DRAWN: dict[str, tuple[Callable[[FoundEvent], Figure], str]] = {
    "semantic": (
        classes,
        "Side by side, by view: the charge, darker where there is more, the true classes,{weights} "
        "the classes called, and the pixels called wrongly.",
    ),
    "instance": (
        particles,
        "Side by side, by view: the charge, the true particles, the clusters found and the pixels "
        "that are not with their particle. A cluster has the colour of the particle with which it "
        "shares at least half of the pixels of both, else a pale one; grey is in none.",
    ),
    "vertex": (
        vertex,
        "Above whole, below about the vertex: the correct vertex and box yellow, those predicted "
        "red, other candidates thinner.",
    ),
    "points": (
        points,
        "Open: true points; filled: those found with a score of at least 0.5, pale with less.",
    ),
}


def _grid(event: FoundEvent, kinds: dict[str, _Draw]) -> Figure:
    """A row of each view, a column of each kind of picture."""
    edge, n, m = _EDGE[min(max(len(kinds), 3), 5)], len(event.planes), len(kinds)
    figure = Figure(figsize=(edge * m + 0.5, (edge + 0.2) * n + 0.9))
    grid = figure.subplots(n, m, squeeze=False)
    for row, plane in zip(grid, event.planes, strict=True):
        for ax, (title, draw) in zip(row, kinds.items(), strict=True):
            draw(ax, plane)
            _frame(ax, plane)
            if plane is event.planes[0]:
                ax.set_title(plain(title), fontsize=12, y=1.0)
            if plane is not event.planes[-1]:
                ax.set_xlabel("")
            if ax is not row[0]:
                ax.set_ylabel("")
                ax.tick_params(labelleft=False)
        row[0].set_ylabel(f"{plain(plane.title)}:  {row[0].get_ylabel()}")
    return figure


def _rows(event: FoundEvent, windows: Sequence[str], draw: Callable[[Axes, Plane], None]) -> Figure:
    """A column of each view, a row of each window."""
    n, m = len(windows), len(event.planes)
    edge = _EDGE[3] if m <= 3 else _EDGE[5]
    figure = Figure(figsize=(edge * m + 1.2, (edge + 0.25) * n + 1.2))
    grid = figure.subplots(n, m, squeeze=False)
    for window, row in zip(windows, grid, strict=True):
        for ax, plane in zip(row, event.planes, strict=True):
            draw(ax, plane)
            _frame(ax, plane, close=window == "close")
            if window == windows[0]:
                ax.set_title(plain(plane.title), fontsize=12)
            if window != windows[-1]:
                ax.set_xlabel("")
            if plane is not event.planes[0]:
                ax.set_ylabel("")
    return figure


def _frame(ax: Axes, plane: Plane, close: bool = False) -> None:
    """Limits in cm, square, and names of the axes."""
    low, high = (np.array(side) * plane.pixel for side in (plane.low, plane.high))
    true = [m for m in plane.marks if m.score is None] if close else []
    if true:
        middle = np.array([true[0].row, true[0].column]) * plane.pixel
        low, high = middle - _CLOSE, middle + _CLOSE
    ax.set(xlim=(low[1], high[1]), ylim=(low[0], high[0]))
    ax.set_box_aspect(1)
    ax.minorticks_off()
    ax.tick_params(labelsize=9)
    ax.locator_params(nbins=4)
    ax.set(xlabel=f"{plane.axes[1]} [cm]", ylabel=f"{plane.axes[0]} [cm]")


def _dark_legend(figure: Figure, handles: Sequence[Line2D]) -> None:
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=len(handles),
        frameon=True,
        facecolor=_DARK,
        edgecolor=_DARK,
        framealpha=1,
        labelcolor=_ON_DARK,
    )


def _paint(ax: Axes, plane: Plane, colours: NDArray[np.float64], ground: str = _LIGHT) -> AxesImage:
    """Draw pixels in their colours (n, 4) on a ground; if too fine, of each block the brightest."""
    low, high = np.array(plane.low), np.array(plane.high)
    image = np.empty((*(high - low), 4))
    image[:] = to_rgba(ground)
    inside = ((plane.place >= low) & (plane.place < high)).all(axis=1)
    row, column = (plane.place[inside] - low).T
    image[row, column] = colours[inside]
    weight = np.zeros(image.shape[:2])
    weight[row, column] = plane.value[inside]
    block = -(-max(weight.shape) // FINE)
    if block > 1:
        image = coarse(image, weight, block)
        high = low + block * np.array(image.shape[:2])
    (bottom, left), (top, right) = low * plane.pixel, high * plane.pixel
    ax.add_patch(Rectangle((0, 0), 1, 1, transform=ax.transAxes, color=ground, zorder=-1))
    return ax.imshow(
        image,
        origin="lower",
        extent=(left, right, bottom, top),
        aspect="auto",
        interpolation="none",
    )


def _shades(plane: Plane, name: str) -> NDArray[np.float64]:
    """Colours of the charge: from none to a quantile near the largest."""
    value = plane.value
    good = value[value > 0]
    if not len(good):
        return np.zeros((len(value), 4))
    shade = np.sqrt(np.clip(value / np.quantile(good, 0.98), 0, 1))
    return np.asarray(mpl.colormaps[name](0.15 + 0.85 * shade))


def _charge(ax: Axes, plane: Plane) -> None:
    _paint(ax, plane, _shades(plane, "plasma_r"))


def _labelled(event: FoundEvent, which: str) -> _Draw:
    """Draw pixels in the colours of their labels; what has none is grey."""
    table = np.array([to_rgba(colour) for _, colour in (*event.labels, ("", CONTROL))])

    def draw(ax: Axes, plane: Plane) -> None:
        _paint(ax, plane, table[getattr(plane, which)])

    return draw


def _errors(ax: Axes, plane: Plane) -> None:
    colours = np.where(plane.wrong[:, None], to_rgba(WRONG), to_rgba(RIGHT))
    _paint(ax, plane, colours)


def _weight_norm(event: FoundEvent) -> Normalize | None:
    """One scale of the weights in all views, or None without any."""
    weights = np.concatenate([plane.weight for plane in event.planes])
    known = weights[weights > 0]
    return LogNorm(known.min() / 1.01, known.max() * 1.01) if len(known) else None


def _weight(ax: Axes, plane: Plane, norm: Normalize) -> None:
    cmap = mpl.colormaps["viridis_r"]
    known = plane.weight > 0
    colours = np.asarray(cmap(np.asarray(norm(np.where(known, plane.weight, 1.0)))))
    colours[~known] = to_rgba(RIGHT)
    _paint(ax, plane, colours)


def _weight_scale(ax: Axes, norm: Normalize) -> None:
    """The colours of weights, beside the title."""
    inset = ax.inset_axes((0.5, 1.045, 0.32, 0.035))
    inset.imshow([np.linspace(0, 1, 64)], aspect="auto", cmap="viridis_r")
    inset.set(xticks=[], yticks=[])
    style: dict[str, Any] = {"transform": inset.transAxes, "va": "center", "fontsize": 8}
    inset.text(-0.06, 0.5, f"{norm.vmin:.2g}", ha="right", **style)
    inset.text(1.06, 0.5, f"{norm.vmax:.2g}", ha="left", **style)


def _vertices(ax: Axes, plane: Plane) -> None:
    _paint(ax, plane, _shades(plane, "bone"), _DARK)
    step = np.array(plane.pixel)
    for box in plane.boxes:
        low, high = (np.array(corner) * step for corner in (box.corners[:2], box.corners[2:]))
        frame = Rectangle((low[1], low[0]), *(high - low)[::-1])
        frame.set(facecolor="none", edgecolor=TRUE if box.true else FOUND, linewidth=1.4)
        ax.add_patch(frame)
    best = True
    for mark in plane.marks:
        x, y = mark.column * step[1], mark.row * step[0]
        if mark.score is None:
            ax.plot(x, y, "*", ms=13, mfc="none", mec=TRUE, mew=1.3, zorder=4)
        else:
            kind = {"marker": "+", "ms": 12, "mew": 2.0} if best else {"marker": "x", "ms": 4.5}
            ax.plot(x, y, color=FOUND, alpha=1 if best else 0.65, zorder=5, **kind)  # type: ignore[arg-type]
            best = False


def _points(ax: Axes, plane: Plane) -> None:
    _paint(ax, plane, _shades(plane, "bone"), _DARK)
    for mark in plane.marks:
        colour, marker = POINT[mark.kind]
        true = mark.score is None
        style: dict[str, Any] = {"mfc": "none", "ms": 10, "mew": 1.3}
        if not true:
            style = {"mfc": colour, "ms": 5, "mew": 0.0}
            style["alpha"] = 0.95 if (mark.score or 0) >= _SCORE else 0.4
        x, y = mark.column * plane.pixel[1], mark.row * plane.pixel[0]
        ax.plot(x, y, marker, color=colour, zorder=4 + true, **style)
