import numpy as np
import pytest

from hepcnn.config import Task
from hepcnn.performance.comparison import compare, figure_names
from hepcnn.performance.sample import select

MISID = (0.01, 0.05)
FLAT = np.full(6, 1 / 6)


def compared(predictions, task=None, seed=1):
    task = task or Task(images="rich_polar")
    sample = select(predictions, task, "rich_pid")
    found = compare(sample, MISID, np.random.default_rng(seed))
    return sample, {(c.figure, c.network, c.control): c for c in found}


def test_a_network_beats_the_controls_and_the_controls_are_worth_what_they_know(make_predictions):
    methods = ("lecture_cnn", "majority", "momentum_prior")
    sample, found = compared([make_predictions(m) for m in methods])
    assert len(found) == 2 * len(figure_names(MISID))
    assert all(c.apart for c in found.values())
    majority = {f: found[f, "lecture_cnn", "majority"].control_value for f in figure_names(MISID)}
    pions = np.mean(sample.label[sample.label >= 0] == 2)
    assert majority["accuracy"].value == pytest.approx(pions)
    assert majority["balanced accuracy"].value == pytest.approx(1 / 6)
    assert majority["K efficiency at 5 % pi misID"].value == pytest.approx(0.05)
    for c in found.values():
        assert c.difference.value == c.network_value.value - c.control_value.value


def test_figures_are_those_of_the_confusion_matrix(make_predictions):
    sample, found = compared([make_predictions(m) for m in ("lecture_cnn", "majority")])
    c = found["accuracy", "lecture_cnn", "majority"].network_value
    own = sample.confusion("lecture_cnn").accuracy
    assert c.value == pytest.approx(float(own.value))
    # Here tracks are independent: bootstrapping events gives the binomial error.
    assert c.error == pytest.approx(float(own.error), rel=0.3)


def test_a_stated_mixture_is_no_source_of_error(make_predictions):
    """Accuracy is Σ abundance × efficiency: its variance is that of the efficiencies alone."""
    mixture = {"pion": 0.5, "kaon": 0.5}
    task = Task(images="rich_polar", tables={"mixture": mixture})
    methods = ("lecture_cnn", "majority")
    sample, found = compared([make_predictions(m, power=1) for m in methods], task)
    c = found["accuracy", "lecture_cnn", "majority"]
    efficiency = sample.confusion("lecture_cnn").efficiency
    variance = efficiency.value * (1 - efficiency.value) / efficiency.n_total
    error = 0.5 * np.sqrt(variance[[2, 3]].sum())
    assert c.network_value.error == pytest.approx(error, rel=0.2)
    # Always a pion: half of the mixture, whatever the tracks.
    assert c.control_value.value == pytest.approx(0.5)
    assert c.control_value.error == pytest.approx(0, abs=1e-12)


def test_class_balanced_training_changes_nothing(make_predictions):
    """The same likelihoods as posteriors under another prior: the same figures."""
    task = Task(images="rich_polar", networks={"balanced": {}, "lecture_cnn": {}})
    predictions = [
        make_predictions("lecture_cnn"),
        make_predictions("balanced", prior=FLAT),
        make_predictions("majority"),
    ]
    _, found = compared(predictions, task)
    for figure in figure_names(MISID):
        a = found[figure, "balanced", "majority"].network_value
        b = found[figure, "lecture_cnn", "majority"].network_value
        assert a.value == pytest.approx(b.value, abs=2e-3)


def test_the_difference_knows_that_the_tracks_are_the_same(make_predictions):
    """A network beside nearly itself: the difference is known far better than either."""
    task = Task(images="rich_polar", networks={"net": {}}, baselines=["majority"])
    net, twin = make_predictions("net"), make_predictions("majority")
    twin.scores[:] = net.scores
    twin.scores[::200] = net.scores[::200, ::-1]
    _, found = compared([net, twin], task)
    c = found["accuracy", "net", "majority"]
    assert 0 < c.difference.error < 0.5 * c.network_value.error
    assert not c.apart


def test_the_same_generator_gives_the_same_numbers(make_predictions):
    given = [make_predictions(m, n=500) for m in ("lecture_cnn", "majority")]
    assert compared(given)[1] == compared(given)[1]
    assert compared(given)[1] != compared(given, seed=2)[1]


def test_one_event_gives_values_without_errors(make_predictions):
    _, found = compared([make_predictions(m, n=40) for m in ("lecture_cnn", "majority")])
    c = found["accuracy", "lecture_cnn", "majority"]
    assert np.isfinite(c.network_value.value)
    assert np.isnan(c.difference.error)
    assert not c.apart


def test_a_network_alone_has_nothing_to_be_compared_with(make_predictions):
    assert compared([make_predictions(n=100)])[1] == {}
