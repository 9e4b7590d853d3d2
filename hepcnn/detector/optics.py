"""Rays through a RICH: spherical mirror, flat mirror, photon plane, in both halves.

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
def _sincos_turns(turns: float) -> tuple[float, float]:
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
def _trace_rays(
    o: Optics,
    position: Floats,
    direction: Floats,
    u: Floats,
    v: Floats,
    panel: NDArray[np.int8],
) -> None:
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
def _trace_photons(
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
            sin_phi, cos_phi = _sincos_turns(turns_j[i])
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


def trace_rays(
    geometry: RichGeometry, position: Floats, direction: Floats
) -> tuple[Floats, Floats, NDArray[np.int8]]:
    """Trace rays from inside the gas to the photon plane.

    Parameters
    ----------
    geometry : RichGeometry
        The RICH.
    position, direction : array (3, n)
        Start (mm) and unit vector of each ray, LHCb frame.

    Returns
    -------
    u, v : float64 array (n,)
        Where the ray ends on the plane of its panel (mm from the centre); u is NaN for a ray
        that does not go through the optics. The plane is unbounded here.
    panel : int8 array (n,)
        Half of the RICH: 0 or 1.
    """
    n = position.shape[1]
    u, v, panel = np.empty(n), np.empty(n), np.empty(n, np.int8)
    rays = (np.ascontiguousarray(a, np.float64) for a in (position, direction))
    _trace_rays(optics(geometry), *rays, u, v, panel)
    return u, v, panel


def trace_photons(
    geometry: RichGeometry,
    entry: Floats,
    exit: Floats,
    offsets: NDArray[np.int64],
    cosine: Floats,
    along: Floats,
    turns: Floats,
) -> tuple[Floats, Floats, NDArray[np.int8]]:
    """Trace Cherenkov photons of straight track segments to the photon plane.

    Parameters
    ----------
    geometry : RichGeometry
        The RICH.
    entry, exit : float64 array (m, 3)
        Ends of each track's segment in the gas (mm).
    offsets : int64 array (m + 1,)
        Photons ``offsets[j]`` to ``offsets[j + 1]`` are track j's.
    cosine, along, turns : float64 array (n,)
        Of each photon the cosine of the Cherenkov angle, the emission point as a fraction of the
        segment, and the azimuth about the track in turns, 0 <= turns < 1.

    Returns
    -------
    u, v, panel
        As of `trace_rays`.
    """
    n = cosine.size
    u, v, panel = np.empty(n), np.empty(n), np.empty(n, np.int8)
    _trace_photons(optics(geometry), entry, exit, offsets, cosine, along, turns, u, v, panel)
    return u, v, panel


def to_sphere(geometry: RichGeometry, position: Floats, direction: Floats) -> Floats:
    """Point (n, 3) where rays (n, 3) from inside the gas meet the spherical mirror.

    NaN for a ray that starts outside the sphere and misses it.
    """
    n = len(position)
    centre = np.tile(np.array(geometry.spherical_mirror.centre), (n, 1))
    radius = geometry.spherical_mirror.radius

    def distance(about: Floats) -> Floats:
        q = position - about
        b = (q * direction).sum(1)
        with np.errstate(invalid="ignore"):
            return -b + np.sqrt(b**2 - (q**2).sum(1) + radius**2)

    split = geometry.split
    point = position + distance(centre)[:, None] * direction
    centre[point[:, split] < 0, split] *= -1
    return position + distance(centre)[:, None] * direction


def project_tracks(
    geometry: RichGeometry, entry: Floats, direction: Floats, exit: Floats
) -> tuple[NDArray[np.int8], Floats, NDArray[np.bool_]]:
    """Project tracks on the photon plane: the points around which their rings lie.

    A track is reflected like a photon emitted along it from the middle of its segment.

    Parameters
    ----------
    geometry : RichGeometry
        The RICH.
    entry, direction, exit : array (n, 3)
        Entry into the gas (mm), unit vector, exit (mm), LHCb frame. NaN: not in this RICH.

    Returns
    -------
    panel : int8 array (n,)
        Half of the RICH, 0 or 1; -1 for a track that is not in this RICH or whose ray does not
        go through the optics.
    point : float64 array (n, 3)
        On the photon plane (mm, LHCb frame); NaN where `panel` is -1.
    inside : bool array (n,)
        Whether the point is on the sensitive panel.
    """
    middle = (np.asarray(entry, np.float64) + np.asarray(exit, np.float64)) / 2
    u, v, panel = trace_rays(geometry, middle.T, np.asarray(direction).T)
    hit = np.isfinite(u) & np.isfinite(v)
    panel[~hit] = -1
    plane = np.stack([u, v], axis=1)
    plane[~hit] = np.nan
    return panel, from_plane(geometry, plane, panel), on_panel(geometry, plane)


def on_panel(geometry: RichGeometry, plane: Floats) -> NDArray[np.bool_]:
    """Whether points (n, 2) in the panel's plane are on the sensitive panel."""
    return np.asarray((np.abs(plane) < np.array(geometry.photon_plane.half_size)).all(axis=1))


def _mirror(geometry: RichGeometry, point: Floats, panel: NDArray[np.int8]) -> Floats:
    """Points (n, 3) as seen in panel 0: those of panel 1 are mirrored."""
    mirrored = np.array(point, dtype=np.float64)
    mirrored[np.asarray(panel) == 1, geometry.split] *= -1
    return mirrored


def plane_coordinates(
    geometry: RichGeometry, point: Floats, panel: NDArray[np.int8]
) -> NDArray[np.float32]:
    """Coordinates (u, v) in the plane of a panel.

    Parameters
    ----------
    geometry : RichGeometry
        The RICH.
    point : array (n, 3)
        Points on the photon plane (mm, LHCb frame).
    panel : int8 array (n,)
        Their panels; the axes of panel 1 are the mirror image of panel 0's.

    Returns
    -------
    float32 array (n, 2)
        (u, v) in mm from the panel's centre.
    """
    relative = _mirror(geometry, point, panel) - np.array(geometry.photon_plane.centre)
    return (relative @ geometry.photon_plane.axes[:2].T).astype(np.float32)


def from_plane(geometry: RichGeometry, plane: Floats, panel: NDArray[np.int8]) -> Floats:
    """Points (n, 3) in the LHCb frame of (u, v) on panels; inverse of `plane_coordinates`."""
    centre = np.array(geometry.photon_plane.centre)
    point = centre + np.asarray(plane, np.float64) @ geometry.photon_plane.axes[:2]
    return _mirror(geometry, point, panel)
