"""Photon tracing against its numpy form, and events a second of the simulation, in one run.

python -m benchmarks simulation
"""

from __future__ import annotations

import numpy as np

from benchmarks.harness import row, seconds, sized
from hepcnn.config import RichSimulation
from hepcnn.detector.geometry import RichGeometry, load_geometry, unit
from hepcnn.detector.optics import to_sphere, trace_photons
from hepcnn.simulation.rich.generate import simulate

PHOTONS, TRACKS, EVENTS = sized((60, 500, 100), (60, 20, 2))


def numpy_photons(
    geometry: RichGeometry,
    entry: np.ndarray,
    exit: np.ndarray,
    offsets: np.ndarray,
    cosine: np.ndarray,
    along: np.ndarray,
    turns: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`trace_photons` in vectorised numpy."""
    index = np.repeat(np.arange(len(entry)), np.diff(offsets))
    length = exit - entry
    direction = length / np.linalg.norm(length, axis=1, keepdims=True)
    a = np.cross([0.0, 1.0, 0.0], direction)
    a /= np.linalg.norm(a, axis=1, keepdims=True)
    b = np.cross(direction, a)
    sine, phi = np.sqrt(1 - cosine**2), 2 * np.pi * turns
    ray = cosine[:, None] * direction[index]
    ray += (sine * np.cos(phi))[:, None] * a[index] + (sine * np.sin(phi))[:, None] * b[index]
    point = entry[index] + along[:, None] * length[index]
    lower = to_sphere(geometry, point, ray)[:, geometry.split] < 0
    for vectors in (point, ray):
        vectors[lower, geometry.split] *= -1
    centre = np.array(geometry.spherical_mirror.centre)
    radius = geometry.spherical_mirror.radius
    q = point - centre
    b = (q * ray).sum(1)
    q += (-b + np.sqrt(b**2 - (q**2).sum(1) + radius**2))[:, None] * ray
    normal = q / radius
    ray -= 2 * (ray * normal).sum(1)[:, None] * normal
    point = q + centre
    flat, plane = unit(geometry.flat_mirror.normal), geometry.photon_plane
    t = (np.array(geometry.flat_mirror.point) - point) @ flat / (ray @ flat)
    point += t[:, None] * ray
    ray -= 2 * (ray @ flat)[:, None] * flat
    u_axis, v_axis, normal = plane.axes
    t = (np.array(plane.centre) - point) @ normal / (ray @ normal)
    point += t[:, None] * ray - np.array(plane.centre)
    return point @ u_axis, point @ v_axis, lower


def photons(geometry: RichGeometry) -> tuple[np.ndarray, ...]:
    """Arguments of the tracing: saturated rings of tracks all over the acceptance."""
    rng = np.random.default_rng(0)
    limit = [geometry.acceptance.horizontal, geometry.acceptance.vertical]
    slope = rng.uniform(-0.9, 0.9, (TRACKS, 2)) * limit
    direction = np.concatenate([slope, np.ones((TRACKS, 1))], axis=1)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    entry = direction * geometry.radiator.entry_z / direction[:, 2:]
    offsets = np.arange(TRACKS + 1) * PHOTONS
    along, turns = rng.random((2, offsets[-1]))
    exit = to_sphere(geometry, entry, direction)
    return entry, exit, offsets, np.full(offsets[-1], np.cos(0.05)), along, turns


def tracing(name: str, rich: RichGeometry) -> None:
    """Tracing of rings against the same in vectorised numpy."""
    arguments = photons(rich)
    u, v, panel = trace_photons(rich, *arguments)
    for kernel, plain in zip((u, v, panel), numpy_photons(rich, *arguments), strict=True):
        np.testing.assert_allclose(np.asarray(kernel), plain, atol=1e-5)
    taken = seconds(
        {
            "ours": lambda: trace_photons(rich, *arguments),
            "numpy": lambda: numpy_photons(rich, *arguments),
        }
    )
    millions = TRACKS * PHOTONS / 1e6
    row(
        f"photon tracing, {name} / numpy",
        f"{millions / taken['ours']:.0f} M photons/s",
        f"{millions / taken['numpy']:.1f} M photons/s",
        taken["numpy"] / taken["ours"],
        goal=50,
    )


def main() -> None:
    """Print all rows."""
    geometry = load_geometry("lhcb-run3")
    for name, rich in geometry.items():
        tracing(name, rich)
    settings = RichSimulation()

    def events() -> None:
        for _ in simulate(settings, geometry, np.random.default_rng(1), EVENTS):
            pass

    taken = seconds({"events": events}, 3)["events"]
    print(f"simulation: {EVENTS / taken:.0f} events/s of {settings.tracks:.0f} tracks, one core")
