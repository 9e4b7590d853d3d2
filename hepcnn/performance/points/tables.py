"""Tables of key points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hepcnn.performance.bootstrap import BOOTSTRAP, Merits, joined, quantiles, ratio
from hepcnn.performance.columns import METHOD, percent
from hepcnn.performance.intervals import Floats
from hepcnn.performance.points.distances import NEAR, RADII, SCORE, Distances
from hepcnn.performance.table import Cell, Column, Table

#: Scores at which candidates are cut.
SCORES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
#: Edges of the histogram of distances (cm).
EDGES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
ALL = "all"
_KIND = Column("kind", "kind")
_TRUE = Column("true", "# true points", "number")
_CANDIDATES = Column("candidates", "# candidates", "number")
_WORDS = (
    "Efficiency: true points with a candidate of their kind that near in their view; purity: "
    f"candidates with a true point of their kind that near; errors from a {BOOTSTRAP}"
)


def _sums(
    found: Distances, event: NDArray[np.int64], kind: NDArray[np.int64], which: NDArray[np.bool_]
) -> Floats:
    """Count by event and kind, and all together, for each column of `which`: (N, K + 1, R)."""
    k = len(found.kinds)
    cell = event * k + kind
    counts = np.stack(
        [np.bincount(cell[own], minlength=found.n_events * k) for own in which.T], axis=1
    ).reshape(found.n_events, k, which.shape[1])
    return np.concatenate([counts, counts.sum(axis=1, keepdims=True)], axis=1).astype(np.float64)


def _efficiency(found: Distances, which: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """True points that are found in each of R ways, and all: by event and kind."""
    own = (found, found.true_event, found.true_kind)
    return _sums(*own, which), _sums(*own, np.ones((len(found.true_event), 1), dtype=bool))


def _purity(
    found: Distances, right: NDArray[np.bool_], own: NDArray[np.bool_]
) -> tuple[Floats, Floats]:
    """Candidates that are right in each of R ways, and those that count: by event and kind."""
    columns = (found, found.event, found.kind)
    return _sums(*columns, right & own), _sums(*columns, own)


def _near(found: Distances, radii: Sequence[float]) -> tuple[tuple[Floats, Floats], ...]:
    """Numerators and denominators of efficiency and purity at these distances."""
    good = (found.score >= SCORE)[:, np.newaxis]
    return (
        _efficiency(found, found.true_distance[:, np.newaxis] <= radii),
        _purity(found, found.distance[:, np.newaxis] <= radii, good),
    )


def _names(found: Distances) -> tuple[str, ...]:
    return (*found.kinds, ALL)


def _of(found: Distances, kind: str) -> NDArray[np.bool_]:
    """The true points of a kind, or of all."""
    if kind == ALL:
        return np.ones(len(found.true_kind), dtype=bool)
    return found.true_kind == found.kinds.index(kind)


def points(found: Mapping[str, Distances], times: NDArray[np.int16]) -> Table:
    """Efficiency, purity and distances of each kind."""
    columns = (
        *(METHOD, _KIND, _TRUE),
        *(percent(f"efficiency_{r:g}_cm", f"efficiency {r:g} cm", "estimate") for r in RADII),
        _CANDIDATES,
        *(percent(f"purity_{r:g}_cm", f"purity {r:g} cm", "estimate") for r in RADII),
        Column("median", "median distance (cm)", "estimate", 2),
        Column("distance_68", "68 % distance (cm)", "estimate", 2),
    )
    rows: list[tuple[Cell, ...]] = []
    for method, own in found.items():
        (hits, true), (right, candidates) = _near(own, RADII)
        efficiency, purity = ratio(times, hits, true), ratio(times, right, candidates)
        for k, name in enumerate(_names(own)):
            one = _of(own, name)
            far = quantiles(times, own.true_distance[one], own.true_event[one], (0.5, 0.68))
            n_true, n_candidates = int(true[:, k].sum()), int(candidates[:, k].sum())
            cells: list[Cell] = [*efficiency[k].numbers, n_candidates, *purity[k].numbers]
            rows.append((method, name, n_true, *cells, *far.numbers))
    caption = (
        f"Key points; candidates with a score of at least {SCORE:g}. Distance from a true point to "
        f"the nearest candidate, infinite where there is none. {_WORDS}"
    )
    return Table("points", caption, columns, tuple(rows))


def scores(found: Mapping[str, Distances], times: NDArray[np.int16]) -> Table:
    """Efficiency and purity against the cut on the score."""
    columns = (
        *(METHOD, _KIND, Column("score", "score from", "number", 1), _CANDIDATES),
        percent("efficiency", f"efficiency {NEAR:g} cm", "estimate"),
        percent("purity", f"purity {NEAR:g} cm", "estimate"),
    )
    # A score that was stored as 0.9 passes the cut at 0.9.
    cuts = np.array(SCORES, dtype=np.float32)
    rows: list[tuple[Cell, ...]] = []
    for method, own in found.items():
        efficiency = ratio(times, *_efficiency(own, own.true_score[:, np.newaxis] >= cuts))
        passing = own.score[:, np.newaxis] >= cuts
        right, counted = _purity(own, (own.distance <= NEAR)[:, np.newaxis], passing)
        purity = ratio(times, right, counted)
        for k, name in enumerate(_names(own)):
            number = counted[:, k].sum(axis=0)
            cells = zip(SCORES, number, efficiency[k].numbers, purity[k].numbers, strict=True)
            rows += [(method, name, s, int(n), e, p) for s, n, e, p in cells]
    caption = f"Key points within {NEAR:g} cm against the least score of candidates. {_WORDS}"
    return Table("point_scores", caption, columns, tuple(rows))


def histogram(found: Mapping[str, Distances], times: NDArray[np.int16]) -> Table:
    """True points by the distance to the nearest candidate."""
    columns = (
        *(
            METHOD,
            _KIND,
            Column("low", "from (cm)", "number", 2),
            Column("high", "to", "number", 2),
        ),
        *(_TRUE, percent("fraction", "of the true", "estimate")),
    )
    bins = [*pairwise(EDGES), (EDGES[-1], np.inf)]
    rows: list[tuple[Cell, ...]] = []
    for method, own in found.items():
        distance = own.true_distance[:, np.newaxis]
        low, high = np.array(bins).T
        # The last bin has those without a candidate too.
        which = (distance >= low) & ((distance < high) | np.isinf(high))
        counts, true = _efficiency(own, which)
        fraction = ratio(times, counts, true)
        for k, name in enumerate(_names(own)):
            cells = zip(bins, counts[:, k].sum(axis=0), fraction[k].numbers, strict=True)
            rows += [(method, name, *edges, int(n), share) for edges, n, share in cells]
    caption = (
        "True points by the distance to the nearest candidate of their kind with a score of at "
        f"least {SCORE:g}, low <= distance < high; those without any are in the last bin; errors "
        f"from a {BOOTSTRAP}"
    )
    return Table("point_distances", caption, columns, tuple(rows))


def compared(
    found: Mapping[str, Distances], times: NDArray[np.int16]
) -> tuple[list[str], dict[str, Merits]]:
    """Figures of merit, more of which is better, and their values by method."""
    kinds = _names(next(iter(found.values())))
    names = [f"{what} {NEAR:g} cm, {kind}" for what in ("efficiency", "purity") for kind in kinds]
    merits = {
        m: joined([ratio(times, *f) for f in _near(own, (NEAR,))]) for m, own in found.items()
    }
    return names, merits
