"""Rays through a RICH: spherical mirror, second mirror, photon plane, in both halves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hepcnn.detector.geometry import RichGeometry, unit
from hepcnn.detector.optics_kernels import Floats, optics, photon_images, ray_images


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
    if geometry.curvature:
        return _trace_curved(geometry, position.T, direction.T)
    n = position.shape[1]
    u, v, panel = np.empty(n), np.empty(n), np.empty(n, np.int8)
    rays = (np.ascontiguousarray(a, np.float64) for a in (position, direction))
    ray_images(optics(geometry), *rays, u, v, panel)
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
    if geometry.curvature:
        return _trace_curved(geometry, *_rays(entry, exit, offsets, cosine, along, turns))
    n = cosine.size
    u, v, panel = np.empty(n), np.empty(n), np.empty(n, np.int8)
    photon_images(optics(geometry), entry, exit, offsets, cosine, along, turns, u, v, panel)
    return u, v, panel


def _rays(
    entry: Floats,
    exit: Floats,
    offsets: NDArray[np.int64],
    cosine: Floats,
    along: Floats,
    turns: Floats,
) -> tuple[Floats, Floats]:
    """Emission points and directions (n, 3) of the photons of `trace_photons`."""
    segment = exit - entry
    t = segment / np.linalg.norm(segment, axis=1, keepdims=True)
    a = np.cross([0.0, 1.0, 0.0], t)
    a /= np.linalg.norm(a, axis=1, keepdims=True)
    b = np.cross(t, a)
    track = np.repeat(np.arange(len(entry)), np.diff(offsets))
    sine, phi = np.sqrt(1 - cosine**2), 2 * np.pi * turns
    parts = zip((cosine, sine * np.cos(phi), sine * np.sin(phi)), (t, a, b), strict=True)
    direction = sum((size[:, None] * axis[track] for size, axis in parts), np.zeros(3))
    return entry[track] + along[:, None] * segment[track], direction


def _trace_curved(
    geometry: RichGeometry, position: Floats, direction: Floats
) -> tuple[Floats, Floats, NDArray[np.int8]]:
    """As `trace_rays`, of rays (n, 3), for a curved second mirror.

    From the point where it touches its plane, its points r are those with n·r = κ r²/2 for a
    normal n and curvature κ, and there its normal is n − κ r. This holds for a plane too (κ = 0).
    """
    panel = (to_sphere(geometry, position, direction)[:, geometry.split] < 0).astype(np.int8)
    position, direction = (_mirror(geometry, a, panel) for a in (position, direction))
    position = to_sphere(geometry, position, direction)
    normal = position - np.array(geometry.spherical_mirror.centre)
    direction = _reflected(direction, normal / geometry.spherical_mirror.radius)

    n, curvature = unit(geometry.flat_mirror.normal), geometry.curvature
    r = position - np.array(geometry.flat_mirror.point)
    a = curvature
    b = curvature * (r * direction).sum(1) - direction @ n
    c = curvature * (r**2).sum(1) - 2 * r @ n
    with np.errstate(invalid="ignore"):
        # Of a t² + 2 b t + c = 0 the solution that a plane has, in a form without cancellation.
        to_second = -c / (b + np.copysign(np.sqrt(b**2 - a * c), b))
    r += to_second[:, None] * direction
    direction = _reflected(direction, n - curvature * r)

    axes = geometry.photon_plane.axes
    r -= np.array(geometry.photon_plane.centre) - np.array(geometry.flat_mirror.point)
    to_plane = -(r @ axes[2]) / (direction @ axes[2])
    u, v = axes[:2] @ (r + to_plane[:, None] * direction).T
    return np.where((to_second > 0) & (to_plane > 0), u, np.nan), v, panel


def _reflected(direction: Floats, normal: Floats) -> Floats:
    """Directions (n, 3) after a reflection on surfaces with unit normals (n, 3)."""
    return direction - 2 * (direction * normal).sum(1, keepdims=True) * normal


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
