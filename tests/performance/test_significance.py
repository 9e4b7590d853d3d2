from itertools import combinations

import numpy as np
import pytest
from scipy.stats import norm

from hepcnn.performance.bootstrap import Merits
from hepcnn.performance.comparison import SIGNIFICANT, compared, corrected

LEVEL = 2 * norm.sf(SIGNIFICANT)
FIGURES = ("accuracy", "balanced accuracy")


def known(rng, values, error=1.0, samples=500):
    """Figures of merit with bootstrap samples of exactly this standard deviation."""
    draws = rng.normal(size=(samples, len(values)))
    draws *= error / draws.std(axis=0, ddof=1)
    return Merits(np.asarray(values, dtype=float), values + draws)


def test_holms_correction_is_that_of_the_definition():
    """By hand: p-values 0.01, 0.04, 0.03 of three comparisons, in this order."""
    sigma = norm.isf(np.array([0.01, 0.04, 0.03]) / 2) * [1, -1, 1]
    assert corrected(sigma) == pytest.approx([0.03, 0.06, 0.06])
    assert corrected(np.zeros(4)) == pytest.approx(np.ones(4))
    assert corrected(np.array([])).size == 0


def test_what_cannot_be_compared_is_no_comparison():
    sigma = np.array([2.5, np.nan, -1.0])
    found = corrected(sigma)
    assert np.isnan(found[1])
    assert found[[0, 2]] == pytest.approx(corrected(sigma[[0, 2]]))
    assert corrected(np.array([np.inf, 1.0]))[0] == 0


def test_equal_methods_are_falsely_told_apart_in_no_more_tables_than_stated():
    """13 equal methods with 6 figures: 468 comparisons, of which 21 are 2 errors apart."""
    rng, tables = np.random.default_rng(4), 1000
    pairs = np.array(list(combinations(range(13), 2)))
    claims, false = np.zeros(tables), np.zeros(tables)
    for t in range(tables):
        x = rng.normal(size=(13, 6))
        sigma = ((x[pairs[:, 0]] - x[pairs[:, 1]]) / np.sqrt(2)).ravel()
        claims[t] = np.count_nonzero(np.abs(sigma) >= SIGNIFICANT)
        false[t] = np.count_nonzero(corrected(sigma) <= LEVEL)
    assert sigma.size == 468
    assert claims.mean() == pytest.approx(468 * LEVEL, rel=0.1)
    spread = np.sqrt(LEVEL * (1 - LEVEL) / tables)
    assert np.mean(false > 0) <= LEVEL + 3 * spread
    # It must not be empty either: a correction that claims nothing would pass the above.
    assert np.mean(false > 0) > 0.2 * LEVEL


def test_a_real_difference_is_still_found_among_many():
    rng = np.random.default_rng(2)
    merits = {f"equal_{i}": known(rng, [0.0, 0.0]) for i in range(8)}
    merits["better"] = known(rng, [10.0, 0.0])
    rows = compared(FIGURES, merits)
    assert len(rows) == 2 * 36
    assert {r[8] for r in rows if r[0] == "accuracy"} == {"better", "–"}
    assert all((r[8] == "better") == ("better" in r[1:3]) for r in rows if r[0] == "accuracy")
    assert all(r[8] == "–" for r in rows if r[0] == "balanced accuracy")


def test_a_difference_alone_is_judged_as_it_is():
    """With one comparison there is nothing to correct: two errors are significant."""
    rng = np.random.default_rng(3)
    for difference, better in ((2.1, "one"), (1.9, "–"), (-2.1, "other")):
        one, other = known(rng, [difference]), Merits(np.zeros(1), np.zeros((500, 1)))
        ((*_, sigma, p, claim),) = compared(FIGURES[:1], {"one": one, "other": other})
        assert sigma == pytest.approx(difference)
        assert p == pytest.approx(2 * norm.sf(abs(difference)))
        assert claim == better


def test_two_errors_are_not_enough_among_many():
    rng = np.random.default_rng(5)
    zero = Merits(np.zeros(1), np.zeros((500, 1)))
    rows = compared(FIGURES[:1], {"one": known(rng, [2.5]), "a": zero, "b": zero, "c": zero})
    assert [r[6] for r in rows[:3]] == pytest.approx([2.5] * 3)
    assert {r[8] for r in rows} == {"–"}
