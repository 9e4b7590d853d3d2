"""Values that no detector gives: refused, naming the event and the branch."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hepcnn.errors import InputError
from hepcnn.events.columns import event_name
from hepcnn.events.schema import BRANCHES, RICHES, Level, RichEvents

#: The square of a direction's length may differ from 1 by this: rotations in float32.
_TOLERANCE = 1e-3


def check_values(events: RichEvents) -> None:
    """Check the values of a chunk.

    Raises
    ------
    InputError
        Momentum not above 0; a track's segment or projection neither finite nor all NaN, or its
        direction no unit vector; a hit's position not finite, its RICH or panel unknown, its
        true track not in the event.
    """
    p = events.tracks["p"]
    _refuse(events, "track", "p", ~((p > 0) & (p < np.inf)), "it must be finite and above 0")
    for rich in RICHES:
        for parts in (("entry", "direction", "exit"), ("projection",)):
            columns = [name for part in parts if (name := f"{rich}_{part}") in events.tracks]
            if columns:
                _check_crossing(events, columns)
    position = events.hits["position"]
    if not np.isfinite(position).all():
        _refuse(events, "hit", "position", ~np.isfinite(position).all(axis=1), "it must be finite")
    _check_between(events, "rich", 1, 2)
    _check_between(events, "panel", 0, 1)
    if "track" in events.hits:
        tracks = np.repeat(np.diff(events.track_offsets), np.diff(events.hit_offsets))
        track = events.hits["track"]
        bad = (track < -1) | (track >= tracks)
        _refuse(events, "hit", "track", bad, "it must be an index of the event's tracks, or -1")


def _check_crossing(events: RichEvents, columns: list[str]) -> None:
    """A track crosses a RICH (all finite) or does not (all NaN)."""
    vectors = [events.tracks[name] for name in columns]
    # Reductions over short axes are slow: only the tracks whose components have no finite sum
    # are looked at closely.
    with np.errstate(all="ignore"):
        total = sum(vector[:, axis] for vector in vectors for axis in range(3))
    rows = np.flatnonzero(~np.isfinite(total))
    values = np.hstack([vector[rows] for vector in vectors])
    rows = rows[~(np.isnan(values).all(axis=1) | np.isfinite(values).all(axis=1))]
    for name, vector in zip(columns, vectors, strict=True):
        bad = np.zeros(events.n_tracks, bool)
        bad[rows] = ~np.isfinite(vector[rows]).all(axis=1)
        _refuse(events, "track", name, bad, "it must be finite, or all NaN: not in this RICH")
        if name.endswith("direction"):
            square = np.einsum("ij,ij->i", vector, vector)
            _refuse(
                events, "track", name, np.abs(square - 1) > _TOLERANCE, "it must be a unit vector"
            )


def _check_between(events: RichEvents, column: str, low: int, high: int) -> None:
    values = events.hits[column]
    _refuse(events, "hit", column, (values < low) | (values > high), f"it must be {low} or {high}")


def _refuse(
    events: RichEvents, level: Level, column: str, bad: npt.NDArray[np.bool_], rule: str
) -> None:
    """Name the first row that is bad, if there is one."""
    if not bad.any():
        return
    row = int(np.argmax(bad))
    offsets = events.track_offsets if level == "track" else events.hit_offsets
    event = int(np.searchsorted(offsets, row, side="right")) - 1
    values = np.atleast_1d((events.tracks if level == "track" else events.hits)[column][row])
    names = [b.name for b in BRANCHES.values() if b.level == level and b.column == column]
    shown = ", ".join(f"{name} = {value}" for name, value in zip(names, values, strict=True))
    raise InputError(
        f"{event_name(events.key[event])}: {level} {row - offsets[event]} has {shown}; {rule}"
    )
