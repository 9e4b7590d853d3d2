"""Write events to ROOT in their detector's native layout."""

from __future__ import annotations

import hashlib
import itertools
import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import uproot

from hepcnn.events.chunk import EVENT_KEY, TREE, Branch, EventChunk, Level
from hepcnn.files import atomic_path

#: Name of the object in a file that holds the provenance, a JSON string.
PROVENANCE = "provenance"


def _in_key(branch: Branch) -> bool:
    return branch.level == "event" and branch.column in (EVENT_KEY.names or ())


def _branches(events: EventChunk) -> list[Branch]:
    """The branches that a chunk has values for."""
    return [
        b for b in events.BRANCHES.values() if _in_key(b) or b.column in events.columns(b.level)
    ]


def _values(events: EventChunk, branch: Branch) -> np.ndarray:
    """Values of a branch, flat."""
    if _in_key(branch):
        return events.key[branch.column]
    column = events.columns(branch.level)[branch.column]
    return column if branch.axis is None else column[:, branch.axis]


def _title(events: EventChunk, branches: Sequence[Branch]) -> str:
    """Title of the tree: uproot cannot set the branches' titles, so it names their units."""
    stems = dict.fromkeys(
        f"{b.name if b.axis is None else b.name.rpartition('_')[0]} [{b.unit}]"
        for b in branches
        if b.unit
    )
    return f"{events.TITLE}: {', '.join(stems)}"


def _collections(branches: Sequence[Branch]) -> dict[Level, dict[str, Branch]]:
    """The jagged branches by level, each under its name within the collection."""
    collections: dict[Level, dict[str, Branch]] = {}
    for b in branches:
        if b.level != "event":
            collections.setdefault(b.level, {})[b.name.removeprefix(f"{b.level}_")] = b
    return collections


def _types(branches: Sequence[Branch]) -> dict[str, Any]:
    """Types of the tree's branches: events flat, each collection with one counter."""
    types: dict[str, Any] = {b.name: np.dtype(b.dtype) for b in branches if b.level == "event"}
    for level, fields in _collections(branches).items():
        record = ", ".join(f"{name}: {b.dtype}" for name, b in fields.items())
        types[level] = ak.types.from_datashape(f"var * {{{record}}}", highlevel=False)
    return types


def _arrays(events: EventChunk, branches: Sequence[Branch]) -> dict[str, Any]:
    """A chunk as the arrays that go into the branches."""
    arrays: dict[str, Any] = {b.name: _values(events, b) for b in branches if b.level == "event"}
    for level, fields in _collections(branches).items():
        columns = ak.zip({name: _values(events, b) for name, b in fields.items()})
        arrays[level] = ak.unflatten(columns, np.diff(events.offsets(level)))
    return arrays


def _identity(
    events: EventChunk, branches: Sequence[Branch], provenance: Mapping[str, Any]
) -> uuid.UUID:
    """UUID of a file that begins with these events."""
    total = hashlib.sha256(json.dumps(provenance, sort_keys=True).encode())
    for branch in branches:
        total.update(branch.name.encode() + _values(events, branch).tobytes())
    for level in dict.fromkeys(b.level for b in branches if b.level != "event"):
        total.update(events.offsets(level).tobytes())
    return uuid.UUID(bytes=total.digest()[:16], version=5)


def write_events(
    path: str | Path, chunks: Iterable[EventChunk], provenance: Mapping[str, Any]
) -> None:
    """Write events as a TTree, chunk by chunk, whole or not at all.

    The file's UUID follows from the provenance and the first chunk: what is made again of the same
    has the same identity, and so has all that is made of it.

    Parameters
    ----------
    path : str or Path
        The ROOT file.
    chunks : iterable of RichEvents or of LArTPCEvents
        At least one; all have the columns of the first one, and each is one cluster.
    provenance : mapping
        Where the events come from, `provenance.record`; stored as the JSON string `PROVENANCE`.

    Raises
    ------
    ValueError
        If there are no chunks, or a chunk has other columns than the first one.
    """
    chunks = iter(chunks)
    first = next(chunks, None)
    if first is None:
        raise ValueError(f"{path}: no events to write")
    branches = _branches(first)
    identity = _identity(first, branches, provenance)
    options: dict[str, Any] = {"uuid_function": lambda: identity}
    with (
        atomic_path(path) as temporary,
        uproot.recreate(temporary, compression=uproot.ZSTD(3), **options) as file,
    ):
        file[PROVENANCE] = json.dumps(provenance)
        tree = file.mktree(TREE, _types(branches), title=_title(first, branches))
        for events in itertools.chain([first], chunks):
            if _branches(events) != branches:
                raise ValueError(f"{path}: chunks have different columns")
            if len(events):
                tree.extend(_arrays(events, branches))
