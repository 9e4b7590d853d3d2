import numpy as np
import pytest

from hepcnn.reconstruction.counting import Calibration, Windows, calibrate, log_likelihood
from hepcnn.reconstruction.posterior import posterior


def two_species(n=20_000, light=1.0, density=0.1, seed=3):
    """Species 0 always radiates; species 1 has `light` of its photons, at another angle."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    photons = np.tile([20.0, 20 * light], (n, 1))
    angle = np.where(photons > 0, [0.05, 0.04], 0)
    own = np.arange(2) == labels[:, None]
    counts = rng.poisson(1000 * angle * density + 0.7 * own * photons)
    columns = (angle, photons, counts, counts * density)
    return Windows(*(c.astype(np.float32) for c in columns)), labels


def test_the_calibration_is_what_the_hits_were_drawn_with():
    windows, labels = two_species(light=0)
    found = calibrate(windows, labels)
    assert found.efficiency == pytest.approx(0.7, rel=0.02)
    assert found.pixels == pytest.approx(1000, rel=0.02)


def test_others_are_left_out_of_the_calibration():
    windows, labels = two_species(light=0)
    more = Windows(*(np.vstack([c, 50 * c[:100]]) for c in vars(windows).values()))
    assert calibrate(more, np.append(labels, [-1] * 100)) == calibrate(windows, labels)


def test_a_rich_where_all_radiate_tells_nothing():
    windows, labels = two_species(100)
    calibration = calibrate(windows, labels)
    assert calibration.efficiency == 0
    assert not log_likelihood({"rich1": windows}, {"rich1": calibration}).any()


def test_the_score_is_the_ratio_of_poisson_probabilities():
    one = np.ones((1, 1), np.float32)
    windows = Windows(0.05 * one, 20 * one, 9 * one, 0.9 * one)
    found = log_likelihood({"rich1": windows}, {"rich1": Calibration(0.5, 1000.0)})
    # 10 signal hits expected over 1000 · 0.05 · 0.1 = 5 of background.
    assert found[0, 0] == pytest.approx(9 * np.log(15 / 5) - 10, rel=1e-5)


def test_empty_windows_count_against_the_light_and_no_light_is_neutral():
    zero = np.zeros((1, 2), np.float32)
    light = np.array([[20, 0]], np.float32)
    found = log_likelihood(
        {"a": Windows(light / 400, light, zero, zero), "b": Windows(zero, zero, zero, zero)},
        {"a": Calibration(0.5, 1000.0), "b": Calibration(0.5, 1000.0)},
    )
    np.testing.assert_array_equal(found, [[-10, 0]])


def test_counting_tells_a_radiating_species_from_one_below_threshold():
    windows, labels = two_species(light=0)
    score = log_likelihood({"rich1": windows}, {"rich1": calibrate(windows, labels)})
    assert (score.argmax(axis=1) == labels).mean() > 0.95


def test_posteriors_are_bayes_theorem_also_far_apart():
    found = posterior([[0, np.log(3)], [0, -500], [-2000, -2000]], [0.75, 0.25])
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [[0.5, 0.5], [1, 0], [0.75, 0.25]], rtol=1e-6)
