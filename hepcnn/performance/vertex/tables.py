"""Tables of vertices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hepcnn.detector.labels import INTERACTIONS
from hepcnn.performance.aligned import ENERGY, Part
from hepcnn.performance.average_precision import AVERAGES, WORDS
from hepcnn.performance.bootstrap import BOOTSTRAP, Merits, joined, quantiles
from hepcnn.performance.columns import METHOD, percent
from hepcnn.performance.intervals import LEVEL
from hepcnn.performance.table import Cell, Column, Table
from hepcnn.performance.vertex.boxes import Boxes
from hepcnn.performance.vertex.vertices import (
    CONTAINED,
    KEPT,
    RADII,
    Vertices,
    differences,
    fakes,
    without,
)
from hepcnn.store.findings import Found

#: The distances of the tables that have room for two.
SHOWN = (1.0, 5.0)
_TRUE = Column("true", "# true vertices", "number")
_FOUND = percent("found", "found", "estimate")
_WITHIN = tuple(percent(f"within_{r:g}_cm", f"within {r:g} cm", "estimate") for r in RADII)
_RADIUS = Column("radius_68", f"{CONTAINED:.0%} radius (cm)", "estimate", 2)
_SHOWN = [k for k, r in enumerate(RADII) if r in SHOWN]
_OF_PART = (_TRUE, _FOUND, *(_WITHIN[k] for k in _SHOWN), _RADIUS)
_MISSED = f"a vertex that is not found is within no distance; errors from a {BOOTSTRAP}"
_SPACE = (
    "Of the events whose true vertex is in the images of all views; methods of one view give none "
    f"in space, nor does any in a detector of several drift volumes; {_MISSED}"
)


def vertex(
    findings: Sequence[Found], found: Mapping[str, Vertices], times: NDArray[np.int16]
) -> Table:
    """Distances in space, and fakes, of each method."""
    columns = (
        *(METHOD, _TRUE, _FOUND, *_WITHIN, _RADIUS),
        Column("cut", "score from", "number", 3),
        Column("without", "# events without", "number"),
        percent("fakes", "fakes", "estimate"),
    )
    rows: list[tuple[Cell, ...]] = []
    for f in findings:
        own = found[f.method]
        cut, rate = fakes(f, own.true, times)
        figures = joined([own.found(times), own.within(times), own.radius(times)]).numbers
        none = int(without(f).sum())
        rows.append((f.method, int(own.true.sum()), *figures, float(cut.value), none, rate.number))
    caption = (
        f"Distance in space from the found to the true vertex, and the radius that {CONTAINED:.0%} "
        "of the true vertices are within, infinite where fewer are found. Fakes: the events "
        "without a vertex in which one is found with at least the score that keeps "
        f"{KEPT:.0%} of those found in events with one. {_SPACE}"
    )
    return Table("vertex", caption, columns, tuple(rows))


def gain(
    found: Mapping[str, Vertices], baselines: Sequence[str], times: NDArray[np.int16]
) -> Table:
    """Vertices near the true one, over those of the best baseline."""
    near = {method: own.within(times) for method, own in found.items()}
    known = [method for method in found if method in baselines]
    columns: list[Column] = [METHOD]
    best = {}
    for k, r in enumerate(RADII):
        if r in SHOWN:
            name = f"within_{r:g}_cm"
            columns += [
                percent(name, f"within {r:g} cm", "estimate"),
                Column(f"best_{name}", "best baseline"),
                Column(f"ratio_{name}", "ratio to it", "estimate", 2),
            ]
            best[k] = _best({m: near[m][k] for m in known})
    rows: list[tuple[Cell, ...]] = [
        (method, *(cell for k, other in best.items() for cell in _gain(near, method, other, k)))
        for method in found
    ]
    caption = (
        "Vertices found near the true one, and their number over that of the best of the baselines "
        f"({', '.join(known) or 'there are none'}), which is chosen on these events. {_SPACE}"
    )
    return Table("vertex_gain", caption, tuple(columns), tuple(rows))


def _best(near: Mapping[str, Merits]) -> str | None:
    """The method with the most, the first of equals, None if there is none.

    It is that of the sample in every bootstrap sample.
    """
    known = [method for method, merit in near.items() if not np.isnan(merit.value)]
    return max(known, key=lambda m: float(near[m].value), default=None)


def _gain(
    near: Mapping[str, Merits], method: str, other: str | None, k: int
) -> tuple[Cell, Cell, Cell]:
    own = near[method][k]
    if other is None:
        unknown = Merits(np.array(np.nan), np.full_like(own.draws, np.nan))
        return own.number, "–", unknown.number
    return own.number, other, (own / near[other][k]).number


def planes(
    views: Sequence[str],
    found: Mapping[str, Sequence[tuple[Vertices, Boxes]]],
    times: NDArray[np.int16],
) -> Table:
    """Distances in the plane of each view, and average precision of boxes."""
    columns = (
        *(METHOD, Column("view", "view"), _TRUE, _FOUND, *_WITHIN, _RADIUS),
        *(percent(name, title, "estimate") for name, title in AVERAGES.items()),
    )
    rows: list[tuple[Cell, ...]] = []
    for method, every in found.items():
        for view, (own, boxes) in zip(views, every, strict=True):
            parts = [own.found(times), own.within(times), own.radius(times)]
            figures = joined([*parts, boxes.precisions(times)])
            rows.append((method, view, int(own.true.sum()), *figures.numbers))
    caption = (
        "Distance in the plane of a view from the candidate of the highest score to the true "
        "vertex, of the events whose true vertex is in that image, and average precision of the "
        "boxes about the vertex, one true box at most in a view, of the methods that give boxes; "
        "nothing is found in views that a method does not see; "
        f"{WORDS}; {_MISSED}"
    )
    return Table("vertex_planes", caption, columns, tuple(rows))


def resolution(
    findings: Sequence[Found], found: Mapping[str, Vertices], times: NDArray[np.int16]
) -> Table:
    """Bias and width of each coordinate."""
    columns = (
        *(METHOD, Column("axis", "axis"), Column("vertices", "# vertices", "number")),
        Column("median", "median (cm)", "estimate", 3),
        Column("half_width", "68 % half width (cm)", "estimate", 3),
    )
    levels = ((1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2)
    rows: list[tuple[Cell, ...]] = []
    for f in findings:
        event = np.flatnonzero(found[f.method].true & np.isfinite(found[f.method].distance))
        for axis, values in zip("xyz", differences(f)[event].T, strict=True):
            low, median, high = (quantiles(times, values, event, levels)[k] for k in range(3))
            width = high - low
            half = Merits(width.value / 2, width.draws / 2)
            rows.append((f.method, axis, len(event), median.number, half.number))
    caption = (
        "Found less true coordinate of the vertices that are found: median, and half the width of "
        "the central 68.27 %. Of the events whose true vertex is in the images of all views; "
        f"errors from a {BOOTSTRAP}"
    )
    return Table("vertex_resolution", caption, columns, tuple(rows))


def energy(found: Mapping[str, Vertices], parts: Sequence[Part], times: NDArray[np.int16]) -> Table:
    """Vertices found, whole and in bins of true energy."""
    rows = tuple(
        (method, *part.cells, *_in_part(every, part.events, times))
        for method, every in found.items()
        for part in parts
    )
    caption = (
        "Vertices in bins of true energy, low <= E < high, and in the events without one "
        f"(unknown). {_SPACE}"
    )
    return Table("vertex_energy", caption, (METHOD, *ENERGY, *_OF_PART), rows)


def interactions(
    found: Mapping[str, Vertices], label: NDArray[np.int16], times: NDArray[np.int16]
) -> Table:
    """Vertices found in each class of interactions; label (N,) is an index into `INTERACTIONS`."""
    rows = tuple(
        (method, name, *_in_part(every, label == k, times))
        for method, every in found.items()
        for k, name in enumerate(INTERACTIONS)
        if every.true[label == k].any()
    )
    caption = (
        "Vertices by the true interaction. That of a neutral current can be where nothing is seen: "
        f"neutrons and photons leave no charge at first. {_SPACE}"
    )
    columns = (METHOD, Column("interaction", "interaction"), *_OF_PART)
    return Table("vertex_interactions", caption, columns, rows)


def _in_part(
    every: Vertices, events: NDArray[np.bool_], times: NDArray[np.int16]
) -> tuple[Cell, ...]:
    """The cells of `_OF_PART`, of some of the events."""
    own, drawn = every.take(events), times[:, events]
    within = own.within(drawn)
    figures = [own.found(drawn), *(within[k] for k in _SHOWN), own.radius(drawn)]
    return int(own.true.sum()), *(f.number for f in figures)


def compared(
    found: Mapping[str, Vertices], times: NDArray[np.int16]
) -> tuple[list[str], dict[str, Merits]]:
    """Figures of merit, more of which is better, and their values by method."""
    names = [*(f"within {r:g} cm" for r in RADII), "found"]
    return names, {m: joined([v.within(times), v.found(times)]) for m, v in found.items()}
