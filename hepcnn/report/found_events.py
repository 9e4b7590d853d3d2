"""Events with what a network found in them beside the truth, as they are drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepcnn.detector.labels import PIXEL_CLASSES
from hepcnn.errors import InputError
from hepcnn.imaging.lengths import pixel_size
from hepcnn.report.bands import PIXEL_COLOUR
from hepcnn.report.example import find
from hepcnn.report.found_ranks import Ranked
from hepcnn.report.style import COLOURS, CONTROL
from hepcnn.store.findings import PLACE, Findings, Found
from hepcnn.store.header import Header
from hepcnn.store.images import ImageSet
from hepcnn.store.pixels import pixel_rows
from hepcnn.store.shard import Images

#: What no particle or cluster has.
NOBODY = -1
_OTHER = PIXEL_CLASSES.index("other")
#: Pixels about what is shown, and the least that is.
_MARGIN, _LEAST = 6, 40
#: Candidates of a view that are shown, at most: those of the highest scores.
_CANDIDATES = 12
#: Colours of particles: Okabe and Ito's, then darker ones; of clusters of no particle, pale.
_PARTICLES = (*COLOURS, "#7a5195", "#8c6d31", "#2f4b7c", "#a05195", "#3b7d4f", "#c0504d")
_PALE = ("#c9b8e8", "#e8c9b8", "#b8e0e8", "#d3e8b8", "#e8b8d6", "#d8d2c0")


@dataclass(frozen=True)
class Mark:
    """A point in a view (pixels); a true one has no score. `kind` says what it is."""

    kind: str
    row: float
    column: float
    score: float | None = None


@dataclass(frozen=True)
class Box:
    """A box in a view (pixels): low row, low column, high row, high column."""

    corners: tuple[float, ...]
    true: bool


@dataclass(frozen=True, eq=False)
class Plane:
    """A view of an event, or a projection of a three-dimensional one: its n pixels and points.

    Attributes
    ----------
    title : str
        The view.
    axes : (str, str)
        Names of rows and columns.
    pixel : (float, float)
        Length of a pixel along them (cm).
    low, high : (int, int)
        The window that is shown (pixels).
    place : ndarray, (n, 2) int
        Row and column.
    value : ndarray, (n,)
        As the network sees it.
    true, found : ndarray, (n,) int
        Indices into the event's labels, `NOBODY` without any.
    wrong : ndarray, (n,) bool
        Where these differ and it counts.
    score, weight : ndarray, (n,)
        Of the class found; in the training's loss. NaN is not known.
    marks : tuple of Mark
    boxes : tuple of Box
    """

    title: str
    axes: tuple[str, str]
    pixel: tuple[float, float]
    low: tuple[int, int]
    high: tuple[int, int]
    place: NDArray[np.int64]
    value: NDArray[np.float64]
    true: NDArray[np.int64]
    found: NDArray[np.int64]
    wrong: NDArray[np.bool_]
    score: NDArray[np.float64]
    weight: NDArray[np.float64]
    marks: tuple[Mark, ...]
    boxes: tuple[Box, ...]


@dataclass(frozen=True, eq=False)
class FoundEvent:
    """An event with what was found in it.

    Attributes
    ----------
    name : str
        Run, subrun and event.
    rank, words : str
        Which of all events it is, and how good the findings are.
    energy : float
        True energy (MeV), NaN where there is none.
    target, method : str
        What was looked for, and by what.
    labels : sequence of (str, str)
        Names and colours of the classes or particles of pixels.
    planes : sequence of Plane
    """

    name: str
    rank: str
    words: str
    energy: float
    target: str
    method: str
    labels: Sequence[tuple[str, str]]
    planes: Sequence[Plane]

    @property
    def weighted(self) -> bool:
        """Whether there are weights."""
        return any(np.isfinite(plane.weight).any() for plane in self.planes)


def found_events(
    findings: Found,
    ranked: Sequence[Ranked],
    images: ImageSet,
    checkpoint: Path | None = None,
    weights: Any = None,
) -> list[FoundEvent]:
    """Put events together with what was found in them.

    Parameters
    ----------
    findings : Found
        Of a method.
    ranked : sequence of Ranked
        Which events.
    images : ImageSet
        What it was given.
    checkpoint : Path, optional
        The network, where the method is one: it knows what is done to the images first.
    weights : hepcnn.config.pixel_weights.PixelWeights, optional
        The pixels' weights in its training.
    """
    transform = None
    if checkpoint is not None:
        from hepcnn.learning.checkpoint import Checkpoint

        transform = Checkpoint.load(checkpoint).preprocessing.transform(images)
    header = images.header if transform is None else transform.header
    here = header.shape, pixel_size(header, header.views[0])
    there = findings.shape, tuple(findings.pixel_mm)
    if here != there:
        raise InputError(
            f"the findings of '{findings.method}' are of {there[0]} pixels of {there[1]} mm, the "
            f"images of {here[0]} of {here[1]} mm; a network with processing steps needs its "
            "checkpoint"
        )
    events = []
    for rank in ranked:
        at = find(images, findings.key[rank.event].tolist())
        one = images.read(at, at + 1)
        one = one if transform is None else transform.apply(one)
        own = findings.take(np.array([rank.event]))
        events.append(_event(own, rank, one, header, weights))
    return events


def _event(
    findings: Findings, rank: Ranked, one: Images, header: Header, weights: Any
) -> FoundEvent:
    """The event that the findings are of alone."""
    tables = {name: rows.columns for name, rows in findings.tables.items()}
    pixels = tables.get("pixels") or pixel_rows(one, findings.views).columns
    labels, true, found, wrong = _labels(findings, pixels)
    n = len(pixels["view"])
    columns = {
        "value": pixels["value"].astype(np.float64),
        "true": true,
        "found": found,
        "wrong": wrong,
        "score": _scores(pixels, n),
        "weight": np.full(n, np.nan),
    }
    if weights is not None:
        from hepcnn.learning.weighing import weigh

        columns["weight"] = weigh(pixels, findings, one, header, weights)
    planes = [
        _plane(findings, v, kept, pixels, columns, tables)
        for v in range(len(findings.views))
        for kept in combinations(range(len(findings.shape)), 2)
    ]
    run, subrun, event, _ = findings.key[0].tolist()
    return FoundEvent(
        name=f"{run}:{subrun}:{event}",
        rank=rank.name,
        words=rank.words,
        energy=float(findings.columns["energy"][0]),
        target=findings.target,
        method=findings.method,
        labels=labels,
        planes=planes,
    )


def _scores(pixels: Mapping[str, NDArray[Any]], n: int) -> NDArray[np.float64]:
    """The score of the class that is called."""
    if "scores" not in pixels:
        return np.full(n, np.nan)
    return np.asarray(pixels["scores"].max(axis=1, initial=0), np.float64)


_Labels = tuple[list[tuple[str, str]], NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]


def _labels(findings: Findings, pixels: Mapping[str, NDArray[Any]]) -> _Labels:
    """Names and colours of labels, and the pixels' true and found ones, and where they differ."""
    semantic = pixels["semantic"].astype(np.int64)
    if findings.target == "instance":
        return _particles(pixels)
    labels = [(name, PIXEL_COLOUR.get(name, CONTROL)) for name in PIXEL_CLASSES]
    found = np.full(len(semantic), NOBODY)
    if findings.target == "semantic":
        index = np.array([PIXEL_CLASSES.index(name) for name in findings.classes])
        found = index[pixels["scores"].argmax(axis=1)]
    wrong = (found != semantic) & (semantic != _OTHER) & (found != NOBODY)
    return labels, semantic, found, wrong


def _particles(pixels: Mapping[str, NDArray[Any]]) -> _Labels:
    """Particles, the largest first, in the same colours in all views, and clusters.

    A cluster that shares at least half of the pixels of both with a particle is that particle.
    """
    semantic, instance = pixels["semantic"], pixels["instance"].astype(np.int64)
    known = (instance >= 0) & (semantic != _OTHER)
    numbers, sizes = np.unique(instance[known], return_counts=True)
    numbers = numbers[np.argsort(-sizes, kind="stable")]
    labels = []
    true, found = np.full(len(instance), NOBODY), np.full(len(instance), NOBODY)
    for k, number in enumerate(numbers):
        own = known & (instance == number)
        true[own] = k
        kind = PIXEL_CLASSES[int(np.bincount(semantic[own]).argmax())]
        labels.append((f"{kind} {k + 1}", _PARTICLES[k % len(_PARTICLES)]))
    unmatched = count()
    for view, cluster in np.unique(np.stack([pixels["view"], pixels["found"]]), axis=1).T:
        own = (pixels["view"] == view) & (pixels["found"] == cluster)
        if cluster < 0:
            continue
        here, shared = np.unique(true[own & (true >= 0)], return_counts=True)
        size = own.sum()
        for k, n in zip(here, shared, strict=True):
            of_particle = ((true == k) & (pixels["view"] == view)).sum()
            if 2 * n >= size and 2 * n >= of_particle:
                found[own] = k
        if (found[own] == NOBODY).any():
            n = next(unmatched)
            found[own] = len(labels)
            labels.append((f"cluster {n + 1}", _PALE[n % len(_PALE)]))
    wrong = (true != found) & (true != NOBODY)
    return labels, true, found, wrong


def _plane(
    findings: Findings,
    view: int,
    kept: tuple[int, ...],
    pixels: Mapping[str, NDArray[Any]],
    columns: Mapping[str, NDArray[Any]],
    tables: Mapping[str, Mapping[str, NDArray[Any]]],
) -> Plane:
    """One view on two of its axes; of several pixels in one place that of the largest value."""
    dimensions = len(findings.shape)
    own = np.flatnonzero(pixels["view"] == view)
    whole = np.stack(np.unravel_index(pixels["pixel"][own].astype(np.int64), findings.shape), 1)
    place = whole[:, list(kept)]
    order = np.argsort(-columns["value"][own], kind="stable")
    _, first = np.unique(place[order], axis=0, return_index=True)
    chosen = order[first]
    names = ("drift", "wires") if dimensions == 2 else ("x", "y", "z")
    title = findings.views[view].upper()
    if dimensions > 2:
        title = "".join(names[d] for d in kept)
    plane = Plane(
        title=title,
        axes=(names[kept[0]], names[kept[1]]),
        pixel=(findings.pixel_mm[kept[0]] / 10, findings.pixel_mm[kept[1]] / 10),
        low=(0, 0),
        high=(findings.shape[kept[0]], findings.shape[kept[1]]),
        place=place[chosen],
        marks=_marks(findings, view, kept, tables),
        boxes=_boxes(findings, view, kept, tables),
        **{name: column[own][chosen] for name, column in columns.items()},
    )
    return _cropped(plane)


def _best(rows: Mapping[str, NDArray[Any]], view: int) -> NDArray[np.int64]:
    """The candidates of a view with the highest scores."""
    own = np.flatnonzero(rows["view"] == view)
    return own[np.argsort(-rows["score"][own], kind="stable")[:_CANDIDATES]]


def _marks(
    findings: Findings,
    view: int,
    kept: tuple[int, ...],
    tables: Mapping[str, Mapping[str, NDArray[Any]]],
) -> tuple[Mark, ...]:
    """True points and candidates."""
    if "candidates" not in tables:
        return ()
    axes = [PLACE[d] for d in kept]
    found = tables["candidates"]
    names = findings.classes or ("vertex",)

    def marks(rows: Mapping[str, NDArray[Any]], which: NDArray[np.int64]) -> list[Mark]:
        kind = rows.get("kind", np.zeros(len(rows["view"]), np.int64))
        return [
            Mark(
                names[int(kind[i])],
                float(rows[axes[0]][i]),
                float(rows[axes[1]][i]),
                float(rows["score"][i]) if "score" in rows else None,
            )
            for i in which
        ]

    if findings.target == "points":
        points = tables["points"]
        true = marks(points, np.flatnonzero(points["view"] == view))
    else:
        dimensions = len(findings.shape)
        place = findings.columns["vertex_pixel"][0, dimensions * view :][list(kept)]
        true = [Mark("vertex", *map(float, place))] if np.isfinite(place).all() else []
    return (*true, *marks(found, _best(found, view)))


def _boxes(
    findings: Findings,
    view: int,
    kept: tuple[int, ...],
    tables: Mapping[str, Mapping[str, NDArray[Any]]],
) -> tuple[Box, ...]:
    """The box about the true vertex and that of the best candidate, where there are such."""
    if findings.target != "vertex":
        return ()
    dimensions = len(findings.shape)
    corners = [*kept, *(dimensions + d for d in kept)]
    true = findings.columns["box"][0, 2 * dimensions * view :][corners]
    found = tables["candidates"]["box"][_best(tables["candidates"], view)[:1]][:, corners]
    both = [(true, True), *((box, False) for box in found)]
    return tuple(Box(tuple(map(float, box)), t) for box, t in both if np.isfinite(box).all())


def _cropped(plane: Plane) -> Plane:
    """Show no more than what is occupied by particles, and true points; square in cm."""
    counted = (plane.true != NOBODY) & ~((plane.true == _OTHER) & (plane.found == NOBODY))
    shown = [plane.place[counted if counted.any() else slice(None)]]
    shown += [np.array([[m.row, m.column]]) for m in plane.marks if m.score is None]
    places = np.concatenate([np.zeros((0, 2)), *shown])
    size, step = np.array(plane.high), np.array(plane.pixel)
    places = places[((places >= 0) & (places < size)).all(axis=1)]
    if not len(places):
        return plane
    low, high = np.floor(places.min(axis=0)) - _MARGIN, np.floor(places.max(axis=0)) + 1 + _MARGIN
    side = max(((high - low) * step).max(), _LEAST * step.min())
    middle, half = (low + high) / 2, side / step / 2
    low, high = np.floor(middle - half).astype(int), np.ceil(middle + half).astype(int)
    return replace(plane, low=(low[0].item(), low[1].item()), high=(high[0].item(), high[1].item()))
