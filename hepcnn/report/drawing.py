"""Drawing the sections of a page side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import TypeVar

from hepcnn.errors import InputError
from hepcnn.learning.hardware import threads_of_torch
from hepcnn.progress import progress

T = TypeVar("T")


def draw_all(sections: Sequence[Callable[[], T]], processes: int = 1) -> list[T]:
    """Draw all sections, some at a time.

    Parameters
    ----------
    sections : sequence of callable
        Each draws one and can be pickled.
    processes : int
        How many are drawn at a time, each by a process with a thread.

    Returns
    -------
    list
        What they give, in their order: the same for any number of processes.

    Raises
    ------
    InputError
        If a process was killed; and what a section raises.
    """
    workers = min(processes, len(sections))
    with progress("report", len(sections), "sections") as advance:
        if workers <= 1:
            drawn = []
            for section in sections:
                drawn.append(_draw(section))
                advance()
            return drawn
        # Started anew: a copy of a process in which threads have run can hang.
        pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
        try:
            waiting = [pool.submit(_draw, section) for section in sections]
            for done in as_completed(waiting):
                done.result()  # a fault is raised at once
                advance()
            return [section.result() for section in waiting]
        except BrokenProcessPool:
            raise InputError(
                f"one of {workers} processes that draw the report was killed; was there too "
                "little memory? OMP_NUM_THREADS=1 draws one section after the other"
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)


def _draw(section: Callable[[], T]) -> T:
    """Draw one; what a network answers for it is computed by one thread."""
    with threads_of_torch(1):
        return section()
