import csv
import dataclasses
import io

import numpy as np
import pytest

from hepcnn.config import ClassTask, validate
from hepcnn.errors import InputError
from hepcnn.performance.classes.evaluation import TOGETHER
from hepcnn.performance.evaluate import evaluate, evaluate_files, table_names, table_paths
from hepcnn.store.predictions import write_predictions

METHODS = ("three", "single", "majority", "charge_tree")
PARTICLE, INTERACTION = (
    ClassTask(images="planes", target=target, networks={"three": {}, "single": {}})
    for target in ("particle", "interaction")
)
TASKS = pytest.mark.parametrize("task", [PARTICLE, INTERACTION], ids=lambda task: task.target)
CONFIG = {
    "samples": {
        "beam": {"detector": "lartpc", "simulate": {}},
        "late": {"detector": "lartpc", "simulate": {}},
    },
    "images": {"planes": {"maker": "planes", "sample": "beam"}},
}


def evaluated(task, predictions):
    result = evaluate(predictions, task, "lartpc", np.random.default_rng(1))
    return result, {t.name: list(csv.DictReader(io.StringIO(t.csv()))) for t in result.tables}


def labels(task, n=600, seed=3):
    return np.random.default_rng(seed).integers(0, len(task.classes), n)


def decided(task, called, sure=0.9):
    """Scores that call each event a class, or nothing in particular (−1)."""
    c = len(task.classes)
    scores = np.full((len(called), c), (1 - sure) / (c - 1))
    scores[np.arange(len(called)), called] = sure
    return scores


@TASKS
def test_every_table_that_is_promised_is_written_and_nothing_else(tmp_path, classified, task):
    tasks = {"lartpc": task.model_dump(mode="json") | {"robustness": ["late"]}}
    config = validate(CONFIG | {"tasks": tasks})
    paths = [tmp_path / f"{m}@{a}.h5" for m in METHODS for a in ("", "late")]
    for path in paths:
        method, _, altered = path.stem.partition("@")
        p = classified(task, method, labels(task), altered=altered)
        write_predictions(path, p)
    folder = tmp_path / "tables"
    result = evaluate_files(paths, config, "lartpc", folder)
    promised = table_paths(folder, config.tasks["lartpc"])
    assert sorted(promised) == sorted(str(p) for p in folder.iterdir())
    assert [t.name for t in result.tables] == table_names(config.tasks["lartpc"])
    assert result.summary == result.tables[0].markdown()
    rows = [r for r in evaluated_rows(result, "robustness") if r["method"] == "three"]
    assert [r["sample"] for r in rows] == ["nominal", "late"]
    assert float(rows[0]["accuracy"]) > 0.6


def evaluated_rows(result, name):
    (table,) = (t for t in result.tables if t.name == name)
    return list(csv.DictReader(io.StringIO(table.csv())))


def test_efficiency_purity_and_accuracies_of_known_decisions(classified):
    """8 of 10 electrons, 3 of 5 photons, of which 2 are called electron; nothing else."""
    label = np.repeat([0, 1], [10, 5])
    called = np.array([0] * 8 + [1] * 2 + [1] * 3 + [0] * 2)
    _, rows = evaluated(PARTICLE, [classified(PARTICLE, "three", label, decided(PARTICLE, called))])
    by_class = {r["class"]: r for r in rows["classes"]}
    electron = by_class["electron"]
    assert (electron["events"], electron["efficiency_n_pass"]) == ("10", "8")
    assert float(electron["efficiency"]) == 0.8
    assert float(electron["purity"]) == 0.8
    assert float(by_class["photon"]["purity"]) == 0.6
    assert float(by_class["accuracy"]["efficiency"]) == pytest.approx(11 / 15)
    assert float(by_class["balanced accuracy"]["efficiency"]) == pytest.approx(0.7)
    assert 0 < float(electron["efficiency_err_high"]) < float(electron["efficiency_err_low"])


def test_purity_is_that_of_the_mixture_asked_for(classified):
    """At equal abundances 20 % of electrons' calls come from 40 % of the photons: .8/(.8 + .4)."""
    label = np.repeat([0, 1], [10, 5])
    called = np.array([0] * 8 + [1] * 2 + [1] * 3 + [0] * 2)
    flat = PARTICLE.model_copy(
        update={"tables": PARTICLE.tables.model_copy(update={"mixture": "flat"})}
    )
    p = classified(flat, "three", label, decided(flat, called))
    electron = evaluated(flat, [p])[1]["classes"][0]
    assert float(electron["purity"]) == pytest.approx(0.8 / 1.2)
    assert float(electron["efficiency"]) == 0.8


@TASKS
def test_a_class_that_is_absent_is_not_known_and_counts_nowhere(classified, task):
    label = labels(task) % (len(task.classes) - 1)
    absent = task.classes[-1]
    result, rows = evaluated(task, [classified(task, m, label) for m in METHODS])
    (row,) = (r for r in rows["classes"] if r["method"] == "three" and r["class"] == absent)
    assert (row["events"], row["efficiency"]) == ("0", "nan")
    assert float(rows["comparison"][1]["value"]) > 0.6  # the mean is of the classes there are
    for r in rows["pairs"]:
        unknown = absent in (r["class"], r["misid_from"])
        assert (r["area"] == "nan") == unknown
        assert bool(r["note"]) >= unknown
    assert not any("nan" in r["value"] for r in rows["comparison"] if "curve" not in r["figure"])
    assert len(result.tables) == len(table_names(task))


@TASKS
@pytest.mark.parametrize("n", [1, 2])
def test_one_event_makes_all_tables(classified, task, n):
    label = np.zeros(n, dtype=np.int16)
    _, rows = evaluated(
        task, [classified(task, m, label, energy=np.full(n, np.nan)) for m in METHODS]
    )
    assert set(TOGETHER) < set(rows)
    accuracy = next(r for r in rows["classes"] if r["class"] == "accuracy")
    assert float(accuracy["efficiency_err_low"]) + float(accuracy["efficiency_err_high"]) > 0.5
    steps = {r["step"]: int(r["count"]) for r in rows["cutflow"]}
    assert steps["of them without a true energy"] == n


def test_no_event_of_any_class_is_an_error(classified):
    p = classified(PARTICLE, "three", np.array([-1, -1]))
    with pytest.raises(InputError, match="no example of electron, photon"):
        evaluated(PARTICLE, [p])


@TASKS
def test_the_order_of_events_does_not_matter(classified, task):
    label = labels(task)
    label[::50] = -1
    predictions = [classified(task, m, label) for m in METHODS]
    order = np.random.default_rng(0).permutation(len(label))
    shuffled = [
        dataclasses.replace(
            p,
            key=p.key[order],
            scores=p.scores[order],
            label=p.label[order],
            features={name: values[order] for name, values in p.features.items()},
        )
        for p in predictions
    ]
    assert evaluated(task, shuffled)[1] == evaluated(task, predictions)[1]


def test_methods_that_disagree_on_the_energy_are_refused_but_not_on_the_hits(classified):
    label = labels(INTERACTION)
    energy = np.where(label == 3, np.nan, 100.0)
    one, other = (classified(INTERACTION, m, label, energy=energy) for m in METHODS[:2])
    other.features["n_hits"][:] = 3  # of one plane
    evaluated(INTERACTION, [one, other])
    other.features["energy"][:5] = 200
    with pytest.raises(InputError, match=r"disagree on the energy of 5 of 600"):
        evaluated(INTERACTION, [one, other])


@TASKS
def test_energy_bins_add_up_to_the_events_with_an_energy_in_them(classified, task):
    label = labels(task)
    energy = np.where(label == len(task.classes) - 1, np.nan, np.linspace(-10, 7000, len(label)))
    _, rows = evaluated(task, [classified(task, "three", label, energy=energy)])
    steps = {r["step"]: int(r["count"]) for r in rows["cutflow"]}
    assert steps["of them in no bin of energy"] > 0
    binned = sum(int(r["efficiency_n_total"]) for r in rows["energy"] if r["bin"] != "all")
    out = steps["of them in no bin of energy"] + steps["of them without a true energy"]
    assert binned == len(label) - out
    last = [r for r in rows["energy"] if r["class"] == task.classes[-1]]
    assert int(last[0]["efficiency_n_total"]) == np.count_nonzero(label == len(task.classes) - 1)
    assert all(r["efficiency"] == "nan" for r in last[1:])


def test_published_figures_stand_beside_ours(classified):
    _, rows = evaluated(PARTICLE, [classified(PARTICLE, "three", labels(PARTICLE))])
    table = {r["class"]: r for r in rows["published"]}
    assert [float(table["pion"][n]) for n in ("alexnet", "googlenet")] == [0.731, 0.71]
    ours = {r["class"]: r["efficiency"] for r in rows["classes"]}
    assert all(r["efficiency_three"] == ours[c] for c, r in table.items())
    _, rows = evaluated(INTERACTION, [classified(INTERACTION, "three", labels(INTERACTION))])
    best = next(r for r in rows["selection"] if r["class"] == "numu_cc" and r["best"])
    nova = next(r for r in rows["published"] if r["class"] == "numu_cc")
    assert (float(nova["efficiency"]), float(nova["purity"])) == (0.582, 0.964)
    assert nova["efficiency_three"] == best["efficiency"]


@TASKS
def test_calibration_looks_at_every_class(classified, task):
    _, rows = evaluated(task, [classified(task, "three", labels(task))])
    assert {r["of"] for r in rows["reliability"]} == {"called", *task.classes}
    assert all(float(rows["calibration"][0][f"ece_{c}"]) >= 0 for c in task.classes)
