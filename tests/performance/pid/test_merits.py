import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hepcnn.config import PidTask
from hepcnn.performance.bootstrap import Merits
from hepcnn.performance.curves import roc
from hepcnn.performance.pid.merits import bootstrap, efficiencies
from hepcnn.performance.pid.sample import select

MISID = np.array([0.01, 0.1, 0.5, 1.0, 0.05])
EDGES = (3000.0, 9300.0, 100000.0)
FLAT = np.full(6, 1 / 6)


def found(predictions, seed=1, **tables):
    task = PidTask(images="rich_polar", networks={"lecture_cnn": {}, "balanced": {}}, tables=tables)
    sample = select(predictions, task, "rich_pid")
    return sample, bootstrap(sample, MISID, EDGES, np.random.default_rng(seed))


@settings(deadline=None)  # the first call compiles
@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_repeated_events_are_repeated_tracks(seed, distinct):
    """The kernel against the ROC curve of the tracks, each written down as often as it counts."""
    rng = np.random.default_rng(seed)
    n, events = rng.integers(1, 60), 5
    kaon, event = rng.random(n) < 0.4, rng.integers(0, events, n)
    score = np.sort(rng.integers(0, distinct, n).astype(float))[::-1]
    times = rng.integers(0, 3, (4, events)).astype(np.int16)
    result = efficiencies(score, kaon, event, times, MISID)
    for row, drawn in zip(result, times, strict=True):
        again = np.repeat(np.arange(n), drawn[event])
        curve = roc(score[again][kaon[again]], score[again][~kaon[again]])
        np.testing.assert_allclose(row, [curve.efficiency_at(m) for m in MISID], atol=1e-12)


def test_figures_are_those_of_the_confusion_matrix(make_predictions):
    sample, merits = found([make_predictions()])
    own = sample.confusion("lecture_cnn").accuracy
    accuracy = merits["lecture_cnn"].accuracy[0]
    assert float(accuracy.value) == pytest.approx(float(own.value))
    # Here tracks are independent: bootstrapping events gives the binomial error.
    assert float(accuracy.error) == pytest.approx(float(own.error), rel=0.3)


def test_the_error_knows_that_the_cut_fluctuates(make_predictions):
    """At a fixed misID the error has a part from the pions that fix the cut.

    Two unit Gaussians 2 apart, at 5 % misID: dε/dc = φ(c − 2), σ(c) = √(.05·.95/N_π) / φ(c).
    """
    rng = np.random.default_rng(4)
    n = 20_000
    p = make_predictions(n=n, other=0)
    p.label[:] = np.where(rng.random(n) < 0.9, 3, 2)
    p.features["p"][:] = 5000
    ratio = rng.normal(0, 1, n) + 2 * (p.label == 3)
    p.scores[:] = 0
    p.scores[:, 3] = 1 / (1 + np.exp(-ratio) * p.prior[2] / p.prior[3])
    p.scores[:, 2] = 1 - p.scores[:, 3]
    _, merits = found([p])
    merit = merits["lecture_cnn"].kaon[0][4]
    kaons, pions = (np.count_nonzero(p.label == k) for k in (3, 2))
    density = np.exp([-(1.6449**2) / 2, -((1.6449 - 2) ** 2) / 2])
    from_cut = density[1] / density[0] * np.sqrt(0.05 * 0.95 / pions)
    from_kaons = np.sqrt(0.639 * 0.361 / kaons)
    assert float(merit.value) == pytest.approx(0.639, abs=0.03)
    assert float(merit.error) == pytest.approx(np.hypot(from_cut, from_kaons), rel=0.15)


def test_class_balanced_training_changes_nothing(make_predictions):
    """The same likelihoods as posteriors under another prior: the same figures."""
    _, merits = found([make_predictions(), make_predictions("balanced", prior=FLAT)])
    a, b = (merits[m].overall.value for m in ("lecture_cnn", "balanced"))
    np.testing.assert_allclose(a, b, atol=2e-3)


def test_the_same_generator_gives_the_same_numbers(make_predictions):
    given = [make_predictions(n=500)]
    one, same, other = (found(given, seed)[1]["lecture_cnn"].overall for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.draws, same.draws)
    np.testing.assert_array_equal(one.value, other.value)
    assert (one.draws != other.draws).any()


def test_samples_without_a_value_are_left_out_of_the_error():
    draws = np.array([[1.0, np.nan, np.nan], [3.0, np.nan, 1.0], [np.nan, np.nan, np.nan]])
    error = Merits(np.array([2.0, 2.0, 2.0]), draws).error
    assert error[0] == pytest.approx(np.sqrt(2))
    assert np.isnan(error[1:]).all()
