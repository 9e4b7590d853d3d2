"""A reference reconstruction of Cherenkov angles, for tests only: slow, plain and independent."""

from __future__ import annotations

import numpy as np

from hepcnn.detector.geometry import RichGeometry, unit
from hepcnn.events.schema import RichEvents


def reflection_points(emission, detection, centre, radius):
    """Points (n, 3) on a sphere where light from `emission` goes to `detection`.

    In the plane of the three points, the angle β from C→E to C→M solves
    e sin β |D - M| = (d_y cos β - d_x sin β) |E - M|: equal angles to the normal. Newton's method
    from the paraxial solution.
    """
    ce, cd = emission - centre, detection - centre
    e = np.linalg.norm(ce, axis=1)
    x = ce / e[:, None]
    dx = (cd * x).sum(1)
    across = cd - dx[:, None] * x
    dy = np.linalg.norm(across, axis=1)
    y = across / dy[:, None]
    d2 = dx**2 + dy**2

    def equation(b):
        to_d = np.sqrt(radius**2 + d2 - 2 * radius * (dx * np.cos(b) + dy * np.sin(b)))
        to_e = np.sqrt(radius**2 + e**2 - 2 * e * radius * np.cos(b))
        return e * np.sin(b) * to_d - (dy * np.cos(b) - dx * np.sin(b)) * to_e

    b = dy / (radius - dx) / (e / (radius - e) + dx / (radius - dx))
    for _ in range(8):
        step = 1e-6
        slope = (equation(b + step) - equation(b - step)) / (2 * step)
        b = b - equation(b) / slope
    return centre + radius * (np.cos(b)[:, None] * x + np.sin(b)[:, None] * y)


def cherenkov_angles(geometry: RichGeometry, emission, direction, hit, panel):
    """Cherenkov angle and azimuth (rad) of hits (n, 3), given emission points and directions."""
    flip = np.ones((len(hit), 3))
    flip[np.asarray(panel) == 1, geometry.split] = -1
    emission, direction, hit = emission * flip, direction * flip, hit * flip
    flat = unit(geometry.flat_mirror.normal)
    distance = (hit - np.array(geometry.flat_mirror.point)) @ flat
    virtual = hit - 2 * distance[:, None] * flat
    sphere = geometry.spherical_mirror
    mirror = reflection_points(emission, virtual, np.array(sphere.centre), sphere.radius)
    ray = mirror - emission
    ray /= np.linalg.norm(ray, axis=1, keepdims=True)
    horizontal = np.cross(direction, [0.0, 1.0, 0.0])
    horizontal /= np.linalg.norm(horizontal, axis=1, keepdims=True)
    vertical = np.cross(direction, horizontal)
    theta = np.arctan2(np.linalg.norm(np.cross(direction, ray), axis=1), (direction * ray).sum(1))
    phi = np.arctan2((ray * vertical).sum(1), (ray * horizontal).sum(1))
    return theta, phi


def reconstruct(events: RichEvents, rich: str, geometry: RichGeometry):
    """Angles of the hits of listed tracks, with the middle of the segment as emission point.

    Returns
    -------
    track : index of the track in the chunk, theta, phi : arrays (n,)
    """
    event = np.repeat(np.arange(len(events)), np.diff(events.hit_offsets))
    mine = (events.hits["rich"] == int(rich[-1])) & (events.hits["track"] >= 0)
    track = (events.track_offsets[event] + events.hits["track"])[mine]
    ends = (events.tracks[f"{rich}_{end}"].astype(float)[track] for end in ("entry", "exit"))
    theta, phi = cherenkov_angles(
        geometry,
        sum(ends) / 2,
        events.tracks[f"{rich}_direction"].astype(float)[track],
        events.hits["position"].astype(float)[mine],
        events.hits["panel"][mine],
    )
    return track, theta, phi
