"""Boxes about the vertex: average precision in each view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hepcnn.performance.average_precision import THRESHOLDS, average_precisions
from hepcnn.performance.bootstrap import Merits
from hepcnn.performance.intervals import Floats
from hepcnn.store.findings import Findings


@dataclass(frozen=True, eq=False)
class Boxes:
    """The n boxes that a method found about the vertices of N events in one view.

    Attributes
    ----------
    truth : ndarray, (N,) bool
        The events that have a true box.
    event, score : ndarray, (n,)
        The box's event and score.
    right : ndarray, (n, T) bool
        Whether it is right, by the intersection over union that is asked.
    given : bool
        Whether the method gives boxes, in any view.
    """

    truth: NDArray[np.bool_]
    event: NDArray[np.int64]
    score: NDArray[np.float32]
    right: NDArray[np.bool_]
    given: bool

    @classmethod
    def join(cls, parts: Sequence[Boxes]) -> Boxes:
        """Put the events of several blocks after one another, numbered anew."""
        starts = np.cumsum([0, *(len(part.truth) for part in parts[:-1])])
        events = [part.event + start for part, start in zip(parts, starts, strict=True)]
        return cls(
            np.concatenate([part.truth for part in parts]),
            np.concatenate(events),
            np.concatenate([part.score for part in parts]),
            np.concatenate([part.right for part in parts]),
            any(part.given for part in parts),
        )

    def precisions(self, times: NDArray[np.int16]) -> Merits:
        """AP@.5 and AP@[.5:.95], (2,); NaN for a method without boxes."""
        if not self.given:
            return Merits(np.full(2, np.nan), np.full((len(times) - 1, 2), np.nan))
        none = np.zeros_like(self.right)
        return average_precisions(
            times, self.event, self.score, self.right, none, self.truth.astype(np.int64)
        )


def boxes(findings: Findings, view: int) -> Boxes:
    """Compare the boxes of a view with the true one.

    A view has one true box at most: it goes to the box of the highest score among those that reach
    the intersection over union that is asked, and all others are wrong.
    """
    columns, n = findings.tables["candidates"].columns, len(findings)
    axes = len(findings.shape)
    boxed = np.isfinite(columns["box"]).all(axis=1)
    own = boxed & (columns["view"] == view)
    event, score = findings.event_of("candidates")[own], columns["score"][own]
    true = findings.columns["box"].reshape(n, len(findings.views), 2 * axes)[:, view]
    iou = ious(columns["box"][own], true[event])
    order = np.lexsort((-score, event))
    right = np.zeros((len(event), len(THRESHOLDS)), dtype=bool)
    for t, least in enumerate(THRESHOLDS):
        reach = order[iou[order] >= least]
        right[reach[np.unique(event[reach], return_index=True)[1]], t] = True
    return Boxes(np.isfinite(true).all(axis=1), event, score, right, bool(boxed.any()))


def ious(one: NDArray[np.floating], other: NDArray[np.floating]) -> Floats:
    """Intersection over union of pairs of boxes, (n,); 0 where a box is unknown.

    Parameters
    ----------
    one, other : ndarray, (n, 2·D)
        The low corners, then the high ones.
    """
    axes = one.shape[1] // 2
    a, b = (box.astype(np.float64).reshape(len(box), 2, axes) for box in (one, other))
    sides = np.minimum(a[:, 1], b[:, 1]) - np.maximum(a[:, 0], b[:, 0])
    shared = np.maximum(sides, 0).prod(axis=1)
    either = sum((box[:, 1] - box[:, 0]).prod(axis=1) for box in (a, b)) - shared
    return np.asarray(np.divide(shared, either, out=np.zeros(len(a)), where=either > 0))
