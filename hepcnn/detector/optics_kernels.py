"""The compiled part of `optics`, for a plane second mirror.

The kernels take one component after the other ("SoA"), have no branches and draw sine and cosine
from polynomials, so that the compiler can vectorise them.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hepcnn.detector.geometry import RichGeometry, unit

Floats = NDArray[np.float64]

# NaN marks rays that miss, so "nnan" and "ninf" of the full fast-math set must stay out.
_FAST = {"contract", "reassoc", "arcp", "nsz"}


class Optics(NamedTuple):
    """The numbers of one RICH that the kernels need: panel 0's mirrors and photon plane.

    A plane is the points r with ``n·r = offset``. The flat mirror is folded away: `plane`, `u`
    and `v` are the photon plane and its axes as seen in it, and a ray goes on straight through
    it. `split_x` and `split_y` are 1 for the coordinate that tells the halves apart and 0 for the
    other.
    """

    split_x: float
    split_y: float
    sphere_x: float
    sphere_y: float
    sphere_z: float
    radius: float
    flat_x: float
    flat_y: float
    flat_z: float
    flat_offset: float
    plane_x: float
    plane_y: float
    plane_z: float
    plane_offset: float
    u_x: float
    u_y: float
    u_z: float
    u_offset: float
    v_x: float
    v_y: float
    v_z: float
    v_offset: float


def optics(geometry: RichGeometry) -> Optics:
    """Collect the numbers that the kernels need."""
    flat = unit(geometry.flat_mirror.normal)
    flat_offset = flat @ np.array(geometry.flat_mirror.point)
    axes = geometry.photon_plane.axes
    u, v, plane = axes - 2 * (axes @ flat)[:, None] * flat
    centre = np.array(geometry.photon_plane.centre)
    centre = centre - 2 * (centre @ flat - flat_offset) * flat
    numbers = [
        float(geometry.split == 0),
        float(geometry.split == 1),
        *geometry.spherical_mirror.centre,
        geometry.spherical_mirror.radius,
        *flat,
        flat_offset,
    ]
    for axis in (plane, u, v):
        numbers += [*axis, axis @ centre]
    return Optics(*map(float, numbers))


@njit(inline="always")
def sincos_turns(turns: float) -> tuple[float, float]:
    """Sine and cosine of 2π·turns for 0 <= turns < 1, to 4e-9.

    Taylor polynomials on an eighth of a turn either side of the nearest quarter.
    """
    quarter = np.floor(turns * 4.0 + 0.5)
    x = (turns - quarter * 0.25) * (2.0 * math.pi)
    x2 = x * x
    s = x * (1.0 + x2 * (-1 / 6 + x2 * (1 / 120 + x2 * (-1 / 5040 + x2 * (1 / 362880)))))
    c = 1.0 + x2 * (-0.5 + x2 * (1 / 24 + x2 * (-1 / 720 + x2 * (1 / 40320 - x2 / 3628800))))
    q = np.int32(quarter) & 3
    sine = s if (q & 1) == 0 else c
    cosine = c if (q & 1) == 0 else s
    return (
        -sine if (q & 2) != 0 else sine,
        -cosine if ((q + 1) & 2) != 0 else cosine,
    )


@njit(inline="always")
def _half(o: Optics, x: float, y: float, z: float, dx: float, dy: float, dz: float) -> float:
    """+1 if a ray meets the spherical mirror of panel 0, -1 if of panel 1.

    The halves and their two spheres meet in the plane where the split coordinate s is 0. The ray
    ends in the other half if it moves towards that plane and crosses it inside the sphere, at
    t = -s/ds: |q + t d|² < R² for q from the centre, here multiplied by ds² to save a division.
    """
    qx, qy, qz = x - o.sphere_x, y - o.sphere_y, z - o.sphere_z
    s = o.split_x * x + o.split_y * y
    ds = o.split_x * dx + o.split_y * dy
    b = qx * dx + qy * dy + qz * dz
    c = qx * qx + qy * qy + qz * qz - o.radius * o.radius
    crosses = (s * ds < 0.0) & (c * ds * ds - 2.0 * b * s * ds + s * s < 0.0)
    return 1.0 if (ds if crosses else s) >= 0.0 else -1.0


@njit(inline="always")
def _image(
    o: Optics, x: float, y: float, z: float, dx: float, dy: float, dz: float
) -> tuple[float, float, float]:
    """Point (u, v) where a ray ends on the photon plane, and its half; u is NaN if it misses."""
    side = _half(o, x, y, z, dx, dy, dz)
    fx = 1.0 + o.split_x * (side - 1.0)
    fy = 1.0 + o.split_y * (side - 1.0)
    x, dx = x * fx, dx * fx
    y, dy = y * fy, dy * fy
    qx, qy, qz = x - o.sphere_x, y - o.sphere_y, z - o.sphere_z
    b = qx * dx + qy * dy + qz * dz
    t = -b + np.sqrt(b * b - (qx * qx + qy * qy + qz * qz - o.radius * o.radius))
    x, y, z = x + t * dx, y + t * dy, z + t * dz
    per_radius = 1.0 / o.radius
    nx, ny, nz = (
        (qx + t * dx) * per_radius,
        (qy + t * dy) * per_radius,
        (qz + t * dz) * per_radius,
    )
    k = 2.0 * (dx * nx + dy * ny + dz * nz)
    dx, dy, dz = dx - k * nx, dy - k * ny, dz - k * nz
    in_front = x * o.flat_x + y * o.flat_y + z * o.flat_z - o.flat_offset
    k = dx * o.plane_x + dy * o.plane_y + dz * o.plane_z
    t = (o.plane_offset - (x * o.plane_x + y * o.plane_y + z * o.plane_z)) / k
    x, y, z = x + t * dx, y + t * dy, z + t * dz
    behind = x * o.flat_x + y * o.flat_y + z * o.flat_z - o.flat_offset
    u = x * o.u_x + y * o.u_y + z * o.u_z - o.u_offset
    v = x * o.v_x + y * o.v_y + z * o.v_z - o.v_offset
    ok = (t > 0.0) & (in_front * behind < 0.0)
    return (u if ok else np.nan), v, side


@njit(cache=True, error_model="numpy", fastmath=_FAST, nogil=True)
def ray_images(
    o: Optics,
    position: Floats,
    direction: Floats,
    u: Floats,
    v: Floats,
    panel: NDArray[np.int8],
) -> None:
    """As `optics.trace_rays`, into `u`, `v` and `panel`."""
    for i in range(u.size):
        u[i], v[i], side = _image(
            o,
            position[0, i],
            position[1, i],
            position[2, i],
            direction[0, i],
            direction[1, i],
            direction[2, i],
        )
        panel[i] = 0 if side > 0.0 else 1


@njit(cache=True, error_model="numpy", fastmath=_FAST, nogil=True)
def photon_images(
    o: Optics,
    entry: Floats,
    exit: Floats,
    offsets: NDArray[np.int64],
    cosine: Floats,
    along: Floats,
    turns: Floats,
    u: Floats,
    v: Floats,
    panel: NDArray[np.int8],
) -> None:
    """As `optics.trace_photons`, into `u`, `v` and `panel`."""
    for j in range(offsets.size - 1):
        px, py, pz = entry[j, 0], entry[j, 1], entry[j, 2]
        lx, ly, lz = exit[j, 0] - px, exit[j, 1] - py, exit[j, 2] - pz
        k = 1.0 / math.sqrt(lx * lx + ly * ly + lz * lz)
        tx, ty, tz = lx * k, ly * k, lz * k
        # Two unit vectors at right angles to the track, which is never along y.
        k = 1.0 / math.sqrt(tx * tx + tz * tz)
        ax, az = tz * k, -tx * k
        bx, by, bz = ty * az, tz * ax - tx * az, -ty * ax
        # Slices, since only indices from 0 let the compiler vectorise.
        here = slice(offsets[j], offsets[j + 1])
        cosine_j, along_j, turns_j = cosine[here], along[here], turns[here]
        u_j, v_j, panel_j = u[here], v[here], panel[here]
        for i in range(u_j.size):
            c = cosine_j[i]
            s = np.sqrt(1.0 - c * c)
            sin_phi, cos_phi = sincos_turns(turns_j[i])
            a = s * cos_phi
            b = s * sin_phi
            f = along_j[i]
            u_j[i], v_j[i], side = _image(
                o,
                px + f * lx,
                py + f * ly,
                pz + f * lz,
                c * tx + a * ax + b * bx,
                c * ty + b * by,
                c * tz + a * az + b * bz,
            )
            panel_j[i] = 0 if side > 0.0 else 1
