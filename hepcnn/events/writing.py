"""Write RICH events to ROOT in the native layout."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import uproot

from hepcnn.events.schema import NATIVE, TREE, Branch, RichEvents
from hepcnn.files import atomic_path

#: Name of the object in a file that holds the provenance, a JSON string.
PROVENANCE = "provenance"


def _title() -> str:
    """Title of the tree: uproot cannot set the branches' titles, so it names their units."""
    units = {b.name: b.unit for b in NATIVE if b.unit}
    stems = dict.fromkeys(f"{name.removesuffix('_x')} [{unit}]" for name, unit in units.items()
                          if not name.endswith(("_y", "_z")))  # fmt: skip
    return "hepcnn RICH events, one entry an event, LHCb frame: " + ", ".join(stems)


def _field(branch: Branch) -> str:
    """Name of a jagged branch within its collection."""
    return branch.name.removeprefix(f"{branch.level}_")


def _types() -> dict[str, Any]:
    """Types of the tree's branches: events flat, tracks and hits each with one counter."""
    types: dict[str, Any] = {b.name: np.dtype(b.dtype) for b in NATIVE if b.level == "event"}
    for level in ("track", "hit"):
        fields = ", ".join(f"{_field(b)}: {b.dtype}" for b in NATIVE if b.level == level)
        types[level] = ak.types.from_datashape(f"var * {{{fields}}}", highlevel=False)
    return types


def _arrays(events: RichEvents) -> dict[str, Any]:
    """A chunk as the arrays that go into the branches."""
    arrays: dict[str, Any] = {b.name: events.key[b.column] for b in NATIVE if b.level == "event"}
    for level, offsets, columns in (
        ("track", events.track_offsets, events.tracks),
        ("hit", events.hit_offsets, events.hits),
    ):
        fields = {
            _field(b): columns[b.column] if b.axis is None else columns[b.column][:, b.axis]
            for b in NATIVE
            if b.level == level
        }
        arrays[level] = ak.unflatten(ak.zip(fields), np.diff(offsets))
    return arrays


def write_events(
    path: str | Path, chunks: Iterable[RichEvents], provenance: Mapping[str, Any]
) -> None:
    """Write events as a TTree, chunk by chunk, whole or not at all.

    Parameters
    ----------
    path : str or Path
        The ROOT file.
    chunks : iterable of RichEvents
        Events with truth and with the segments of both RICHes; each chunk is one cluster.
    provenance : mapping
        Where the events come from, `provenance.record`; stored as the JSON string `PROVENANCE`.
    """
    with (
        atomic_path(path) as temporary,
        uproot.recreate(temporary, compression=uproot.ZSTD(3)) as file,
    ):
        file[PROVENANCE] = json.dumps(provenance)
        tree = file.mktree(TREE, _types(), title=_title())
        for events in chunks:
            if len(events):
                tree.extend(_arrays(events))
