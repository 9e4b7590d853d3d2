"""Made-up RICH events and ROOT files of any layout, for the tests of reading."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import uproot

from hepcnn.config import RichSample
from hepcnn.events.schema import BRANCHES, EVENT_KEY, RICHES, RichEvents

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


def native_arrays(events: RichEvents) -> dict[str, Any]:
    """Awkward arrays of the native branches that the events have."""
    arrays: dict[str, Any] = {}
    for name, branch in BRANCHES.items():
        if branch.level == "event":
            arrays[name] = events.key[branch.column]
            continue
        columns, offsets = {
            "track": (events.tracks, events.track_offsets),
            "hit": (events.hits, events.hit_offsets),
        }[branch.level]
        if branch.column in columns:
            column = columns[branch.column]
            flat = column if branch.axis is None else column[:, branch.axis]
            arrays[name] = ak.unflatten(flat, np.diff(offsets))
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
    path: Path, events: RichEvents, change: Callable[[dict[str, Any]], None] = lambda arrays: None
) -> Path:
    """Write events in the native layout, after a change to the arrays."""
    arrays = native_arrays(events)
    change(arrays)
    return write_tree(path, arrays)


def assert_same(left: RichEvents, right: RichEvents) -> None:
    """Equal to the last bit, in type too."""
    assert left.key.dtype == right.key.dtype
    np.testing.assert_array_equal(left.key, right.key)
    np.testing.assert_array_equal(left.track_offsets, right.track_offsets)
    np.testing.assert_array_equal(left.hit_offsets, right.hit_offsets)
    for mine, others in ((left.tracks, right.tracks), (left.hits, right.hits)):
        assert set(mine) == set(others)
        for name in mine:
            assert mine[name].dtype == others[name].dtype, name
            np.testing.assert_array_equal(mine[name], others[name], err_msg=name)


def joined(chunks: list[RichEvents]) -> RichEvents:
    """Chunks as one."""

    def offsets(parts: list[np.ndarray]) -> np.ndarray:
        return np.concatenate([[0], np.cumsum(np.concatenate([np.diff(p) for p in parts]))])

    def columns(parts: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    return RichEvents(
        np.concatenate([c.key for c in chunks]),
        offsets([c.track_offsets for c in chunks]),
        columns([c.tracks for c in chunks]),
        offsets([c.hit_offsets for c in chunks]),
        columns([c.hits for c in chunks]),
    )
