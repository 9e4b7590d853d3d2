"""A search through the whole workflow: trials are jobs, the best by validation is the network."""

from __future__ import annotations

import csv
from collections import Counter
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
from precision import PRECISION
from test_workflow import Project

from hepcnn.config import trials, validate
from hepcnn.learning.prediction import predict
from hepcnn.store.predictions import Predictions, read_predictions

SEARCHED = {
    "samples": {"rich": {"simulate": {"events": 40, "shards": 1, "tracks": 30}}},
    "images": {
        "rich_polar": {"sample": "rich", "shape": [8, 8]},
        "coarse": {"sample": "rich", "shape": [4, 8]},
    },
    "tasks": {
        "rich_pid": {
            "images": "rich_polar",
            "networks": {
                "net": {
                    "architecture": "mlp",
                    "options": {"hidden": [8]},
                    "images": "coarse",
                    "seeds": 2,
                }
            },
            "baselines": ["majority"],
            # One learns nothing, the other something. YAML 1.1 reads 1e-05, as in JSON, as a text.
            "search": {"net": {"values": {"train.learning_rate": [1.0e-5, 1.0e-2]}}},
            "train": {"epochs": 1, "batch_size": 64, "precision": PRECISION},
        }
    },
}
FOLDER = "results/tasks/rich_pid"


def losses(folder: Path, trainings: list[str]) -> float:
    """Mean validation loss of the trainings of a trial."""
    found = []
    for training in trainings:
        with (folder / training / "history.csv").open() as file:
            found.append(min(float(row["validation_loss"]) for row in csv.DictReader(file)))
    return float(np.mean(found))


def loss_of_test(predictions: Predictions) -> float:
    own = predictions.label >= 0
    right = predictions.scores[own, predictions.label[own]]
    return float(-np.log(np.maximum(right, 1e-30)).mean())


def rows(project: Project) -> list[dict[str, str]]:
    with (project.folder / FOLDER / "tables" / "search.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("search"))
    project.configure(SEARCHED)
    project.run()
    return project


@pytest.fixture
def project(finished, tmp_path):
    return finished.copied(tmp_path / "p")


def test_the_best_by_validation_is_the_network_and_no_trial_is_tested(finished):
    folder = finished.folder / FOLDER
    settings = validate(SEARCHED)
    found = list(trials(settings.tasks["rich_pid"], "net", settings.seed))
    best = min(found, key=lambda name: losses(folder, [name, f"{name}@2"]))
    (chosen,) = (row["trial"] for row in rows(finished) if row["chosen"] == "yes")
    assert chosen == best
    for mark in ("", "@2"):
        for file in ("checkpoint.ckpt", "history.csv"):
            own, trial = (folder / f"{name}{mark}" / file for name in ("net", best))
            assert own.read_bytes() == trial.read_bytes()
        assert read_predictions(folder / f"net{mark}" / "predictions.h5").method == f"net{mark}"
    assert not list(folder.glob("*+*/predictions*"))
    assert "+" not in (folder / "tables" / "comparison.csv").read_text()
    page = (finished.folder / "results" / "report.html").read_text()
    assert "trained 2 times, the best of its trials by validation" in page
    assert all(name in page for name in found)
    assert not finished.planned()


def test_not_the_best_on_the_test_split_is_chosen(project):
    """The one that is worst there is made the best by validation, and must be chosen."""
    folder = project.folder / FOLDER
    shards = [project.folder / "results" / "images" / "coarse"]
    tested = {}
    for name in {row["trial"] for row in rows(project)}:
        found = []
        for training in (name, f"{name}@2"):
            predict(shards, folder / training / "checkpoint.ckpt", project.folder / "test.h5")
            found.append(loss_of_test(read_predictions(project.folder / "test.h5")))
        tested[name] = np.mean(found)
    worst = max(tested, key=tested.__getitem__)
    assert [row["trial"] for row in rows(project) if row["chosen"] == "yes"] != [worst]
    for training in (worst, f"{worst}@2"):
        history = folder / training / "history.csv"
        with history.open() as file:
            epochs = [row | {"validation_loss": "0.001"} for row in csv.DictReader(file)]
        with history.open("w") as file:
            writer = csv.DictWriter(file, epochs[0])
            writer.writeheader()
            writer.writerows(epochs)
    done = project.snakemake("tables")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [row["trial"] for row in rows(project) if row["chosen"] == "yes"] == [worst]
    made = [read_predictions(folder / name / "predictions.h5") for name in ("net", "net@2")]
    assert np.mean([loss_of_test(p) for p in made]) == pytest.approx(tested[worst], abs=1e-6)


@pytest.mark.parametrize(
    ("rates", "train"),
    [
        ([3.0e-3, 1.0e-5, 1.0e-2], 2),
        # One less is chosen anew from those that are left.
        ([1.0e-5], 0),
    ],
)
def test_another_trial_trains_itself_alone(project, rates, train):
    settings = deepcopy(SEARCHED)
    settings["tasks"]["rich_pid"]["search"]["net"]["values"]["train.learning_rate"] = rates
    project.configure(settings)
    expected = {"choose_rich_pid": 1, "predict": 2, "evaluate_rich_pid": 1, "report": 1}
    assert project.planned() == Counter(expected | ({"train": train} if train else {}))


def test_a_network_of_that_name_in_another_task_is_trained_as_it_is(project):
    """There it is not searched: the same name in two folders."""
    settings = deepcopy(SEARCHED)
    other = settings["tasks"]["rich_pid"] | {"search": {}}
    settings["tasks"]["other"] = other
    project.configure(settings)
    planned = project.planned()
    assert planned["train"] == 2
    assert planned["choose_rich_pid"] == 0
