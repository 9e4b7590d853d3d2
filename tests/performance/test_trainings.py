import csv
import io
from dataclasses import replace

import numpy as np
import pytest

from hepcnn.config import PidTask
from hepcnn.errors import InputError
from hepcnn.performance.bootstrap import BOOTSTRAP, Merits, by_method, draw, ratio
from hepcnn.performance.evaluate import evaluate, table_names

SEEDS = 3
TRAININGS = ("net", "net@2", "net@3")
TASK = PidTask(images="rich_polar", networks={"net": {"seeds": SEEDS}}, baselines=["majority"])


def evaluated(predictions, task):
    result = evaluate(predictions, task, "rich_pid", np.random.default_rng(1))
    rows = {t.name: list(csv.DictReader(io.StringIO(t.csv()))) for t in result.tables}
    return {t.name: t for t in result.tables}, rows


@pytest.fixture(scope="module")
def predictions(make_predictions):
    """Trainings of unlike success, and a baseline."""
    powers = zip(TRAININGS, (2.0, 2.5, 3.0), strict=True)
    return [*(make_predictions(m, power=p) for m, p in powers), make_predictions("majority")]


@pytest.fixture(scope="module")
def several(predictions):
    return evaluated(predictions, TASK)


def test_of_one_training_nothing_changes_by_a_bit():
    rng = np.random.default_rng(1)
    times = draw(50, rng)
    passing, total = rng.integers(0, 5, (50, 3)), np.full((50, 3), 7)
    one = ratio(times, passing, total)
    same = by_method({"net": one})["net"]
    assert same is one
    np.testing.assert_array_equal(one.error, Merits(one.value, one.draws, np.zeros(3)).error)
    assert one.numbers[0].method == BOOTSTRAP


def test_trainings_are_their_mean_and_the_spread_is_in_the_error():
    rng = np.random.default_rng(2)
    trainings = {
        name: Merits(np.array([value]), rng.normal(value, 1, (500, 1)))
        for name, value in zip(TRAININGS, (1.0, 2.0, 3.0), strict=True)
    }
    found = by_method(trainings | {"other": Merits(np.zeros(1), np.zeros((500, 1)))})
    assert list(found) == ["net", "other"]
    assert found["net"].value[0] == 2
    assert found["net"].spread[0] == 1
    events = np.std(np.mean([t.draws for t in trainings.values()], axis=0), ddof=1)
    assert found["net"].error[0] == pytest.approx(np.hypot(events, 1))
    difference = found["other"] - found["net"]
    assert difference.error[0] == pytest.approx(np.hypot(events, 1))
    assert "spread" in difference.numbers[0].method


def test_spreads_of_two_networks_add_in_quadrature_and_relative_ones_in_a_ratio():
    still = np.tile([[4.0], [4.0]], (250, 1))
    a = Merits(np.array([4.0]), still, np.array([0.3]))
    b = Merits(np.array([2.0]), still / 2, np.array([0.4]))
    assert (a - b).error[0] == pytest.approx(0.5)
    assert (a / b).error[0] == pytest.approx(2 * np.hypot(0.3 / 4, 0.4 / 2))
    assert (a - a)[0].error == pytest.approx(0.3 * np.sqrt(2))


def test_tables_have_the_mean_of_the_trainings_and_the_spread(several, predictions):
    _, rows = several
    task = PidTask(images="rich_polar", networks={"net": {}}, baselines=["majority"])
    alone = [
        evaluated([replace(p, method="net"), predictions[-1]], task)[1] for p in predictions[:SEEDS]
    ]

    def of(made, column):
        (row,) = (r for r in made["kaon_efficiency"] if (r["bin"], r["method"]) == ("all", "net"))
        return float(row[column])

    values = [of(made, "at_5") for made in alone]
    assert of(rows, "at_5") == pytest.approx(np.mean(values))
    assert of(rows, "spread_5") == pytest.approx(np.std(values, ddof=1))
    assert of(rows, "at_5_err_low") > of(rows, "spread_5")
    (row,) = (r for r in rows["trainings"] if r["figure"] == "K efficiency at 5 % pi misID")
    assert (row["method"], row["trainings"]) == ("net", "3")
    assert float(row["mean"]) == pytest.approx(np.mean(values))
    assert (float(row["lowest"]), float(row["highest"])) == (min(values), max(values))
    both = np.hypot(float(row["mean_err_low"]), float(row["spread"]))
    assert of(rows, "at_5_err_low") == pytest.approx(both)
    # Tables of counts are of the first training.
    assert rows["working_points"] == alone[0]["working_points"]


def test_a_baseline_has_no_spread(several):
    for row in several[1]["kaon_efficiency"]:
        assert (row["spread_5"] == "nan") == (row["method"] == "majority")


def test_captions_say_what_a_table_is_of(several):
    tables, _ = several
    assert "the mean over its trainings" in tables["comparison"].caption
    assert "its first training" in tables["working_points"].caption


def test_methods_not_trainings_are_in_the_tables(several):
    tables, rows = several
    matrices = [name for name in tables if name.startswith("confusion_")]
    assert matrices == ["confusion_net", "confusion_majority"]
    assert not any("@" in value for made in rows.values() for r in made for value in r.values())
    assert list(tables) == table_names(TASK)


def test_the_first_training_alone_is_as_without_seeds(predictions, several):
    task = PidTask(images="rich_polar", networks={"net": {}}, baselines=["majority"])
    tables, rows = evaluated([predictions[0], predictions[-1]], task)
    assert "trainings" not in tables
    assert not any("training" in t.caption for n, t in tables.items() if n != "claims")
    assert "spread_5" not in rows["kaon_efficiency"][0]
    assert rows["species"] == several[1]["species"]


@pytest.mark.parametrize("gone", TRAININGS)
def test_a_missing_training_is_refused_by_name(predictions, gone):
    with pytest.raises(InputError, match=f"no predictions of '{gone}'"):
        evaluated([p for p in predictions if p.method != gone], TASK)


def test_a_training_too_many_is_refused(make_predictions, predictions):
    with pytest.raises(InputError, match="net@4"):
        evaluated([*predictions, make_predictions("net@4")], TASK)
