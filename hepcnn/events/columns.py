"""Columns of a tree as flat numpy arrays and offsets, and the events they make up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import awkward as ak
import numpy as np
import numpy.typing as npt

from hepcnn.errors import InputError
from hepcnn.events.expressions import Expression
from hepcnn.events.schema import BRANCHES, EVENT_KEY, Branch, Level, RichEvents


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


def event_name(key: np.void) -> str:
    """``event 1:0:42``: run, subrun, event."""
    return f"event {key['run']}:{key['subrun']}:{key['event']}"


def assemble(expressions: Mapping[str, Expression], columns: Mapping[str, Column]) -> RichEvents:
    """Make events of the columns that were read.

    Parameters
    ----------
    expressions : mapping of str to Expression
        For each native branch how it follows from the columns.
    columns : mapping of str to Column
        For each name in the expressions; all of the same number of entries, at least one flat.

    Raises
    ------
    InputError
        If a branch has the wrong shape, lengths differ in an event, or a number does not fit.
    """
    levels: dict[Level, list[Branch]] = {"event": [], "track": [], "hit": []}
    for name in expressions:
        levels[BRANCHES[name].level].append(BRANCHES[name])

    n_events = len(_flat(expressions["event"], columns))
    key = np.empty(n_events, EVENT_KEY)
    for branch in levels["event"]:
        key[branch.name] = converted(_flat(expressions[branch.name], columns), branch)
    track_offsets, tracks = _jagged(levels["track"], expressions, columns, key)
    hit_offsets, hits = _jagged(levels["hit"], expressions, columns, key)
    return RichEvents(key, track_offsets, tracks, hit_offsets, hits)


def _flat(expression: Expression, columns: Mapping[str, Column]) -> Any:
    """One number an event (or one for all)."""
    for name in expression.names:
        if columns[name].offsets is not None:
            raise InputError(f"'{expression.text}': branch '{name}' is a list, not one an event")
    return expression.evaluate({name: columns[name].values for name in expression.names})


def _jagged(
    branches: list[Branch],
    expressions: Mapping[str, Expression],
    columns: Mapping[str, Column],
    key: npt.NDArray[np.void],
) -> tuple[npt.NDArray[np.int64], dict[str, np.ndarray]]:
    """Offsets and columns of the tracks, or of the hits."""
    names = dict.fromkeys(name for b in branches for name in expressions[b.name].names)
    lists = {name: o for name in names if (o := columns[name].offsets) is not None}
    if not lists:
        raise InputError(f"no {branches[0].level} branch is a list, one an event")
    offsets = _common_offsets(lists, key)
    n = int(offsets[-1])
    out: dict[str, np.ndarray] = {}
    for branch in branches:
        expression = expressions[branch.name]
        if expression.names and not any(name in lists for name in expression.names):
            raise InputError(f"{branch.name}: '{expression.text}' is one an event, not a list")
        # What there is one of an event holds for each of its tracks or hits.
        values = expression.evaluate(
            {
                name: columns[name].values
                if name in lists
                else np.repeat(columns[name].values, np.diff(offsets))
                for name in expression.names
            }
        )
        if branch.axis is None:
            numbers = converted(values, branch)
            out[branch.column] = numbers if numbers.ndim else np.full(n, numbers)
        else:
            if branch.column not in out:
                out[branch.column] = np.empty((n, 3), branch.dtype)
            with np.errstate(over="ignore"):  # becomes infinite, and infinite is refused
                out[branch.column][:, branch.axis] = values
    return offsets, out


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
    with np.errstate(over="ignore"):
        return values.astype(dtype, copy=False)
