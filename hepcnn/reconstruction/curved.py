"""Cherenkov angles with a second mirror that is a nearly plane sphere.

Such a mirror reflects a ray as does the plane that touches it where the ray meets it, at P. So the
quartic is solved with the hit reflected in the plane at a first guess of P, that where light along
the track itself would meet the mirror. The ray of the solution meets the mirror at a better P, and
so on.

A P that is off by δ turns the normal by κδ, for a curvature κ, and moves the hit as it is seen. The
solution's ray comes from the emission point's image by the spherical mirror, at the distance B from
P, so that of a hit's shift at the distance L beyond P it makes B/(B + L) at P. With the distance d
of the hit from the plane at P and the angle of incidence i, what is left of δ is

    J δ,   J = 2κd B/(B + L) across the plane of incidence, and 1/cos²i times that within it.

J is up to 0.08 for a radius of 80 m in RICH2. It being known, each step goes on by J/(1 − J) of
itself (Newton's method). The largest errors of a direction (µrad), over all tracks, points of
emission and angles up to 50 mrad in RICH2, after so many quartics:

    ========  ======  ====  ======  =====
    radius         1     2       3      4
    ========  ======  ====  ======  =====
    80 m        3600    13   0.012  1e-05
    20 m       14000   150    0.78  0.004
    -20 m      14000   300    0.75  0.002
    ========  ======  ====  ======  =====

Coordinates, units and what is no photon (NaN) are as in `photon_kernels`. Unlike there, this is
plain code: one pair after the other.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hepcnn.reconstruction.quartic import bisect, solve

if TYPE_CHECKING:
    from hepcnn.reconstruction.photon_kernels import Emission, Mirrors

Floats = NDArray[np.float64]
Vector = tuple[float, float, float]

#: Quartics solved for a pair.
SOLUTIONS = 3


@njit(inline="always")
def _dot(a: Vector, b: Vector) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@njit(inline="always")
def _plus(a: Vector, k: float, b: Vector) -> Vector:
    """The vector a + k b."""
    return a[0] + k * b[0], a[1] + k * b[1], a[2] + k * b[2]


@njit(inline="always")
def _less(a: Vector, b: Vector) -> Vector:
    return a[0] - b[0], a[1] - b[1], a[2] - b[2]


@njit(inline="always")
def _times(k: float, a: Vector) -> Vector:
    return k * a[0], k * a[1], k * a[2]


@njit(inline="always")
def _plane(o: Mirrors) -> tuple[Vector, Vector]:
    """The plane that the second mirror touches: where it does, and the normal."""
    return (o.touch_s, o.touch_w, o.touch_z), (o.flat_s, o.flat_w, o.flat_z)


@njit(inline="always")
def _emission(track: Emission) -> Vector:
    return _times(track.e, (track.h_s, track.h_w, track.h_z))


@njit(inline="always")
def _reflected(point: Vector, at: Vector, normal: Vector) -> Vector:
    """A point as seen in the plane through another one."""
    return _plus(point, -2.0 * _dot(_less(point, at), normal), normal)


@njit(inline="always")
def _normal(o: Mirrors, at: Vector) -> Vector:
    """The second mirror's normal at one of its points, of length 1."""
    touch, n = _plane(o)
    return _plus(n, -o.curvature, _less(at, touch))


@njit(cache=True, error_model="numpy", nogil=True)
def _to_mirror(o: Mirrors, start: Vector, ray: Vector) -> float:
    """How many times a ray fits between its start and the second mirror.

    From `touch` the mirror's points are r with n·r = κ r²/2. Of the two solutions this is the one
    that a plane has, in a form without cancellation.
    """
    touch, n = _plane(o)
    r = _less(start, touch)
    a = o.curvature * _dot(ray, ray)
    b = o.curvature * _dot(r, ray) - _dot(n, ray)
    c = o.curvature * _dot(r, r) - 2.0 * _dot(n, r)
    return -c / (b + math.copysign(np.sqrt(b * b - a * c), b))


@njit(cache=True, error_model="numpy", nogil=True)
def _own_light(o: Mirrors, track: Emission) -> tuple[Vector, Vector]:
    """Where light along the track meets the second mirror, and the direction it comes from."""
    start, ray = _emission(track), (track.t_s, track.t_w, track.t_z)
    b = _dot(start, ray)
    mirror = _plus(start, np.sqrt(b * b + 1.0 - track.e * track.e) - b, ray)
    ray = _plus(ray, -2.0 * _dot(ray, mirror), mirror)
    return _plus(mirror, _to_mirror(o, mirror, ray), ray), ray


@njit(cache=True, error_model="numpy", nogil=True)
def curved_image(o: Mirrors, track: Emission) -> Vector:
    """Where light along the track falls on the photon plane, as seen like hits are; or NaN."""
    touch, n = _plane(o)
    plane = (o.plane_s, o.plane_w, o.plane_z)
    at, ray = _own_light(o, track)
    normal = _normal(o, at)
    ray = _plus(ray, -2.0 * _dot(ray, normal), normal)
    at, ray = _reflected(at, touch, n), _plus(ray, -2.0 * _dot(ray, n), n)
    return _plus(at, (o.plane_offset - _dot(at, plane)) / _dot(ray, plane), ray)


@njit(cache=True, error_model="numpy", nogil=True)
def _solution(track: Emission, seen: Vector) -> Vector:
    """Where light to a hit as seen meets the spherical mirror."""
    h = (track.h_s, track.h_w, track.h_z)
    x = _dot(seen, h)
    across2 = _dot(seen, seen) - x * x
    sigma, cosine, good = solve(track.e, x, across2)
    if not good:
        sigma, cosine = bisect(track.e, x, across2)
    return _plus(_times(cosine - sigma * x, h), sigma, seen)


@njit(cache=True, error_model="numpy", nogil=True)
def _next(
    o: Mirrors, track: Emission, hit: Vector, at: Vector, mirror: Vector, ray: Vector, path: float
) -> Vector:
    """The next P, after a solution for the plane at P = `at`: the ray from `mirror` goes to it."""
    touch, n = _plane(o)
    normal, met = _normal(o, at), _plus(mirror, path, ray)
    step = _less(met, at)
    emitted = _less(mirror, _emission(track))
    behind = np.sqrt(_dot(emitted, emitted))
    behind /= 1.0 - 2.0 * behind
    ray2 = _dot(ray, ray)
    length = np.sqrt(ray2)
    across = 2.0 * o.curvature * _dot(_less(hit, at), normal)
    across *= (behind + path * length) / (behind + length)
    down = _dot(ray, normal)
    within = across * ray2 / (down * down)
    side = _plus(ray, -down, normal)
    side2 = _dot(side, side)
    across, within = across / (1.0 - across), within / (1.0 - within)
    t = (within - across) * _dot(step, side) / side2 if side2 > 0.0 else 0.0
    at = _plus(_plus(met, across, step), t, side)
    # Back on to the mirror.
    r = _less(at, touch)
    return _plus(at, 0.5 * o.curvature * _dot(r, r) - _dot(n, r), n)


@njit(cache=True, error_model="numpy", nogil=True)
def _angles(
    o: Mirrors, track: Emission, at: Vector, seen: Vector, solutions: int
) -> tuple[float, float]:
    """Angles θ and φ of one pair, from a first P and the hit as `photon_kernels.unfold` sees it."""
    touch, n = _plane(o)
    hit = _reflected(seen, touch, n)
    mirror, path, met = at, 0.0, at
    for _ in range(solutions):
        seen = _reflected(hit, at, _normal(o, at))
        mirror = _solution(track, seen)
        ray = _less(seen, mirror)
        path = _to_mirror(o, mirror, ray)
        met = _plus(mirror, path, ray)
        at = _next(o, track, hit, at, mirror, ray, path)
    ray = _less(mirror, _emission(track))
    t = _dot(ray, (track.t_s, track.t_w, track.t_z))
    a = _dot(ray, (track.a_s, track.a_w, track.a_z))
    b = _dot(ray, (track.b_s, track.b_w, track.b_z))
    normal = _normal(o, met)
    reflected = _dot(_less(mirror, met), normal) * _dot(_less(hit, met), normal) > 0.0
    if not (t > 0.0 and mirror[0] > o.edge and path > 0.0 and reflected):
        return np.nan, np.nan
    return math.atan2(math.hypot(a, b), t), math.atan2(b, a)


@njit(cache=True, error_model="numpy", nogil=True)
def curved_block(
    o: Mirrors,
    track: Emission,
    s: Floats,
    w: Floats,
    z: Floats,
    theta: Floats,
    phi: Floats,
    solutions: int,
) -> None:
    """As `photon_kernels.block_angles`, with so many quartics solved for each pair."""
    first, _ = _own_light(o, track)
    for i in range(theta.size):
        theta[i], phi[i] = _angles(o, track, first, (s[i], w[i], z[i]), solutions)
