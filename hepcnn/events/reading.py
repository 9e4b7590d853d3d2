"""RICH events out of ROOT files: streamed, checked, as flat arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from hepcnn.config import RichSample
from hepcnn.errors import InputError
from hepcnn.events.checks import check_values
from hepcnn.events.columns import Column, assemble, to_column
from hepcnn.events.expressions import Expression
from hepcnn.events.layout import read_from
from hepcnn.events.schema import RichEvents
from hepcnn.events.sources import (
    FileSpec,
    branch_names,
    decoding,
    expand_files,
    fingerprint,
    n_entries,
    open_tree,
)

__all__ = ["FileSpec", "expand_files", "fingerprint", "n_entries", "open_tree", "read_rich"]

T = TypeVar("T")
#: Uncompressed bytes of one step. A few times as much is in use: the next step is read ahead.
STEP_BYTES = 32_000_000


def read_rich(
    spec: FileSpec,
    sample: RichSample,
    *,
    rich: Sequence[str] | None = None,
    truth: bool = True,
    hit_truth: bool = False,
    step: int | None = None,
) -> Iterator[RichEvents]:
    """Read a file's events in steps.

    The memory in use is bounded by the step, whatever the file's size. While a step is worked
    on, the next one is read by a thread.

    Parameters
    ----------
    spec : FileSpec
        The file; its own tree, if it names one, goes before `sample.tree`.
    sample : RichSample
        Name of the tree and the map of the branches.
    rich : sequence of {"rich1", "rich2"}, optional
        The RICHes whose track branches are read; by default those that the file has.
    truth : bool
        If False, a file without `track_pdg` can be read too; then there is no ``tracks["pdg"]``.
    hit_truth : bool
        Read `hit_track` as well, if it is there.
    step : int, optional
        Events a step; by default as many as have `STEP_BYTES`.

    Yields
    ------
    RichEvents
        Chunks with at least one event, in the order of the file.

    Raises
    ------
    InputError
        When the file cannot be read or is empty, a branch is missing, or a value is impossible;
        it names the file, and the branch and event.
    """
    with open_tree(spec, sample.tree) as tree:
        if tree.num_entries == 0:
            raise InputError(f"{spec}: tree '{spec.tree or sample.tree}' has no entries")
        names = branch_names(tree)
        expressions = read_from(names, sample.branches, rich, truth, hit_truth, str(spec))
        yield from _ahead(_events(tree, names, expressions, step, str(spec)))


def _events(
    tree: Any,
    names: Mapping[str, str],
    expressions: Mapping[str, Expression],
    step: int | None,
    file: str,
) -> Iterator[RichEvents]:
    used = {name: names[name] for e in expressions.values() for name in e.names}
    for chunk in _chunks(tree, set(used.values()), step, file):
        try:
            columns: dict[str, Column] = {
                name: to_column(chunk[full], name) for name, full in used.items()
            }
            events = assemble(expressions, columns)
            check_values(events)
        except InputError as error:
            raise InputError(f"{file}: {error}") from error
        yield events


def _entries_per_step(tree: Any, branches: set[str]) -> int:
    """Entries that have `STEP_BYTES`, by the sizes in the tree's own description."""
    if not hasattr(tree, "branches"):
        return int(tree.num_entries_for(STEP_BYTES, filter_name=branches.__contains__))
    # num_entries_for would read the header of every basket of a TTree, one by one.
    size = sum(tree[name].uncompressed_bytes for name in branches)
    return int(STEP_BYTES * tree.num_entries / max(size, 1))


def _chunks(tree: Any, branches: set[str], step: int | None, file: str) -> Iterator[Any]:
    """Awkward arrays of the branches, some entries at a time."""
    with decoding(f"{file}: cannot read"):
        size = step or max(1, _entries_per_step(tree, branches))
        chunks = tree.iterate(filter_name=branches.__contains__, step_size=size, library="ak")
    for start in range(0, tree.num_entries, size):
        stop = min(start + size, tree.num_entries)
        with decoding(f"{file}: cannot read entries {start} to {stop - 1}"):
            chunk = next(chunks)
            if len(chunk) != stop - start:
                raise ValueError(f"only {len(chunk)} are there")
        yield chunk


def _ahead(items: Iterator[T]) -> Iterator[T]:
    """Make the next item in a thread while the present one is used."""
    with ThreadPoolExecutor(1) as thread:
        following = thread.submit(next, items, None)
        while (item := following.result()) is not None:
            following = thread.submit(next, items, None)
            yield item
