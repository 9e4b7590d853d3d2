"""Cherenkov angles of photon candidates: each a track and a hit.

A photon is taken to be emitted in the middle of the track's segment in the gas. With the hit
reflected in the flat mirror, the quartic of `quartic` tells where the light met the spherical
mirror, and so its direction at emission. Its angle θ with the track and its azimuth φ are those
with which `optics.trace_photons` makes photons: with t along the track, a ∝ y × t (nearly x) and
b = t × a, in the LHCb frame for both panels, the photon goes along

    cos θ t + sin θ (cos φ a + sin φ b).

There is no photon (NaN) unless it goes forward along the track, meets the spherical mirror of the
hit's own half of the RICH, and from there crosses the flat mirror's plane on its way to the hit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.polynomial import Chebyshev, Polynomial
from numpy.typing import ArrayLike, NDArray

from hepcnn.detector.geometry import RichGeometry
from hepcnn.detector.optics import Optics, optics
from hepcnn.reconstruction.quartic import FAST, bisect, solve

Floats = NDArray[np.float64]
Indices = NDArray[np.int32]
Panels = NDArray[np.int8]

#: Stands for θ until the fallback has solved the pair.
_UNSOLVED = -1.0
#: tan(π/8): up to here the arc tangent is taken from its series, atan(z)/z in powers of z².
_STEEP = math.tan(math.pi / 8)
#: Good to 3e-13.
_ARC_TANGENT = tuple(
    Chebyshev.interpolate(
        lambda square: np.arctan(np.sqrt(square)) / np.sqrt(square), 7, domain=[0, _STEEP**2]
    )
    .convert(kind=Polynomial)
    .coef
)


class _Emission(NamedTuple):
    """A track's emission point E and axes, seen from panel 0, in radii from the sphere's centre C.

    `e` is |CE|, `h` the unit vector along CE with components also along t, a, b, the split
    coordinate and the flat mirror's normal.
    """

    e: float
    h_x: float
    h_y: float
    h_z: float
    t_x: float
    t_y: float
    t_z: float
    a_x: float
    a_y: float
    a_z: float
    b_x: float
    b_y: float
    b_z: float
    h_t: float
    h_a: float
    h_b: float
    h_split: float
    h_flat: float


@njit(inline="always")
def _emission(
    o: Optics, side: float, x: float, y: float, z: float, tx: float, ty: float, tz: float
) -> _Emission:
    """Prepare a track of one half: from E (mm) along t, LHCb frame; `side` is 1 or -1."""
    fx = 1.0 + o.split_x * (side - 1.0)
    fy = 1.0 + o.split_y * (side - 1.0)
    k = 1.0 / math.sqrt(tx * tx + ty * ty + tz * tz)
    tx, ty, tz = k * tx, k * ty, k * tz
    # As in optics: the track is never along y.
    k = 1.0 / math.sqrt(tx * tx + tz * tz)
    ax, az = tz * k, -tx * k
    bx, by, bz = ty * az, tz * ax - tx * az, -ty * ax
    tx, ax, bx = fx * tx, fx * ax, fx * bx
    ty, by = fy * ty, fy * by
    k = 1.0 / o.radius
    hx, hy, hz = k * (fx * x - o.sphere_x), k * (fy * y - o.sphere_y), k * (z - o.sphere_z)
    e = math.sqrt(hx * hx + hy * hy + hz * hz)
    hx, hy, hz = hx / e, hy / e, hz / e
    return _Emission(
        e, hx, hy, hz, tx, ty, tz, ax, 0.0, az, bx, by, bz,
        hx * tx + hy * ty + hz * tz,
        hx * ax + hz * az,
        hx * bx + hy * by + hz * bz,
        hx * o.split_x + hy * o.split_y,
        hx * o.flat_x + hy * o.flat_y + hz * o.flat_z,
    )  # fmt: skip


@njit(inline="always")
def _along(track: _Emission, x: float, y: float, z: float) -> tuple[float, float]:
    """Component of CD along CE, and the square of that across it."""
    along = x * track.h_x + y * track.h_y + z * track.h_z
    return along, x * x + y * y + z * z - along * along


@njit(inline="always")
def _arc_tangent2(y: float, x: float) -> float:
    """The function atan2(y, x) without a branch, to 3e-13; 0 at the origin."""
    wide, high = np.abs(x), np.abs(y)
    small, large = min(wide, high), max(wide, high)
    # atan(r) = π/4 + atan((r − 1)/(r + 1))
    steep = small > _STEEP * large
    numerator = small - large if steep else small
    denominator = small + large if steep else large
    z = numerator / (denominator if denominator > 0.0 else 1.0)
    z2 = z * z
    p0, p1, p2, p3, p4, p5, p6, p7 = _ARC_TANGENT
    series = p0 + z2 * (p1 + z2 * (p2 + z2 * (p3 + z2 * (p4 + z2 * (p5 + z2 * (p6 + z2 * p7))))))
    angle = z * series + (math.pi / 4 if steep else 0.0)
    angle = math.pi / 2 - angle if high > wide else angle
    angle = math.pi - angle if x < 0.0 else angle
    return -angle if y < 0.0 else angle


@njit(inline="always")
def _angles(
    o: Optics, track: _Emission, x: float, y: float, z: float, sigma: float, cosine: float
) -> tuple[float, float]:
    """Angles θ and φ of the light that goes from E to D by a solution; NaN if it cannot.

    The point of reflection is M = g h + σ CD with g = cos β − σ CD·h.
    """
    g = cosine - sigma * (x * track.h_x + y * track.h_y + z * track.h_z)
    k = 1.0 / o.radius
    split = g * track.h_split + sigma * (x * o.split_x + y * o.split_y)
    own_half = split + k * (o.sphere_x * o.split_x + o.sphere_y * o.split_y) > 0.0
    flat = k * (
        o.flat_offset - o.sphere_x * o.flat_x - o.sphere_y * o.flat_y - o.sphere_z * o.flat_z
    )
    behind = x * o.flat_x + y * o.flat_y + z * o.flat_z
    in_front = g * track.h_flat + sigma * behind
    g -= track.e
    t = g * track.h_t + sigma * (x * track.t_x + y * track.t_y + z * track.t_z)
    a = g * track.h_a + sigma * (x * track.a_x + y * track.a_y + z * track.a_z)
    b = g * track.h_b + sigma * (x * track.b_x + y * track.b_y + z * track.b_z)
    theta = _arc_tangent2(np.sqrt(a * a + b * b), t)
    ok = own_half & (t > 0.0) & ((in_front - flat) * (behind - flat) < 0.0)
    return (theta if ok else np.nan), (_arc_tangent2(b, a) if ok else np.nan)


@njit(inline="always")
def _reconstruct(o: Optics, track: _Emission, x: float, y: float, z: float) -> tuple[float, float]:
    """Angles of one pair without a branch; θ is `_UNSOLVED` if that takes the fallback."""
    along, across2 = _along(track, x, y, z)
    sigma, cosine, good = solve(track.e, along, across2)
    theta, phi = _angles(o, track, x, y, z, sigma, cosine)
    return (theta if good else _UNSOLVED), phi


@njit(cache=True, error_model="numpy", nogil=True)
def _fall_back(o: Optics, track: _Emission, x: float, y: float, z: float) -> tuple[float, float]:
    """Angles of one pair that `_reconstruct` has left."""
    along, across2 = _along(track, x, y, z)
    sigma, cosine = bisect(track.e, along, across2)
    return _angles(o, track, x, y, z, sigma, cosine)


@njit(cache=True, error_model="numpy", fastmath=FAST, nogil=True)
def _pairs(
    o: Optics,
    emission: Floats,
    direction: Floats,
    hits: Floats,
    panel: Panels,
    theta: Floats,
    phi: Floats,
) -> None:
    for i in range(theta.size):
        side = 1.0 - 2.0 * panel[i]
        x, y, z = emission[i]
        tx, ty, tz = direction[i]
        track = _emission(o, side, x, y, z, tx, ty, tz)
        theta[i], phi[i] = _reconstruct(o, track, hits[0, i], hits[1, i], hits[2, i])
        if theta[i] == _UNSOLVED:
            theta[i], phi[i] = _fall_back(o, track, hits[0, i], hits[1, i], hits[2, i])


@njit(cache=True, error_model="numpy", fastmath=FAST, nogil=True)
def _block(
    o: Optics, track: _Emission, x: Floats, y: Floats, z: Floats, theta: Floats, phi: Floats
) -> None:
    """Angles of one track with hits of one half."""
    for i in range(theta.size):
        theta[i], phi[i] = _reconstruct(o, track, x[i], y[i], z[i])
    for i in range(theta.size):
        if theta[i] == _UNSOLVED:
            theta[i], phi[i] = _fall_back(o, track, x[i], y[i], z[i])


@njit(inline="always")
def _image(o: Optics, track: _Emission) -> tuple[float, float, float]:
    """Where light along the track itself falls on the photon plane; NaN if it does not."""
    x, y, z = track.e * track.h_x, track.e * track.h_y, track.e * track.h_z
    b = track.e * track.h_t
    s = -b + np.sqrt(b * b - track.e * track.e + 1.0)
    x, y, z = x + s * track.t_x, y + s * track.t_y, z + s * track.t_z
    k = -2.0 * (x * track.t_x + y * track.t_y + z * track.t_z)
    dx, dy, dz = track.t_x + k * x, track.t_y + k * y, track.t_z + k * z
    k = 1.0 / o.radius
    x, y, z = x + k * o.sphere_x, y + k * o.sphere_y, z + k * o.sphere_z
    s = k * o.plane_offset - (x * o.plane_x + y * o.plane_y + z * o.plane_z)
    s /= dx * o.plane_x + dy * o.plane_y + dz * o.plane_z
    return x - k * o.sphere_x + s * dx, y - k * o.sphere_y + s * dy, z - k * o.sphere_z + s * dz


@njit(inline="always")
def _near(
    hits: Floats,
    first: int,
    end: int,
    u: float,
    v: float,
    w: float,
    window: float,
    near: Indices,
) -> int:
    """Indices into `near` of the hits from `first` to `end` within a window; how many."""
    n = 0
    for i in range(first, end):
        near[n] = i
        x, y, z = hits[0, i] - u, hits[1, i] - v, hits[2, i] - w
        n += 1 if x * x + y * y + z * z < window * window else 0
    return n


@njit(cache=True, error_model="numpy", fastmath=FAST, nogil=True)
def _candidates(
    o: Optics,
    window: float,
    emission: Floats,
    direction: Floats,
    hits: Floats,
    split: int,
    offsets: NDArray[np.int64],
) -> tuple[Indices, NDArray[np.float32], NDArray[np.float32]]:
    """All pairs of tracks and hits, of which those of panel 1 begin at `split`."""
    n_hits = hits.shape[1]
    near, point = np.empty(n_hits, np.int32), np.empty((3, n_hits))
    theta_j, phi_j = np.empty(n_hits), np.empty(n_hits)
    # Room for every pair; what is not used is never touched, so takes no memory.
    pairs = n_hits * (offsets.size - 1)
    hit = np.empty(pairs, np.int32)
    theta, phi = np.empty(pairs, np.float32), np.empty(pairs, np.float32)
    n = 0
    for j in range(offsets.size - 1):
        ex, ey, ez = emission[j]
        tx, ty, tz = direction[j]
        for panel in range(2):
            track = _emission(o, 1.0 - 2.0 * panel, ex, ey, ez, tx, ty, tz)
            if not track.e < 1.0:
                continue
            u, v, w = _image(o, track)
            first, end = (0, split) if panel == 0 else (split, n_hits)
            count = _near(hits, first, end, u, v, w, window, near)
            for i in range(count):
                k = near[i]
                point[0, i], point[1, i], point[2, i] = hits[0, k], hits[1, k], hits[2, k]
            _block(o, track, point[0], point[1], point[2], theta_j[:count], phi_j[:count])
            for i in range(count):
                hit[n], theta[n], phi[n] = near[i], theta_j[i], phi_j[i]
                n += 0 if np.isnan(theta_j[i]) else 1
        offsets[j + 1] = n
    return hit[:n].copy(), theta[:n].copy(), phi[:n].copy()


def _unfold(o: Optics, position: ArrayLike, panel: Panels) -> Floats:
    """Hits (n, 3) seen from panel 0 in the flat mirror, as (3, n) in radii from C."""
    if not np.isin(panel, (0, 1)).all():
        raise ValueError("panel must be 0 or 1")
    side = 1 - 2.0 * panel
    points = np.array(position, np.float64).reshape(-1, 3)
    points[:, 0] *= 1 + o.split_x * (side - 1)
    points[:, 1] *= 1 + o.split_y * (side - 1)
    normal = np.array([o.flat_x, o.flat_y, o.flat_z])
    points += 2 * (o.flat_offset - points @ normal)[:, None] * normal
    points -= [o.sphere_x, o.sphere_y, o.sphere_z]
    return np.ascontiguousarray(points.T) / o.radius


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
    o = optics(geometry)
    panel = np.asarray(panel, np.int8)
    hits = _unfold(o, position, panel)
    theta, phi = np.empty(len(panel)), np.empty(len(panel))
    tracks = (np.ascontiguousarray(a, np.float64) for a in (emission, direction))
    _pairs(o, *tracks, hits, panel, theta, phi)
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
    o = optics(geometry)
    panel = np.asarray(panel, np.int8)
    order = np.argsort(panel, kind="stable")
    hits = _unfold(o, np.asarray(position)[order], panel[order])
    emission = (np.asarray(entry, np.float64) + np.asarray(exit, np.float64)) / 2
    offsets = np.zeros(len(emission) + 1, np.int64)
    hit, theta, phi = _candidates(
        o,
        window / o.radius,
        emission,
        np.ascontiguousarray(direction, np.float64),
        hits,
        np.count_nonzero(panel == 0),
        offsets,
    )
    return Candidates(offsets, order.astype(np.int32)[hit], theta, phi)
