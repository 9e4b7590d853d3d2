"""What the benchmarks share: interleaved timing, and a row with figure, peer, limit and verdict."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping


def seconds(
    work: Mapping[str, Callable[[], object]],
    repeats: int = 7,
    clock: Callable[[], float] = time.process_time,
) -> dict[str, float]:
    """Median seconds of each piece of work, after a first call that compiles.

    The pieces run in turns, so that a change of the machine's speed meets all of them. The
    default clock is CPU time, which other processes disturb least.
    """
    for piece in work.values():
        piece()
    taken: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(repeats):
        for name, piece in work.items():
            start = clock()
            piece()
            taken[name].append(clock() - start)
    return {name: statistics.median(times) for name, times in taken.items()}


def row(
    name: str,
    ours: str,
    peer: str,
    ratio: float,
    floor: float | None = None,
    goal: float | None = None,
    most: bool = False,
) -> bool:
    """Print one comparison; returns whether it keeps its limit.

    Parameters
    ----------
    name : str
        What is compared.
    ours, peer : str
        The two figures, with their units.
    ratio : float
        What the limits are for.
    floor, goal : float, optional
        The ratio that must be reached, and the one hoped for.
    most : bool
        The limits are the most that the ratio may be, not the least.
    """
    sign = -1 if most else 1
    kept = floor is None or sign * ratio >= sign * floor
    verdict = "pass" if kept else "FAIL"
    if goal is not None and sign * ratio >= sign * goal:
        verdict = "goal"
    limits = [f"{what} {limit:g}" for what, limit in (("floor", floor), ("goal", goal)) if limit]
    print(f"{name:44} {ours:>20} {peer:>30}  x {ratio:<8.3g} {', '.join(limits):22} {verdict}")
    return kept
