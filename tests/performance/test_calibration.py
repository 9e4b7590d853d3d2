import csv
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hepcnn.config import PidTask
from hepcnn.performance.calibration import BINS, calibration_tables, reliability, tempered
from hepcnn.performance.pid.sample import select
from hepcnn.performance.temperature import fit_temperature

probabilities = hnp.arrays(
    np.float64, st.integers(1, 80), elements=st.sampled_from([0.0, 0.1, 0.3, 0.31, 0.9, 1.0])
)


@given(probabilities, st.integers(0, 2**32 - 1))
def test_every_track_is_in_one_bin_and_equal_probabilities_in_the_same(probability, seed):
    rng = np.random.default_rng(seed)
    right = rng.random(len(probability)) < 0.5
    curve = reliability(probability, right)
    assert curve.right.n_total.sum() == len(probability)
    assert curve.right.n_pass.sum() == right.sum()
    assert (curve.low <= curve.mean).all()
    assert (curve.mean <= curve.high).all()
    assert (curve.high[:-1] < curve.low[1:]).all()
    assert curve.right.n_total @ curve.mean == pytest.approx(probability.sum())
    order = rng.permutation(len(probability))
    again = reliability(probability[order], right[order])
    assert again.error == pytest.approx(curve.error)
    np.testing.assert_array_equal(again.right.n_pass, curve.right.n_pass)


def test_bins_of_distinct_probabilities_have_equally_many_tracks():
    curve = reliability(np.linspace(0, 1, 30 * BINS), np.zeros(30 * BINS, dtype=bool))
    assert curve.right.n_total.tolist() == [30] * BINS


def test_error_of_known_probabilities():
    """80 % said and 60 % true, 30 % said and 40 % true, as many of each: 15 %."""
    probability = np.repeat([0.8, 0.3], 100)
    right = np.concatenate([np.arange(100) < 60, np.arange(100) < 40])
    curve = reliability(probability, right)
    assert len(curve.mean) == 2
    assert curve.error == pytest.approx(0.15)
    expected = np.mean(np.sqrt(2 * np.array([0.16, 0.21]) / (np.pi * 100)))
    assert curve.error_if_calibrated == pytest.approx(expected)


def test_a_calibrated_method_has_the_error_that_is_said():
    rng = np.random.default_rng(2)
    found = []
    for _ in range(50):
        probability = rng.uniform(0, 1, 3000)
        curve = reliability(probability, rng.random(3000) < probability)
        found.append((curve.error, curve.error_if_calibrated))
    error, said = np.mean(found, axis=0)
    assert error == pytest.approx(said, rel=0.1)


def test_no_track_has_no_error():
    curve = reliability(np.zeros(0), np.zeros(0, dtype=bool))
    assert len(curve.mean) == 0
    assert np.isnan([curve.error, curve.error_if_calibrated]).all()


def test_tempered_scores_are_powers():
    scores = np.array([[0.8, 0.2, 0], [0.5, 0.25, 0.25]], dtype=np.float32)
    np.testing.assert_allclose(tempered(scores, 1), scores, atol=1e-7)
    soft = tempered(scores, 2)
    np.testing.assert_allclose(soft[1], np.sqrt([2, 1, 1]) / np.sqrt([2, 1, 1]).sum())
    assert tempered(scores, 1e6) == pytest.approx(np.full((2, 3), 1 / 3), rel=1e-3)


def rows_of(table):
    return list(csv.DictReader(io.StringIO(table.csv())))


def tables_of(*predictions, **tables):
    task = PidTask(images="rich_polar", tables=tables)
    sample = select(predictions, task, "rich_pid")
    return tuple(map(rows_of, calibration_tables(sample, {"kaon": "P_K"}, "the kaon")))


def test_a_temperature_undoes_scores_that_are_too_sure(make_predictions):
    """Made-up posteriors (power 1: true likelihoods up to the noise) sharpened to the third power.

    Log ratios of noise of width 1 and a shift of `power` are log likelihood ratios if the width is
    √power: with power 1 they are calibrated.
    """
    p = make_predictions(n=30000, power=1.0, other=0.01)
    calibrated, _ = tables_of(p)
    sharp = p.scores.astype(np.float64) ** 3
    p.scores[:] = sharp / sharp.sum(axis=1, keepdims=True)
    temperature = fit_temperature(p.scores, p.label)
    assert temperature == pytest.approx(3, rel=0.05)
    object.__setattr__(p, "temperature", temperature)
    (given, after), points = tables_of(p)
    assert (given["scores"], after["scores"]) == ("as given", "tempered")
    assert (float(given["temperature"]), float(after["temperature"])) == (1, temperature)
    for ece in ("ece", "ece_kaon"):
        assert float(given[ece]) > 4 * float(after[ece])
        assert float(after[ece]) < 3 * float(after[f"{ece}_if_calibrated"])
    assert float(after["loss"]) == pytest.approx(float(calibrated[0]["loss"]), rel=1e-3)
    assert float(given["loss"]) > float(after["loss"])
    for what in ("called", "kaon"):
        own = [r for r in points if r["of"] == what and r["scores"] == "tempered"]
        assert len(own) == BINS
        assert sum(int(r["right_n_total"]) for r in own) == int(after["tracks"])


def test_a_constant_probability_is_one_bin(make_predictions):
    (given, after), points = tables_of(make_predictions("majority"))
    assert len(points) == 4
    # It gives the prior, which is the abundance but for the noise of the sample.
    assert float(given["ece"]) < 0.03
    assert float(given["ece"]) == pytest.approx(float(after["ece"]))


def test_the_mixture_of_the_tables_does_not_matter(make_predictions):
    natural, flat = (tables_of(make_predictions(n=500), mixture=m) for m in ("natural", "flat"))
    assert natural == flat


def test_one_track(make_predictions):
    (given, _), points = tables_of(make_predictions(n=1, other=0))
    assert given["tracks"] == "1"
    assert np.isnan(float(given["loss_err_low"]))
    assert all(r["right_n_total"] == "1" for r in points)
