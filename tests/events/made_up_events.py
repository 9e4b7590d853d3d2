"""Made-up RICH events and ROOT files of any layout, for the tests of reading."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import awkward as ak
import numpy as np
import uproot

from hepcnn.config import RichSample
from hepcnn.events.chunk import EventChunk
from hepcnn.events.schema import EVENT_KEY, RICHES, RichEvents

Chunk = TypeVar("Chunk", bound=EventChunk)

#: A sample in the native layout; the file is given to the reader apart.
NATIVE_SAMPLE = RichSample(files=["unused.root"])


def make_events(n: int = 20, tracks: float = 4, hits: float = 15, seed: int = 1) -> RichEvents:
    """Random events; some without tracks or hits, some tracks outside a RICH."""
    rng = np.random.default_rng(seed)
    key = np.zeros(n, EVENT_KEY)
    key["run"], key["subrun"], key["event"] = 7, 2, 2**40 + rng.permutation(n)
    n_tracks, n_hits = rng.poisson(tracks, n), rng.poisson(hits, n)
    n_tracks[0] = n_hits[-1] = 0
    t, h = n_tracks.sum(), n_hits.sum()
    columns: dict[str, np.ndarray] = {
        "p": rng.lognormal(9, 1, t).astype("f4"),
        "charge": rng.choice([-1, 1], t).astype("i1"),
        "pdg": rng.choice([211, -321, 2212, 11], t).astype("i4"),
    }
    for rich in RICHES:
        direction = rng.normal((0, 0, 1), 0.1, (t, 3))
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        outside = rng.random(t) < 0.2
        for name, vector in (
            ("entry", rng.normal(0, 300, (t, 3))),
            ("direction", direction),
            ("exit", rng.normal(0, 300, (t, 3))),
        ):
            vector[outside] = np.nan
            columns[f"{rich}_{name}"] = vector.astype("f4")
    photons = {
        "position": rng.normal(0, 500, (h, 3)).astype("f4"),
        "rich": rng.integers(1, 3, h).astype("i1"),
        "panel": rng.integers(0, 2, h).astype("i1"),
        "track": (rng.integers(0, 1000, h) % (np.repeat(n_tracks, n_hits) + 1) - 1).astype("i4"),
    }
    offsets = [np.concatenate([[0], np.cumsum(k)]).astype("i8") for k in (n_tracks, n_hits)]
    events = RichEvents(key, offsets[0], columns, offsets[1], photons)
    events.validate()
    return events


def native_arrays(events: EventChunk) -> dict[str, Any]:
    """Awkward arrays of the native branches that the events have."""
    arrays: dict[str, Any] = {}
    for name, branch in events.BRANCHES.items():
        if name in EVENT_KEY.names:
            arrays[name] = events.key[name]
        elif branch.column in (columns := events.columns(branch.level)):
            column = columns[branch.column]
            flat = column if branch.axis is None else column[:, branch.axis]
            counts = np.diff(events.offsets(branch.level))
            arrays[name] = flat if branch.level == "event" else ak.unflatten(flat, counts)
    return arrays


def write_tree(
    path: Path, arrays: Mapping[str, Any], tree: str = "events", ntuple: bool = False
) -> Path:
    """Write arrays as branches of a TTree (or an RNTuple), each jagged one with its counter."""
    with uproot.recreate(path) as file:
        if ntuple:
            file.mkrntuple(tree, dict(arrays))
        else:
            types = {name: ak.type(array).content for name, array in arrays.items()}
            file.mktree(tree, types)
            file[tree].extend(dict(arrays))
    return path


def write_native(
    path: Path, events: EventChunk, change: Callable[[dict[str, Any]], None] = lambda arrays: None
) -> Path:
    """Write events in the native layout, after a change to the arrays."""
    arrays = native_arrays(events)
    change(arrays)
    return write_tree(path, arrays)


def assert_same(left: EventChunk, right: EventChunk) -> None:
    """Equal to the last bit, in type too."""
    assert type(left) is type(right)
    assert left.key.dtype == right.key.dtype
    np.testing.assert_array_equal(left.key, right.key)
    for level in left.LEVELS:
        np.testing.assert_array_equal(left.offsets(level), right.offsets(level))
        mine, others = left.columns(level), right.columns(level)
        assert set(mine) == set(others)
        for name in mine:
            assert mine[name].dtype == others[name].dtype, name
            np.testing.assert_array_equal(mine[name], others[name], err_msg=name)


def joined(chunks: list[Chunk]) -> Chunk:
    """Chunks as one."""
    changes: dict[str, Any] = {"key": np.concatenate([c.key for c in chunks])}
    for level in chunks[0].LEVELS:
        columns = {
            name: np.concatenate([c.columns(level)[name] for c in chunks])
            for name in chunks[0].columns(level)
        }
        counts = np.concatenate([np.diff(c.offsets(level)) for c in chunks])
        if level == "event":
            changes["truth"] = columns
        else:
            changes[f"{level}s"] = columns
            changes[f"{level}_offsets"] = np.concatenate([[0], np.cumsum(counts)])
    return replace(chunks[0], **changes)
