"""The analytic reconstruction of RICH events: photon candidates, local and global likelihood.

The *local* likelihood changes one track and leaves all others pions. The *global* one starts with
all tracks as pions and changes the one track that gains most until no change gains. The background
is estimated from the event's own hits: for the local likelihood with all tracks as pions, and for
the global one again with the tracks as a first search has left them, after which it is searched
once more. The *marginal* likelihood is the global one, with the errors of a track's direction and
momentum taken as common to all of its photons (`hepcnn.reconstruction.direction`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hepcnn.detector.geometry import RichGeometry
from hepcnn.errors import InputError
from hepcnn.events.schema import RichEvents
from hepcnn.reconstruction.likelihood import HYPOTHESES, PION
from hepcnn.reconstruction.steps import light, others, prepare, solve

Floats32 = NDArray[np.float32]

#: Largest angle of photon candidates in each RICH (rad).
LARGEST_ANGLE = {"rich1": 0.064, "rich2": 0.036}


@dataclass(frozen=True, eq=False)
class EventCandidates:
    """Photon candidates of a chunk's tracks in one RICH.

    Attributes
    ----------
    offsets : int64 array (n + 1,)
        Rows ``offsets[j]`` to ``offsets[j + 1]`` of the other arrays are track j's.
    hit : int32 array (m,)
        Index into the chunk's hits.
    theta, phi : float32 array (m,)
        Cherenkov angle and azimuth about the track (rad), as in `photons`.
    other : float32 array (m,)
        Expected photons in the hit's pixel from all but this track: the background and the other
        tracks as the global likelihood takes them to be.
    """

    offsets: NDArray[np.int64]
    hit: NDArray[np.int32]
    theta: Floats32
    phi: Floats32
    other: Floats32


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """Results for the n tracks of a chunk.

    Attributes
    ----------
    angle : dict of float32 array (n, 6)
        By RICH: expected Cherenkov angle of each species (rad); NaN: no light, or not in it.
    photons : dict of float32 array (n, 6)
        By RICH: expected detected photons; 0 without light.
    log_local, log_global, log_marginal : float32 array (n, 7)
        ln L(h) − ln L(pion) of each of `HYPOTHESES`, all RICHes together.
    best : int8 array (n,)
        The hypothesis of the global likelihood's solution.
    candidates : dict of EventCandidates
        By RICH.
    """

    angle: dict[str, Floats32]
    photons: dict[str, Floats32]
    log_local: Floats32
    log_global: Floats32
    log_marginal: Floats32
    best: NDArray[np.int8]
    candidates: dict[str, EventCandidates]


def reconstruct(
    events: RichEvents,
    geometry: Mapping[str, RichGeometry],
    riches: Sequence[str],
    largest_angle: Mapping[str, float] = LARGEST_ANGLE,
    background: bool = True,
) -> Reconstruction:
    """Reconstruct a chunk of events.

    Parameters
    ----------
    events : RichEvents
        With the tracks' segments in the RICHes asked for.
    geometry : mapping of str to RichGeometry
        The RICHes by name.
    riches : sequence of str
        Those to use; the likelihood is that of the hits in all of them.
    largest_angle : mapping of str to float
        By RICH, the angle (rad) below which candidates are returned. The likelihood does not
        depend on it.
    background : bool
        Whether there is a background to estimate; if not, the least that a pixel expects stands
        for it.

    Raises
    ------
    InputError
        If a segment is not there, for instance since the file has only the projection.
    """
    _check_segments(events, riches)
    chunks = {rich: prepare(events, geometry[rich], rich, largest_angle[rich]) for rich in riches}
    n = events.n_tracks
    local, final, marginal = np.zeros((3, n, len(HYPOTHESES)), np.float32)
    best = np.full(n, PION, np.int8)
    rows: dict[str, list[tuple[np.ndarray, ...]]] = {rich: [] for rich in riches}
    for event in range(len(events)):
        tracks = slice(events.track_offsets[event], events.track_offsets[event + 1])
        lit = {rich: light(chunk, event, tracks) for rich, chunk in chunks.items()}
        solution = solve(chunks, lit, event, tracks, background)
        local[tracks], final[tracks] = solution.local, solution.final
        marginal[tracks], best[tracks] = solution.marginal, solution.choice
        for rich, chunk in chunks.items():
            found = lit[rich]
            other = others(chunk, found, event, rich, solution)
            below = found.theta < largest_angle[rich]
            count = np.diff(np.concatenate([[0], np.cumsum(below)])[found.offsets])
            hit = chunk.hit[chunk.hits(event)][found.hit]
            columns = (hit, found.theta, found.phi, other)
            rows[rich].append((count, *(column[below] for column in columns)))
    return Reconstruction(
        {rich: chunk.expected.angle.astype(np.float32) for rich, chunk in chunks.items()},
        {rich: chunk.expected.photons.astype(np.float32) for rich, chunk in chunks.items()},
        local,
        final,
        marginal,
        best,
        {rich: _joined(rows[rich]) for rich in riches},
    )


def _check_segments(events: RichEvents, riches: Sequence[str]) -> None:
    missing = [
        f"track_{rich}_{part}_{x}"
        for rich in riches
        for part in ("entry", "direction", "exit")
        if f"{rich}_{part}" not in events.tracks
        for x in "xyz"
    ]
    if missing:
        raise InputError(
            "Cherenkov angles need the tracks' segments in the gas, not only their projections; "
            f"missing: {', '.join(missing)}"
        )


def _joined(rows: Sequence[tuple[np.ndarray, ...]]) -> EventCandidates:
    """The candidates of all events."""
    kinds = (np.int64, np.int32, np.float32, np.float32, np.float32)
    count, hit, theta, phi, other = (
        np.concatenate([np.empty(0, kind), *(row[i] for row in rows)]).astype(kind)
        for i, kind in enumerate(kinds)
    )
    offsets = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
    return EventCandidates(offsets, hit, theta, phi, other)
