"""The benchmarks run: each at a size at which its ratios mean nothing."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import NAMES
from benchmarks.harness import Row

ROOT = Path(__file__).parents[1]


def run(*arguments, **environment):
    command = [sys.executable, "-m", "benchmarks", *arguments]
    env = os.environ | environment
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)


def rows_in(path):
    rows = [Row(*values) for values in json.loads(path.read_text())]
    assert rows
    assert all(math.isfinite(row.ratio) and row.ratio > 0 for row in rows)
    return rows


@pytest.mark.parametrize("name", NAMES)
def test_each_benchmark_runs_and_gives_its_rows(name, tmp_path):
    """As the process that it has of its own: its parent would import torch once more."""
    path = tmp_path / "rows.json"
    done = run(name, "--here", "--rows", str(path), OMP_NUM_THREADS="1", HEPCNN_BENCHMARKS="toy")
    assert done.returncode == 0, done.stderr
    rows_in(path)


def test_rows_are_shown_with_the_processor(tmp_path):
    done = run("quartic", "--toy", "--rows", str(tmp_path / "rows.json"))
    assert done.returncode == 0, done.stderr
    assert str(rows_in(tmp_path / "rows.json")[-1]) in done.stdout.splitlines()
    assert "cores with" in done.stdout


def test_every_benchmark_is_in_the_list():
    written = {path.stem for path in (ROOT / "benchmarks").glob("*.py")}
    assert written - {"__main__", "__init__", "harness", "turns", "shards"} == set(NAMES)


def test_a_benchmark_that_is_not_there_is_refused():
    done = run("planets")
    assert done.returncode == 2
    assert "no benchmark 'planets'; there are simulation" in done.stderr


def test_verdicts():
    def verdict(ratio, most=False, floor=2.0, goal=4.0):
        return Row("name", "ours", "peer", ratio, floor, goal, most).verdict

    assert [verdict(ratio) for ratio in (1.9, 2.0, 4.0)] == ["FAIL", "pass", "goal"]
    assert [verdict(ratio, True, 4.0, 2.0) for ratio in (4.1, 4.0, 2.0)] == ["FAIL", "pass", "goal"]
    assert verdict(1.0, floor=None, goal=None) == "-"
    assert verdict(1.0, floor=None) == "pass"
