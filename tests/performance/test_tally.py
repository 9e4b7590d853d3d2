"""Sums of weights and the fractions of them, by hand."""

import numpy as np
import pytest

from hepcnn.performance.curves import at_cut, at_misid, roc
from hepcnn.performance.intervals import CLOPPER_PEARSON, WEIGHTED
from hepcnn.performance.loss import loss
from hepcnn.performance.tally import Tally, fraction

WEIGHT = np.array([2.0, 1.0, -1.0, 0.5])
PASSES = np.array([True, True, False, False])


def whole(weight=None, n=4):
    return Tally.of(np.ones(n, bool), weight)


def test_the_closed_form_by_hand():
    """W = 2.5, passing 3: ε = 1.2; Σw² = 6.25, passing 5: (1 − 2.4)·5 + 1.44·6.25 = 2."""
    found = fraction(Tally.of(PASSES, WEIGHT), whole(WEIGHT))
    assert found.value == pytest.approx(1.2)
    assert found.err_low == found.err_high == pytest.approx(np.sqrt(2) / 2.5)
    assert (found.n_pass, found.n_total) == (2, 4)
    assert (found.sumw, found.sumw2, found.n_eff) == (2.5, 6.25, 1.0)
    assert found.method == WEIGHTED


def test_the_error_is_the_binomial_one_where_all_weights_are_one():
    found = fraction(Tally.of(PASSES, np.ones(4)), whole(np.ones(4)))
    assert found.err_low == pytest.approx(np.sqrt(0.5 * 0.5 / 4))
    assert fraction(Tally.of(PASSES), whole()).method == CLOPPER_PEARSON


def test_the_error_is_the_spread_of_repeated_experiments():
    """Signal of weight 1.5 and background of weight −0.5, that pass with the same probability."""
    rng = np.random.default_rng(3)
    weight = np.where(np.arange(600) % 3, 1.5, -0.5)
    found = [fraction(Tally.of(rng.random(600) < 0.8, weight), whole(weight, 600))
             for _ in range(2000)]  # fmt: skip
    spread = np.std([f.value for f in found])
    assert np.mean([f.value for f in found]) == pytest.approx(0.8, abs=4 * spread / 2000**0.5)
    assert np.mean([f.err_low for f in found]) == pytest.approx(spread, rel=0.06)


@pytest.mark.parametrize("weight", [np.zeros(4), -np.ones(4), np.array([1.0, -1, 1, -1])])
def test_weights_that_sum_to_nothing_above_0_have_no_fraction(weight):
    found = fraction(Tally.of(PASSES, weight), whole(weight))
    assert np.isnan([found.value, found.err_low, found.err_high]).all()
    assert found.n_total == 4


def test_binned_sums_are_those_of_each_bin():
    place = np.array([0, 2, 2, 0])
    tally = Tally.binned(place, 4, WEIGHT)
    assert tally.n.tolist() == [2, 0, 2, 0]
    assert tally.w.tolist() == [2.5, 0, 0, 0]
    assert tally.w2.tolist() == [4.25, 0, 2, 0]
    assert tally.sum().w == 2.5
    assert Tally.binned(place, 4).sums is None
    assert Tally.stacked([tally, tally]).w2.shape == (2, 4)


def test_the_cut_for_a_misid_knows_the_weights():
    """Pions from the top weigh .5, −.5, 2 and 2 of 4: the first alone exceeds 10 %."""
    pions, kaons = np.array([4.0, 3, 2, 1]), np.array([5.0, 3.5, 2.5])
    weights = (np.ones(3), np.array([0.5, -0.5, 2.0, 2.0]))
    tight = at_misid(kaons, pions, 0.1, weights=weights)
    assert tight.cut == 4
    assert tight.efficiency.value == pytest.approx(1 / 3)
    loose = at_misid(kaons, pions, 0.2, weights=weights)
    assert loose.cut == 2
    assert (float(loose.misid.value), float(loose.efficiency.value)) == (0, 1)
    assert at_cut(kaons, pions, 3.2, weights).misid.value == pytest.approx(0.125)
    none = at_misid(kaons, pions, 0.1, weights=(np.ones(3), -np.ones(4)))
    assert "weights of the pions sum to -4" in none.note


def test_the_curve_of_whole_weights_is_that_of_repeated_tracks():
    rng = np.random.default_rng(1)
    kaons, pions = rng.normal(1, 1, 30), rng.normal(0, 1, 40)
    times = rng.integers(1, 4, 30), rng.integers(1, 4, 40)
    own = roc(kaons, pions, (times[0].astype(float), times[1].astype(float)))
    repeated = roc(np.repeat(kaons, times[0]), np.repeat(pions, times[1]))
    np.testing.assert_allclose(own.misid, repeated.misid)
    np.testing.assert_allclose(own.efficiency, repeated.efficiency)


def test_the_loss_of_weights_by_hand():
    probability = np.array([[0.5, 0.5], [0.25, 0.75], [0.5, 0.5]])
    label, weight = np.array([0, 0, 1], np.int16), np.array([3.0, -1.0, 2.0])
    mean = loss(probability, label, weight)
    low, high = np.log(2), np.log(4)
    value = (3 * low - high) / 2
    error = np.sqrt(9 * (low - value) ** 2 + (high - value) ** 2) / 2
    np.testing.assert_allclose(mean.value, [value, low])
    assert mean.error[0] == pytest.approx(error)
    assert np.isnan(mean.error[1])
    together, its_error = mean.together(np.array([1.0, 0.5]))
    assert together == pytest.approx((3 * low - high + low) / 3)
    terms = np.array([3 * (low - together), -(high - together), low - together])
    assert its_error == pytest.approx(np.sqrt((terms**2).sum()) / 3)
    ones = loss(probability, label, np.ones(3)).together(np.ones(2))
    assert ones == pytest.approx(loss(probability, label).together(np.ones(2)))
