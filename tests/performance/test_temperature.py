import numpy as np
import pytest

from hepcnn.errors import InputError
from hepcnn.performance.temperature import RANGE, fit_temperature


@pytest.fixture
def calibrated():
    """Probabilities, and classes drawn from them; every 50th is none of the classes."""
    rng = np.random.default_rng(5)
    scores = rng.dirichlet([2.0, 0.5, 0.2, 0.1], 20000)
    label = (rng.random((20000, 1)) > scores.cumsum(axis=1)).sum(axis=1).clip(0, 3)
    label[::50] = -1
    return scores, label


def sharpened(scores, power):
    powered = scores**power
    return (powered / powered.sum(axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_that_was_put_in_comes_out(calibrated, temperature):
    scores, label = calibrated
    found = fit_temperature(sharpened(scores, temperature), label)
    assert found == pytest.approx(temperature, rel=0.03)


def test_no_other_temperature_has_a_lower_cross_entropy(calibrated):
    scores, label = sharpened(calibrated[0], 2.0), calibrated[1]
    known = label >= 0

    def cross_entropy(temperature):
        tempered = sharpened(scores[known].astype(np.float64), 1 / temperature)
        return -np.log(tempered[np.arange(known.sum()), label[known]].clip(1e-300)).mean()

    best = fit_temperature(scores, label)
    assert cross_entropy(best) <= min(cross_entropy(best * 1.02), cross_entropy(best / 1.02))


def test_scores_without_a_minimum_end_at_the_range(calibrated):
    label = np.array([0, 1, 2, 0])
    right = np.full((4, 3), 0.1, np.float32)
    right[np.arange(4), label] = 0.8
    assert fit_temperature(right, label) == RANGE[0]
    assert fit_temperature(np.roll(right, 1, axis=1), label) == RANGE[1]
    assert fit_temperature(np.full((4, 3), 1 / 3, np.float32), label) == 1


def test_a_score_of_zero_is_no_infinity():
    scores = np.array([[1, 0], [1, 0], [1, 0], [0, 1]], np.float32)
    assert fit_temperature(scores, np.array([0, 0, 1, 1])) > 1


def test_no_example_of_a_class_is_an_error():
    with pytest.raises(InputError, match="no example of any class"):
        fit_temperature(np.full((2, 2), 0.5), np.array([-1, -1]))
