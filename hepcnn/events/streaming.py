"""A tree's entries in steps, each read while the one before is worked on."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from hepcnn.events.sources import LEAVE_OUT, decoding

T = TypeVar("T")
#: Uncompressed bytes of one step. A few times as much is in use: the next step is read ahead.
STEP_BYTES = 32_000_000


def _is_ntuple(tree: Any) -> bool:
    return not hasattr(tree, "branches")


def entries_per_step(tree: Any, branches: set[str]) -> int:
    """Entries that have `STEP_BYTES`, by the sizes in the tree's own description; at least 1."""
    if _is_ntuple(tree):
        return max(1, int(tree.num_entries_for(STEP_BYTES, filter_name=branches.__contains__)))
    # num_entries_for would read the header of every basket of a TTree, one by one.
    size = sum(tree[name].uncompressed_bytes for name in branches)
    return max(1, int(STEP_BYTES * tree.num_entries / max(size, 1)))


def in_steps(
    tree: Any, branches: set[str], step: int | None, file: str
) -> Iterator[dict[str, Any]]:
    """Awkward arrays of the branches by their full names, some entries at a time.

    Parameters
    ----------
    tree : uproot.TTree or uproot.behaviors.RNTuple.RNTuple
        The tree.
    branches : set of str
        Full names of the branches.
    step : int, optional
        Entries a step; by default as many as have `STEP_BYTES`.
    file : str
        For the messages.

    Raises
    ------
    InputError
        If entries cannot be read.
    """
    with decoding(f"{file}: cannot read"):
        size = step or entries_per_step(tree, branches)
        # Of a TTree's filtered branches the arrays would have the names' last parts.
        which: dict[str, Any] = (
            {"filter_name": branches.__contains__}
            if _is_ntuple(tree)
            else {"expressions": sorted(branches)}
        )
        chunks = tree.iterate(**which, step_size=size, library="ak")
        entries = int(tree.num_entries)  # old trees count in floating point
    for start in range(0, entries, size):
        stop = min(start + size, entries)
        with decoding(f"{file}: cannot read entries {start} to {stop - 1} ({LEAVE_OUT})"):
            chunk = next(chunks)
            if len(chunk) != stop - start:
                raise ValueError(f"only {len(chunk)} are there")
            arrays = {name: _of(chunk, name) for name in branches}
        yield arrays


def _of(chunk: Any, name: str) -> Any:
    """The array of a branch; ``track.p`` is part of the record `track` of an RNTuple."""
    return chunk[name] if name in chunk.fields else chunk[tuple(name.split("."))]


def ahead(items: Iterator[T]) -> Iterator[T]:
    """Make the next item in a thread while the present one is used."""
    with ThreadPoolExecutor(1) as thread:
        following = thread.submit(next, items, None)
        while (item := following.result()) is not None:
            following = thread.submit(next, items, None)
            yield item
