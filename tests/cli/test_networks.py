import re
import subprocess
import sys

import pytest
from click.testing import CliRunner

from hepcnn.cli.main import main
from hepcnn.networks.registry import NETWORKS


def run(*arguments):
    return CliRunner().invoke(main, ["networks", *arguments])


def test_the_list_has_every_network():
    result = run()
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert len(lines) == 1 + len(NETWORKS)
    found = {line.split()[0]: line for line in lines[1:]}
    assert set(found) == set(NETWORKS)
    assert re.search(r"2 × 2 × 128 × 32 +3 +6 ", found["aligned"])
    assert re.search(r"1 × 1 × 32 × 32 +0 +6 +1,625,350", found["lecture_cnn"])
    assert re.search(r"1 × 3 × 32 × 32 +0 +10 +1,070,794", found["lecture_cifar10"])


def test_one_network():
    result = run("lecture_cnn")
    assert result.exit_code == 0
    assert re.search(r"conv2 \(Conv2d\) +\(None, 64, 28, 28\) +18,496", result.stdout)
    assert "Parameters: 1,625,350" in result.stdout
    rows = [line for line in result.stdout.splitlines() if "(None" in line]
    assert sum(int(row.split()[-1].replace(",", "")) for row in rows) == 1_625_350
    assert len({len(row) for row in rows}) == 1  # aligned


def test_shape_and_classes_change_it():
    result = run("mlp", "--shape", "2,8,16", "--classes", "3")
    assert result.exit_code == 0
    assert "(None, 256)" in result.stdout
    assert re.search(r"output \(Linear\) +\(None, 3\) +387", result.stdout)
    assert "hidden: [512, 128]" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["lecture_cn"], 1, "no network 'lecture_cn'; did you mean 'lecture_cnn'"),
        (["lenet5", "--shape", "1,8,8"], 1, "images of 8 × 8 pixels are too small"),
        (["mlp", "--shape", "8,8"], 2, "three whole numbers"),
        (["mlp", "--shape", "0,8,8"], 2, "three whole numbers"),
        (["mlp", "--shape", "a,8,8"], 2, "three whole numbers"),
        (["mlp", "--classes", "0"], 2, "not in the range"),
        (["--classes", "3"], 2, "need the NAME"),
    ],
)
def test_bad_input(arguments, status, message):
    result = run(*arguments)
    assert result.exit_code == status
    assert message in result.stderr
    assert not result.stdout


def test_a_pipe_gets_whole_lines():
    command = [sys.executable, "-c", "from hepcnn.cli.main import main; main()", "networks"]
    environment = {"PATH": "/usr/bin", "COLUMNS": "40"}
    result = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert len(result.stdout.splitlines()) == 1 + len(NETWORKS)


@pytest.mark.parametrize(
    "arguments", [("--shape", "1,99999999,99999999"), ("--classes", "99999999999")]
)
def test_impossible_sizes_are_refused(arguments):
    result = run("lecture_cnn", *arguments)
    assert result.exit_code == 2
    assert arguments[1] in result.stderr
