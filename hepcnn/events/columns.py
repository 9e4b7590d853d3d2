"""Columns of a tree as flat numpy arrays and offsets, and the tables they make up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import awkward as ak
import numpy as np
import numpy.typing as npt

from hepcnn.errors import InputError
from hepcnn.events.chunk import EVENT_KEY, Branch, Level, event_name
from hepcnn.events.evaluation import Column, Naming, evaluate, only_value
from hepcnn.events.expressions import Expression
from hepcnn.events.layout import Part, Plan
from hepcnn.rows import Rows

#: Larger numbers in float64 have neighbours that are not told apart: two events could get one name.
_EXACT = 2.0**53


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


def row_hint(level: Level) -> str:
    """How one odd row does not stop a file."""
    if level == "particle":
        return "`on_bad_file: skip` leaves such a file out"
    return f"`selection: {{{level}: CONDITION}}` leaves such {level}s out"


def assemble(
    plan: Plan,
    layout: Mapping[str, Branch],
    columns: Mapping[str, Column],
    first: int = 0,
    counts: Counter[str] | None = None,
) -> tuple[npt.NDArray[np.void], dict[Level, Rows]]:
    """Make the parts of a chunk of the columns that were read.

    Parameters
    ----------
    plan : Plan
        How each native branch follows from the columns, and which rows are wanted.
    layout : mapping of str to Branch
        The native branches, by name.
    columns : mapping of str to Column
        For each name in the expressions; all of the same number of entries, at least one flat.
    first : int
        Number of the first entry, for the messages.
    counts : Counter, optional
        Is added, for each level with a selection, the number of rows before it.

    Returns
    -------
    key : structured array (n_events,) of EVENT_KEY
        Names of the events; there may be none left.
    tables : dict of Level to Rows
        One for each level that has branches; the level "event" has one row an event. Where tracks
        were selected they have an ``index`` (int32), their place among all of the event, and what
        refers to them counts those that are left; −1 stands for one that was left out.

    Raises
    ------
    InputError
        If a branch has the wrong shape, lengths differ in an event, or a number does not fit.
    """
    counts = Counter() if counts is None else counts
    n_events = len(next(iter(columns.values())))
    entries = np.arange(first, first + n_events)
    if condition := plan.selection.get("event"):
        kept = _chosen_events(condition, columns, n_events, first)
        counts["events before the selection"] += n_events
        if not kept.all():
            columns = {name: column.take(kept) for name, column in columns.items()}
            entries, n_events = entries[kept], int(kept.sum())
    levels: dict[Level, list[Branch]] = {"event": []}
    for name in plan.sources:
        levels.setdefault(layout[name].level, []).append(layout[name])
    key = np.empty(n_events, EVENT_KEY)
    for name in EVENT_KEY.names or ():
        numbers = _flat(plan.sources[name][0], columns, lambda i: f"entry {entries[i]}")
        key[name] = converted(numbers, layout[name], lambda i: f"entry {entries[i]}")

    def naming(event: int) -> str:
        return event_name(key[event])

    truth = [b for b in levels.pop("event") if b.name not in (EVENT_KEY.names or ())]
    flat = {branch.name: _flat(plan.sources[branch.name][0], columns, naming) for branch in truth}
    tables: dict[Level, Rows] = {
        "event": Rows(np.arange(n_events + 1), _filled(truth, flat, n_events, naming))
    }
    chosen: dict[Level, list[Rows]] = {}
    for level, branches in levels.items():
        parts = [_jagged(part, layout, columns, naming) for part in plan.parts(level, branches)]
        tables[level] = _joined([rows for rows, _ in parts])
        if level in plan.selection:
            chosen[level] = [of_all for _, of_all in parts]
            counts[f"{level}s before the selection"] += sum(
                int(c.offsets[-1]) for c in chosen[level]
            )
    if "track" in chosen:
        _renumber(tables, *chosen["track"])
    return key, tables


def _renumber(tables: dict[Level, Rows], of_all: Rows) -> None:
    """Say which tracks are left, and let the hits refer to them."""
    offsets, chosen = of_all.offsets, of_all.columns["chosen"]
    tracks, hits = tables["track"], tables["hit"]
    index = np.arange(len(chosen)) - np.repeat(offsets[:-1], np.diff(offsets))
    tables["track"] = tracks.with_columns(index=index[chosen].astype(np.int32))
    if "track" not in hits.columns:
        return
    old, event = hits.columns["track"], hits.example
    place = np.full(len(chosen) + 1, -1, np.int32)
    place[np.flatnonzero(chosen)] = np.arange(tracks.offsets[-1]) - np.repeat(
        tracks.offsets[:-1], np.diff(tracks.offsets)
    )
    known = (old >= 0) & (old < np.diff(offsets)[event])
    # What is no index stays, to be refused.
    new = np.where(known, place[np.where(known, offsets[event] + old, 0)], old)
    tables["hit"] = hits.with_columns(track=new)


def _filled(
    branches: Iterable[Branch], values: Mapping[str, np.ndarray], n: int, naming: Naming
) -> dict[str, np.ndarray]:
    """Columns of `n` rows out of each branch's values, or its one value for all rows."""
    out: dict[str, np.ndarray] = {}
    for branch in branches:
        numbers = converted(values[branch.name], branch, naming)
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
        raise InputError(
            f"'{expression.text}' is a list, not one an event; {only_value(expression.text)}"
        )
    if found.values.ndim > 1:
        raise InputError(
            f"'{expression.text}' is an array of {found.values.shape[1]} an event: "
            f"write {expression.text}[0] for its first number"
        )
    return found.values


def _chosen_events(
    condition: Expression, columns: Mapping[str, Column], n: int, first: int
) -> npt.NDArray[np.bool_]:
    """The entries that fulfil a condition, (n,) bool."""
    try:
        found = _flat(condition, columns, lambda i: f"entry {first + i}")
    except InputError as error:
        raise InputError(f"selection.event: {error}") from error
    return np.broadcast_to(_condition(found, condition, "event"), n)


def _condition(values: np.ndarray, expression: Expression, level: Level) -> npt.NDArray[np.bool_]:
    if values.dtype.kind != "b":
        raise InputError(f"selection.{level}: '{expression.text}' is no condition: compare it")
    return values


def _jagged(
    part: Part, layout: Mapping[str, Branch], columns: Mapping[str, Column], naming: Naming
) -> tuple[Rows, Rows]:
    """The rows of a level, or of one part of them; and of all there were which were ``chosen``."""
    made: dict[str, Column] = {}
    lists: dict[str, npt.NDArray[np.int64]] = {}
    for name, expression in part.sources.items():
        found = _listed(name, expression, part, columns, naming)
        if found.offsets is not None:
            lists[expression.text] = found.offsets
        made[name] = found
    if not lists:
        raise InputError(f"no {part.level} branch is a list, one an event")
    offsets = _common_offsets(lists, naming)
    if part.counter and all(columns[name].offsets is not None for e in part.sources.values()
                            for name in e.names):  # fmt: skip
        raise InputError(f"counters.{part.level}: its branches are lists, which need none")
    of_all = Rows(offsets, {"chosen": np.ones(int(offsets[-1]), np.bool_)})
    chosen = of_all.columns["chosen"]
    if part.condition:
        where, given = f"selection.{part.level}", dict(columns)
        for name in part.condition.names:
            if name in made:
                given[name] = made[name]
            elif part.counter and columns[name].offsets is None and columns[name].values.ndim > 1:
                given[name] = _counted(name, name, columns[name], part, columns, naming)
        found = _listed(where, part.condition, part, given, naming)
        if found.offsets is not None:
            _common_offsets({"the rows": offsets, part.condition.text: found.offsets}, naming)
        chosen &= _condition(found.values, part.condition, part.level)
    values = {name: column.values for name, column in made.items()}
    if not chosen.all():
        # Before they are converted and checked: one odd row must not stop a file.
        rows = np.flatnonzero(chosen)
        values = {name: v[rows] if v.ndim else v for name, v in values.items()}
        offsets = np.searchsorted(rows, offsets)

    def row_name(row: int) -> str:
        event, own = Column(chosen, offsets).place(row)
        return f"{naming(event)}: {part.level} {own}"

    branches = [layout[name] for name in part.sources]
    return Rows(offsets, _filled(branches, values, int(offsets[-1]), row_name)), of_all


def _listed(
    name: str, expression: Expression, part: Part, columns: Mapping[str, Column], naming: Naming
) -> Column:
    """A list an event of numbers, or one number for all."""
    found = evaluate(expression, columns, naming)
    if found.offsets is None and found.values.ndim > 1:
        found = _counted(name, expression.text, found, part, columns, naming)
    if expression.names and found.offsets is None:
        raise InputError(f"{name}: '{expression.text}' is one an event, not a list")
    if found.values.ndim > 1:
        raise InputError(
            f"{name}: '{expression.text}' has {found.values.shape[1]} numbers a {part.level}: "
            f"write {expression.text}[:, 0] for the first"
        )
    return found


def _counted(
    name: str,
    text: str,
    array: Column,
    part: Part,
    columns: Mapping[str, Column],
    naming: Naming,
) -> Column:
    """The list in an array of fixed size, without its padding."""
    n, size = array.values.shape[:2]
    if part.counter is None:
        raise InputError(
            f"{name}: '{text}' is an array of {size} an event, whose padding would be "
            f"read as {part.level}s: name what counts them, counters: {{{part.level}: BRANCH}}, "
            f"or {size} if none is padding"
        )
    number = np.broadcast_to(_flat(part.counter, columns, naming), n)
    bad = ~((number >= 0) & (number <= size) & (number == np.floor(number)))
    if bad.any():
        event = int(np.argmax(bad))
        raise InputError(
            f"{naming(event)}: counters.{part.level}: '{part.counter.text}' is {number[event]}, "
            f"and '{text}' holds {size}"
        )
    offsets = np.concatenate([[0], np.cumsum(number, dtype=np.int64)])
    return Column(array.values[np.arange(size) < number[:, None]], offsets)


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
                f"{naming(i)}: '{first}' has {lengths[i]} values, '{other}' {its_lengths[i]}: what "
                "is mapped to rows of one kind must be as many, of one collection of the file"
            )
    return offsets


def converted(values: np.ndarray, branch: Branch, naming: Naming) -> np.ndarray:
    """Numbers in the branch's type.

    Raises
    ------
    InputError
        If an integer is wanted and a value is none, or does not fit; `naming` names its row.
    """
    dtype = np.dtype(branch.dtype)
    if values.dtype.kind not in "biuf":
        raise InputError(f"{branch.name}: holds texts, not numbers")
    if dtype.kind == "i" and values.dtype != dtype and not _all_fit(values, dtype):
        limits = np.iinfo(dtype)
        fits = (values >= limits.min) & (values <= limits.max)
        if values.dtype.kind == "f":
            fits &= (values == np.floor(values)) & (np.abs(values) <= _EXACT)
        bad = ~np.atleast_1d(fits)
        row = f"{naming(int(np.argmax(bad)))}: " if values.ndim else ""
        raise InputError(
            f"{row}{branch.name}: {np.atleast_1d(values)[bad][0]} is not an integer of type "
            f"{branch.dtype}; {row_hint(branch.level)}"
        )
    with np.errstate(over="ignore"):  # becomes infinite, and infinite is refused
        return values.astype(dtype, copy=False)


def _all_fit(values: np.ndarray, dtype: np.dtype[Any]) -> bool:
    """Whether all numbers are integers of a type: two reductions say so quickly."""
    if not values.size:
        return True
    limits = np.iinfo(dtype)
    within = limits.min <= values.min() and values.max() <= limits.max
    if values.dtype.kind != "f" or not within:
        return bool(within)
    return bool(np.abs(values).max() <= _EXACT and (values == np.floor(values)).all())
