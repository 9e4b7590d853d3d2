"""Found and true vertices of one method, in space and in each view; which methods compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hepcnn.errors import InputError
from hepcnn.performance.aligned import check_truth
from hepcnn.performance.bootstrap import Merits, merits, quantiles, ratio
from hepcnn.performance.intervals import Floats
from hepcnn.store.findings import PLACE, Findings, Found

#: Distances within which a vertex counts as found well (cm).
RADII = (1.0, 2.0, 3.0, 5.0, 10.0)
#: Fraction of the events that the radius in the tables contains.
CONTAINED = 0.68
#: Fraction of the found vertices of events that have one that is kept by the cut on the score.
KEPT = 0.95
_MM = 10.0


@dataclass(frozen=True, eq=False)
class Vertices:
    """Distances of N events.

    Attributes
    ----------
    true : ndarray, (N,) bool
        The events that have a true vertex where it is looked for.
    distance : ndarray, (N,) float64
        From the found to the true vertex (cm); infinite where nothing is found.
    sought : bool
        Whether the method gives such vertices at all; if not, its figures are NaN.
    """

    true: NDArray[np.bool_]
    distance: Floats
    sought: bool = True

    @classmethod
    def join(cls, parts: Sequence[Vertices]) -> Vertices:
        """Put the events of several blocks after one another."""
        true, distance = zip(*((part.true, part.distance) for part in parts), strict=True)
        return cls(np.concatenate(true), np.concatenate(distance))

    def take(self, events: NDArray[np.bool_]) -> Vertices:
        """Some of the events."""
        return Vertices(self.true[events], self.distance[events], self.sought)

    @property
    def _counted(self) -> NDArray[np.bool_]:
        return self.true & self.sought

    def within(self, times: NDArray[np.int16]) -> Merits:
        """Fraction of the true vertices within each of `RADII`, (R,)."""
        near = self.distance[:, np.newaxis] <= RADII
        counted = self._counted[:, np.newaxis]
        return ratio(times, near & counted, counted)

    def found(self, times: NDArray[np.int16]) -> Merits:
        """Fraction of the events with a true vertex in which one is found; a scalar."""
        return ratio(times, np.isfinite(self.distance) & self._counted, self._counted)

    def radius(self, times: NDArray[np.int16]) -> Merits:
        """Distance within which `CONTAINED` of the true vertices are (cm); a scalar."""
        event = np.flatnonzero(self._counted)
        return quantiles(times, self.distance[event], event, [CONTAINED])[0]


def check_vertices(a: Found, b: Found) -> None:
    """Refuse two methods on the same events whose distances (cm) are not of the same vertices.

    Their images may differ in all else: in pixels and shape, and with them in the vertices' pixels.

    Raises
    ------
    InputError
        If the views differ, the true vertices in space, or which of them are inside the images.
    """
    if a.views != b.views:
        raise InputError(f"views: '{a.method}' has {a.views}, '{b.method}' has {b.views}")
    for name in ("vertex", "interaction"):
        check_truth(a, b, name, a.columns[name], b.columns[name])
    for view, of_a, of_b in zip(a.views, inside(a).T, inside(b).T, strict=True):
        if differ := int(np.count_nonzero(of_a != of_b)):
            raise InputError(
                f"view {view}: in {differ} of {len(a)} events the true vertex is inside the image "
                f"of one of '{a.method}' ({of_a.sum()} inside) and '{b.method}' ({of_b.sum()}) "
                "alone; methods on different image sets must have the same vertices inside, as "
                "those of the region 'whole' have"
            )


def inside(findings: Found) -> NDArray[np.bool_]:
    """Whether each event has a true vertex in the image of each view, (N, V)."""
    place = _places(findings)
    return np.asarray(((place >= 0) & (place < findings.shape)).all(axis=2))


def without(findings: Found) -> NDArray[np.bool_]:
    """The events that have no true vertex at all, (N,)."""
    known = np.isfinite(findings.columns["vertex"]).all(axis=1)
    return np.asarray(~known & np.isnan(_places(findings)).all(axis=(1, 2)))


def _places(findings: Found) -> Floats:
    """The true vertex in the images, (N, V, D); NaN where there is none."""
    place = findings.columns["vertex_pixel"].astype(np.float64)
    return place.reshape(len(findings), len(findings.views), len(findings.shape))


def differences(findings: Found) -> Floats:
    """Found less true position (cm), (N, 3); NaN where either is missing."""
    columns = findings.columns
    return np.asarray(columns["found"].astype(np.float64) - columns["vertex"])


def in_space(findings: Found) -> Vertices:
    """Vertices in space, of the events whose true one is in the images of all views.

    Methods of one view give none, and none does in a detector of several drift volumes.
    """
    known = np.isfinite(findings.columns["vertex"]).all(axis=1)
    distance = np.sqrt((differences(findings) ** 2).sum(axis=1))
    return Vertices(
        known & inside(findings).all(axis=1),
        np.where(np.isnan(distance), np.inf, distance),
        sought=bool(np.isfinite(findings.columns["found"]).any()),
    )


def in_view(findings: Findings, view: int) -> Vertices:
    """Vertices in the plane of a view: the found one is the candidate of the highest score."""
    columns, n = findings.tables["candidates"].columns, len(findings)
    own = columns["view"] == view
    place = np.stack([columns[name][own] for name in PLACE[: len(findings.shape)]], axis=1)
    event, score = findings.event_of("candidates")[own], columns["score"][own]
    # Of equal scores the first by place: the order of the candidates does not matter.
    order = np.lexsort((*place.T, -score, event))
    events, first = np.unique(event[order], return_index=True)
    found = np.full((n, place.shape[1]), np.inf)
    found[events] = place[order[first]]
    apart = (found - _places(findings)[:, view]) * findings.pixel_mm / _MM
    distance = np.sqrt((apart**2).sum(axis=1))
    return Vertices(inside(findings)[:, view], np.where(np.isnan(distance), np.inf, distance))


def fakes(
    findings: Found, true: NDArray[np.bool_], times: NDArray[np.int16]
) -> tuple[Merits, Merits]:
    """The cut on the score that keeps `KEPT` of the found vertices, and the rate of fakes.

    A fake is a vertex found, with at least that score, in an event that has none. In each sample
    the cut is found anew.
    """
    found = np.isfinite(findings.columns["found"]).all(axis=1)
    score = findings.columns["found_score"].astype(np.float64)
    event, none = np.flatnonzero(found & true), without(findings)
    cut = quantiles(times, score[event], event, [1 - KEPT])[0]
    cuts = np.append(cut.value, cut.draws)[:, np.newaxis]
    fake = times[:, none] * (found[none] & (score[none] >= cuts))
    total = times[:, none].sum(axis=1, dtype=np.int64)
    rate = fake.sum(axis=1) / np.where((total > 0) & ~np.isnan(cuts[:, 0]), total, np.nan)
    return cut, merits(rate, times.shape[1])
