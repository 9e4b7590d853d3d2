"""The whole workflow on a small configuration, through snakemake's command line."""

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SMALL = {
    "samples": {"rich": {"simulate": {"events": 40, "shards": 2, "tracks": 30}}},
    "images": {"rich_polar": {"sample": "rich", "shape": [8, 8]}},
    "tasks": {
        "rich_pid": {
            "images": "rich_polar",
            "networks": {"mlp": {"options": {"hidden": [16]}}},
            "train": {"epochs": 2, "batch_size": 64},
        }
    },
}


class Project:
    """A copy of the project in which a test may edit, run and look."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("Snakefile", "workflow", "hepcnn"):
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, folder / name)
        self.configure(SMALL)

    def configure(self, settings: dict) -> None:
        (self.folder / "config.yaml").write_text(yaml.safe_dump(settings))

    def snakemake(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(
            [sys.executable, "-m", "snakemake", "--cores", "2", *arguments],
            cwd=self.folder,
            env={**os.environ, "PATH": path, "PYTHONPATH": str(self.folder)},
            capture_output=True,
            text=True,
        )

    def run(self) -> None:
        done = self.snakemake()
        assert done.returncode == 0, done.stdout + done.stderr

    def planned(self) -> Counter[str]:
        """Jobs that a dry run would run, by rule."""
        done = self.snakemake("--dry-run")
        assert done.returncode == 0, done.stdout + done.stderr
        jobs = re.findall(r"^(?:local)?rule (\w+):", done.stdout + done.stderr, re.MULTILINE)
        return Counter(jobs) - Counter(["all"])


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("project"))
    project.run()
    return project


@pytest.fixture
def project(finished, tmp_path):
    """A finished project of the test's own: same files, same times."""
    shutil.copytree(finished.folder, tmp_path / "p", copy_function=shutil.copy2)
    copy = object.__new__(Project)
    copy.folder = tmp_path / "p"
    return copy


def test_a_finished_workflow_has_its_report_and_nothing_to_do(finished):
    results = finished.folder / "results"
    assert (results / "report.html").stat().st_size > 10_000
    for file in ("mlp/checkpoint.ckpt", "mlp/history.csv", "momentum_prior/predictions.h5"):
        assert (results / "tasks" / "rich_pid" / file).is_file()
    assert not finished.planned()
    empty = [p for p in results.rglob("[!.]*.*") if p.is_file() and not p.stat().st_size]
    assert all(p.suffix == ".log" for p in empty)


def test_more_epochs_rerun_training_and_what_follows(project):
    settings = yaml.safe_load(yaml.safe_dump(SMALL))
    settings["tasks"]["rich_pid"]["train"]["epochs"] = 3
    project.configure(settings)
    assert project.planned() == Counter(["train", "predict", "evaluate_rich_pid", "report"])


def test_other_tables_rerun_only_the_tables(project):
    settings = yaml.safe_load(yaml.safe_dump(SMALL))
    settings["tasks"]["rich_pid"]["tables"] = {"misid": [0.2]}
    project.configure(settings)
    assert project.planned() == Counter(["evaluate_rich_pid", "report"])


def test_an_edit_of_the_imaging_code_reruns_imaging_and_what_follows(project):
    with (project.folder / "hepcnn" / "imaging" / "polar.py").open("a") as file:
        file.write("\n# edited\n")
    expected = {
        "convert": 2,
        "train": 1,
        "predict": 1,
        "predict_baseline": 2,
        "evaluate_rich_pid": 1,
        "report": 1,
    }
    assert project.planned() == Counter(expected)


@pytest.mark.parametrize(
    ("deleted", "planned"),
    [
        (
            "images/rich_polar/0001.h5",
            {"convert": 1, "train": 1, "predict": 1, "predict_baseline": 2}
            | {"evaluate_rich_pid": 1, "report": 1},
        ),
        (
            "tasks/rich_pid/majority/predictions.h5",
            {"predict_baseline": 1, "evaluate_rich_pid": 1, "report": 1},
        ),
        ("tasks/rich_pid/tables/species.tex", {"evaluate_rich_pid": 1, "report": 1}),
    ],
)
def test_a_deleted_file_is_made_again_alone_with_what_follows(project, deleted, planned):
    (project.folder / "results" / deleted).unlink()
    assert project.planned() == Counter(planned)


def test_the_same_configuration_and_seed_give_the_same_tables(finished, tmp_path):
    again = Project(tmp_path)
    again.run()
    tables = sorted((finished.folder / "results" / "tasks").rglob("*.csv"))
    assert len(tables) > 5
    for table in tables:
        twin = again.folder / table.relative_to(finished.folder)
        assert twin.read_bytes() == table.read_bytes(), table.name


def test_a_wrong_key_stops_the_workflow_and_is_named(tmp_path):
    project = Project(tmp_path)
    project.configure({"seeed": 1})
    done = project.snakemake("--dry-run")
    assert done.returncode != 0
    assert "did you mean 'seed'" in done.stdout + done.stderr


def test_an_unknown_network_stops_the_workflow_before_it_starts(tmp_path):
    project = Project(tmp_path)
    project.configure({"tasks": {"t": {"images": "rich_polar", "networks": {"lenet6": {}}}}})
    done = project.snakemake("--dry-run")
    assert done.returncode != 0
    assert "lenet5" in done.stdout + done.stderr


def test_files_of_the_users_own_enter_at_the_conversion(finished, tmp_path):
    project = Project(tmp_path)
    files = str(finished.folder / "results" / "events" / "rich" / "*.root")
    project.configure({**SMALL, "samples": {"rich": {"files": [files], "files_per_job": 2}}})
    planned = project.planned()
    assert planned["convert"] == 1
    assert not planned["simulate"]
