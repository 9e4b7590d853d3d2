"""Distances between true key points and candidates of their kind in their image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from hepcnn.performance.intervals import Floats
from hepcnn.store.findings import PLACE, Findings

#: Distances at which a point counts as found (cm); `NEAR` where there is room for one.
RADII = (1.0, 2.0, 5.0)
NEAR = 2.0
#: Least score of a candidate, where no other is said.
SCORE = 0.5
_MM = 10.0


@dataclass(frozen=True, eq=False)
class Distances:
    """The n true points and m candidates of one method in N events.

    Attributes
    ----------
    n_events : int
        N.
    kinds : tuple of str
        Names of the K kinds of points.
    true_event, true_kind : ndarray, (n,)
        Number of the event, index into `kinds`.
    true_distance : ndarray, (n,)
        To the nearest candidate with at least `SCORE` (cm); infinite if there is none.
    true_score : ndarray, (n,)
        The highest score of the candidates within `NEAR`; −∞ if there is none.
    event, kind, score, distance : ndarray, (m,)
        Of the candidates, the distance to the nearest true point.
    """

    n_events: int
    kinds: tuple[str, ...]
    true_event: NDArray[np.int64]
    true_kind: NDArray[np.int64]
    true_distance: Floats
    true_score: NDArray[np.float32]
    event: NDArray[np.int64]
    kind: NDArray[np.int64]
    score: NDArray[np.float32]
    distance: Floats

    @classmethod
    def join(cls, parts: Sequence[Distances]) -> Distances:
        """Put the events of several blocks after one another, numbered anew."""
        starts = np.cumsum([0, *(part.n_events for part in parts)])
        columns = {}
        for name in [field.name for field in fields(cls)][2:]:
            own = [getattr(part, name) for part in parts]
            if name in ("event", "true_event"):
                own = [column + start for column, start in zip(own, starts, strict=False)]
            columns[name] = np.concatenate(own)
        return cls(int(starts[-1]), parts[0].kinds, **columns)


def distances(findings: Findings) -> Distances:
    """Find the nearest of each; true points outside their image do not count."""
    seen = inside(findings)
    places, scale = _places(findings, "points")[seen], np.array(findings.pixel_mm) / _MM
    groups, own = (_group(findings, name) for name in ("points", "candidates"))
    i, j = pairs(groups[seen], own)
    score = findings.tables["candidates"].columns["score"]
    apart = (places[i] - _places(findings, "candidates")[j]) * scale
    apart = np.sqrt((apart**2).sum(axis=1))
    good, near = score[j] >= SCORE, apart <= NEAR
    true_distance, distance = np.full(len(places), np.inf), np.full(len(score), np.inf)
    np.minimum.at(true_distance, i[good], apart[good])
    np.minimum.at(distance, j, apart)
    true_score = np.full(len(places), -np.inf, score.dtype)
    np.maximum.at(true_score, i[near], score[j[near]])
    return Distances(
        len(findings),
        findings.classes,
        findings.event_of("points")[seen],
        findings.tables["points"].columns["kind"][seen].astype(np.int64),
        true_distance,
        true_score,
        findings.event_of("candidates"),
        findings.tables["candidates"].columns["kind"].astype(np.int64),
        score,
        distance,
    )


def inside(findings: Findings) -> NDArray[np.bool_]:
    """The true points that are in their image."""
    place = _places(findings, "points")
    return np.asarray(((place >= 0) & (place < findings.shape)).all(axis=1))


def _places(findings: Findings, table: str) -> Floats:
    columns = findings.tables[table].columns
    place = np.stack([columns[name] for name in PLACE[: len(findings.shape)]], axis=1)
    return place.astype(np.float64)


def _group(findings: Findings, table: str) -> NDArray[np.int64]:
    """A number for each image and kind."""
    kind = findings.tables[table].columns["kind"]
    return findings.image_of(table) * len(findings.classes) + kind


def pairs(
    one: NDArray[np.int64], other: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All pairs of equal groups: indices into the one and into the other."""
    order = np.argsort(other, kind="stable")
    start, stop = (np.searchsorted(other[order], one, side=s) for s in ("left", "right"))
    count = stop - start
    i = np.repeat(np.arange(len(one)), count)
    j = np.arange(len(i)) - np.repeat(np.cumsum(count) - count - start, count)
    return i, order[j]
