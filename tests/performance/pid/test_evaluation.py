import csv
import io

import numpy as np
import pytest

from hepcnn.config import PidTask, validate
from hepcnn.performance.evaluate import evaluate, evaluate_files, table_paths
from hepcnn.performance.loss import loss
from hepcnn.performance.pid.evaluation import TOGETHER
from hepcnn.store.predictions import write_predictions

METHODS = ("lecture_cnn", "majority", "momentum_prior")
SIMULATED = {"simulate": {}}


def evaluated(predictions, **tables):
    task = PidTask(images="rich_polar", tables=tables)
    result = evaluate(predictions, task, "rich_pid", np.random.default_rng(1))
    rows = {t.name: list(csv.DictReader(io.StringIO(t.csv()))) for t in result.tables}
    return result, rows


@pytest.fixture
def predictions(make_predictions):
    return [make_predictions(m, n=2000) for m in METHODS]


def test_every_table_that_is_promised_is_written_and_nothing_else(tmp_path, predictions):
    paths = [tmp_path / f"{p.method}.h5" for p in predictions]
    for path, p in zip(paths, predictions, strict=True):
        write_predictions(path, p)
    folder = tmp_path / "tables"
    evaluate_files(paths, validate({}), "rich_pid", folder)
    promised = table_paths(folder, PidTask(images="rich_polar"))
    assert sorted(promised) == sorted(str(p) for p in folder.iterdir())
    first = {p: p.read_bytes() for p in folder.iterdir()}
    evaluate_files(list(reversed(paths)), validate({}), "rich_pid", folder)
    for path, content in first.items():
        if path.suffix != ".json":  # lists its inputs in the order given
            assert path.read_bytes() == content
    evaluate_files(paths, validate({}), "rich_pid", folder)
    assert all(path.read_bytes() == content for path, content in first.items())


def test_a_task_with_steps_and_altered_samples_has_two_tables_more(tmp_path, make_predictions):
    settings = {
        "images": "rich_polar",
        "robustness": ["dark"],
        "tables": {"ablation": ["majority", "lecture_cnn"]},
    }
    config = validate(
        {"tasks": {"rich_pid": settings}, "samples": {"dark": SIMULATED, "rich": SIMULATED}}
    )
    paths = [tmp_path / f"{m}@{a}.h5" for m in METHODS for a in ("", "dark")]
    for path in paths:
        method, _, sample = path.stem.partition("@")
        write_predictions(path, make_predictions(method, n=400, altered=sample))
    folder = tmp_path / "tables"
    evaluate_files(paths, config, "rich_pid", folder)
    promised = table_paths(folder, config.tasks["rich_pid"])
    assert sorted(promised) == sorted(str(p) for p in folder.iterdir())
    assert {"ablation.json", "robustness.json"} <= {p.name for p in folder.iterdir()}


def test_the_order_of_tracks_does_not_matter(predictions, make_predictions):
    one = evaluated(predictions)[1]
    for p in predictions:
        for array in (p.key, p.scores, p.label, *p.features.values()):
            array[:] = array[::-1].copy()
    assert evaluated(predictions)[1] == one


def test_bins_add_up_to_the_whole(predictions):
    rows = evaluated(predictions)[1]["efficiency"]
    kaons = [r for r in rows if r["method"] == "lecture_cnn" and r["species"] == "kaon"]
    whole, *bins = [r for r in kaons if r["mixture"] == "natural"]
    assert whole["bin"] == "all"
    assert len(bins) == 5
    for part in ("efficiency_n_pass", "efficiency_n_total", "purity_n_total", "misid_n_total"):
        assert sum(int(b[part]) for b in bins) == int(whole[part])


def test_denominators_account_for_every_scored_track(predictions):
    flow = {r["step"]: int(r["count"]) for r in evaluated(predictions)[1]["cutflow"]}
    out = flow["p < 3000 MeV, left out"] + flow["p >= 100000 MeV, left out"]
    assert out > 0
    assert flow["scored"] == out + flow["in the tables"]
    assert flow["of them of other species"] > 0
    six = flow["of them of the six species"]
    assert flow["in the tables"] == six + flow["of them of other species"]
    species = evaluated(predictions)[1]["abundances"]
    assert sum(int(r["particles"]) for r in species) == six


def test_tracks_outside_all_bins_are_counted(predictions):
    flow = evaluated(predictions, momentum_bins=[9300.0, 15600.0])[1]["cutflow"]
    counts = {r["step"]: int(r["count"]) for r in flow}
    assert counts["of them in no momentum bin"] > 0
    assert counts["of them in no bin of the curves in p"] == 0
    flow = evaluated(predictions, curve_bins={"eta": [4, 5], "n_tracks": [0, 50]})[1]["cutflow"]
    counts = {r["step"]: int(r["count"]) for r in flow}
    assert counts["of them in no bin of the curves in eta"] == counts["in the tables"]
    assert counts["of them in no bin of the curves in n_tracks"] == 0


def test_cutflows_that_differ_are_shown_by_method(predictions):
    object.__setattr__(predictions[1], "cutflow", (("events read", 7), ("scored", 2000)))
    flow = evaluated(predictions)[1]["cutflow"]
    assert {r["method"] for r in flow if r["step"] == "events read"} == set(METHODS)


def test_a_stated_mixture_weights_purity_and_leaves_efficiency_by_the_decision(predictions):
    mixture = {"pion": 0.5, "kaon": 0.5}
    _, rows = evaluated(predictions, mixture=mixture)
    abundance = {r["species"]: float(r["mixture"]) for r in rows["abundances"]}
    assert abundance["pion"] == pytest.approx(0.5)
    assert abundance["proton"] == 0
    kaon = next(r for r in rows["efficiency"] if r["species"] == "kaon")
    assert float(kaon["purity_n_eff"]) < float(kaon["purity_n_total"])
    # Nothing is ever called a species that the mixture does not have.
    called = {r["called"] for r in rows["confusion_lecture_cnn"] if int(r["rate_n_pass"])}
    assert called <= {"pion", "kaon"}


def test_species_table_has_the_lectures_columns_in_both_mixtures(predictions):
    rows = evaluated(predictions)[1]["species"]
    assert {r["mixture"] for r in rows} == {"natural", "flat"}
    network = [r for r in rows if r["method"] == "lecture_cnn" and r["mixture"] == "natural"]
    assert [r["species"] for r in network][-1] == "all"
    assert int(network[-1]["particles"]) == sum(int(r["particles"]) for r in network[:-1])
    mean = np.nansum([float(r["loss"]) * int(r["particles"]) for r in network[:-1]])
    assert float(network[-1]["loss"]) == pytest.approx(mean / int(network[-1]["particles"]))


@pytest.mark.parametrize(
    ("mixture", "names"),
    [
        ("natural", ["natural", "flat"]),
        ("flat", ["flat", "natural"]),
        ({"pion": 1, "kaon": 1}, ["stated", "natural", "flat"]),
    ],
)
def test_the_target_comes_first_then_natural_and_flat_and_none_twice(predictions, mixture, names):
    _, rows = evaluated(predictions, mixture=mixture)
    for table in ("species", "efficiency"):
        assert list(dict.fromkeys(r["mixture"] for r in rows[table])) == names
        assert len({tuple(r.values()) for r in rows[table]}) == len(rows[table])


def test_loss_of_known_probabilities():
    probability = np.array([[0.5, 0.5, 0, 0, 0, 0], [0.25, 0.75, 0, 0, 0, 0]])
    mean = loss(probability, np.array([0, 0], dtype=np.int16))
    assert mean.value[0] == pytest.approx((np.log(2) + np.log(4)) / 2)
    assert mean.error[0] == pytest.approx(np.log(2) / 2)
    assert np.isnan(mean.value[1])
    assert loss(probability, np.array([5, -1], dtype=np.int16)).value[5] == np.inf


def test_loss_of_all_species_together_has_the_error_of_its_mean():
    rng = np.random.default_rng(5)
    label = rng.choice(3, 400, p=[0.8, 0.1975, 0.0025]).astype(np.int16)
    label[0], label[1:][label[1:] == 2] = 2, 0  # one track of this species
    probability = rng.dirichlet([4, 2, 1, 1, 1, 1], 400)
    losses = -np.log(probability[np.arange(400), label])
    value, error = loss(probability, label).together(np.ones(6))
    assert value == pytest.approx(losses.mean())
    assert error == pytest.approx(losses.std() / 20)
    weights = np.array([1, 3, 2, 1, 1, 1])
    w = weights[label]
    value, error = loss(probability, label).together(weights)
    assert value == pytest.approx(np.average(losses, weights=w))
    assert error == pytest.approx(np.sqrt((w**2 * (losses - value) ** 2).sum()) / w.sum())
    assert np.isnan(loss(probability[:1], label[:1]).together(np.ones(6))[1])


def test_working_points_of_a_control_without_an_image_say_why_there_are_none(predictions):
    rows = evaluated(predictions)[1]["working_points"]
    constant = [r for r in rows if r["method"] == "majority" and r["asked"].startswith("misID")]
    assert constant
    assert all(r["efficiency"] == "nan" and r["note"] for r in constant)
    network = [r for r in rows if r["method"] == "lecture_cnn" and r["bin"] == "all"]
    asked = [r["asked"] for r in network]
    assert asked == [
        *("NNDLLK > 0", "NNDLLK > 5"),
        *("misID 1 %", "misID 3 %", "misID 5 %", "misID 10 %"),
    ]
    for row in network[2:]:
        assert float(row["misid"]) <= float(row["asked"].split()[1]) / 100
        assert row["cut"] == str(round(float(row["cut"]), 3))


@pytest.mark.parametrize("methods", [METHODS[:1], METHODS[1:2], METHODS])
def test_one_event_and_one_method_make_all_tables(make_predictions, methods):
    _, rows = evaluated([make_predictions(m, n=40) for m in methods])
    assert set(TOGETHER) < set(rows)
    for row in rows["kaon_efficiency"]:
        assert row["method"] in methods
    assert len(rows["comparison"]) == 6 * len(methods) * (len(methods) - 1) // 2


def test_one_track_makes_all_tables(make_predictions):
    result, rows = evaluated([make_predictions(m, n=1, other=0) for m in METHODS])
    assert set(TOGETHER) < set(rows)
    assert set(result.printouts) == set(METHODS)
    particles = [int(r["particles"]) for r in rows["abundances"]]
    assert sum(particles) == 1
    absent = next(r for r in rows["efficiency"] if r["species"] == "deuteron")
    assert absent["efficiency"] == "nan"
