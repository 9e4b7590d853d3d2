"""Columns of a tree as flat numpy arrays and offsets, and the tables they make up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import awkward as ak
import numpy as np
import numpy.typing as npt

from hepcnn.errors import InputError
from hepcnn.events.chunk import EVENT_KEY, Branch, Level
from hepcnn.events.evaluation import Column, Naming, evaluate
from hepcnn.events.expressions import Expression
from hepcnn.events.layout import Sources
from hepcnn.rows import Rows


def to_column(array: Any, name: str) -> Column:
    """Take an awkward array apart.

    Raises
    ------
    InputError
        If it holds anything but numbers or texts, arrays of fixed size of them, or lists of
        either.
    """
    layout = ak.to_layout(array).to_packed()
    offsets = None
    if layout.is_list and not layout.is_regular and not layout.parameter("__array__"):
        layout = layout.to_ListOffsetArray64(True)
        offsets = np.asarray(layout.offsets.data)
        layout = layout.content[: offsets[-1]]
    sizes = [len(layout)]
    while layout.is_regular:
        sizes.append(layout.size)
        layout = layout.content[: int(np.prod(sizes))]
    if layout.parameter("__array__") == "string":
        return Column(np.asarray(ak.to_numpy(ak.Array(layout)), np.str_).reshape(sizes), offsets)
    if not layout.is_numpy or layout.dtype.kind not in "biuf":
        raise InputError(f"branch '{name}' holds {ak.type(array).content}, not numbers or texts")
    values = np.asarray(layout.data)
    return Column(values.reshape(*sizes, *values.shape[1:]), offsets)


def event_name(key: np.void) -> str:
    """``event 1:0:42``: run, subrun, event."""
    return f"event {key['run']}:{key['subrun']}:{key['event']}"


def assemble(
    sources: Sources, layout: Mapping[str, Branch], columns: Mapping[str, Column], first: int = 0
) -> tuple[npt.NDArray[np.void], dict[Level, Rows]]:
    """Make the parts of a chunk of the columns that were read.

    Parameters
    ----------
    sources : mapping of str to tuple of Expression
        For each native branch how it follows from the columns; of a jagged level's branches some
        may have several expressions, whose rows are joined event by event.
    layout : mapping of str to Branch
        The native branches, by name.
    columns : mapping of str to Column
        For each name in the expressions; all of the same number of entries, at least one flat.
    first : int
        Number of the first entry, for the messages.

    Returns
    -------
    key : structured array (n_events,) of EVENT_KEY
        Names of the events.
    tables : dict of Level to Rows
        One for each level that has branches; the level "event" has one row an event.

    Raises
    ------
    InputError
        If a branch has the wrong shape, lengths differ in an event, or a number does not fit.
    """
    levels: dict[Level, list[Branch]] = {"event": []}
    for name in sources:
        levels.setdefault(layout[name].level, []).append(layout[name])
    n_events = len(next(iter(columns.values())))
    key = np.empty(n_events, EVENT_KEY)
    for name in EVENT_KEY.names or ():
        numbers = _flat(sources[name][0], columns, lambda entry: f"entry {first + entry}")
        key[name] = converted(numbers, layout[name])

    def naming(event: int) -> str:
        return event_name(key[event])

    truth = [branch for branch in levels.pop("event") if branch.name not in (EVENT_KEY.names or ())]
    flat = {branch.name: _flat(sources[branch.name][0], columns, naming) for branch in truth}
    tables: dict[Level, Rows] = {
        "event": Rows(np.arange(n_events + 1), _filled(truth, flat, n_events))
    }
    for level, branches in levels.items():
        parts = max(len(sources[b.name]) for b in branches)
        several = [{b.name: sources[b.name][i % len(sources[b.name])] for b in branches}
                   for i in range(parts)]  # fmt: skip
        tables[level] = _joined([_jagged(branches, one, columns, naming) for one in several])
    return key, tables


def _filled(branches: Iterable[Branch], values: Mapping[str, Any], n: int) -> dict[str, np.ndarray]:
    """Columns of `n` rows out of each branch's values, or its one value for all rows."""
    out: dict[str, np.ndarray] = {}
    for branch in branches:
        numbers = converted(values[branch.name], branch)
        if branch.axis is None:
            out[branch.column] = numbers if numbers.ndim else np.full(n, numbers)
        else:
            if branch.column not in out:
                out[branch.column] = np.empty((n, 3), branch.dtype)
            out[branch.column][:, branch.axis] = numbers
    return out


def _joined(parts: Sequence[Rows]) -> Rows:
    """The rows of all parts, event by event."""
    if len(parts) == 1:
        return parts[0]
    columns = {
        name: np.concatenate([part.columns[name] for part in parts]) for name in parts[0].columns
    }
    return Rows.grouped(np.concatenate([part.example for part in parts]), columns, len(parts[0]))


def _flat(expression: Expression, columns: Mapping[str, Column], naming: Naming) -> np.ndarray:
    """One number an event (or one for all)."""
    found = evaluate(expression, columns, naming)
    if found.offsets is not None:
        raise InputError(f"'{expression.text}' is a list, not one an event")
    if found.values.ndim > 1:
        raise InputError(
            f"'{expression.text}' is an array of {found.values.shape[1]} an event: "
            f"write {expression.text}[0] for its first number"
        )
    return found.values


def _jagged(
    branches: Sequence[Branch],
    expressions: Mapping[str, Expression],
    columns: Mapping[str, Column],
    naming: Naming,
) -> Rows:
    """The rows of a level, or of one part of them."""
    values: dict[str, np.ndarray] = {}
    lists: dict[str, npt.NDArray[np.int64]] = {}
    for name, expression in expressions.items():
        found = evaluate(expression, columns, naming)
        if found.offsets is not None:
            lists[expression.text] = found.offsets
        elif expression.names:
            raise InputError(f"{name}: '{expression.text}' is one an event, not a list")
        if found.values.ndim > 1:
            raise InputError(
                f"{name}: '{expression.text}' has {found.values.shape[1]} numbers a "
                f"{branches[0].level}: write {expression.text}[:, 0] for the first"
            )
        values[name] = found.values
    if not lists:
        raise InputError(f"no {branches[0].level} branch is a list, one an event")
    offsets = _common_offsets(lists, naming)
    return Rows(offsets, _filled(branches, values, int(offsets[-1])))


def _common_offsets(
    lists: Mapping[str, npt.NDArray[np.int64]], naming: Naming
) -> npt.NDArray[np.int64]:
    """The offsets that all lists have."""
    (first, offsets), *others = lists.items()
    for other, its_offsets in others:
        if not np.array_equal(offsets, its_offsets):
            lengths, its_lengths = np.diff(offsets), np.diff(its_offsets)
            i = int(np.argmax(lengths != its_lengths))
            raise InputError(
                f"{naming(i)}: '{first}' has {lengths[i]} values, '{other}' {its_lengths[i]}"
            )
    return offsets


def converted(values: np.ndarray, branch: Branch) -> np.ndarray:
    """Numbers in the branch's type.

    Raises
    ------
    InputError
        If an integer is wanted and a value is none, or does not fit.
    """
    dtype = np.dtype(branch.dtype)
    if values.dtype.kind not in "biuf":
        raise InputError(f"{branch.name}: holds texts, not numbers")
    if dtype.kind == "i" and values.dtype != dtype:
        limits = np.iinfo(dtype)
        fits = (values >= limits.min) & (values <= limits.max)
        if values.dtype.kind == "f":
            fits &= values == np.floor(values)
            # Neighbours beyond this become one: two events could get the same name.
            fits &= np.abs(values) <= 2.0**53
        if not fits.all():
            value = values[~fits].flat[0]
            raise InputError(f"{branch.name}: {value} is not an integer of type {branch.dtype}")
    with np.errstate(over="ignore"):  # becomes infinite, and infinite is refused
        return values.astype(dtype, copy=False)
