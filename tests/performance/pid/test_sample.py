import dataclasses

import numpy as np
import pytest

from hepcnn.config import PidTask
from hepcnn.detector.particles import SPECIES
from hepcnn.errors import InputError
from hepcnn.performance.pid.sample import select, select_altered
from hepcnn.performance.population import abundances

TASK = PidTask(images="rich_polar")
METHODS = ("lecture_cnn", "majority", "momentum_prior")


def taken(p, order):
    """Predictions of some rows in some order."""
    n = len(np.arange(len(p))[order])
    return dataclasses.replace(
        p,
        key=p.key[order],
        scores=p.scores[order],
        label=p.label[order],
        features={k: v[order] for k, v in p.features.items()},
        cutflow=(("scored", n),),
    )


def test_methods_come_in_the_tasks_order_and_tracks_by_key(make_predictions):
    given = [make_predictions(m) for m in reversed(METHODS)]
    shuffled = np.random.default_rng(0).permutation(len(given[1]))
    given[1] = taken(given[1], shuffled)
    sample = select(given, TASK, "rich_pid")
    assert sample.methods == METHODS
    assert sample.networks == ("lecture_cnn",)
    assert sample.controls == METHODS[1:]
    straight = select([make_predictions(m) for m in METHODS], TASK, "rich_pid")
    for method in METHODS:
        np.testing.assert_array_equal(sample.scores[method], straight.scores[method])
    np.testing.assert_array_equal(sample.label, straight.label)


def test_momentum_range_is_half_open_and_what_is_out_is_counted(make_predictions):
    p = make_predictions(n=8, other=0)
    p.features["p"][:] = [2999, 3000, 9299.5, 9300, 50000, 99999, 100000, 200000]
    sample = select([p], TASK, "rich_pid")
    assert (sample.below, len(sample), sample.above) == (1, 5, 2)
    assert sample.place("p", TASK.tables.momentum_bins).tolist() == [0, 0, 1, 4, 4]
    assert sample.place("p", [9300, 50000]).tolist() == [-1, -1, 0, -1, -1]


def test_events_are_numbered_without_gaps(make_predictions):
    p = make_predictions(n=200)
    sample = select([p], TASK, "rich_pid")
    assert sample.n_events == 5
    assert set(sample.event) == set(range(5))


def test_other_tracks_name_both_methods_and_the_counts(make_predictions):
    a, b = make_predictions(n=100), make_predictions("majority", n=100)
    with pytest.raises(InputError, match=r"'lecture_cnn' has 100, 3 of them not in 'majority'"):
        select([a, taken(b, slice(3, None))], TASK, "rich_pid")


def test_the_same_keys_with_other_labels_are_refused(make_predictions):
    a, b = make_predictions(n=100), make_predictions("majority", n=100)
    b.label[:2] = (b.label[:2] + 1) % 6
    with pytest.raises(InputError, match="disagree on the label of 2 of 100"):
        select([a, b], TASK, "rich_pid")


def test_a_track_twice_is_refused(make_predictions):
    p = make_predictions(n=10)
    with pytest.raises(InputError, match="lecture_cnn: 1 examples are in the predictions twice"):
        select([taken(p, [*range(10), 4])], TASK, "rich_pid")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"task": "other"}, "for task 'other', not 'rich_pid'"),
        ({"method": "majorty"}, r"'majorty', which task .* did you mean 'majority'"),
        ({"classes": ("pion", "kaon", "a", "b", "c", "d")}, "classes pion, kaon"),
    ],
)
def test_predictions_of_something_else_are_refused(make_predictions, change, message):
    with pytest.raises(InputError, match=message):
        select([dataclasses.replace(make_predictions(n=5), **change)], TASK, "rich_pid")


def test_a_method_twice_and_none_at_all_are_refused(make_predictions):
    with pytest.raises(InputError, match="given twice"):
        select([make_predictions(n=5), make_predictions(n=5)], TASK, "rich_pid")
    with pytest.raises(InputError, match="no predictions"):
        select([], TASK, "rich_pid")


def test_no_track_in_range_is_an_error(make_predictions):
    p = make_predictions(n=5)
    p.features["p"][:] = 1000
    with pytest.raises(InputError, match="no example of electron"):
        select([p], TASK, "rich_pid")


ROBUST = PidTask(images="rich_polar", robustness=["dark", "dead"])


def altered(make, *without):
    """Predictions of two methods on the nominal and two altered samples, but for some."""
    return [
        make(m, n=100, altered=a, seed=1 + len(a))
        for a in ("dead", "", "dark")
        for m in METHODS[:2]
        if (m, a) not in without
    ]


def test_altered_samples_are_told_apart_and_come_in_the_tasks_order(make_predictions):
    given = altered(make_predictions)
    nominal, others = (f(given, ROBUST, "rich_pid") for f in (select, select_altered))
    assert list(others) == ["dark", "dead"]
    assert all(s.methods == METHODS[:2] for s in (nominal, *others.values()))
    own = make_predictions("lecture_cnn", n=100, seed=5)
    np.testing.assert_array_equal(others["dark"].label, select([own], TASK, "rich_pid").label)


def test_a_method_without_an_altered_sample_is_named_with_it(make_predictions):
    given = altered(make_predictions, ("majority", "dead"))
    with pytest.raises(InputError, match=r"no predictions of majority .* 'dead'.*--altered dead"):
        select_altered(given, ROBUST, "rich_pid")
    with pytest.raises(InputError, match=r"no predictions of lecture_cnn, majority .* 'dark'"):
        select_altered([p for p in given if not p.altered], ROBUST, "rich_pid")


def test_an_altered_sample_that_the_task_does_not_name_is_refused(make_predictions):
    with pytest.raises(InputError, match="altered sample 'dead'; task 'rich_pid' names no such"):
        select_altered(altered(make_predictions), TASK, "rich_pid")


def test_methods_must_be_on_the_same_tracks_of_an_altered_sample_too(make_predictions):
    given = altered(make_predictions)
    given[1] = taken(given[1], slice(3, None))
    with pytest.raises(InputError, match="must be on the same examples"):
        select_altered(given, ROBUST, "rich_pid")


def test_a_score_that_float32_makes_0_of_costs_a_finite_loss_and_changes_no_cut(make_predictions):
    p = make_predictions(n=200, other=0)
    p.scores[:3] = np.eye(6)[[2, 3, 0]]
    p.label[:3], p.features["p"][:3] = 3, 5000
    sample = select([p], TASK, "rich_pid")
    kaon = sample.posterior("lecture_cnn")[:3, 3]
    assert 0 < kaon[0] < 1e-37
    assert kaon[1] == 1
    assert sample.log_ratio("lecture_cnn")[:3].tolist() == [-np.inf, np.inf, -np.inf]


def test_what_was_never_taught_stays_impossible(make_predictions):
    prior = np.array([0.1, 0, 0.7, 0.1, 0.1, 0])
    sample = select([make_predictions(prior=prior)], TASK, "rich_pid")
    assert not sample.posterior("lecture_cnn")[:, [1, 5]].any()


@pytest.mark.parametrize("mixture", ["flat", {"pion": 0.7, "deuteron": 0.3}])
def test_a_class_that_the_mixture_names_and_the_sample_lacks_is_said(
    make_predictions, capsys, mixture
):
    p = make_predictions()
    task = PidTask(images="rich_polar", tables={"mixture": mixture})
    without = select([taken(p, p.label != SPECIES.index("deuteron"))], task, "rich_pid")
    assert without.lacking == ("deuteron",)
    assert "the sample has no deuteron, which the mixture" in capsys.readouterr().err
    assert abundances(without, "particles").caption.endswith(
        "mixture of species, without deuteron, of which there is none"
    )
    whole = select([p], task, "rich_pid")
    natural = select([taken(p, p.label != SPECIES.index("deuteron"))], TASK, "rich_pid")
    assert (whole.lacking, natural.lacking) == ((), ())
    assert "mixture" not in capsys.readouterr().err
