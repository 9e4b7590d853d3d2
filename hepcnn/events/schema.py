"""The native layout of RICH events as data, and one chunk of such events in memory.

One entry of the tree is one event; tracks and hits are jagged branches. All positions are in the
LHCb frame.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Level = Literal["event", "track", "hit"]

#: Name of the tree in a native file.
TREE = "events"
#: The RICHes, in the order of the numbers in `hit_rich` (1, 2).
RICHES = ("rich1", "rich2")
#: Name of an event; tree entries are never used as names.
EVENT_KEY = np.dtype([("run", np.int64), ("subrun", np.int64), ("event", np.int64)])


@dataclass(frozen=True)
class Branch:
    """One branch of the native layout.

    Attributes
    ----------
    name, dtype, unit, description : str
        Name in the tree, numpy type of a value, unit ("" for none) and meaning.
    level : {"event", "track", "hit"}
        What there is one value of: flat for events, jagged for tracks and hits.
    truth : bool
        Known of simulated events only.
    rich : str, optional
        The RICH that the branch belongs to.
    """

    name: str
    dtype: str
    unit: str
    description: str
    level: Level
    truth: bool = False
    rich: str | None = None

    @property
    def title(self) -> str:
        """Title of the branch in a ROOT file: the meaning and the unit."""
        return f"{self.description} [{self.unit}]" if self.unit else self.description


def _vector(
    name: str, unit: str, description: str, level: Level, rich: str | None = None
) -> list[Branch]:
    """The three components of a vector, in float32."""
    return [
        Branch(f"{name}_{axis}", "float32", unit, f"{description}, {axis}", level, rich=rich)
        for axis in "xyz"
    ]


#: Which event, which tracks, and what is known of them apart from the RICHes.
COMMON = (
    Branch("run", "int64", "", "run number", "event"),
    Branch("subrun", "int64", "", "subrun number", "event"),
    Branch("event", "int64", "", "event number", "event"),
    Branch("track_p", "float32", "MeV", "momentum", "track"),
    Branch("track_charge", "int8", "e", "charge", "track"),
    Branch("track_pdg", "int32", "", "PDG code of the true particle", "track", truth=True),
    *_vector("hit", "mm", "position on the photon plane, LHCb frame", "hit"),
    Branch("hit_rich", "int8", "", "RICH of the hit: 1 or 2", "hit"),
    Branch("hit_panel", "int8", "", "panel: 0 (RICH1 y>0, RICH2 x>0) or 1", "hit"),
    Branch("hit_track", "int32", "", "index of the true track in its event, -1: none", "hit", truth=True),
)  # fmt: skip

#: A track's straight segment in each RICH; all NaN: the track does not cross it.
SEGMENT: Mapping[str, tuple[Branch, ...]] = {
    rich: (
        *_vector(f"track_{rich}_entry", "mm", f"entry into the gas of {rich}", "track", rich),
        *_vector(f"track_{rich}_direction", "", "unit vector along the track at entry", "track", rich),
        *_vector(f"track_{rich}_exit", "mm", f"exit from the gas of {rich}", "track", rich),
    )
    for rich in RICHES
}  # fmt: skip

#: What a user's tuple may give instead of the segment.
PROJECTION: Mapping[str, tuple[Branch, ...]] = {
    rich: tuple(
        _vector(f"track_{rich}_projection", "mm", f"projection on the photon plane of {rich}", "track", rich)
    )
    for rich in RICHES
}  # fmt: skip

#: What a native file holds, in order.
NATIVE = (*COMMON, *SEGMENT["rich1"], *SEGMENT["rich2"])
#: Every branch that the reader knows, by name; the keys that `branches:` may have.
BRANCHES: Mapping[str, Branch] = {
    branch.name: branch for branch in (*NATIVE, *PROJECTION["rich1"], *PROJECTION["rich2"])
}


def vectors(names: Iterable[str]) -> dict[str, tuple[str, str, str]]:
    """Names of vectors among branch names: ``{"hit": ("hit_x", "hit_y", "hit_z")}``."""
    names = set(names)
    stems = dict.fromkeys(name[:-2] for name in BRANCHES if name.endswith(("_x", "_y", "_z")))
    triples = {stem: (f"{stem}_x", f"{stem}_y", f"{stem}_z") for stem in stems}
    return {stem: triple for stem, triple in triples.items() if names.issuperset(triple)}


@dataclass(frozen=True)
class RichEvents:
    """A chunk of RICH events: flat arrays and offsets.

    The tracks of event ``i`` are rows ``track_offsets[i]`` to ``track_offsets[i + 1]`` of every
    array in `tracks`, its hits likewise in `hits`.

    Attributes
    ----------
    key : structured array (n_events,) of EVENT_KEY
        Names of the events.
    track_offsets, hit_offsets : int64 array (n_events + 1,)
        Start at 0.
    tracks : dict of arrays
        ``p`` (MeV, float32), ``charge`` (int8), ``pdg`` (int32, if truth is there) and for each
        RICH in the file ``richN_entry``, ``richN_direction``, ``richN_exit`` or
        ``richN_projection``: (n_tracks, 3) float32, mm; NaN where the track does not cross it.
    hits : dict of arrays
        ``position`` (n_hits, 3) float32, mm; ``rich``, ``panel`` (int8); ``track`` (int32, only
        if asked for and there).
    """

    key: npt.NDArray[np.void]
    track_offsets: npt.NDArray[np.int64]
    tracks: dict[str, np.ndarray]
    hit_offsets: npt.NDArray[np.int64]
    hits: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.key)

    @property
    def n_tracks(self) -> int:
        """Number of tracks in the chunk."""
        return int(self.track_offsets[-1])

    @property
    def n_hits(self) -> int:
        """Number of hits in the chunk."""
        return int(self.hit_offsets[-1])

    def validate(self) -> None:
        """Check types and lengths, for whoever makes chunks.

        Raises
        ------
        ValueError
            If an array does not fit the offsets or has another type than documented.
        """
        if self.key.dtype != EVENT_KEY:
            raise ValueError(f"key has type {self.key.dtype}")
        for level, offsets, columns in (
            ("track", self.track_offsets, self.tracks),
            ("hit", self.hit_offsets, self.hits),
        ):
            if offsets.dtype != np.int64 or offsets.shape != (len(self) + 1,):
                raise ValueError(f"{level}_offsets: {offsets.dtype} {offsets.shape}")
            if offsets[0] != 0 or (np.diff(offsets) < 0).any():
                raise ValueError(f"{level}_offsets do not start at 0 or decrease")
            expected = _column_types(level)
            for name, column in columns.items():
                if name not in expected:
                    raise ValueError(f"{level} column '{name}' is unknown")
                dtype, tail = expected[name]
                if column.dtype != dtype or column.shape != (offsets[-1], *tail):
                    raise ValueError(f"{level} column '{name}': {column.dtype} {column.shape}")


def _column_types(level: str) -> dict[str, tuple[np.dtype, tuple[int, ...]]]:
    """Type and trailing shape of each column of `RichEvents` at a level."""
    branches = {name: branch for name, branch in BRANCHES.items() if branch.level == level}
    triples = vectors(branches)
    components = {name for triple in triples.values() for name in triple}
    columns: dict[str, tuple[np.dtype, tuple[int, ...]]] = {
        column_name(name): (np.dtype(branch.dtype), ())
        for name, branch in branches.items()
        if name not in components
    }
    return columns | {column_name(stem): (np.dtype("float32"), (3,)) for stem in triples}


def column_name(name: str) -> str:
    """Name in `RichEvents` of a branch or vector: ``track_p`` → ``p``, ``hit`` → ``position``."""
    if name == "hit":
        return "position"
    return name.removeprefix("track_").removeprefix("hit_") if name != "hit_track" else "track"
