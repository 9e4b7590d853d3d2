"""The workflow through a real SLURM of one node: same tables as without, whatever dies midway."""

import hashlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest
import yaml
from precision import PRECISION

pytestmark = pytest.mark.slurm

ROOT = Path(__file__).parents[3]
SCRIPT = Path(__file__).with_name("single_node.sh")
TINY = {
    "samples": {"rich": {"simulate": {"events": 40, "shards": 2, "tracks": 30}}},
    "images": {"rich_polar": {"sample": "rich", "shape": [8, 8]}},
    "tasks": {
        "rich_pid": {
            "images": "rich_polar",
            "networks": {"mlp": {"architecture": "mlp", "options": {"hidden": [16]}}},
            "baselines": ["momentum_prior"],
            "train": {"epochs": 2, "batch_size": 64, "precision": PRECISION},
        }
    },
}
#: A thread a job: other numbers of threads add in another order.
ONE = ("--set-threads", "train=1", "predict=1", "report=1")
#: The profile, but for a node that is near and quick.
SLURM = (
    *("--workflow-profile", str(ROOT / "workflow" / "profiles" / "slurm")),
    *("--latency-wait", "5", "--slurm-init-seconds-before-status-checks", "2"),
)


def _wait(seconds: float, what: str, until: Callable[[], str]) -> str:
    """The first true answer of `until`."""
    end = time.monotonic() + seconds
    while not (answer := until()):
        assert time.monotonic() < end, f"not within {seconds:g} s: {what}"
        time.sleep(0.3)
    return answer


class Node:
    """The only node, and its controller."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def script(self, action: str) -> None:
        subprocess.run([SCRIPT, action, self.folder], check=True)

    def jobs(self) -> list[dict[str, str]]:
        """All jobs, ended ones too, with the fields of scontrol."""
        listed = subprocess.run(
            ["scontrol", "show", "job", "--oneliner"], capture_output=True, text=True, check=True
        ).stdout
        return [dict(re.findall(r"(\w+)=(\S*)", line)) for line in listed.splitlines()]

    def state(self) -> str:
        """Such as idle, mixed and down*."""
        command = ["sinfo", "--noheader", "--format", "%T"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    def midway(self, rule: str, folder: Path) -> str:
        """Wait until a job of a rule is at its command; gives the job's number."""

        def found() -> str:
            begun = any((folder / "results" / "logs" / rule).rglob("*.log"))
            mine = (j for j in self.jobs() if j["Comment"].startswith(f"rule_{rule}_"))
            return next((j["JobId"] for j in mine if begun and j["JobState"] == "RUNNING"), "")

        return _wait(120, f"a job of {rule} is at its command", found)

    def die(self) -> None:
        """Kill the daemon and all that it started, as if the power were cut."""
        daemon = psutil.Process(int((self.folder / "slurmd.pid").read_text()))
        assert daemon.name() == "slurmd"
        # No other SLURM was here when this one was started.
        steps = [p for p in psutil.process_iter() if p.name() == "slurmstepd"]
        for process in [daemon, *steps, *(c for s in steps for c in s.children(recursive=True))]:
            process.kill()


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    checked = subprocess.run([SCRIPT, "check"], capture_output=True, text=True)
    if checked.returncode:
        pytest.skip(checked.stderr.strip())
    if not find_spec("snakemake_executor_plugin_slurm"):
        pytest.skip("no SLURM executor of Snakemake here: pip install '.[slurm]'")
    node = Node(tmp_path_factory.mktemp("node"))
    try:
        node.script("up")
        yield node
    finally:
        node.script("down")


def _start(folder: Path, *arguments: str) -> subprocess.Popen:
    folder.mkdir(exist_ok=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(TINY))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with (folder / "said.txt").open("w") as said:
        return subprocess.Popen(
            [sys.executable, "-m", "snakemake", "-s", ROOT / "Snakefile", *ONE, *arguments],
            cwd=folder,
            env=os.environ | {"PATH": path, "PYTHONPATH": str(ROOT)},
            stdout=said,
            stderr=subprocess.STDOUT,
        )


def _end(started: subprocess.Popen, folder: Path) -> tuple[int, str]:
    return started.wait(timeout=900), (folder / "said.txt").read_text()


def _run(folder: Path, *arguments: str) -> None:
    returncode, said = _end(_start(folder, *arguments), folder)
    assert returncode == 0, said


def _tables(folder: Path) -> dict[str, str]:
    """Checksums of all tables, by file."""
    results = folder / "results"
    found = {
        str(path.relative_to(results)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(results.glob("tasks/*/tables/**/*"))
        if path.is_file()
    }
    assert len(found) > 20
    return found


@pytest.fixture(scope="module")
def local(node, tmp_path_factory):
    """Tables of the run without SLURM."""
    folder = tmp_path_factory.mktemp("local")
    _run(folder, "--cores", "2", "--", "tables")
    return _tables(folder)


@pytest.fixture(scope="module")
def finished(node, tmp_path_factory):
    """A run through SLURM."""
    folder = tmp_path_factory.mktemp("slurm")
    _run(folder, *SLURM)
    return folder


def test_tables_are_those_of_one_machine(node, finished, local):
    assert _tables(finished) == local
    jobs = {job["Comment"].split("_wildcards")[0]: job for job in node.jobs()}
    rules = {"simulate", "convert", "train", "predict", "predict_baseline"}
    assert jobs.keys() == {f"rule_{name}" for name in rules | {"evaluate_rich_pid", "report"}}
    assert jobs["rule_train"]["TimeLimit"] == "04:00:00"
    assert jobs["rule_train"]["TresPerJob"] == "gres:gpu:1"
    assert "TresPerJob" not in jobs["rule_predict"]


def test_a_failed_job_has_more_memory_next_time_and_names_its_logs(node, finished):
    checkpoint = finished / "results" / "tasks" / "rich_pid" / "mlp" / "checkpoint.ckpt"
    good, before = checkpoint.read_bytes(), len(node.jobs())
    checkpoint.write_text("no")
    started = _start(finished, *SLURM, "--retries", "1", "--", "tables")
    returncode, said = _end(started, finished)
    checkpoint.write_bytes(good)
    assert returncode != 0
    asked = [int(job["MinMemoryNode"].removesuffix("M")) for job in node.jobs()[before:]]
    assert asked == [asked[0], 2 * asked[0]]
    logs = re.findall(r"log: (results\S+), (\S+) \(check log file", said)[-1]
    assert all("not a checkpoint of" in (finished / name).read_text() for name in logs)


def test_a_cancelled_job_and_a_dead_node_leave_the_same_tables(node, local, tmp_path):
    started = _start(tmp_path, *SLURM, "--", "tables")
    cancelled = node.midway("convert", tmp_path)
    subprocess.run(["scancel", cancelled], check=True)
    dead = node.midway("train", tmp_path)
    node.die()
    _wait(120, "the node is down", lambda: node.state() if "down" in node.state() else "")
    node.script("node")
    returncode, said = _end(started, tmp_path)
    assert returncode == 0, said
    assert f"SLURM-job '{cancelled}' failed, SLURM status is: 'CANCELLED'" in said
    (training,) = (job for job in node.jobs() if job["JobId"] == dead)
    assert (training["Restarts"], training["JobState"]) == ("1", "COMPLETED")
    assert _tables(tmp_path) == local
    # Nothing is left to do, or half done.
    returncode, said = _end(_start(tmp_path, *SLURM, "--", "tables"), tmp_path)
    assert returncode == 0, said
    assert "Nothing to be done" in said
