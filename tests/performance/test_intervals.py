import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from hepcnn.performance.intervals import LEVEL, clopper_pearson, weighted_proportion

counts = st.integers(0, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(counts)
def test_clopper_pearson_is_scipys(count):
    k, n = count
    result = clopper_pearson(k, n)
    if n == 0:
        assert np.isnan([result.value, result.err_low, result.err_high]).all()
        return
    low, high = binomtest(k, n).proportion_ci(LEVEL, method="exact")
    assert result.value == k / n
    np.testing.assert_allclose(result.value - result.err_low, low, atol=1e-12)
    np.testing.assert_allclose(result.value + result.err_high, high, atol=1e-12)


def test_clopper_pearson_covers_at_its_level():
    """For every true proportion the interval holds it in at least 68.27 % of experiments."""
    n = 30
    k = np.arange(n + 1)
    interval = clopper_pearson(k, n)
    for truth in (0.02, 0.1, 0.5, 0.9):
        low, high = interval.value - interval.err_low, interval.value + interval.err_high
        inside = (low <= truth) & (truth <= high)
        assert binom.pmf(k, n, truth)[inside].sum() >= LEVEL


def test_the_ends_are_one_sided():
    none, all_ = clopper_pearson([0, 10], 10)[0], clopper_pearson([0, 10], 10)[1]
    assert none.err_low == 0
    assert none.err_high > 0.1
    assert all_.err_high == 0
    assert all_.err_low > 0.1


@pytest.mark.parametrize(("k", "n"), [(3, 2), (-1, 2), (0.5, 2), (1, 2.5)])
def test_nonsense_counts_are_refused(k, n):
    with pytest.raises(ValueError, match=r"tracks|counts"):
        clopper_pearson(k, n)


def test_shapes_broadcast_and_the_method_is_named():
    result = clopper_pearson(np.eye(3, dtype=int), [[1], [2], [4]])
    assert result.value.shape == (3, 3)
    assert "Clopper" in result.method
    assert result.n_eff.tolist() == [[1, 1, 1], [2, 2, 2], [4, 4, 4]]


@given(counts, st.floats(0.01, 100))
def test_equal_weights_give_the_binomial_error_and_all_tracks(count, weight):
    k, n = count
    result = weighted_proportion([k, n - k], weight, [True, False])
    if n == 0:
        assert np.isnan(result.value)
        assert np.isnan(result.err_low)
        assert result.n_eff == 0
        return
    p = k / n
    np.testing.assert_allclose(result.value, p, atol=1e-12)
    np.testing.assert_allclose(result.err_low, np.sqrt(p * (1 - p) / n), atol=1e-6)
    np.testing.assert_allclose(result.n_eff, n)
    assert (result.n_pass, result.n_total) == (k, n)


def test_weighted_error_is_that_of_repeated_experiments():
    """1000 experiments with two populations of weights 1 and 5 scatter by the stated error."""
    rng = np.random.default_rng(3)
    weights, efficiency, n = np.array([1.0, 5.0]), np.array([0.8, 0.3]), np.array([400, 100])
    found = []
    for _ in range(1000):
        total = rng.poisson(n)
        k = rng.binomial(total, efficiency)
        groups = np.concatenate([k, total - k])
        found.append(weighted_proportion(groups, np.tile(weights, 2), [True, True, False, False]))
    values = np.array([f.value for f in found])
    errors = np.array([f.err_low for f in found])
    assert errors.mean() == pytest.approx(values.std(), rel=0.1)
    assert found[0].n_eff < 500


@pytest.mark.parametrize("weight", [-1.0, np.nan, np.inf])
def test_nonsense_weights_are_refused(weight):
    with pytest.raises(ValueError, match="weights"):
        weighted_proportion([1, 2], weight, [True, False])


def test_tracks_without_weight_do_not_count():
    result = weighted_proportion([3, 4, 5], [1, 0, 1], [True, True, False])
    assert (result.n_pass, result.n_total) == (3, 8)
    assert result.value == 3 / 8
