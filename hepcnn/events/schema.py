"""The native layout of RICH events as data, and one chunk of such events in memory.

One entry of the tree is one event; tracks and hits are jagged branches. All positions are in the
LHCb frame.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from hepcnn.events.chunk import EVENT_KEY, KEY_BRANCHES, TREE, Branch, EventChunk, Level, vector

__all__ = [
    "BRANCHES",
    "COMMON",
    "EVENT_KEY",
    "NATIVE",
    "PROJECTION",
    "RICHES",
    "SEGMENT",
    "TREE",
    "WEIGHT",
    "RichEvents",
]

#: The RICHes, in the order of the numbers in `hit_rich` (1, 2).
RICHES = ("rich1", "rich2")


def _track_vector(rich: str, what: str, unit: str, description: str) -> tuple[Branch, ...]:
    name = f"{rich}_{what}"
    return vector(f"track_{name}", unit, f"{description}, {rich}", "track", name)


#: Which event, which tracks, and what is known of them apart from the RICHes.
COMMON = (
    *KEY_BRANCHES,
    Branch("track_p", "float32", "MeV", "momentum", "track", "p"),
    Branch("track_charge", "int8", "e", "charge", "track", "charge"),
    Branch("track_pdg", "int32", "", "PDG code of the particle", "track", "pdg", truth=True),
    *vector("hit", "mm", "hit on the photon plane, LHCb frame", "hit", "position"),
    Branch("hit_rich", "int8", "", "RICH: 1 or 2", "hit", "rich"),
    Branch("hit_panel", "int8", "", "panel: 0 (RICH1 y>0, RICH2 x>0) or 1", "hit", "panel"),
    Branch("hit_track", "int32", "", "index of its track, -1: none", "hit", "track", truth=True),
)

#: What a file may give of its tracks beside that: the configuration asks for it.
WEIGHT = Branch(
    "track_weight", "float32", "", "weight in tables, such as an sWeight", "track", "weight"
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
    rich: _track_vector(rich, "projection", "mm", "projection on the photon plane")
    for rich in RICHES
}

#: What a native file holds, in order.
NATIVE = (*COMMON, *SEGMENT["rich1"], *SEGMENT["rich2"])
#: Every branch that the reader knows, by name: the keys that `branches:` may have.
BRANCHES: Mapping[str, Branch] = {
    branch.name: branch for branch in (*NATIVE, *PROJECTION["rich1"], *PROJECTION["rich2"], WEIGHT)
}


@dataclass(frozen=True)
class RichEvents(EventChunk):
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
        ``weight`` (float32), if the file gives one.
        Where tracks were selected ``index`` (int32): the track's place among all of its event.
    hits : dict of arrays
        ``position`` (n_hits, 3) float32, mm; ``rich``, ``panel`` (int8); ``track`` (int32, only
        if asked for and there).
    """

    track_offsets: npt.NDArray[np.int64]
    tracks: dict[str, np.ndarray]
    hit_offsets: npt.NDArray[np.int64]
    hits: dict[str, np.ndarray]

    TITLE: ClassVar[str] = "hepcnn RICH events, one entry an event, LHCb frame"
    LEVELS: ClassVar[tuple[Level, ...]] = ("track", "hit")
    BRANCHES: ClassVar[Mapping[str, Branch]] = BRANCHES

    @property
    def n_tracks(self) -> int:
        """Number of tracks in the chunk."""
        return int(self.track_offsets[-1])

    @property
    def n_hits(self) -> int:
        """Number of hits in the chunk."""
        return int(self.hit_offsets[-1])
