"""What the benchmarks share: sizes, interleaved timing, and rows with figure, peer and limits."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar

T = TypeVar("T")

#: Whether benchmarks run at toy size, to see that they run: also in the processes they start.
TOY = os.environ.get("HEPCNN_BENCHMARKS") == "toy"


def sized(full: T, toy: T) -> T:
    """Choose a setting by the size at which benchmarks run."""
    return toy if TOY else full


class Row(NamedTuple):
    """One comparison: what `row` is given."""

    name: str
    ours: str
    peer: str
    ratio: float
    floor: float | None = None
    goal: float | None = None
    most: bool = False

    def _reaches(self, limit: float) -> bool:
        return self.ratio <= limit if self.most else self.ratio >= limit

    @property
    def kept(self) -> bool:
        """Whether the ratio keeps its floor."""
        return self.floor is None or self._reaches(self.floor)

    @property
    def verdict(self) -> str:
        """``goal``, ``pass`` or ``FAIL``; without any limit ``-``."""
        if self.floor is None and self.goal is None:
            return "-"
        if self.goal is not None and self._reaches(self.goal):
            return "goal"
        return "pass" if self.kept else "FAIL"

    def __str__(self) -> str:
        limits = [f"{what} {n:g}" for what, n in (("floor", self.floor), ("goal", self.goal)) if n]
        return (
            f"{self.name:46} {self.ours:>20} {self.peer:>30}  x {self.ratio:<8.3g} "
            f"{', '.join(limits):22} {self.verdict}"
        )


#: The rows of this process, in order.
ROWS: list[Row] = []
#: What is timed runs for so long in all (s): a machine is often disturbed for tenths of a second.
_LEAST = sized(3.0, 0.0)


def row(
    name: str,
    ours: str,
    peer: str,
    ratio: float,
    floor: float | None = None,
    goal: float | None = None,
    most: bool = False,
) -> None:
    """Print one comparison and keep it for the table.

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
    ROWS.append(Row(name, ours, peer, ratio, floor, goal, most))
    print(ROWS[-1], flush=True)


def seconds(
    work: Mapping[str, Callable[[], object]],
    repeats: int = 7,
    clock: Callable[[], float] = time.process_time,
) -> dict[str, float]:
    """Median seconds of each piece of work, after a first call that compiles.

    Each runs `repeats` times or more, until `_LEAST` is over. The pieces run in turns, so that a
    change of the machine's speed meets all of them. The default clock is CPU time, which other
    processes disturb least.
    """
    for piece in work.values():
        piece()
    taken: dict[str, list[float]] = {name: [] for name in work}
    begin, repeats, turns = time.monotonic(), sized(repeats, 1), 0
    while turns < repeats or time.monotonic() - begin < _LEAST:
        turns += 1
        for name, piece in work.items():
            start = clock()
            piece()
            taken[name].append(clock() - start)
    return {name: statistics.median(times) for name, times in taken.items()}
