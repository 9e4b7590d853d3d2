"""Progress of long work: a rich bar on a terminal, plain lines in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

#: Seconds between two plain lines of one task in a log.
LOG_INTERVAL = 10.0


class Advance(Protocol):
    """Call with the number of steps done since the last call."""

    def __call__(self, steps: int = 1) -> None: ...


@contextmanager
def progress(description: str, total: int | None = None, unit: str = "events") -> Iterator[Advance]:
    """Show the progress of one piece of work on standard error.

    Parameters
    ----------
    description : str
        What is done, for example ``"convert events.root"``.
    total : int, optional
        The number of steps, if known.
    unit : str
        What a step is, in the plural.

    Yields
    ------
    Advance
        A function to call with the number of steps done.
    """
    if sys.stderr.isatty():
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn(unit),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        ) as bar:
            task = bar.add_task(description, total=total)
            yield lambda steps=1: bar.advance(task, steps)
        return

    start = last = time.monotonic()
    done = 0

    def line() -> None:
        of = f"/{total}" if total is not None else ""
        seconds = time.monotonic() - start
        print(f"{description}: {done}{of} {unit}, {seconds:.0f} s", file=sys.stderr, flush=True)

    def advance(steps: int = 1) -> None:
        nonlocal done, last
        done += steps
        if time.monotonic() - last >= LOG_INTERVAL:
            last = time.monotonic()
            line()

    yield advance
    line()


def note(text: str) -> None:
    """Say one line on standard error."""
    print(text, file=sys.stderr, flush=True)
