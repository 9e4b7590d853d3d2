"""The native layout of RICH events as data, and one chunk of such events in memory.

One entry of the tree is one event; tracks and hits are jagged branches. All positions are in the
LHCb frame.
"""

from __future__ import annotations

from collections.abc import Mapping
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
    column : str
        Where the values stand in `RichEvents`: field of `key`, or key of `tracks` or `hits`.
    axis : int, optional
        Of a vector's component: its index in the column's last dimension.
    truth : bool
        Known of simulated events only.
    """

    name: str
    dtype: str
    unit: str
    description: str
    level: Level
    column: str
    axis: int | None = None
    truth: bool = False

    @property
    def title(self) -> str:
        """Title of the branch in a ROOT file: the meaning and the unit."""
        return f"{self.description} [{self.unit}]" if self.unit else self.description


def _vector(name: str, unit: str, description: str, level: Level, column: str) -> list[Branch]:
    """The three components of a vector, in float32."""
    return [
        Branch(f"{name}_{x}", "float32", unit, f"{description}, {x}", level, column, axis)
        for axis, x in enumerate("xyz")
    ]


def _track_vector(rich: str, what: str, unit: str, description: str) -> list[Branch]:
    name = f"{rich}_{what}"
    return _vector(f"track_{name}", unit, f"{description}, {rich}", "track", name)


#: Which event, which tracks, and what is known of them apart from the RICHes.
COMMON = (
    Branch("run", "int64", "", "run number", "event", "run"),
    Branch("subrun", "int64", "", "subrun number", "event", "subrun"),
    Branch("event", "int64", "", "event number", "event", "event"),
    Branch("track_p", "float32", "MeV", "momentum", "track", "p"),
    Branch("track_charge", "int8", "e", "charge", "track", "charge"),
    Branch("track_pdg", "int32", "", "PDG code of the particle", "track", "pdg", truth=True),
    *_vector("hit", "mm", "hit on the photon plane, LHCb frame", "hit", "position"),
    Branch("hit_rich", "int8", "", "RICH: 1 or 2", "hit", "rich"),
    Branch("hit_panel", "int8", "", "panel: 0 (RICH1 y>0, RICH2 x>0) or 1", "hit", "panel"),
    Branch("hit_track", "int32", "", "index of its track, -1: none", "hit", "track", truth=True),
)

#: A track's straight segment in each RICH; all NaN: the track does not cross it.
SEGMENT: Mapping[str, tuple[Branch, ...]] = {
    rich: (
        *_track_vector(rich, "entry", "mm", "entry into the radiator"),
        *_track_vector(rich, "direction", "", "unit vector along the track at the entry"),
        *_track_vector(rich, "exit", "mm", "exit from the radiator"),
    )
    for rich in RICHES
}

#: What a user's tuple may give instead of the segment.
PROJECTION: Mapping[str, tuple[Branch, ...]] = {
    rich: tuple(_track_vector(rich, "projection", "mm", "projection on the photon plane"))
    for rich in RICHES
}

#: What a native file holds, in order.
NATIVE = (*COMMON, *SEGMENT["rich1"], *SEGMENT["rich2"])
#: Every branch that the reader knows, by name: the keys that `branches:` may have.
BRANCHES: Mapping[str, Branch] = {
    branch.name: branch for branch in (*NATIVE, *PROJECTION["rich1"], *PROJECTION["rich2"])
}


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

    def part(self, start: int, stop: int) -> RichEvents:
        """The events `start` to `stop`; their tracks and hits are views of this chunk's."""
        tracks = slice(self.track_offsets[start], self.track_offsets[stop])
        hits = slice(self.hit_offsets[start], self.hit_offsets[stop])
        return RichEvents(
            key=self.key[start:stop],
            track_offsets=self.track_offsets[start : stop + 1] - self.track_offsets[start],
            tracks={name: column[tracks] for name, column in self.tracks.items()},
            hit_offsets=self.hit_offsets[start : stop + 1] - self.hit_offsets[start],
            hits={name: column[hits] for name, column in self.hits.items()},
        )

    def validate(self) -> None:
        """Check types and lengths, for whoever makes chunks; values are the reader's to check.

        Raises
        ------
        ValueError
            If an array does not fit the offsets or has another type than documented.
        """
        if self.key.dtype != EVENT_KEY or self.key.ndim != 1:
            raise ValueError(f"key: {self.key.dtype} {self.key.shape}")
        for level, offsets, columns in (
            ("track", self.track_offsets, self.tracks),
            ("hit", self.hit_offsets, self.hits),
        ):
            if offsets.dtype != np.int64 or offsets.shape != (len(self) + 1,):
                raise ValueError(f"{level}_offsets: {offsets.dtype} {offsets.shape}")
            if offsets[0] != 0 or (np.diff(offsets) < 0).any():
                raise ValueError(f"{level}_offsets do not start at 0 or decrease")
            layout = {b.column: b for b in BRANCHES.values() if b.level == level}
            for name, column in columns.items():
                if name not in layout:
                    raise ValueError(f"{level} column '{name}' is unknown")
                tail = () if layout[name].axis is None else (3,)
                if column.dtype != layout[name].dtype or column.shape != (offsets[-1], *tail):
                    raise ValueError(f"{level} column '{name}': {column.dtype} {column.shape}")
