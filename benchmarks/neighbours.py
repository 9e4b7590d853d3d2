"""A training step beside busy neighbours: a spinning process a core.

    python -m benchmarks neighbours

The steps are those of `benchmarks.segmentation`, in a process that has its threads as a training
has them: of the sparse U-ResNet one, and of the dense one all there are.
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

from benchmarks.harness import row, sized
from benchmarks.segmentation import PLANES, SPARSE, trainer

#: Rounds, each of steps alone and of steps beside the neighbours.
ROUNDS, STEPS = sized((3, 5), (1, 1))
#: What beside neighbours may take so many times as long: half of each core is theirs.
MOST = 2.5


def steps(turn: Connection, name: str, threads: int | None) -> None:
    """Make as many steps as are asked for, and tell the median of their seconds."""
    import torch

    if threads is not None:
        torch.set_num_threads(threads)
    step = trainer(name, PLANES)
    step()
    while True:
        taken = []
        for _ in range(turn.recv()):
            start = time.perf_counter()
            step()
            taken.append(time.perf_counter() - start)
        turn.send(statistics.median(taken))


def spin() -> None:
    """Keep a core busy."""
    while True:
        pass


@contextmanager
def running(processes: list[multiprocessing.process.BaseProcess]) -> Iterator[None]:
    """Run processes, and end them whatever happens."""
    try:
        for process in processes:
            process.start()
        yield
    finally:
        for process in processes:
            process.kill()
            process.join()


def slowdown(name: str, threads: int | None) -> tuple[float, float]:
    """Median seconds of a step, alone and beside a spinning process on each core."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    alone, beside = [], []
    with running([context.Process(target=steps, args=(theirs, name, threads), daemon=True)]):
        for _ in range(ROUNDS):
            ours.send(STEPS)
            alone.append(ours.recv())
            cores = len(os.sched_getaffinity(0))
            with running([context.Process(target=spin, daemon=True) for _ in range(cores)]):
                ours.send(STEPS)
                beside.append(ours.recv())
    return statistics.median(alone), statistics.median(beside)


def main() -> None:
    """Print all rows."""
    for name, threads in ((SPARSE, 1), ("uresnet", None)):
        alone, beside = slowdown(name, threads)
        row(
            f"{name}, a step beside busy neighbours / alone",
            f"{beside * 1e3:.0f} ms",
            f"{alone * 1e3:.0f} ms",
            beside / alone,
            sized(2 * MOST, None),
            MOST,
            most=True,
        )
