"""Boxes about the vertex: average precision in each view."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hepcnn.performance.average_precision import THRESHOLDS, average_precisions
from hepcnn.performance.bootstrap import Merits
from hepcnn.performance.intervals import Floats
from hepcnn.store.findings import Findings


def precisions(findings: Findings, view: int, times: NDArray[np.int16]) -> Merits:
    """AP@.5 and AP@[.5:.95] of the boxes in a view, (2,); NaN for a method without boxes.

    A view has one true box at most: it goes to the box of the highest score among those that reach
    the intersection over union that is asked, and all others are wrong.
    """
    columns, n = findings.tables["candidates"].columns, len(findings)
    axes = len(findings.shape)
    boxed = np.isfinite(columns["box"]).all(axis=1)
    if not boxed.any():
        return Merits(np.full(2, np.nan), np.full((len(times) - 1, 2), np.nan))
    own = boxed & (columns["view"] == view)
    event, score = findings.event_of("candidates")[own], columns["score"][own]
    true = findings.columns["box"].reshape(n, len(findings.views), 2 * axes)[:, view]
    iou = ious(columns["box"][own], true[event])
    order = np.lexsort((-score, event))
    right = np.zeros((len(event), len(THRESHOLDS)), dtype=bool)
    for t, least in enumerate(THRESHOLDS):
        reach = order[iou[order] >= least]
        right[reach[np.unique(event[reach], return_index=True)[1]], t] = True
    truth = np.isfinite(true).all(axis=1)
    return average_precisions(times, event, score, right, np.zeros_like(right), truth)


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
