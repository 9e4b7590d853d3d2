"""Searches in the configuration: which trials there are, and what is refused."""

from __future__ import annotations

from datetime import date

import pytest

from hepcnn.config import Task, trained, trials, validate
from hepcnn.errors import InputError
from hepcnn.learning.checking import check

RATES = {"train.learning_rate": [1e-3, 3e-3]}
SPAN = {"low": 1e-4, "high": 1e-1, "log": True}
DRAWN = {
    "values": {"options.hidden": [[16], [8, 8]]},
    "ranges": {"train.learning_rate": SPAN, "train.epochs": {"low": 2, "high": 5}},
    "trials": 20,
}


def configured(search: dict, seed: int = 1, **network: object) -> Task:
    task = {
        "images": "rich_polar",
        "networks": {"mlp": network, "lenet5": {}},
        "train": {"epochs": 3},
        "search": {"mlp": search},
    }
    return validate({"seed": seed, "tasks": {"t": task}}).tasks["t"]


def values(search: dict, seed: int = 1) -> list[dict]:
    return [dict(t.values) for t in trials(configured(search, seed), "mlp", seed).values()]


def test_without_trials_every_combination_is_one():
    search = {"values": RATES | {"features": [[], ["p"]]}}
    assert values(search) == [
        {"train.learning_rate": rate, "features": features}
        for rate in (1e-3, 3e-3)
        for features in ([], ["p"])
    ]


def test_a_trial_is_the_network_with_its_values_and_all_else_its_own():
    task = configured({"values": RATES}, options={"hidden": [4]}, train={"epochs": 9}, seeds=2)
    found = trained(task, 1)
    assert len(found.trainings) == 2 * 2 + 1
    assert "mlp" not in found.networks
    assert found.networks["lenet5"] == task.networks["lenet5"]
    rates = set()
    for training in list(found.trainings)[:4]:
        network, train = found.trainings[training], found.train_of(training)
        assert (network.architecture, network.options, train.epochs) == ("mlp", {"hidden": [4]}, 9)
        rates.add(train.learning_rate)
    assert rates == {1e-3, 3e-3}
    # What the tables are of knows nothing of trials.
    assert list(task.trainings) == ["mlp", "mlp@2", "lenet5"]


def test_other_values_and_more_trials_leave_a_trial_its_name():
    few, more = (
        trials(configured({"values": {"train.epochs": e}}), "mlp", 1) for e in ([2], [1, 2])
    )
    (name,) = few
    assert more[name].values == {"train.epochs": 2}
    drawn = trials(configured(DRAWN), "mlp", 1)
    fewer = trials(configured(DRAWN | {"trials": 7}), "mlp", 1)
    assert list(drawn)[:7] == list(fewer)


def test_draws_are_of_the_values_and_in_the_ranges_and_follow_from_the_seed():
    found = values(DRAWN)
    assert len(found) == 20
    assert values(DRAWN) == found
    assert values(DRAWN, seed=2) != found
    assert {str(v["options.hidden"]) for v in found} == {"[16]", "[8, 8]"}
    assert {v["train.epochs"] for v in found} == {2, 3, 4, 5}
    rates = [v["train.learning_rate"] for v in found]
    assert all(1e-4 <= rate <= 1e-1 for rate in rates)
    # Of a uniform draw one in a hundred would be below 0.001; here it is one in three.
    assert sum(rate < 1e-3 for rate in rates) > 2
    assert all(rate == float(f"{rate:.4g}") for rate in rates)


def test_no_two_trials_are_alike():
    search = {"values": {"train.epochs": [1, 2, 3]}, "trials": 3}
    assert sorted(v["train.epochs"] for v in values(search)) == [1, 2, 3]
    with pytest.raises(InputError, match=r"search\.mlp\.trials: 4, but there are not so many"):
        configured(search | {"trials": 4})


@pytest.mark.parametrize(
    ("search", "words"),
    [
        ({"values": {"train.learning_rate": [1e-3, -1]}}, ["search.mlp", "rate: Input", "got -1"]),
        ({"values": {"train.learning_rat": [1]}}, ["search.mlp", "did you mean 'learning_rate'"]),
        ({"values": {"steps": [[{"step": "lg"}]]}}, ["search.mlp", "steps", "log"]),
        ({"values": {"steps": [[{"step": "log"}]]}}, ["search.mlp", "are for wire planes"]),
        ({"values": {"images": ["wide"]}}, ["search.mlp", "values.images", "there are:"]),
        ({"values": {"seeds": [2]}}, ["search.mlp", "values.seeds"]),
        ({"values": {"train": [{}]}}, ["values.train", "train.NAME"]),
        ({"values": {"options.": [1]}}, ["values.options.", "options.NAME"]),
        ({"values": {"train.epochs": 3}}, ["search.mlp.values.train.epochs", "list"]),
        ({"values": {"train.epochs": []}}, ["search.mlp.values.train.epochs"]),
        ({"values": {"train.epochs": [3, 3]}}, ["train.epochs", "twice"]),
        ({"ranges": {"train.epochs": {"low": 1, "high": 3}}}, ["search.mlp", "trials: missing"]),
        ({"ranges": {"train.epochs": {"low": 3, "high": 3}}, "trials": 1}, ["3 is not below 3"]),
        ({"ranges": {"train.epochs": SPAN | {"low": 0}}, "trials": 1}, ["no logarithm"]),
        (DRAWN | {"ranges": {"options.hidden": SPAN}}, ["options.hidden is in 'values' too"]),
        ({"values": {f"options.{k}": [*range(9)] for k in range(9)}}, ["more than 10000"]),
        ({"trials": 3}, ["search.mlp", "nothing is searched"]),
        ({"values": {"options.a": [date(2026, 1, 1)]}}, ["values.options.a", "numbers, texts"]),
        ({"values": {"options.a": [float("nan")]}}, ["values.options.a", "numbers, texts"]),
        ({"values": {"options.a": [{1: 0, "b": 0}]}}, ["values.options.a", "numbers, texts"]),
        ({"ranges": {"options.a": {"low": 1, "high": 10**400}}, "trials": 1}, ["options.a.high"]),
        ({"ranges": {"options.a": SPAN | {"high": float("inf")}}, "trials": 1}, ["options.a.high"]),
    ],
)
def test_what_is_not_possible_is_refused_with_its_key(search, words):
    with pytest.raises(InputError) as error:
        configured(search)
    assert all(word in str(error.value) for word in words), error.value


def test_a_network_that_there_is_not_is_not_searched():
    task = {"images": "rich_polar", "networks": {"mlp": {}}, "search": {"mpl": {"values": RATES}}}
    with pytest.raises(InputError, match="search: no network 'mpl'; did you mean 'mlp'"):
        validate({"tasks": {"t": task}})


def test_an_option_that_an_architecture_does_not_have_is_found_before_a_stage():
    task = {
        "images": "rich_polar",
        "networks": {"mlp": {}},
        "search": {"mlp": {"values": {"options.hidden": [[16], [0]]}}},
    }
    config = validate({"tasks": {"t": task}})
    with pytest.raises(InputError, match=r"tasks\.t\.search\.mlp \(options\.hidden: \[0\]\)"):
        check(config)
