"""A training step beside busy neighbours: a spinning process a core.

    python -m benchmarks neighbours

The steps are those of the sparse U-ResNet of `benchmarks.segmentation`, and of the dense tower of
`benchmarks.towers`. Each has its threads as in a training: one, and all that there are.
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

from benchmarks.harness import row, sized
from benchmarks.segmentation import PLANES, SPARSE, timed, trainer
from benchmarks.towers import ours

#: Rounds, each of steps alone and of steps beside the neighbours.
ROUNDS, STEPS = sized((3, 5), (1, 1))
CORES = len(os.sched_getaffinity(0))
#: What beside neighbours may take so many times as long: half of each core is theirs.
MOST = 2.5


def steps(turn: Connection, threads: int, work: Callable[..., None], *arguments: object) -> None:
    """Make a step with so many threads whenever it is this process's turn."""
    import torch

    torch.set_num_threads(threads)
    work(turn, *arguments)


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


def slowdown(threads: int, work: Callable[..., None], *arguments: object) -> tuple[float, float]:
    """Median seconds of a step, alone and beside a spinning process on each core."""
    context = multiprocessing.get_context("spawn")
    turn, theirs = context.Pipe()

    def taken() -> list[float]:
        found = []
        for _ in range(STEPS):
            turn.send(True)
            found.append(turn.recv())
        return found

    alone, beside = [], []
    process = context.Process(target=steps, args=(theirs, threads, work, *arguments), daemon=True)
    with running([process]):
        taken()  # warm up
        for _ in range(ROUNDS):
            alone += taken()
            with running([context.Process(target=spin, daemon=True) for _ in range(CORES)]):
                beside += taken()
    return statistics.median(alone), statistics.median(beside)


def main() -> None:
    """Print all rows."""
    for name, threads, work, *arguments in (
        (SPARSE, 1, timed, trainer, SPARSE, PLANES),
        ("tower", CORES, ours, "tower"),
    ):
        alone, beside = slowdown(threads, work, *arguments)
        row(
            f"{name}, {threads} threads, beside neighbours / alone",
            f"{beside * 1e3:.0f} ms",
            f"{alone * 1e3:.0f} ms",
            beside / alone,
            sized(2 * MOST, None),
            MOST,
            most=True,
        )
