"""The benchmarks run: each at a size at which its ratios mean nothing."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import NAMES
from benchmarks.harness import Row

ROOT = Path(__file__).parents[1]


def run(*arguments):
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.mark.parametrize("name", NAMES)
def test_each_benchmark_runs_and_gives_its_rows(name, tmp_path):
    done = run(name, "--toy", "--rows", str(tmp_path / "rows.json"))
    assert done.returncode == 0, done.stderr
    rows = [Row(*values) for values in json.loads((tmp_path / "rows.json").read_text())]
    assert rows
    assert all(math.isfinite(row.ratio) and row.ratio > 0 for row in rows)
    assert str(rows[-1]) in done.stdout.splitlines()
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
