import numpy as np
import pytest

from hepcnn.errors import InputError
from hepcnn.reconstruction.controls import (
    frequencies,
    momentum_prior,
    scores,
)


def prior_scores(labels, p, test_p, n_classes):
    """Fit the momentum prior and score with it."""
    return scores(momentum_prior(labels, p, n_classes), test_p)


def sample(n=200_000, seed=5):
    """Kaons (1) whose share grows in ln p from 10 to 90 %; pions (0) otherwise."""
    rng = np.random.default_rng(seed)
    p = np.exp(rng.uniform(np.log(2e3), np.log(1e5), n))
    return (rng.random(n) < kaon_share(p)).astype(np.int16), p.astype(np.float32)


def kaon_share(p):
    return 0.1 + 0.8 * np.log(p / 2e3) / np.log(50)


def test_scores_are_probabilities_and_none_is_zero():
    labels, p = sample(1000)
    found = prior_scores(labels, p, np.array([1.0, 2e3, 4e4, 1e7]), 6)
    assert found.shape == (4, 6)
    assert found.dtype == np.float32
    assert (found > 0).all()
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)


def test_frequencies_are_jeffreys():
    np.testing.assert_allclose(frequencies([0, 0, 1, -1], 3), [2.5 / 4.5, 1.5 / 4.5, 0.5 / 4.5])


def test_momentum_prior_recovers_the_conditional_frequencies():
    labels, p = sample()
    p_test = np.geomspace(2.1e3, 9.5e4, 200)
    kaon = prior_scores(labels, p, p_test, 2)[:, 1]
    # Half a bin of slope (1 %) and three standard deviations of 5000 examples a bin (2 %).
    np.testing.assert_allclose(kaon, kaon_share(p_test), atol=0.03)


def test_momentum_prior_is_calibrated_in_every_bin():
    labels, p = sample(20_000)
    model = momentum_prior(labels, p, 2)
    bins = np.digitize(np.log(p.astype(float)), model.edges)
    assert set(bins) == set(range(40))
    for b in range(40):
        inside = labels[bins == b]
        assert model.probabilities[b, 1] == pytest.approx(inside.mean(), abs=1 / len(inside))


def test_momentum_prior_beats_majority_where_momentum_tells():
    labels, p = sample(20_000)
    test_labels, test_p = sample(5_000, seed=6)
    found = prior_scores(labels, p, test_p, 2)[range(5000), test_labels]
    majority = frequencies(labels, 2)[test_labels]
    assert -np.log(found).mean() < -np.log(majority).mean() - 0.05


def test_the_order_of_the_training_split_does_not_matter():
    labels, p = sample(3000)
    order = np.random.default_rng(1).permutation(3000)
    expected = prior_scores(labels, p, p, 3)
    np.testing.assert_array_equal(prior_scores(labels[order], p[order], p, 3), expected)


def test_others_are_left_out_of_the_fit():
    labels, p = sample(3000)
    expected = prior_scores(labels, p, p, 2)
    more_labels, more_p = np.append(labels, [-1] * 500), np.append(p, np.full(500, 3e5, p.dtype))
    np.testing.assert_array_equal(prior_scores(more_labels, more_p, p, 2), expected)


def test_an_empty_bin_takes_the_frequencies_of_the_whole():
    labels = np.repeat([0, 1], [300, 100])
    p = np.where(np.arange(400) % 2, 2e3, 1e5)
    found = prior_scores(labels, p, np.array([1.5e4]), 2)
    np.testing.assert_allclose(found[0], frequencies(labels, 2), rtol=1e-6)


@pytest.mark.parametrize("n", [1, 20])
def test_a_training_split_of_one_momentum_works(n):
    found = prior_scores(np.ones(n, int), np.full(n, 5e3), [4e3, 5e3, 6e3], 2)
    assert (found[:, 1] > 0.5).all()


def test_no_examples_to_score():
    model = momentum_prior([0, 1], [3e3, 4e3], 2)
    assert scores(model, np.empty(0)).shape == (0, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([-1], [3e3], [3e3], 2), "no example of any class"),
        ((np.empty(0, int), [], [3e3], 2), "no example of any class"),
        (([0, 2], [3e3, 3e3], [3e3], 2), "labels from 0 to 2"),
        (([0], [0.0], [3e3], 2), "1 of 1 momenta"),
        (([0], [3e3], [3e3, np.nan, -1], 2), "2 of 3 momenta"),
    ],
)
def test_bad_input_is_named(arguments, message):
    with pytest.raises(InputError, match=message):
        prior_scores(*arguments)
