"""Cherenkov angles of photon candidates: each a track and a hit.

A photon is taken to be emitted in the middle of the track's segment in the gas. With the hit
reflected in the flat mirror, the quartic of `quartic` tells where the light met the spherical
mirror, and so its direction at emission; if the second mirror is curved, a few of them do
(`curved`). Its angle θ with the track and its azimuth φ are those with which
`optics.trace_photons` makes photons: with t along the track, a ∝ y × t (nearly x) and b = t × a,
in the LHCb frame for both panels, the photon goes along

    cos θ t + sin θ (cos φ a + sin φ b).

There is no photon (NaN) unless it goes forward along the track, meets the spherical mirror of the
hit's own half of the RICH, and from there crosses the flat mirror's plane on its way to the hit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hepcnn.detector.geometry import RichGeometry
from hepcnn.reconstruction.photon_kernels import (
    Floats,
    Indices,
    candidates,
    mirrors_of,
    pair_angles,
    unfold,
)


def photon_angles(
    geometry: RichGeometry,
    emission: ArrayLike,
    direction: ArrayLike,
    position: ArrayLike,
    panel: ArrayLike,
) -> tuple[Floats, Floats]:
    """Cherenkov angles of pairs of an emission point and a hit.

    Parameters
    ----------
    geometry : RichGeometry
        The RICH.
    emission, direction : array (n, 3)
        Emission points (mm, LHCb frame) and the tracks' directions.
    position : array (n, 3)
        Hits on the photon plane (mm, LHCb frame).
    panel : int array (n,)
        The hits' panels, 0 or 1.

    Returns
    -------
    theta, phi : float64 array (n,)
        Angle with the track, and azimuth from -π to π as the module says (rad); NaN if there is
        no photon.
    """
    o = mirrors_of(geometry)
    panel = np.asarray(panel, np.int8)
    hits = unfold(o, position, panel)
    theta, phi = np.empty(len(panel)), np.empty(len(panel))
    tracks = (np.ascontiguousarray(a, np.float64) for a in (emission, direction))
    pair_angles(o, *tracks, hits, panel, theta, phi)
    return theta, phi


@dataclass(frozen=True, eq=False)
class Candidates:
    """Photon candidates of the tracks of one event in one RICH.

    Attributes
    ----------
    offsets : int64 array (m + 1,)
        Rows ``offsets[j]`` to ``offsets[j + 1]`` of the other arrays are track j's.
    hit : int32 array (n,)
        Index of the hit.
    theta, phi : float32 array (n,)
        Cherenkov angle and azimuth about the track (rad).
    """

    offsets: NDArray[np.int64]
    hit: Indices
    theta: NDArray[np.float32]
    phi: NDArray[np.float32]

    @property
    def track(self) -> NDArray[np.int64]:
        """Index of the track, (n,)."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))


def photon_candidates(
    geometry: RichGeometry,
    entry: ArrayLike,
    direction: ArrayLike,
    exit: ArrayLike,
    position: ArrayLike,
    panel: ArrayLike,
    window: float,
) -> Candidates:
    """Pair the tracks of one event with the hits about them and find the Cherenkov angles.

    Tracks are paired with the hits of both panels, since the light of a track between the halves
    falls on both: about the point of each panel's plane on which the ring lies.

    Parameters
    ----------
    geometry : RichGeometry
        The RICH.
    entry, direction, exit : array (m, 3)
        The tracks' segments (mm, LHCb frame); NaN: not in this RICH, no candidates.
    position, panel : array (k, 3), (k,)
        The event's hits in this RICH (mm, LHCb frame) and their panels, 0 or 1.
    window : float
        Greatest distance of a hit on the plane from the centre of the ring (mm).

    Returns
    -------
    Candidates
        Those that can be photons, track by track.
    """
    o = mirrors_of(geometry)
    panel = np.asarray(panel, np.int8)
    order = np.argsort(panel, kind="stable")
    hits = unfold(o, np.asarray(position)[order], panel[order])
    emission = (np.asarray(entry, np.float64) + np.asarray(exit, np.float64)) / 2
    offsets = np.zeros(len(emission) + 1, np.int64)
    hit, theta, phi = candidates(
        o,
        window / o.radius,
        emission,
        np.ascontiguousarray(direction, np.float64),
        hits,
        np.count_nonzero(panel == 0),
        offsets,
    )
    return Candidates(offsets, order.astype(np.int32)[hit], theta, phi)
