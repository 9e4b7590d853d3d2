"""The steps of the reconstruction: a chunk's RICH, an event's light, its best hypotheses.

`hepcnn.reconstruction.reconstruct` puts them together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hepcnn.detector.geometry import RichGeometry
from hepcnn.detector.optics import plane_coordinates
from hepcnn.detector.pixels import digitise, number_of_pixels, pixel_type
from hepcnn.detector.radiator import detected_spectrum
from hepcnn.errors import InputError
from hepcnn.events.columns import event_name, row_hint
from hepcnn.events.schema import RICHES, RichEvents
from hepcnn.reconstruction.background import FLOOR, Grid, estimate, grid_of
from hepcnn.reconstruction.direction import Ring, marginalised, over_momenta
from hepcnn.reconstruction.expected import Expected, expected_light
from hepcnn.reconstruction.likelihood import (
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

#: Signals are looked for up to so many times the angle at β = 1: 5σ above it.
_REACH = 1.25
#: And this much farther from the ring's centre on the plane than the paraxial R/2 · θ: tilted
#: planes stretch rings by up to 10 %.
_STRETCH = 1.2
#: And more if the second mirror is convex: by at most so many times the photon plane's distance
#: from it over its radius, 4 d/R in the plane of incidence.
_WIDENING = 4.0
#: Searches of the global likelihood, each with a new estimate of the background.
PASSES = 2


@dataclass(frozen=True, eq=False)
class RichChunk:
    """One RICH of a chunk of events; its k hits are in order of events and panels.

    Pixels are binary: hits in one that another hit has lit have an area of 0, so that nothing
    is expected of them.

    Attributes
    ----------
    mirrors : Mirrors
        The optics; `axes`, `window` and `unfolded` are in their frame and unit.
    axes : float64 array (2, 3)
        Axes u and v of the photon plane.
    grid : Grid
        Cells of the background's density.
    window : float
        Hits are candidates of a track up to so far from its image on the plane.
    emission, direction : float64 array (n, 3)
        Middles (mm, LHCb frame) and directions of the tracks' segments; NaN: not in this RICH.
    expected : Expected
        The tracks' expected light.
    hit : int32 array (k,)
        Index into the chunk's hits.
    unfolded : float64 array (3, k)
        The hits as seen in the flat mirror.
    area : float64 array (k,)
        Areas of their pixels (mm²).
    cell : int32 array (k,)
        Their cells of the grid.
    first : int64 array (k,)
        Index of the hit that counts in each one's pixel.
    offsets : int64 array (events + 1,)
        Hits ``offsets[i]`` to ``offsets[i + 1]`` are event i's.
    split : int64 array (events,)
        How many of an event's hits are on panel 0.
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

    def hits(self, event: int) -> slice:
        """The hits of an event."""
        return slice(int(self.offsets[event]), int(self.offsets[event + 1]))


class Light(NamedTuple):
    """Candidates and signals of an event's tracks in one RICH; hits are numbered within both."""

    offsets: NDArray[np.int64]
    hit: NDArray[np.int32]
    theta: Floats32
    phi: Floats32
    signals: Signals
    ring: Ring


class Solution(NamedTuple):
    """What the likelihoods find in an event of n tracks.

    Attributes
    ----------
    local, final, marginal : float64 array (n, 7)
        ln L(h) − ln L(pion) by the local and by the global likelihood, and by the latter
        marginalised over the track's momentum and its direction in each RICH.
    choice : int8 array (n,)
        Hypotheses of the global likelihood's best combination.
    nu, background : dict of float64 array (hits,)
        By RICH: photons that the combination makes expect in each hit's pixel, and the
        background's part of them.
    """

    local: Floats
    final: Floats
    marginal: Floats
    choice: NDArray[np.int8]
    nu: dict[str, Floats]
    background: dict[str, Floats]


def prepare(events: RichEvents, geometry: RichGeometry, rich: str, largest: float) -> RichChunk:
    """Prepare what does not depend on the event, and the hits of one RICH.

    Parameters
    ----------
    events : RichEvents
        A chunk, with the tracks' segments in this RICH.
    geometry : RichGeometry
        The RICH.
    rich : str
        Its name.
    largest : float
        Angle (rad) up to which candidates are wanted; those that signals need are found anyhow.

    Raises
    ------
    InputError
        If a hit is not on a panel of the geometry.
    """
    mirrors, grid = mirrors_of(geometry), grid_of(geometry)
    reach = max(largest, _REACH * float(detected_spectrum(geometry).mean_angle(1.0)))
    entry, direction, exit = (
        events.tracks[f"{rich}_{part}"].astype(np.float64)
        for part in ("entry", "direction", "exit")
    )
    event = np.repeat(np.arange(len(events)), np.diff(events.hit_offsets))
    mine = np.flatnonzero(events.hits["rich"] == RICHES.index(rich) + 1)
    mine = mine[np.lexsort((events.hits["panel"][mine], event[mine]))]
    panel, event, position = events.hits["panel"][mine], event[mine], events.hits["position"][mine]
    plane = plane_coordinates(geometry, position, panel).astype(np.float64)
    area = _pixel_areas(geometry, plane, events.key[event], rich)
    first = _first_in_pixel(geometry, plane, 2 * event + panel)
    area[first != np.arange(len(area))] = 0.0
    widening = _WIDENING * max(0.0, -geometry.curvature * geometry.depth)
    return RichChunk(
        mirrors=mirrors,
        axes=_unfolded_axes(geometry, mirrors),
        grid=grid,
        window=(_STRETCH + widening) * np.tan(reach) / 2,
        emission=(entry + exit) / 2,
        direction=direction,
        expected=expected_light(geometry, entry, direction, exit, events.tracks["p"]),
        hit=mine.astype(np.int32),
        unfolded=unfold(mirrors, position, panel),
        area=area,
        cell=grid.cells(plane, panel),
        first=first,
        offsets=np.searchsorted(event, np.arange(len(events) + 1)),
        split=np.bincount(event[panel == 0], minlength=len(events)),
    )


def _pixel_areas(geometry: RichGeometry, plane: Floats, key: NDArray[np.void], rich: str) -> Floats:
    """Areas (mm²) of the pixels that hits (n, 2) on the panels are in; `key` names their events."""
    kind = pixel_type(geometry, *plane.T)
    off = key[kind < 0]
    if len(off):
        u, v = plane[kind < 0][0]
        raise InputError(
            f"{event_name(off[0])}: {np.count_nonzero(off == off[0])} hits in {rich} are not on a "
            f"panel of the geometry, the first is at u = {u:.0f} mm, v = {v:.0f} mm on the photon "
            f"plane; {row_hint('hit')}"
        )
    return np.array([pixels.size for pixels in geometry.pixels])[kind] ** 2


def _unfolded_axes(geometry: RichGeometry, mirrors: Mirrors) -> Floats:
    """Axes u and v (2, 3) of the photon plane, turned as the unfolding turns hits."""
    centre = np.array(geometry.photon_plane.centre)
    corners = np.stack([centre, *(centre + geometry.photon_plane.axes[:2])])
    at = unfold(mirrors, corners, np.zeros(3, np.int8)).T * mirrors.radius
    return at[1:] - at[0]


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


def light(chunk: RichChunk, event: int, tracks: slice) -> Light:
    """Find the candidates of an event's tracks, and the signals expected in their pixels.

    Parameters
    ----------
    chunk : RichChunk
        Of `prepare`.
    event : int
        Index of the event in the chunk.
    tracks : slice
        Its tracks.
    """
    here = chunk.hits(event)
    hits = np.ascontiguousarray(chunk.unfolded[:, here])
    emission, direction = chunk.emission[tracks], chunk.direction[tracks]
    offsets = np.zeros(len(emission) + 1, np.int64)
    split = int(chunk.split[event])
    hit, theta, phi = candidates(
        chunk.mirrors, chunk.window, emission, direction, hits, split, offsets
    )
    *found, where, density = signals(
        chunk.mirrors,
        chunk.axes,
        emission,
        direction,
        hits,
        split,
        chunk.area[here] / chunk.mirrors.radius**2,
        offsets,
        hit,
        theta,
        phi,
        chunk.expected.angle[tracks],
        chunk.expected.sigma[tracks],
        chunk.expected.emitted[tracks],
    )
    ring = Ring(theta[where], np.cos(phi[where]), np.sin(phi[where]), density)
    return Light(offsets, hit, theta, phi, Signals(*found), ring)


def solve(
    chunks: Mapping[str, RichChunk],
    lit: Mapping[str, Light],
    event: int,
    tracks: slice,
    background: bool = True,
) -> Solution:
    """Find both likelihoods of an event, all RICHes together.

    Parameters
    ----------
    chunks, lit : mapping
        By RICH: of `prepare`, and of `light` for this event.
    event : int
        Index of the event in the chunk.
    tracks : slice
        Its tracks.
    background : bool
        Whether there is a background to estimate; if not, `FLOOR` stands for it.
    """
    spans, start = {}, 0
    for rich, chunk in chunks.items():
        here = chunk.hits(event)
        spans[rich] = slice(start, start + here.stop - here.start)
        start = spans[rich].stop
    every = _merged([lit[rich].signals for rich in chunks], [spans[rich].start for rich in chunks])
    photons = np.sum([chunk.expected.photons[tracks] for chunk in chunks.values()], axis=0)
    choice = np.full(len(photons), PION, np.int8)

    def expect() -> tuple[Floats, Floats]:
        """The signal of the tracks as they are chosen, and the background beside it."""
        signal = total(*every, choice, start)
        if not background:
            return signal, np.full(start, FLOOR)
        levels = [np.empty(0)]
        for rich, chunk in chunks.items():
            here, own = chunk.hits(event), signal[spans[rich]]
            levels.append(estimate(chunk.area[here], chunk.cell[here], chunk.grid.smooth, own))
        return signal, np.concatenate(levels)

    signal, level = expect()
    local = each_alone(*every, photons, signal + level, choice)
    maximise(*every, photons, signal + level, choice)
    for _ in range(PASSES - 1):
        signal, level = expect()
        maximise(*every, photons, signal + level, choice)
    nu = total(*every, choice, start) + level
    marginal = [
        _marginal(chunk, lit[rich], tracks, nu[spans[rich]], choice)
        for rich, chunk in chunks.items()
    ]
    return Solution(
        local,
        each_alone(*every, photons, nu, choice),
        over_momenta(np.sum(marginal, axis=0)),
        choice,
        {rich: nu[span] for rich, span in spans.items()},
        {rich: level[span] for rich, span in spans.items()},
    )


def _marginal(
    chunk: RichChunk, lit: Light, tracks: slice, nu: Floats, choice: NDArray[np.int8]
) -> Floats:
    """ln L(h) − ln L(no light) in one RICH at each momentum, over the directions, (K, n, 7)."""
    *light, matters = chunk.expected.around
    around = (*(np.ascontiguousarray(a[:, tracks]) for a in light), matters[tracks])
    return marginalised(
        *lit.signals, tuple(lit.ring), around, chunk.expected.spread[tracks], nu, choice
    )


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


def others(chunk: RichChunk, lit: Light, event: int, rich: str, solution: Solution) -> Floats32:
    """Photons (m,) that a solution expects in each candidate's pixel from all but its track."""
    here = chunk.hits(event)
    first = chunk.first[here][lit.hit] - here.start
    nu, background = solution.nu[rich], solution.background[rich]
    return expected_from_others(
        lit.offsets, first, tuple(lit.signals), solution.choice, nu, background
    )
