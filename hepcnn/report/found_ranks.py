"""Which events are shown of what a network found: the best, the median and the worst."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hepcnn.detector.labels import PIXEL_CLASSES
from hepcnn.performance.instances.overlaps import overlaps
from hepcnn.performance.points.distances import NEAR, SCORE, distances
from hepcnn.performance.vertex.vertices import in_space, in_view
from hepcnn.store.findings import Findings

_OTHER = PIXEL_CLASSES.index("other")
#: Events of fewer hits than this quantile has are not ranked: of nothing nothing can be wrong.
_LEAST = 0.25


@dataclass(frozen=True)
class Ranked:
    """An event, which of all it is, and how good what was found in it is."""

    event: int
    name: str
    words: str


def ranked(findings: Findings) -> list[Ranked]:
    """Find the best, the median and the worst event, each once.

    Events are ranked by what their target's tables ask for; of equal ones that with the most hits
    is shown. The quarter of the events with the fewest hits, and those in which nothing is true,
    are not ranked.
    """
    error, say = _ERRORS[findings.target](findings)
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


_Errors = tuple[NDArray[np.float64], Callable[[float], str]]


def _pixels(findings: Findings) -> _Errors:
    columns, n = findings.tables["pixels"].columns, len(findings)
    index = np.array([PIXEL_CLASSES.index(name) for name in findings.classes])
    counted = columns["semantic"] != _OTHER
    wrong = counted & (index[columns["scores"].argmax(axis=1)] != columns["semantic"])
    event = findings.event_of("pixels")
    return _share(
        np.bincount(event[wrong], minlength=n), np.bincount(event[counted], minlength=n)
    ), lambda e: f"{100 * e:.1f} % of its pixels are called wrongly"


def _instances(findings: Findings) -> _Errors:
    images = overlaps(findings).images
    n = len(findings)
    total = np.bincount(images["event"], images["ari"], n)
    return 1 - _share(total, np.bincount(images["event"], minlength=n)), (
        lambda e: f"the mean adjusted Rand index of its views is {1 - e:.3f}".replace("-", "−")
    )


def _vertices(findings: Findings) -> _Errors:
    space = in_space(findings)
    if np.isfinite(space.distance).any():
        return np.where(space.true, space.distance, np.nan), lambda e: _far(e, "in space")
    # The last view, as the collection plane is, in which anything is found.
    seen = findings.tables["candidates"].columns["view"]
    view = int(seen.max()) if len(seen) else len(findings.views) - 1
    last = in_view(findings, view)
    where = f"in view {findings.views[view].upper()}"
    return np.where(last.true, last.distance, np.nan), lambda e: _far(e, where)


def _far(distance: float, where: str) -> str:
    if np.isinf(distance):
        return f"no vertex is found {where}"
    return f"the found vertex is {distance:.1f} cm from the true one {where}"


def _points(findings: Findings) -> _Errors:
    found, n = distances(findings), len(findings)
    good = found.score >= SCORE
    true, event = found.true_event, found.event[good]
    right = np.bincount(true[found.true_distance <= NEAR], minlength=n)
    right = right + np.bincount(event[found.distance[good] <= NEAR], minlength=n)
    every = np.bincount(true, minlength=n) + np.bincount(event, minlength=n)
    error = np.where(np.bincount(true, minlength=n) > 0, 1 - _share(right, every), np.nan)
    return (
        error,
        lambda e: (
            f"{100 * (1 - e):.0f} % of its true and found points have one of the other within "
            f"{NEAR:g} cm"
        ),
    )


def _share(part: NDArray[np.number], whole: NDArray[np.number]) -> NDArray[np.float64]:
    """One over the other, NaN of nothing."""
    return np.asarray(part / np.where(whole > 0, whole, np.nan), np.float64)


_ERRORS: dict[str, Callable[[Findings], _Errors]] = {
    "semantic": _pixels,
    "instance": _instances,
    "vertex": _vertices,
    "points": _points,
}
