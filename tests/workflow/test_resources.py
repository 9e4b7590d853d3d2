"""What jobs ask of a batch system, and the profile that asks for it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PROFILE = ROOT / "workflow" / "profiles" / "slurm" / "config.yaml"


@pytest.fixture(scope="module")
def jobs(tmp_path_factory):
    """Rule, wildcards and resources of each job of config.yaml that is no local one."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile"),
            *("--configfile", ROOT / "config.yaml", "--cores", "2", "--dry-run"),
        ],
        cwd=tmp_path_factory.mktemp("nothing_made"),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    listed = (ROOT / "Snakefile").read_text().split("localrules:\n")[1].split("\n\n")[0]
    local = set(re.findall(r"\w+", listed))
    assert "gather" in local
    found = re.findall(r"^rule (\w+):\n((?:    .*\n)+)", done.stdout, re.MULTILINE)
    return [
        (
            rule,
            re.findall(r"wildcards: (.*)", text),
            dict(re.findall(r"(\w+)=([^\s,]+)", text.split("resources: ")[1])),
        )
        for rule, text in found
        if rule not in local
    ]


def test_every_job_asks_for_memory_and_time(jobs):
    assert {"simulate", "convert", "train", "predict", "report"} <= {rule for rule, _, _ in jobs}
    for rule, wildcards, resources in jobs:
        # Time by the size of files that are not there yet is known later.
        assert {"mem_mb", "runtime"} <= resources.keys(), (rule, wildcards)
        assert 500 < int(resources["mem_mb"]) < 8000


def test_gpus_are_for_trainings_of_dense_networks(jobs):
    given = {wildcards[0]: r["gpu"] for rule, wildcards, r in jobs if "gpu" in r}
    assert len(given) == sum(rule == "train" for rule, _, _ in jobs)
    dense = {name for name, gpus in given.items() if gpus != "0"}
    assert dense == {"task=rich_pid, network=lecture_cnn", "task=rich_pid, network=ours"}


def test_repetitions_are_in_the_profile_alone():
    assert yaml.safe_load(PROFILE.read_text())["retries"] > 0
    for file in (ROOT / "Snakefile", *(ROOT / "workflow" / "rules").glob("*.smk")):
        assert not re.search(r"^\s*retries:", file.read_text(), re.MULTILINE), file
