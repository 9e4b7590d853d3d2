"""Weights of tracks in all tables of the identification."""

import csv
import dataclasses
import io

import numpy as np
import pytest

from hepcnn.config import PidTask
from hepcnn.errors import InputError
from hepcnn.performance.evaluate import evaluate
from hepcnn.performance.pid.sample import select
from hepcnn.store.predictions import read_predictions, write_predictions

METHODS = ("lecture_cnn", "majority", "momentum_prior")
TASK = PidTask(images="rich_polar", tables={"cuts": ["DLLK > 0"], "map_bins": {"p": [3e3, 1e5]}})
#: Bins of equally many tracks, whatever their weights.
BY_NUMBER = ("calibration", "reliability")
#: What counts tracks and not weights.
NUMBERS = ("_n_pass", "_n_total", "kaons", "pions", "particles", "tracks", "note")


def weighted(p, weight):
    features = dict(p.features) | {"weight": np.asarray(weight, np.float32)}
    return dataclasses.replace(p, features=features)


def repeated(p, times):
    """The same tracks, each as often as it counts, under names of their own."""
    rows = np.repeat(np.arange(len(p)), times)
    key = p.key[rows]
    key["object"] = np.arange(len(rows))
    return dataclasses.replace(
        p,
        key=key,
        scores=p.scores[rows],
        label=p.label[rows],
        features={name: values[rows] for name, values in p.features.items()},
        cutflow=(("scored", len(rows)),),
    )


def tables(predictions, task=TASK):
    result = evaluate(predictions, task, "rich_pid", np.random.default_rng(1))
    return result, {t.name: list(csv.DictReader(io.StringIO(t.csv()))) for t in result.tables}


def numbers(rows, without=()):
    """All values of a table, but for columns whose names end so."""
    return [
        value
        for row in rows
        for name, value in row.items()
        if not name.endswith(tuple(without)) and not name.endswith("_method")
    ]


def assert_alike(one, other, without=()):
    """Tables of equal texts and of numbers equal within rounding."""
    first, second = numbers(one, without), numbers(other, without)
    assert len(first) == len(second)
    for a, b in zip(first, second, strict=True):
        try:
            expected = float(a)
        except ValueError:
            assert a == b
        else:
            assert float(b) == pytest.approx(expected, rel=1e-6, abs=1e-9, nan_ok=True)


@pytest.fixture
def predictions(make_predictions):
    return [make_predictions(m, n=1500) for m in METHODS]


def test_weights_of_one_are_none_bit_by_bit(predictions):
    plain = evaluate(predictions, TASK, "rich_pid", np.random.default_rng(1))
    ones = [weighted(p, np.ones(len(p))) for p in predictions]
    own = evaluate(ones, TASK, "rich_pid", np.random.default_rng(1))
    assert [t.json({}) for t in own.tables] == [t.json({}) for t in plain.tables]
    assert own.printouts == plain.printouts
    assert "Clopper-Pearson" in own.tables[0].json({})


def test_the_unit_of_weights_does_not_matter(predictions):
    """Errors from sums of squares neither: three times each weight is as many effective tracks."""
    w = np.random.default_rng(5).normal(1, 0.7, 1500)
    _, one = tables([weighted(p, w) for p in predictions])
    _, three = tables([weighted(p, 4 * w) for p in predictions])
    assert one.keys() == three.keys()
    for name, rows in one.items():
        assert_alike(rows, three[name], ("_sumw", "_sumw2"))


def test_whole_weights_are_repeated_tracks(predictions):
    times = np.random.default_rng(6).integers(1, 4, 1500)
    _, own = tables([weighted(p, times) for p in predictions])
    _, more = tables([repeated(p, times) for p in predictions])
    errors = ("_err_low", "_err_high", "_sumw", "_sumw2", "_n_eff", *NUMBERS)
    for name in own.keys() - {*BY_NUMBER, "cutflow"}:
        kept = [{k: v for k, v in row.items() if k in more[name][0]} for row in own[name]]
        assert_alike(kept, more[name], errors)
    # The bootstrap is of events, and these are the same.
    errors_of = [[float(r["value_err_low"]) for r in rows["comparison"]] for rows in (own, more)]
    assert errors_of[0] == pytest.approx(errors_of[1], nan_ok=True)


def test_negative_weights_take_a_background_away(predictions):
    """Every fifth track twice more, once with weight 1 and once with −1: nothing is left of it."""
    times = np.where(np.arange(1500) % 5, 1, 3)
    sign = np.concatenate([[1, 1, -1] if t == 3 else [1] for t in times])
    _, plain = tables([weighted(p, np.full(len(p), 2)) for p in predictions])
    _, own = tables([weighted(repeated(p, times), 2 * sign) for p in predictions])
    errors = ("_err_low", "_err_high", "_sumw2", "_n_eff", *NUMBERS)
    for name in own.keys() - {*BY_NUMBER, "cutflow"}:
        assert_alike(plain[name], own[name], errors)
    flow = {r["step"]: r["count"] for r in own["cutflow"]}
    assert 200 < int(flow["of them with a negative weight"]) <= 300


def test_captions_columns_and_printouts_say_so(predictions):
    result, rows = tables([weighted(p, np.full(len(p), 0.5)) for p in predictions])
    assert all("sums of squared weights" in table.caption for table in result.tables)
    assert "efficiency_sumw2" in rows["efficiency"][0]
    text = result.printouts["lecture_cnn"]
    assert "Weights        | all numbers but # tracks and events; sum " in text
    assert "Clopper" not in next(t for t in result.tables if t.name == "kaon_efficiency").caption


def test_efficiencies_are_those_by_hand(make_predictions):
    """Three kaons of weights 2, 1 and −1, of which the first and the last are called kaons."""
    p = make_predictions(n=4, other=0)
    p.label[:] = [3, 3, 3, 2]
    p.features["p"][:] = 5000
    called = [3, 2, 3, 2]
    p.scores[:] = 0.02
    p.scores[np.arange(4), called] = 0.9
    p = dataclasses.replace(p, prior=np.full(6, 1 / 6))
    _, rows = tables([weighted(p, [2, 1, -1, 3])])
    kaon = next(
        r
        for r in rows["efficiency"]
        if (r["species"], r["bin"], r["mixture"]) == ("kaon", "all", "natural")
    )
    assert float(kaon["efficiency"]) == pytest.approx(1 / 2)
    assert float(kaon["efficiency_sumw"]) == 2
    assert float(kaon["efficiency_sumw2"]) == 6
    assert float(kaon["efficiency_err_low"]) == pytest.approx(np.sqrt(6 / 4) / 2)
    share = {r["species"]: float(r["mixture"]) for r in rows["abundances"]}
    assert (share["kaon"], share["pion"]) == pytest.approx((0.4, 0.6))


def test_a_species_whose_weights_are_negative_is_never_called_and_said(predictions, capsys):
    kaon = predictions[0].label == 3
    result, rows = tables([weighted(p, np.where(kaon, -1, 1)) for p in predictions])
    assert "the weights of kaon do not sum to more than 0" in capsys.readouterr().err
    natural = [r for r in rows["efficiency"] if (r["species"], r["mixture"]) == ("kaon", "natural")]
    assert all(r["efficiency"] == "nan" for r in natural)
    assert all("weights of the kaons sum to -" in r["note"] for r in rows["pairs"]
               if "kaon" in (r["species"], r["misid_from"]))  # fmt: skip
    assert result.printouts["lecture_cnn"].count("n/a")


def test_weights_that_are_all_0_are_refused(predictions):
    with pytest.raises(InputError, match=r"weights: those of no class sum to more than 0"):
        tables([weighted(p, np.zeros(len(p))) for p in predictions])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused(predictions, value):
    bad = np.ones(1500)
    bad[7] = value
    with pytest.raises(InputError, match="features/weight: 1 of 1500 values are not finite"):
        weighted(predictions[0], bad)


def test_methods_must_have_the_same_weights(predictions):
    first, second, _ = predictions
    with pytest.raises(InputError, match="only 'majority' has weights"):
        select([first, weighted(second, np.ones(1500))], TASK, "rich_pid")
    other = weighted(second, np.full(1500, 2))
    with pytest.raises(InputError, match="disagree on the weight of 1500 of 1500"):
        select([weighted(first, np.ones(1500)), other], TASK, "rich_pid")


def test_weights_are_kept_in_files(tmp_path, predictions):
    w = np.linspace(-1, 2, 1500)
    write_predictions(tmp_path / "p.h5", weighted(predictions[0], w))
    found = read_predictions(tmp_path / "p.h5")
    np.testing.assert_array_equal(found.features["weight"], w.astype(np.float32))
