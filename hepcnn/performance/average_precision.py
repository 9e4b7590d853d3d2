"""Average precision of detections, as COCO defines it, in bootstrap samples of events.

Detections are taken from the highest score down. Precision is the fraction of those taken that
are right, recall the fraction of the true objects that they find. The precision at a recall is
the greatest one at this recall or above, and the average is over 101 recalls from 0 to 1
(T.-Y. Lin et al., arXiv:1405.0312). Detections of equal scores are taken together, so that their
order does not matter.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hepcnn.performance.bootstrap import Merits, merits
from hepcnn.performance.intervals import Floats

#: Intersections over union that are asked of a right detection; the first is that of AP@.5.
THRESHOLDS = np.round(np.arange(0.5, 1.0, 0.05), 2)
#: Titles of the two averages, as `average_precisions` gives them.
AVERAGES = {"ap_50": "AP@.5", "ap": "AP@[.5:.95]"}
WORDS = "AP: average precision with 101 recalls (arXiv:1405.0312)"


def average_precisions(
    times: NDArray[np.int16],
    event: NDArray[np.integer],
    score: NDArray[np.floating],
    right: NDArray[np.bool_],
    skipped: NDArray[np.bool_],
    truth: NDArray[np.integer],
) -> Merits:
    """Average precision at the first of the thresholds, and its mean over all.

    Parameters
    ----------
    times : ndarray, (1 + samples, events)
        See `hepcnn.performance.bootstrap.draw`.
    event, score : ndarray, (n,)
        Number of the event and score of each detection.
    right, skipped : ndarray, (n, T) bool
        At each threshold the detections that find a true object, each another one, and those
        that count neither for nor against.
    truth : ndarray, (events,)
        True objects of each event.

    Returns
    -------
    Merits, (2,)
        NaN without true objects.
    """
    order = np.argsort(-score, kind="stable")
    total = times @ truth.astype(np.int64)
    found = np.empty((len(times), right.shape[1]))
    for t in range(right.shape[1]):
        own = order[~skipped[order, t]]
        last = np.ones(len(own), dtype=bool)
        last[:-1] = score[own][1:] != score[own][:-1]
        found[:, t] = _areas(times, event[own], right[own, t], last, total)
    return merits(np.stack([found[:, 0], found.mean(axis=1)], axis=1), times.shape[1])


@njit(cache=True, nogil=True)
def _areas(
    times: NDArray[np.int16],
    event: NDArray[np.int64],
    right: NDArray[np.bool_],
    last: NDArray[np.bool_],
    total: NDArray[np.int64],
) -> Floats:
    """Average precision in each sample, of detections by falling score; `last` of equal ones."""
    found = np.full(len(times), np.nan)
    for s in range(len(times)):
        if total[s] == 0:
            continue
        precision = np.zeros(101)
        taken = n_right = before = 0
        for i in range(len(event)):
            n = times[s, event[i]]
            taken += n
            if right[i]:
                n_right += n
            if last[i] and n_right > before:
                before = n_right
                # Whole numbers: 7 of 10 found reach a recall of 0.70 without rounding.
                recall = (100 * n_right) // total[s]
                precision[recall] = max(precision[recall], n_right / taken)
        for k in range(99, -1, -1):
            precision[k] = max(precision[k], precision[k + 1])
        found[s] = precision.mean()
    return found
