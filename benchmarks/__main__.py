"""All benchmarks, one after the other, and a table of what they found.

    python -m benchmarks [NAME ...] [--toy]

Each row has our figure, its peer's in the same run, the ratio, and what the ratio must reach: the
floor, below which the status is 1, and the goal. Each of the two has one thread, except where a row
names more: networks of sparse convolutions have no more in a training. With --toy they run at a
size at which the ratios mean nothing, and no floor counts.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from benchmarks.harness import ROWS, Row

NAMES = (
    "simulation",
    "lartpc_simulation",
    "imaging",
    "planes",
    "expressions",
    "loading",
    "plane_loading",
    "detection",
    "training",
    "towers",
    "segmentation",
    "neighbours",
    "quartic",
    "cherenkov",
    "methods",
)
#: What a processor may compute with, that speeds depend on.
FEATURES = ("avx2", "avx512_f", "avx512_bf16", "amx_bf16")


def main() -> bool:
    """Run the benchmarks that are asked for; returns whether all keep their floors."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--toy", action="store_true", help="only to see that they run")
    parser.add_argument("--rows", type=Path, help="write the rows to this file, as JSON")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if unknown := sorted(set(asked.names) - set(NAMES)):
        parser.error(f"no benchmark '{unknown[0]}'; there are {', '.join(NAMES)}")
    if asked.here:
        importlib.import_module(f"benchmarks.{asked.names[0]}").main()
        asked.rows.write_text(json.dumps(ROWS))
        return True
    print(processor())
    rows, failed = [], []
    for name in asked.names or NAMES:
        print(f"\n{name}", flush=True)
        start = time.monotonic()
        found = in_own_process(name, asked.toy)
        rows += found or []
        failed += [name] if found is None else []
        print(f"  {time.monotonic() - start:.0f} s", flush=True)
    if asked.rows:
        asked.rows.write_text(json.dumps(rows))
    print(f"\n{processor()}", *rows, sep="\n")
    for name in failed:
        print(f"{name}: stopped with an error, which is above")
    return not failed and (asked.toy or all(row.kept for row in rows))


def in_own_process(name: str, toy: bool) -> list[Row] | None:
    """Run one in a process of its own: they set the memory allocator and the threads.

    Returns its rows; None if it failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.json"
        command = [sys.executable, "-m", "benchmarks", name, "--here", "--rows", str(path)]
        chosen = {"OMP_NUM_THREADS": "1"} | ({"HEPCNN_BENCHMARKS": "toy"} if toy else {})
        if subprocess.run(command, env=os.environ | chosen).returncode:
            return None
        return [Row(*values) for values in json.loads(path.read_text())]


def processor() -> str:
    """What of the processor speeds depend on."""
    capabilities = torch.cpu.get_capabilities()
    found = [name for name in FEATURES if capabilities.get(name)]
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores with {', '.join(found) or 'none of ' + ', '.join(FEATURES)}"


if __name__ == "__main__":
    sys.exit(not main())
