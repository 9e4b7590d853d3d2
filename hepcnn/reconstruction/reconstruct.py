"""The analytic reconstruction of RICH events: photon candidates, local and global likelihood.

The *local* likelihood changes one track and leaves all others pions. The *global* one starts with
all tracks as pions and changes the one track that gains most until no change gains. The background
is estimated from the event's own hits: for the local likelihood with all tracks as pions, and for
the global one again with the tracks as a first search has left them, after which it is searched
once more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hepcnn.detector.geometry import RichGeometry
from hepcnn.detector.optics import plane_coordinates
from hepcnn.detector.particles import SPECIES
from hepcnn.detector.pixels import digitise, number_of_pixels, pixel_type
from hepcnn.detector.radiator import detected_spectrum
from hepcnn.errors import InputError
from hepcnn.events.schema import RICHES, RichEvents
from hepcnn.reconstruction.background import FLOOR, Grid, estimate, grid_of
from hepcnn.reconstruction.expected import Expected, expected_light
from hepcnn.reconstruction.likelihood import (
    HYPOTHESES,
    PION,
    Signals,
    each_alone,
    expected_from_others,
    maximise,
    signals,
    total,
)
from hepcnn.reconstruction.photon_kernels import Mirrors, candidates, mirrors_of, unfold

Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]

#: Largest angle of photon candidates in each RICH (rad).
LARGEST_ANGLE = {"rich1": 0.064, "rich2": 0.036}
#: Signals are looked for up to so many times the angle at β = 1: 5σ above it.
_REACH = 1.25
#: And this much farther from the ring's centre on the plane than the paraxial R/2 · θ: tilted
#: planes stretch rings by up to 10 %.
_STRETCH = 1.2
#: Searches of the global likelihood, each with a new estimate of the background.
PASSES = 2


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
    log_local, log_global : float32 array (n, 7)
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
    best: NDArray[np.int8]
    candidates: dict[str, EventCandidates]


class _Rich(NamedTuple):
    """One RICH of a chunk; hits are in order of events and panels.

    Pixels are binary: hits in one that another hit has lit have an area of 0, so that nothing
    is expected of them. `first` is the index of the hit that counts in each one's pixel.
    """

    mirrors: Mirrors
    axes: Floats
    grid: Grid
    window: float
    emission: Floats
    direction: Floats
    expected: Expected
    hit: NDArray[np.int32]
    unfolded: Floats
    area: Floats
    cell: NDArray[np.int32]
    first: NDArray[np.int64]
    offsets: NDArray[np.int64]
    split: NDArray[np.int64]


class _Lit(NamedTuple):
    """Candidates and signals of one event in one RICH; hits are numbered within both."""

    offsets: NDArray[np.int64]
    hit: NDArray[np.int32]
    theta: Floats32
    phi: Floats32
    signals: Signals


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
    parts = {rich: _prepare(events, geometry[rich], rich, largest_angle[rich]) for rich in riches}
    n = events.n_tracks
    photons = sum((part.expected.photons for part in parts.values()), np.zeros((n, len(SPECIES))))
    local, final = np.zeros((2, n, len(HYPOTHESES)), np.float32)
    best = np.full(n, PION, np.int8)
    rows: dict[str, list[tuple[np.ndarray, ...]]] = {rich: [] for rich in riches}
    for event in range(len(events)):
        tracks = slice(events.track_offsets[event], events.track_offsets[event + 1])
        lit = {rich: _light(part, event, tracks) for rich, part in parts.items()}
        solution = _solve(parts, lit, event, photons[tracks], background)
        local[tracks], final[tracks], best[tracks], nu, level = solution
        for rich, part in parts.items():
            row = _row(part, lit[rich], event, best[tracks], nu[rich], level[rich])
            below = row.theta < largest_angle[rich]
            count = np.diff(np.concatenate([[0], np.cumsum(below)])[row.offsets])
            rows[rich].append(
                (count, *(c[below] for c in (row.hit, row.theta, row.phi, row.other)))
            )
    return Reconstruction(
        {rich: part.expected.angle.astype(np.float32) for rich, part in parts.items()},
        {rich: part.expected.photons.astype(np.float32) for rich, part in parts.items()},
        local,
        final,
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


def _prepare(events: RichEvents, geometry: RichGeometry, rich: str, largest: float) -> _Rich:
    """What does not depend on the event, and the hits of this RICH."""
    mirrors, grid = mirrors_of(geometry), grid_of(geometry)
    reach = max(largest, _REACH * float(detected_spectrum(geometry).mean_angle(1.0)))
    entry, direction, exit = (
        events.tracks[f"{rich}_{part}"].astype(np.float64)
        for part in ("entry", "direction", "exit")
    )
    event = np.repeat(np.arange(len(events)), np.diff(events.hit_offsets))
    mine = np.flatnonzero(events.hits["rich"] == RICHES.index(rich) + 1)
    panel, event = events.hits["panel"][mine], event[mine]
    order = np.lexsort((panel, event))
    mine, panel, event = mine[order], panel[order], event[order]
    position = events.hits["position"][mine]
    plane = plane_coordinates(geometry, position, panel).astype(np.float64)
    kind = pixel_type(geometry, *plane.T)
    if (kind < 0).any():
        bad = int(event[kind < 0][0])
        run, subrun, number = events.key[bad]
        raise InputError(
            f"run {run}, subrun {subrun}, event {number}: {np.count_nonzero(kind < 0)} hits in "
            f"{rich} are not on a panel of the geometry"
        )
    size = np.array([pixels.size for pixels in geometry.pixels])
    # The axes as the unfolding turns them: that of a point less that of the panel's centre.
    centre = np.array(geometry.photon_plane.centre)
    corners = np.stack([centre, *(centre + geometry.photon_plane.axes[:2])])
    at = unfold(mirrors, corners, np.zeros(3, np.int8)).T * mirrors.radius
    area = size[kind] ** 2
    first = _first_in_pixel(geometry, plane, 2 * event + panel)
    area[first != np.arange(len(area))] = 0.0
    return _Rich(
        mirrors,
        at[1:] - at[0],
        grid,
        _STRETCH * np.tan(reach) / 2,
        (entry + exit) / 2,
        direction,
        expected_light(geometry, entry, direction, exit, events.tracks["p"]),
        mine.astype(np.int32),
        unfold(mirrors, position, panel),
        area,
        grid.cells(plane, panel),
        first,
        np.searchsorted(event, np.arange(len(events) + 1)),
        np.bincount(event[panel == 0], minlength=len(events)),
    )


def _first_in_pixel(
    geometry: RichGeometry, plane: Floats, group: NDArray[np.int64]
) -> NDArray[np.int64]:
    """For each of n points (n, 2), the index of the first of its group that is in its pixel."""
    pixel, _ = digitise(geometry, *np.ascontiguousarray(plane.T))
    number = group * number_of_pixels(geometry) + pixel
    # In a gap, each is on its own.
    number[pixel < 0] = -1 - np.flatnonzero(pixel < 0)
    _, first, inverse = np.unique(number, return_index=True, return_inverse=True)
    return first[inverse]


def _light(part: _Rich, event: int, tracks: slice) -> _Lit:
    """Candidates and signals of an event's tracks."""
    here = slice(part.offsets[event], part.offsets[event + 1])
    hits = np.ascontiguousarray(part.unfolded[:, here])
    emission, direction = part.emission[tracks], part.direction[tracks]
    offsets = np.zeros(len(emission) + 1, np.int64)
    split = int(part.split[event])
    hit, theta, phi = candidates(
        part.mirrors, part.window, emission, direction, hits, split, offsets
    )
    lit = signals(
        part.mirrors,
        part.axes,
        emission,
        direction,
        hits,
        split,
        part.area[here] / part.mirrors.radius**2,
        offsets,
        hit,
        theta,
        phi,
        part.expected.angle[tracks],
        part.expected.sigma[tracks],
        part.expected.emitted[tracks],
    )
    return _Lit(offsets, hit, theta, phi, Signals(*lit))


def _solve(
    parts: Mapping[str, _Rich],
    lit: Mapping[str, _Lit],
    event: int,
    photons: Floats,
    background: bool,
) -> tuple[Floats, Floats, NDArray[np.int8], dict[str, Floats], dict[str, Floats]]:
    """Local and global ln L, the solution, and by RICH its ν and the background in each hit."""
    spans, start = {}, 0
    for rich, part in parts.items():
        count = int(part.offsets[event + 1] - part.offsets[event])
        spans[rich] = slice(start, start + count)
        start += count
    every = _merged([lit[rich].signals for rich in parts], [spans[rich].start for rich in parts])
    choice = np.full(len(photons), PION, np.int8)

    def expect() -> tuple[Floats, Floats]:
        """The signal of the tracks as they are chosen, and the background beside it."""
        signal = total(*every, choice, start)
        if not background:
            return signal, np.full(start, FLOOR)
        levels = [np.empty(0)]
        for rich, part in parts.items():
            here = slice(part.offsets[event], part.offsets[event + 1])
            own = signal[spans[rich]]
            levels.append(estimate(part.area[here], part.cell[here], part.grid.smooth, own))
        return signal, np.concatenate(levels)

    signal, level = expect()
    local = each_alone(*every, photons, signal + level, choice)
    maximise(*every, photons, signal + level, choice)
    for _ in range(PASSES - 1):
        signal, level = expect()
        maximise(*every, photons, signal + level, choice)
    nu = total(*every, choice, start) + level
    final = each_alone(*every, photons, nu, choice)
    return (
        local,
        final,
        choice,
        {rich: nu[span] for rich, span in spans.items()},
        {rich: level[span] for rich, span in spans.items()},
    )


def _row(
    part: _Rich,
    lit: _Lit,
    event: int,
    choice: NDArray[np.int8],
    nu: Floats,
    background: Floats,
) -> EventCandidates:
    """The candidates of one event, with what the solution expects from all others."""
    start = part.offsets[event]
    first = part.first[start:][lit.hit] - start
    other = expected_from_others(lit.offsets, first, tuple(lit.signals), choice, nu, background)
    return EventCandidates(lit.offsets, part.hit[start:][lit.hit], lit.theta, lit.phi, other)


def _merged(parts: Sequence[Signals], first: Sequence[int]) -> Signals:
    """Signals in several RICHes as one list, track by track; hits numbered on from `first`."""
    n = len(parts[0].offsets) - 1
    track = np.concatenate([np.repeat(np.arange(n), np.diff(part.offsets)) for part in parts])
    order = np.argsort(track, kind="stable")
    return Signals(
        np.sum([part.offsets for part in parts], axis=0),
        np.concatenate([p.hit + np.int32(f) for p, f in zip(parts, first, strict=True)])[order],
        np.concatenate([part.x for part in parts])[order],
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
