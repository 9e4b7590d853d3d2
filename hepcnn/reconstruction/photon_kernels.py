"""The compiled part of `photons`: one RICH's mirrors, one track, and the angles of hits about it.

What runs for each hit takes one component after the other and has no branch, so that the compiler
can vectorise it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.polynomial import Chebyshev, Polynomial
from numpy.typing import ArrayLike, NDArray

from hepcnn.detector.geometry import RichGeometry, unit
from hepcnn.reconstruction.curved import SOLUTIONS, curved_block, curved_image
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


class Mirrors(NamedTuple):
    """One RICH as the kernels need it, in the frame of panel 0.

    Its origin is the sphere's centre C and its unit the sphere's radius. Components are s, the
    coordinate whose sign tells the halves apart (x or y), w, the other of the two, and z. The
    halves meet at s = `edge`. A plane is the points r with ``n·r = offset``; `plane` is that of
    the photon detectors as seen in the flat mirror.

    A second mirror with a `curvature` is a sphere, which touches the plane `flat` at `touch`. Hits
    are reflected in that plane all the same, and `curved` goes on from there.
    """

    split: int
    radius: float
    centre_s: float
    centre_w: float
    centre_z: float
    edge: float
    flat_s: float
    flat_w: float
    flat_z: float
    flat_offset: float
    plane_s: float
    plane_w: float
    plane_z: float
    plane_offset: float
    touch_s: float
    touch_w: float
    touch_z: float
    curvature: float


def mirrors_of(geometry: RichGeometry) -> Mirrors:
    """Collect the numbers that the kernels need."""
    order = _order(geometry.split)
    radius = geometry.spherical_mirror.radius
    centre = np.array(geometry.spherical_mirror.centre)
    flat = unit(geometry.flat_mirror.normal)
    touch = np.array(geometry.flat_mirror.point) - centre
    flat_offset = flat @ touch
    plane = unit(geometry.photon_plane.normal)
    plane_offset = plane @ (np.array(geometry.photon_plane.centre) - centre)
    # A point r is seen at r + 2(offset - n·r)n: n the flat mirror's normal.
    plane_offset -= 2 * flat_offset * (plane @ flat)
    plane = plane - 2 * (plane @ flat) * flat
    numbers = [radius, *centre[order], -centre[order[0]] / radius]
    numbers += [*flat[order], flat_offset / radius, *plane[order], plane_offset / radius]
    numbers += [*touch[order] / radius, geometry.curvature * radius]
    return Mirrors(geometry.split, *map(float, numbers))


def _order(split: int) -> list[int]:
    """Coordinates of the LHCb frame in the order s, w, z."""
    return [split, 1 - split, 2]


def unfold(o: Mirrors, position: ArrayLike, panel: Panels) -> Floats:
    """Hits (n, 3) as seen in the flat mirror, as (3, n) in the frame of `Mirrors`."""
    if not np.isin(panel, (0, 1)).all():
        raise ValueError("panel must be 0 or 1")
    hits = np.array(position, np.float64).reshape(-1, 3)[:, _order(o.split)]
    hits[:, 0] *= 1 - 2 * panel
    hits = (hits - [o.centre_s, o.centre_w, o.centre_z]) / o.radius
    flat = np.array([o.flat_s, o.flat_w, o.flat_z])
    return np.ascontiguousarray((hits + 2 * (o.flat_offset - hits @ flat)[:, None] * flat).T)


class Emission(NamedTuple):
    """A track's emission point E and axes t, a, b in the frame of `Mirrors`.

    `e` is |CE| and `h` the unit vector along CE, with its components also along t, a, b and the
    flat mirror's normal.
    """

    e: float
    h_s: float
    h_w: float
    h_z: float
    t_s: float
    t_w: float
    t_z: float
    a_s: float
    a_w: float
    a_z: float
    b_s: float
    b_w: float
    b_z: float
    h_t: float
    h_a: float
    h_b: float
    h_flat: float


@njit(inline="always")
def prepare_track(o: Mirrors, side: float, point: Floats, direction: Floats) -> Emission:
    """Prepare a track for the half of one side (1: panel 0, -1: panel 1) from the LHCb frame."""
    tx, ty, tz = direction[0], direction[1], direction[2]
    k = 1.0 / math.sqrt(tx * tx + ty * ty + tz * tz)
    tx, ty, tz = k * tx, k * ty, k * tz
    # As in optics: the track is never along y.
    k = 1.0 / math.sqrt(tx * tx + tz * tz)
    ax, az = tz * k, -tx * k
    bx, by, bz = ty * az, tz * ax - tx * az, -ty * ax
    along_y = o.split == 1
    ts, tw = side * (ty if along_y else tx), tx if along_y else ty
    as_, aw = side * (0.0 if along_y else ax), ax if along_y else 0.0
    bs, bw = side * (by if along_y else bx), bx if along_y else by
    k = 1.0 / o.radius
    hs = k * (side * point[o.split] - o.centre_s)
    hw = k * (point[1 - o.split] - o.centre_w)
    hz = k * (point[2] - o.centre_z)
    e = math.sqrt(hs * hs + hw * hw + hz * hz)
    hs, hw, hz = hs / e, hw / e, hz / e
    return Emission(
        e, hs, hw, hz, ts, tw, tz, as_, aw, az, bs, bw, bz,
        hs * ts + hw * tw + hz * tz,
        hs * as_ + hw * aw + hz * az,
        hs * bs + hw * bw + hz * bz,
        hs * o.flat_s + hw * o.flat_w + hz * o.flat_z,
    )  # fmt: skip


@njit(inline="always")
def _along(track: Emission, s: float, w: float, z: float) -> tuple[float, float]:
    """Component of CD along CE, and the square of that across it."""
    along = s * track.h_s + w * track.h_w + z * track.h_z
    return along, s * s + w * w + z * z - along * along


@njit(inline="always")
def arc_tangent2(y: float, x: float) -> float:
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
    o: Mirrors, track: Emission, s: float, w: float, z: float, sigma: float, cosine: float
) -> tuple[float, float]:
    """Angles θ and φ of the light that goes from E to D by a solution; NaN if it cannot.

    The point of reflection is M = g h + σ CD with g = cos β − σ CD·h.
    """
    g = cosine - sigma * (s * track.h_s + w * track.h_w + z * track.h_z)
    own_half = g * track.h_s + sigma * s > o.edge
    seen = s * o.flat_s + w * o.flat_w + z * o.flat_z
    reflected = g * track.h_flat + sigma * seen
    crosses = (seen - o.flat_offset) * (reflected - o.flat_offset) < 0.0
    g -= track.e
    t = g * track.h_t + sigma * (s * track.t_s + w * track.t_w + z * track.t_z)
    a = g * track.h_a + sigma * (s * track.a_s + w * track.a_w + z * track.a_z)
    b = g * track.h_b + sigma * (s * track.b_s + w * track.b_w + z * track.b_z)
    theta = arc_tangent2(np.sqrt(a * a + b * b), t)
    ok = own_half & crosses & (t > 0.0)
    return (theta if ok else np.nan), (arc_tangent2(b, a) if ok else np.nan)


@njit(inline="always")
def _reconstruct(o: Mirrors, track: Emission, s: float, w: float, z: float) -> tuple[float, float]:
    """Angles of one pair without a branch; θ is `_UNSOLVED` if that takes the fallback."""
    along, across2 = _along(track, s, w, z)
    sigma, cosine, good = solve(track.e, along, across2)
    theta, phi = _angles(o, track, s, w, z, sigma, cosine)
    return (theta if good else _UNSOLVED), phi


@njit(cache=True, error_model="numpy", nogil=True)
def _fall_back(o: Mirrors, track: Emission, s: float, w: float, z: float) -> tuple[float, float]:
    """Angles of one pair that `_reconstruct` has left."""
    along, across2 = _along(track, s, w, z)
    sigma, cosine = bisect(track.e, along, across2)
    return _angles(o, track, s, w, z, sigma, cosine)


@njit(cache=True, error_model="numpy", fastmath=FAST, nogil=True)
def pair_angles(
    o: Mirrors,
    emission: Floats,
    direction: Floats,
    hits: Floats,
    panel: Panels,
    theta: Floats,
    phi: Floats,
) -> None:
    """Angles of pairs, each with a track of its own."""
    for i in range(theta.size):
        track = prepare_track(o, 1.0 - 2.0 * panel[i], emission[i], direction[i])
        here = slice(i, i + 1)
        s, w, z = hits[0, here], hits[1, here], hits[2, here]
        block_angles(o, track, s, w, z, theta[here], phi[here])


@njit(cache=True, error_model="numpy", fastmath=FAST, nogil=True)
def block_angles(
    o: Mirrors, track: Emission, s: Floats, w: Floats, z: Floats, theta: Floats, phi: Floats
) -> None:
    """Angles of one track with hits of one half."""
    if o.curvature != 0.0:
        curved_block(o, track, s, w, z, theta, phi, SOLUTIONS)
        return
    for i in range(theta.size):
        theta[i], phi[i] = _reconstruct(o, track, s[i], w[i], z[i])
    for i in range(theta.size):
        if theta[i] == _UNSOLVED:
            theta[i], phi[i] = _fall_back(o, track, s[i], w[i], z[i])


@njit(inline="always")
def _image(o: Mirrors, track: Emission) -> tuple[float, float, float]:
    """Where light along the track itself falls on the photon plane; NaN if it does not."""
    path = np.sqrt(track.e * track.e * (track.h_t * track.h_t - 1.0) + 1.0) - track.e * track.h_t
    s = track.e * track.h_s + path * track.t_s
    w = track.e * track.h_w + path * track.t_w
    z = track.e * track.h_z + path * track.t_z
    k = 2.0 * (s * track.t_s + w * track.t_w + z * track.t_z)
    ds, dw, dz = track.t_s - k * s, track.t_w - k * w, track.t_z - k * z
    path = o.plane_offset - (s * o.plane_s + w * o.plane_w + z * o.plane_z)
    path /= ds * o.plane_s + dw * o.plane_w + dz * o.plane_z
    return s + path * ds, w + path * dw, z + path * dz


@njit(inline="always")
def _near(
    hits: Floats,
    first: int,
    end: int,
    centre: tuple[float, float, float],
    radius: float,
    near: Indices,
) -> int:
    """Indices into `near` of the hits from `first` to `end` about a centre; how many."""
    n = 0
    for i in range(first, end):
        near[n] = i
        s, w, z = hits[0, i] - centre[0], hits[1, i] - centre[1], hits[2, i] - centre[2]
        n += 1 if s * s + w * w + z * z < radius * radius else 0
    return n


@njit(cache=True, error_model="numpy", fastmath=FAST, nogil=True)
def candidates(
    o: Mirrors,
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
        for panel in range(2):
            track = prepare_track(o, 1.0 - 2.0 * panel, emission[j], direction[j])
            if not track.e < 1.0:
                continue
            first, end = (0, split) if panel == 0 else (split, n_hits)
            centre = _image(o, track) if o.curvature == 0.0 else curved_image(o, track)
            count = _near(hits, first, end, centre, window, near)
            for i in range(count):
                k = near[i]
                point[0, i], point[1, i], point[2, i] = hits[0, k], hits[1, k], hits[2, k]
            block_angles(o, track, point[0], point[1], point[2], theta_j[:count], phi_j[:count])
            for i in range(count):
                hit[n], theta[n], phi[n] = near[i], theta_j[i], phi_j[i]
                n += 0 if np.isnan(theta_j[i]) else 1
        offsets[j + 1] = n
    return hit[:n].copy(), theta[:n].copy(), phi[:n].copy()
