"""Which events are shown of what a network found: the best, the median and the worst."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hepcnn.detector.labels import PIXEL_CLASSES
from hepcnn.performance.instances.overlaps import overlaps
from hepcnn.performance.points.distances import NEAR, SCORE, distances
from hepcnn.performance.vertex.vertices import Vertices, in_space, in_view
from hepcnn.store.findings import Findings, Found

_OTHER = PIXEL_CLASSES.index("other")
#: Events of fewer hits than this quantile has are not ranked: of nothing nothing can be wrong.
_LEAST = 0.25


@dataclass(frozen=True)
class Ranked:
    """An event, which of all it is, and how good what was found in it is."""

    event: int
    name: str
    words: str


def ranked(findings: Found) -> list[Ranked]:
    """Find the best, the median and the worst event, each once.

    Events are ranked by what their target's tables ask for; of equal ones that with the most hits
    is shown. The quarter of the events with the fewest hits, and those in which nothing is true,
    are not ranked.
    """
    measure, say = _ERRORS.get(findings.target) or _vertices(findings)
    error = np.concatenate([measure(block) for block in findings.blocks()])
    hits = findings.columns["n_hits"].astype(np.float64)
    known = np.flatnonzero(~np.isnan(error))
    if not len(known):
        return []
    known = known[hits[known] >= np.quantile(hits[known], _LEAST)]
    up = known[np.lexsort((-hits[known], error[known]))]
    down = known[np.lexsort((-hits[known], -error[known]))]
    chosen = {"best": up[0], "median": up[len(up) // 2], "worst": down[0]}
    found: dict[int, str] = {}
    for name, event in chosen.items():
        found.setdefault(int(event), name)
    return [Ranked(event, name, say(error[event])) for event, name in found.items()]


#: The error of each event of some findings, NaN where there is none.
_Errors = Callable[[Findings], NDArray[np.float64]]
#: It in words.
_Words = Callable[[float], str]


def _pixels(findings: Findings) -> NDArray[np.float64]:
    columns, n = findings.tables["pixels"].columns, len(findings)
    index = np.array([PIXEL_CLASSES.index(name) for name in findings.classes])
    counted = columns["semantic"] != _OTHER
    wrong = counted & (index[columns["scores"].argmax(axis=1)] != columns["semantic"])
    event = findings.event_of("pixels")
    return _share(np.bincount(event[wrong], minlength=n), np.bincount(event[counted], minlength=n))


def _instances(findings: Findings) -> NDArray[np.float64]:
    images = overlaps(findings).images
    n = len(findings)
    total = np.bincount(images["event"], images["ari"], n)
    return 1 - _share(total, np.bincount(images["event"], minlength=n))


def _vertices(findings: Found) -> tuple[_Errors, _Words]:
    """Distances in space if any vertex is found there, else in a view."""
    if np.isfinite(in_space(findings).distance).any():
        return lambda own: _distances(in_space(own)), lambda e: _far(e, "in space")
    # The last view, as the collection plane is, in which anything is found.
    seen = [b.tables["candidates"].columns["view"].max(initial=-1) for b in findings.blocks()]
    view = int(max(seen)) if max(seen) >= 0 else len(findings.views) - 1
    where = f"in view {findings.views[view].upper()}"
    return lambda own: _distances(in_view(own, view)), lambda e: _far(e, where)


def _distances(vertices: Vertices) -> NDArray[np.float64]:
    """Of the events with a true vertex."""
    return np.where(vertices.true, vertices.distance, np.nan)


def _far(distance: float, where: str) -> str:
    if np.isinf(distance):
        return f"no vertex is found {where}"
    return f"the found vertex is {distance:.1f} cm from the true one {where}"


def _points(findings: Findings) -> NDArray[np.float64]:
    found, n = distances(findings), len(findings)
    good = found.score >= SCORE
    true, event = found.true_event, found.event[good]
    right = np.bincount(true[found.true_distance <= NEAR], minlength=n)
    right = right + np.bincount(event[found.distance[good] <= NEAR], minlength=n)
    every = np.bincount(true, minlength=n) + np.bincount(event, minlength=n)
    return np.where(np.bincount(true, minlength=n) > 0, 1 - _share(right, every), np.nan)


def _share(part: NDArray[np.number], whole: NDArray[np.number]) -> NDArray[np.float64]:
    """One over the other, NaN of nothing."""
    return np.asarray(part / np.where(whole > 0, whole, np.nan), np.float64)


#: But of a vertex: see `_vertices`.
_ERRORS: dict[str, tuple[_Errors, _Words]] = {
    "semantic": (_pixels, lambda e: f"{100 * e:.1f} % of its pixels are called wrongly"),
    "instance": (
        _instances,
        lambda e: f"the mean adjusted Rand index of its views is {1 - e:.3f}".replace("-", "−"),
    ),
    "points": (
        _points,
        lambda e: (
            f"{100 * (1 - e):.0f} % of its true and found points have one of the other within "
            f"{NEAR:g} cm"
        ),
    ),
}
