"""Columns of a tree as flat numpy arrays and offsets, and the tables they make up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import awkward as ak
import numpy as np
import numpy.typing as npt

from hepcnn.errors import InputError
from hepcnn.events.chunk import EVENT_KEY, Branch, Level, event_name
from hepcnn.events.expressions import Expression
from hepcnn.events.layout import Sources
from hepcnn.rows import Rows


@dataclass(frozen=True)
class Column:
    """Numbers of some entries: one an entry, or (with offsets) a list an entry."""

    values: np.ndarray
    offsets: npt.NDArray[np.int64] | None


def to_column(array: Any, name: str) -> Column:
    """Take an awkward array apart.

    Raises
    ------
    InputError
        If it holds anything but numbers or lists of numbers.
    """
    layout = ak.to_layout(array).to_packed()
    offsets = None
    if layout.is_list and not layout.parameter("__array__"):
        layout = layout.to_ListOffsetArray64(True)
        offsets = np.asarray(layout.offsets.data)
        layout = layout.content[: offsets[-1]]
    if not layout.is_numpy or layout.dtype.kind not in "biuf":
        raise InputError(f"branch '{name}' holds {ak.type(array).content}, not numbers")
    return Column(np.asarray(layout.data), offsets)


def assemble(
    sources: Sources, layout: Mapping[str, Branch], columns: Mapping[str, Column]
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
    flat = {b.name: _flat(sources[b.name][0], columns) for b in levels.pop("event")}
    n_events = len(flat["event"])
    truth = _filled([layout[name] for name in flat], flat, n_events)
    key = np.empty(n_events, EVENT_KEY)
    for name in EVENT_KEY.names or ():
        key[name] = truth.pop(name)
    tables: dict[Level, Rows] = {"event": Rows(np.arange(n_events + 1), truth)}
    for level, branches in levels.items():
        parts = max(len(sources[b.name]) for b in branches)
        several = [{b.name: sources[b.name][i % len(sources[b.name])] for b in branches}
                   for i in range(parts)]  # fmt: skip
        tables[level] = _joined([_jagged(branches, one, columns, key) for one in several])
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


def _flat(expression: Expression, columns: Mapping[str, Column]) -> Any:
    """One number an event (or one for all)."""
    for name in expression.names:
        if columns[name].offsets is not None:
            raise InputError(f"'{expression.text}': branch '{name}' is a list, not one an event")
    return expression.evaluate({name: columns[name].values for name in expression.names})


def _jagged(
    branches: Sequence[Branch],
    expressions: Mapping[str, Expression],
    columns: Mapping[str, Column],
    key: npt.NDArray[np.void],
) -> Rows:
    """The rows of a level, or of one part of them."""
    names = dict.fromkeys(name for e in expressions.values() for name in e.names)
    lists = {name: o for name in names if (o := columns[name].offsets) is not None}
    if not lists:
        raise InputError(f"no {branches[0].level} branch is a list, one an event")
    offsets = _common_offsets(lists, key)
    values: dict[str, Any] = {}
    for name, expression in expressions.items():
        if expression.names and not any(used in lists for used in expression.names):
            raise InputError(f"{name}: '{expression.text}' is one an event, not a list")
        # What there is one of an event holds for each of its rows.
        values[name] = expression.evaluate(
            {
                used: columns[used].values
                if used in lists
                else np.repeat(columns[used].values, np.diff(offsets))
                for used in expression.names
            }
        )
    return Rows(offsets, _filled(branches, values, int(offsets[-1])))


def _common_offsets(
    lists: Mapping[str, npt.NDArray[np.int64]], key: npt.NDArray[np.void]
) -> npt.NDArray[np.int64]:
    """The offsets that all lists have."""
    (first, offsets), *others = lists.items()
    for other, its_offsets in others:
        if not np.array_equal(offsets, its_offsets):
            lengths, its_lengths = np.diff(offsets), np.diff(its_offsets)
            i = int(np.argmax(lengths != its_lengths))
            raise InputError(
                f"{event_name(key[i])}: '{first}' has {lengths[i]} values, "
                f"'{other}' {its_lengths[i]}"
            )
    return offsets


def converted(values: Any, branch: Branch) -> np.ndarray:
    """Numbers in the branch's type.

    Raises
    ------
    InputError
        If an integer is wanted and a value is none, or does not fit.
    """
    values = np.asarray(values)
    dtype = np.dtype(branch.dtype)
    if dtype.kind == "i" and values.dtype != dtype:
        limits = np.iinfo(dtype)
        fits = (values >= limits.min) & (values <= limits.max)
        if values.dtype.kind == "f":
            fits &= values == np.floor(values)
        if not fits.all():
            value = values[~fits].flat[0]
            raise InputError(f"{branch.name}: {value} is not an integer of type {branch.dtype}")
    with np.errstate(over="ignore"):  # becomes infinite, and infinite is refused
        return values.astype(dtype, copy=False)
