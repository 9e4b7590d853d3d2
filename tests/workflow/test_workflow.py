"""The whole workflow on a small configuration, through snakemake's command line."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from functools import reduce
from pathlib import Path

import numpy as np
import pytest
import yaml
from precision import PRECISION

from hepcnn.config import RichSimulation
from hepcnn.detector.geometry import load_geometry
from hepcnn.events.writing import write_events
from hepcnn.simulation.rich.generate import simulate_chunk
from hepcnn.store.predictions import read_predictions

ROOT = Path(__file__).parents[2]
MLP = {"architecture": "mlp", "options": {"hidden": [16]}}
SMALL = {
    "samples": {
        "rich": {"simulate": {"events": 40, "shards": 2, "tracks": 30}},
        "dark": {"simulate": {"events": 10, "shards": 1, "tracks": 30, "dark_hits": 500}},
    },
    "images": {
        "rich_polar": {"sample": "rich", "shape": [8, 8]},
        "rich_cherenkov": {"sample": "rich", "coordinates": "cherenkov", "shape": [8, 8]},
    },
    "tasks": {
        "rich_pid": {
            "images": "rich_cherenkov",
            "networks": {
                "mlp": MLP,
                "polar": {**MLP, "images": "rich_polar", "train": {"epochs": 1}},
            },
            "baselines": ["momentum_prior", "likelihood_global"],
            "robustness": ["dark"],
            "train": {"epochs": 2, "batch_size": 64, "precision": PRECISION},
        }
    },
}
FINAL = {"evaluate_rich_pid": 1, "report": 1}


class Project:
    """A copy of the project in which a test may edit, run and look."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("Snakefile", "workflow", "hepcnn"):
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, folder / name)
        self.configure(SMALL)

    def configure(self, settings: dict, file: str = "config.yaml") -> None:
        (self.folder / file).write_text(yaml.safe_dump(settings))

    def snakemake(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self._python("-m", "snakemake", "--cores", "2", *arguments)

    def hepcnn(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self._python("-c", "from hepcnn.cli.main import main; main()", *arguments)

    def _python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env={**os.environ, "PATH": path, "PYTHONPATH": str(self.folder)},
            capture_output=True,
            text=True,
        )

    def run(self) -> None:
        done = self.snakemake()
        assert done.returncode == 0, done.stdout + done.stderr

    def copied(self, folder: Path) -> "Project":
        """A finished project of a test's own: same files, same times."""
        shutil.copytree(self.folder, folder, copy_function=shutil.copy2)
        copy = object.__new__(Project)
        copy.folder = folder
        return copy

    def planned(self, *arguments: str) -> Counter[str]:
        """Jobs that a dry run would run, by rule."""
        done = self.snakemake("--dry-run", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        jobs = re.findall(r"^(?:local)?rule (\w+):", done.stdout + done.stderr, re.MULTILINE)
        # Shards are gathered whenever one is converted.
        assert "gather" in jobs or "convert" not in jobs
        return Counter(job for job in jobs if job not in ("all", "gather"))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("project"))
    project.run()
    return project


@pytest.fixture
def project(finished, tmp_path):
    return finished.copied(tmp_path / "p")


def test_a_finished_workflow_has_its_report_and_nothing_to_do(finished):
    results = finished.folder / "results"
    assert (results / "report.html").stat().st_size > 10_000
    for file in ("mlp/checkpoint.ckpt", "polar/history.csv", "mlp/predictions@dark.h5"):
        assert (results / "tasks" / "rich_pid" / file).is_file()
    assert not finished.planned()
    empty = [p for p in results.rglob("[!.]*.*") if p.is_file() and not p.stat().st_size]
    assert all(p.suffix == ".log" for p in empty)


@pytest.mark.parametrize(("method", "views"), [("mlp", "rich_cherenkov"), ("polar", "rich_polar")])
def test_a_network_sees_its_own_image_set_of_the_same_tracks(finished, method, views):
    folder = finished.folder / "results" / "tasks" / "rich_pid"
    nominal = read_predictions(folder / method / "predictions.h5")
    assert not nominal.altered
    assert nominal.temperature != 1
    np.testing.assert_array_equal(
        nominal.key, read_predictions(folder / "likelihood_global" / "predictions.h5").key
    )
    shards = {Path(path).parent.name for path in nominal.provenance["inputs"] if "images" in path}
    assert shards == {views}


@pytest.mark.parametrize("method", ["mlp", "polar", "momentum_prior", "likelihood_global"])
def test_altered_events_are_scored_by_what_was_made_for_the_others(finished, method):
    folder = finished.folder / "results" / "tasks" / "rich_pid" / method
    nominal, dark = (read_predictions(folder / f"predictions{s}.h5") for s in ("", "@dark"))
    assert dark.altered == "dark"
    assert dark.temperature == nominal.temperature
    np.testing.assert_array_equal(dark.prior, nominal.prior)
    assert (dark.log_likelihood is not None) == (method == "likelihood_global")
    assert "in test split" not in dict(dark.cutflow)


@pytest.mark.parametrize(
    ("place", "value", "planned"),
    [
        ("tasks.rich_pid.train.batch_size", 32, {"train": 2, "predict": 4}),
        ("tasks.rich_pid.train.epochs", 3, {"train": 1, "predict": 2}),
        ("tasks.rich_pid.networks.polar.train.epochs", 2, {"train": 1, "predict": 2}),
        # Two more trainings, on both samples; the first is as it was.
        ("tasks.rich_pid.networks.mlp.seeds", 3, {"train": 2, "predict": 4}),
        ("tasks.rich_pid.tables", {"misid": [0.2]}, {}),
        ("tasks.rich_pid.networks.polar.options.hidden", [8], {"train": 1, "predict": 2}),
        ("images.rich_polar.shape", [4, 8], {"convert": 3, "train": 1, "predict": 2}),
        (
            "samples.dark.simulate.dark_hits",
            1000,
            {"simulate": 1, "convert": 2, "predict": 2, "predict_baseline": 2},
        ),
    ],
)
def test_an_edited_setting_reruns_what_depends_on_it(project, place, value, planned):
    settings = json.loads(json.dumps(SMALL))
    *path, last = place.split(".")
    reduce(dict.__getitem__, path, settings)[last] = value
    project.configure(settings)
    assert project.planned() == Counter(planned | FINAL)


def test_a_file_stands_in_the_place_of_the_default_or_is_laid_over_it(project):
    project.configure({"tasks": {"rich_pid": {"train": {"epochs": 3}}}}, "over.yaml")
    over = project.planned("--configfile", "config.yaml", "over.yaml")
    assert over == Counter({"train": 1, "predict": 2} | FINAL)
    project.configure({"output": "other", "samples": SMALL["samples"]}, "own.yaml")
    own = project.planned("--configfile", "own.yaml")
    assert own["train"] == 1
    assert own["evaluate_rich_pid"] == 1
    assert project.planned("--config", "seed=2")["train"] == 2


def test_an_edit_of_the_imaging_code_reruns_imaging_and_what_follows(project):
    with (project.folder / "hepcnn" / "imaging" / "polar.py").open("a") as file:
        file.write("\nEDITED = True\n")
    expected = {"convert": 6, "train": 2, "predict": 4, "predict_baseline": 4}
    assert project.planned() == Counter(expected | FINAL)


@pytest.mark.parametrize(
    ("deleted", "planned"),
    [
        (
            "images/rich_cherenkov/0001-*.h5",
            {"convert": 1, "train": 1, "predict": 2, "predict_baseline": 4},
        ),
        ("images/rich_polar@dark/0000-*.h5", {"convert": 1, "predict": 1}),
        ("tasks/rich_pid/likelihood_global/predictions.h5", {"predict_baseline": 1}),
        ("tasks/rich_pid/tables/species.tex", {}),
    ],
)
def test_a_deleted_file_is_made_again_alone_with_what_follows(project, deleted, planned):
    (path,) = (project.folder / "results").glob(deleted)
    path.unlink()
    assert project.planned() == Counter(planned | FINAL)


def test_the_same_configuration_and_seed_give_the_same_tables(finished, project):
    for folder in ("results", ".snakemake"):
        shutil.rmtree(project.folder / folder)
    project.run()
    tables = sorted((finished.folder / "results" / "tasks").rglob("*.csv"))
    assert len(tables) > 5
    for table in tables:
        twin = project.folder / table.relative_to(finished.folder)
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


#: A name in which a shell would see an option, commands, quotes and redirections.
HOSTILE = "-x y; touch a & $(touch b) `touch c` 'd' \"e\" > f | $HOME * [1] #é"


def test_names_that_a_shell_would_read_as_commands_are_names(finished, tmp_path, monkeypatch):
    project = Project(tmp_path)
    data = tmp_path / HOSTILE
    shutil.copytree(finished.folder / "results" / "events" / "rich", data)
    for file in data.iterdir():
        file.rename(data / f"{HOSTILE}-{file.name}")
    network = {"architecture": "mlp", "options": {"hidden": [4]}, "train": {"epochs": 1}}
    task = SMALL["tasks"]["rich_pid"] | {"networks": {"m-l-p": network}, "images": "rich_polar"}
    task |= {"baselines": ["majority"], "remark": HOSTILE}
    own = {"files": ["-x y*/*.root"], "selection": "(event > 0) | (event >= 0) & (1 < 2)"}
    own["branches"] = {"track_p": "where(track_p > 0, track_p, 1)"}
    # A variable in a path is the environment's.
    monkeypatch.setenv("SHELL_CHARACTERS", "$(touch b) `touch c`")
    output = f"-out; touch a & $SHELL_CHARACTERS {HOSTILE.replace('$HOME', '')}"
    project.configure(
        {"output": output, "samples": SMALL["samples"] | {"rich": own}, "tasks": {"K-pi": task}}
        | {"images": {"rich_polar": SMALL["images"]["rich_polar"]}},
        f"{HOSTILE}.yaml",
    )
    before = set(tmp_path.iterdir())
    done = project.hepcnn("run", "--config", f"{HOSTILE}.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    made = {path.name for path in set(tmp_path.iterdir()) - before}
    assert made == {os.path.expandvars(output), ".snakemake"}
    (results,) = tmp_path.glob("-out*")
    assert (results / "report.html").is_file()
    assert (results / "tasks" / "K-pi" / "m-l-p" / "predictions@dark.h5").is_file()
    assert (results / "tasks" / "K-pi" / "tables" / "species.csv").is_file()


@pytest.mark.parametrize("key", ["branches", "selection"])
def test_an_expression_with_commands_of_a_shell_is_an_error_and_none_is_run(
    finished, tmp_path, key
):
    project = Project(tmp_path)
    (file,) = (finished.folder / "results" / "events" / "rich").glob("0000.root")
    shutil.copy(file, tmp_path / "a.root")
    wrong = "$(touch b); `touch c` > f"
    sample = {"files": ["a.root"], key: {{"branches": "track_p", "selection": "track"}[key]: wrong}}
    project.configure({"samples": {"rich": sample}})
    before = set(tmp_path.iterdir())
    done = project.snakemake("images")
    assert done.returncode != 0
    assert f"expression '{wrong}' cannot be read" in done.stdout + done.stderr
    assert {path.name for path in set(tmp_path.iterdir()) - before} == {".snakemake"}


def _sample(path: str, key: str = "files") -> dict:
    """A configuration of one sample of a file that there is."""
    value = [path] if key == "files" else path
    return {"samples": {"rich": {"files": ["a.root"]} | {key: value}}}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"output": "res{ults}"}, "output: 'res{ults}' has '{'"),
        ({"output": "a\nb"}, r"output: 'a\nb' has '\n'"),
        ({"output": "a\0b"}, r"output: 'a\x00b' has '\x00'"),
        ({"output": "a\ud800"}, "output: Input should be a valid string"),
        ({"output": ""}, "output: String should have at least 1 character"),
        (_sample("{2018}/*.root"), "samples.rich.files: '{2018}/a.root' has '{'"),
        (_sample("a\nb/*.root"), r"samples.rich.files: 'a\nb/a.root' has '\n'"),
        (_sample(os.fsdecode(b"\xff/*.root")), r"samples.rich.files: '\udcff/a.root' has '\udcff'"),
        (_sample("g{1}.yaml", "geometry"), "samples.rich.geometry: 'g{1}.yaml' has '{'"),
    ],
)
def test_paths_that_snakemake_cannot_carry_are_refused_with_their_key(tmp_path, settings, said):
    project = Project(tmp_path)
    for folder in ("{2018}", "a\nb", os.fsdecode(b"\xff"), "."):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "a.root").touch()
    # JSON, which is YAML too, has a way to write each of them.
    (tmp_path / "config.yaml").write_text(json.dumps(settings))
    done = project.snakemake("--dry-run")
    assert done.returncode != 0
    assert said in done.stdout + done.stderr


def test_a_working_folder_that_a_shell_would_run_is_refused(tmp_path):
    # Snakemake puts a long command into a script, and the script's path into a shell's line.
    (tmp_path / "$(touch a)").mkdir()
    project = Project(tmp_path / "$(touch a)")
    project.configure(
        SMALL | {"samples": {k: v | {"tree": "t" * (1 << 17)} for k, v in SMALL["samples"].items()}}
    )
    done = project.snakemake("events")
    assert done.returncode != 0
    assert "$(touch a)' has '$'" in done.stdout + done.stderr
    assert not (project.folder / "a").exists()


def test_a_failed_check_is_kept_for_the_report_and_an_error_is_none(tmp_path):
    project = Project(tmp_path)
    with (project.folder / "hepcnn" / "validation" / "rich" / "run.py").open("a") as file:
        file.write('\nCHECKS = {"radius": ring_radii}  # the quickest\n')
    checks = project.folder / "results" / "validation" / "rich" / "checks.csv"
    rest = {"images": {}, "tasks": {}, "validation": ["rich"]}
    for geometry, returncode in (("lhcb-run3", 0), ("mine.yaml", 1)):
        sample = {"simulate": {"index_shift": 1e-3}, "geometry": geometry}
        project.configure({"samples": {"rich": sample}, **rest})
        done = project.snakemake(str(checks.relative_to(project.folder)))
        assert done.returncode == returncode, done.stdout + done.stderr
        assert checks.exists() == (returncode == 0)
        assert returncode or "FAIL" in checks.read_text()
        shutil.copy(ROOT / "hepcnn/detector/lhcb-run3.yaml", project.folder / "mine.yaml")


def test_files_of_the_users_own_enter_at_the_conversion(finished, tmp_path):
    project = Project(tmp_path)
    files = str(finished.folder / "results" / "events" / "rich" / "*.root")
    own = {"rich": {"files": [files], "files_per_job": 2}}
    project.configure({**SMALL, "samples": SMALL["samples"] | own})
    planned = project.planned()
    # Of each image set one shard, and one of the altered sample, which is simulated.
    assert planned["convert"] == 4
    assert planned["simulate"] == 1


def test_a_file_more_or_less_changes_its_own_shard_and_what_is_learnt(tmp_path):
    """And the shard of a file that is gone is scored by no one."""
    project, data = Project(tmp_path), tmp_path / "data"
    scores = "results/tasks/rich_pid/majority/predictions.h5"

    def write(name: str, first: int, seed: int = 1) -> None:
        geometry, rng = load_geometry("lhcb-run3"), np.random.default_rng([seed, first])
        events = simulate_chunk(RichSimulation(tracks=15), geometry, rng, 20, first=first)
        write_events(data / name, [events], {})

    def run() -> str:
        done = project.snakemake(scores)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    own = {"samples": {"rich": {"files": ["data/*.root"]}}}
    own["images"] = {"rich_polar": SMALL["images"]["rich_polar"]}
    own["tasks"] = {"rich_pid": {"images": "rich_polar", "baselines": ["majority"]}}
    project.configure(own)
    write("a.root", 0)
    write("c.root", 100)
    run()
    write("b.root", 200)
    assert project.planned(scores) == {"convert": 1, "predict_baseline": 1}
    run()
    (data / "b.root").unlink()
    assert project.planned(scores) == {"predict_baseline": 1}
    said = run()
    (left_over,) = (tmp_path / "results" / "images" / "rich_polar").glob("b-*.h5")
    assert f"{left_over.name}: not one of the set's 2 shards" in said
    made_of = read_predictions(tmp_path / scores).provenance["inputs"]
    assert {Path(path).stem[:2] for path in made_of} == {"a-", "c-"}
    # Events of one name are found before anything is learnt.
    write("d.root", 100, seed=2)
    done = project.snakemake(scores)
    assert done.returncode != 0
    there = r"event 1:0:100 is in \S+c-\w+\.h5 \(of data/c\.root\) and in \S+d-\w+\.h5"
    assert re.search(there, done.stdout + done.stderr)


def test_quiet_shows_a_line_a_finished_stage_and_nothing_else_of_snakemakes(project):
    (project.folder / "results" / "tasks" / "rich_pid" / "tables" / "species.md").unlink()
    done = project.snakemake("--quiet", "host", "rules", "--", "tables")
    assert done.returncode == 0, done.stderr
    lines = ["[1 of 2 stages] evaluate rich_pid", "[2 of 2 stages] tables"]
    assert done.stderr.splitlines() == lines


def test_quiet_names_the_failed_stage_and_its_log(project):
    (project.folder / "results" / "tasks" / "rich_pid" / "mlp" / "checkpoint.ckpt").write_text("no")
    done = project.snakemake("--quiet", "host", "rules", "--", "tables")
    assert done.returncode != 0
    # Of the predictions that the checkpoint is for, here and of the altered events, the first.
    failed = [line for line in done.stderr.splitlines() if line.startswith("[failed] ")]
    assert failed
    assert all(line.startswith("[failed] predict rich_pid mlp") for line in failed)
    log = failed[0].rsplit(" ", 1)[1]
    assert log.startswith("results/logs/predict/rich_pid/mlp")
    assert "not a checkpoint of `hepcnn train`" in (project.folder / log).read_text()
    # The command and its configuration are for those who ask snakemake.
    assert "<<<" not in done.stderr
