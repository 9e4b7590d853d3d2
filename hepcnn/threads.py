"""How many threads to compute with, and how they wait for one another.

Nothing is imported here that brings OpenMP: what is set counts for what is loaded later.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from hepcnn.errors import InputError

#: Where the kernel tells of control groups: what a process is in, and the groups' limits.
_OWN_GROUPS, _GROUPS = "proc/self/cgroup", "sys/fs/cgroup"
_VARIABLES = ("OMP_NUM_THREADS", "SLURM_CPUS_PER_TASK")


def wait_passively() -> None:
    """Let OpenMP's threads sleep while they wait, unless the user chose otherwise.

    By default they spin, each a whole core: beside other work on the machine two threads can then
    take many times as long as one. OpenMP reads the variable when it is loaded, so this must be
    before torch; processes started later inherit it.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def available(environment: Mapping[str, str] = os.environ, root: Path = Path("/")) -> int:
    """Give the number of threads that this process may use, at least 1.

    The least of: the cores that it may run on; the whole cores of its control groups' quota, of
    version 1 or 2; ``SLURM_CPUS_PER_TASK``; and ``OMP_NUM_THREADS``, which Snakemake sets to the
    `threads` of a rule.

    Parameters
    ----------
    environment : mapping
        The environment variables.
    root : Path
        Of the file system, where control groups are looked for.

    Raises
    ------
    InputError
        If a variable is no number of threads.
    """
    # Not on all systems is there a mask.
    mask = getattr(os, "sched_getaffinity", lambda _: range(os.cpu_count() or 1))(0)
    limits = [len(mask), *(math.floor(quota) for quota in _quotas(root))]
    for name in _VARIABLES:
        if value := environment.get(name, "").strip():
            limits.append(_number(name, value))
    return max(min(limits), 1)


def limit() -> int:
    """Let no library of this process start more threads than are available; give their number.

    Like `wait_passively`, before they are loaded.
    """
    threads = available()
    os.environ["OMP_NUM_THREADS"] = str(threads)
    return threads


def _number(name: str, value: str) -> int:
    # OMP_NUM_THREADS may be a list, a number for each level of nested loops.
    first = value.split(",")[0].strip()
    if not first.isdecimal() or int(first) < 1:
        raise InputError(f"{name}: '{value}' is no number of threads; it must be 1 or more")
    return int(first)


def _quotas(root: Path) -> Iterator[float]:
    """Cores that the control groups of this process allow, and the groups above them."""
    try:
        lines = (root / _OWN_GROUPS).read_text().splitlines()
    except OSError:  # not Linux
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        own = Path(path.lstrip("/"))
        # In a container the path may be that outside it: then only the topmost group is found.
        for group in (own, *own.parents):
            if controllers:  # version 1: µs in each period; −1 is no limit
                folder = root / _GROUPS / "cpu" / group
                quota, period = (_text(folder / f"cpu.cfs_{n}_us") for n in ("quota", "period"))
            else:  # version 2: "max 100000" is no limit
                quota, _, period = _text(root / _GROUPS / group / "cpu.max").partition(" ")
            if quota.isdecimal() and period.isdecimal() and int(period):
                yield int(quota) / int(period)


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
