"""sWeights against the properties that Pivk and Le Diberder derive."""

import numpy as np
import pytest
from scipy.stats import norm

from hepcnn.performance.splot import sweights, yields


def toy(seed, signal=4000, background=3000):
    """A mass, and something else that is other for signal (0.7 on average) and background (0.2)."""
    rng = np.random.default_rng(seed)
    mass = np.concatenate([rng.normal(0, 1, signal), rng.uniform(-6, 6, background)])
    other = np.concatenate([rng.random(signal) < 0.7, rng.random(background) < 0.2])
    within = norm.cdf(6) - norm.cdf(-6)
    return np.stack([norm.pdf(mass) / within, np.full(len(mass), 1 / 12)]), other


def test_weights_of_an_example_sum_to_1_and_of_a_species_to_its_yield():
    density, _ = toy(1)
    found = sweights(density)
    np.testing.assert_allclose(found.sum(axis=0), 1)
    np.testing.assert_allclose(found.sum(axis=1), yields(density))
    assert found[0].min() < 0
    assert yields(density).sum() == pytest.approx(7000)
    assert yields(density)[0] == pytest.approx(4000, abs=4 * np.sqrt(4000))


def test_squared_weights_sum_to_the_variance_of_the_yield():
    """The published identity Σ_e w_k² = V_kk, with V from a numerical second derivative."""
    density, _ = toy(2)
    at = yields(density)

    def logarithm(n):
        return np.log(n @ density).sum() - n.sum()

    def second(i, j, h=20.0):
        steps = np.eye(2) * h
        return sum(
            a * b * logarithm(at + a * steps[i] + b * steps[j]) for a in (1, -1) for b in (1, -1)
        ) / (4 * h * h)

    variance = np.linalg.inv(-np.array([[second(i, j) for j in (0, 1)] for i in (0, 1)]))
    np.testing.assert_allclose((sweights(density) ** 2).sum(axis=1), np.diag(variance), rtol=2e-3)


def test_what_is_left_is_the_signal():
    means, errors = [], []
    for seed in range(40):
        density, other = toy(seed)
        w = sweights(density)[0]
        means.append(w @ other / w.sum())
        errors.append(np.sqrt(w**2 @ (other - means[-1]) ** 2) / w.sum())
    assert np.mean(means) == pytest.approx(0.7, abs=4 * np.mean(errors) / 40**0.5)
    assert np.std(means) == pytest.approx(np.mean(errors), rel=0.4)


def test_a_species_that_is_not_there_is_no_fit():
    density, _ = toy(1, signal=0, background=50)
    absent = np.where(np.arange(50) % 2, 1e-9, 0.0)
    with pytest.raises(ValueError, match="does not converge"):
        yields(np.stack([absent, density[1]]))
