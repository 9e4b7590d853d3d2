"""The number of threads, and how they wait."""

import os
import subprocess
import sys

import pytest

from hepcnn.errors import InputError
from hepcnn.threads import available

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


@pytest.fixture
def many(monkeypatch):
    """16 cores, all of which this process may run on."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(16), raising=False)


def grouped(root, own, **limits):
    """A file system with a process in control groups; `limits` are files by name, / as __."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(own)
    for name, text in limits.items():
        path = root / "sys/fs/cgroup" / name.replace("__", "/").replace("DOT", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


V1 = "5:memory:/job\n4:cpuacct,cpu:/job/step\n0::/\n"


@pytest.mark.parametrize(
    ("own", "limits", "expected"),
    [
        ("0::/job/step\n", {}, 16),
        ("0::/job/step\n", {"job__step__cpuDOTmax": "max 100000\n"}, 16),
        ("0::/job/step\n", {"job__step__cpuDOTmax": "300000 100000\n"}, 3),
        ("0::/job/step\n", {"job__cpuDOTmax": "250000 100000\n"}, 2),
        ("0::/job/step\n", {"job__cpuDOTmax": "50000 100000\n"}, 1),
        ("0::/job\n", {"cpuDOTmax": "400000 100000", "job__cpuDOTmax": "600000 100000"}, 4),
        (V1, {"cpu__job__cpuDOTcfs_quota_us": "-1", "cpu__job__cpuDOTcfs_period_us": "100000"}, 16),
        (V1, {"cpu__cpuDOTcfs_quota_us": "500000\n", "cpu__cpuDOTcfs_period_us": "100000\n"}, 5),
        (V1, {"memory__job__cpuDOTmax": "100000 100000"}, 16),
    ],
)
def test_control_groups_limit_it(many, tmp_path, own, limits, expected):
    assert available({}, grouped(tmp_path, own, **limits)) == expected


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, 16),
        ({"OMP_NUM_THREADS": "4"}, 4),
        ({"OMP_NUM_THREADS": "4,2"}, 4),
        ({"OMP_NUM_THREADS": ""}, 16),
        ({"SLURM_CPUS_PER_TASK": "3", "OMP_NUM_THREADS": "5"}, 3),
        ({"SLURM_CPUS_PER_TASK": "64"}, 16),
    ],
)
def test_the_least_counts(many, tmp_path, environment, expected):
    assert available(environment, tmp_path) == expected


@pytest.mark.parametrize("value", ["0", "two", "-1"])
def test_a_variable_that_is_no_number_is_named(tmp_path, value):
    with pytest.raises(InputError, match=f"OMP_NUM_THREADS: '{value}' is no number of threads"):
        available({"OMP_NUM_THREADS": value}, tmp_path)


def python(program, **environment):
    """Run a program; what it prints. None takes a variable away."""
    given = os.environ | environment
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={name: value for name, value in given.items() if value is not None},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.parametrize(("user", "expected"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_threads_wait_passively_unless_the_user_chose(user, expected):
    """In the process that imports anything of hepcnn, and those that it starts."""
    program = (
        "import sys, subprocess, hepcnn; assert 'torch' not in sys.modules; "
        "subprocess.run([sys.executable, '-c', "
        "'import os; print(os.environ[\"OMP_WAIT_POLICY\"])'], check=True)"
    )
    assert python(program, OMP_WAIT_POLICY=user) == expected


@pytest.mark.skipif(CORES < 2, reason="needs two cores")
@pytest.mark.parametrize(("cpus", "expected"), [("1", "1"), (None, None)])
def test_a_command_gives_torch_what_is_available(cpus, expected):
    program = (
        "from hepcnn.cli.main import main; from hepcnn.threads import available; "
        "main(['networks', 'mlp'], standalone_mode=False); "
        "import torch; print(torch.get_num_threads() == available(), torch.get_num_threads())"
    )
    last = python(program, SLURM_CPUS_PER_TASK=cpus, OMP_NUM_THREADS=None).splitlines()[-1]
    same, number = last.split()
    assert same == "True"
    assert expected in (None, number)
