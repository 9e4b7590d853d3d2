import numpy as np
import pytest

from hepcnn.performance.average_precision import THRESHOLDS, average_precisions
from hepcnn.performance.bootstrap import draw


def once(score, right, truth, event=None, skipped=None):
    """AP of one threshold, without bootstrap samples."""
    n = len(score)
    right = np.array(right, bool).reshape(n, 1)
    found = average_precisions(
        np.ones((1, len(truth)), np.int16),
        np.zeros(n, int) if event is None else np.array(event),
        np.array(score, np.float32),
        right,
        np.zeros((n, 1), bool) if skipped is None else np.array(skipped).reshape(n, 1),
        np.array(truth),
    )
    assert found.value[0] == pytest.approx(found.value[1], nan_ok=True)
    return float(found.value[0])


def test_known_curves():
    assert once([0.9, 0.8], [1, 1], [2]) == 1
    assert once([0.9, 0.8], [0, 0], [2]) == 0
    assert once([], [], [2]) == 0
    assert np.isnan(once([0.5], [0], [0]))
    # Half of the objects with precision 1: recalls 0.00 to 0.50, 51 of 101.
    assert once([0.9, 0.8], [1, 0], [2]) == pytest.approx(51 / 101)
    # The second object at precision 2/3: 50 recalls more.
    assert once([0.9, 0.8, 0.7], [1, 0, 1], [2]) == pytest.approx((51 + 50 * 2 / 3) / 101)
    # The greatest precision at a recall or above: the first wrong detection costs all recalls.
    assert once([0.9, 0.8, 0.7], [0, 1, 1], [2]) == pytest.approx(2 / 3)


def test_equal_scores_are_taken_together():
    for right in ([1, 0], [0, 1]):
        assert once([0.5, 0.5], right, [1]) == 1 / 2


def test_what_is_skipped_counts_neither_way():
    assert once([0.9, 0.8], [0, 1], [1], skipped=[True, False]) == 1


def reference(score, right, truth):
    """COCO's own steps, for scores that differ."""
    order = np.argsort(-score)
    up_to = np.cumsum(right[order])
    recall, precision = up_to / truth, up_to / np.arange(1, len(score) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    place = np.searchsorted(recall, np.linspace(0, 1, 101) - 1e-12)
    return np.append(precision, 0)[np.minimum(place, len(score))].mean()


def test_samples_of_events_are_those_of_repeated_events():
    rng = np.random.default_rng(2)
    n, n_events = 300, 40
    event, score = rng.integers(0, n_events, n), rng.random(n)
    right = rng.random((n, len(THRESHOLDS))) < np.linspace(0.6, 0.1, len(THRESHOLDS))
    truth = np.bincount(event[right.any(axis=1)], minlength=n_events) + 2
    times = draw(n_events, rng)[:4]
    found = average_precisions(times, event, score, right, np.zeros_like(right), truth)
    expected = [reference(score, r, truth.sum()) for r in right.T]
    assert found.value[0] == pytest.approx(expected[0])
    assert found.value[1] == pytest.approx(np.mean(expected))
    assert found.draws.shape == (3, 2)
    for s, row in enumerate(times[1:]):
        repeated = np.repeat(np.arange(n), row[event])
        again = once(score[repeated], right[repeated, 0], [truth @ row])
        assert found.draws[s, 0] == pytest.approx(again)
