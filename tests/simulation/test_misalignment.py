"""Turned mirror segments: images move as the optics say, and always alike."""

import numpy as np
import pytest

from hepcnn.detector.geometry import load_geometry
from hepcnn.detector.optics import to_sphere, trace_photons
from hepcnn.simulation.rich import misalignment
from hepcnn.simulation.rich.misalignment import move_images, rotations
from hepcnn.simulation.rich.rates import SEGMENT

GEOMETRY = load_geometry("lhcb-run3")
RICHES = pytest.mark.parametrize("rich", GEOMETRY)


def rays(geometry, n=2000, photons=10, seed=1):
    """Photons of tracks over the acceptance: the arguments of `trace_photons` after the first."""
    rng = np.random.default_rng(seed)
    limits = geometry.acceptance
    slope = rng.uniform(-0.7, 0.7, (n, 2)) * (limits.horizontal, limits.vertical)
    direction = np.column_stack([slope, np.ones(n)])
    entry = geometry.radiator.entry_z * direction
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    exit = to_sphere(geometry, entry, direction)
    m = n * photons
    cosine = np.cos(np.full(m, 0.03))
    return entry, exit, photons * np.arange(n + 1), cosine, rng.random(m), rng.random(m)


@RICHES
def test_segments_are_turned_alike_always_and_in_proportion(rich):
    once, twice = (rotations(GEOMETRY[rich], rms) for rms in (0.1, 0.2))
    np.testing.assert_array_equal(once, rotations(GEOMETRY[rich], 0.1))
    np.testing.assert_allclose(twice, 2 * once)
    assert once.std() == pytest.approx(1e-4, rel=0.1)
    assert abs(once.mean()) < 1e-5


def test_each_rich_has_segments_of_its_own():
    first, second = (rotations(g, 0.1) for g in GEOMETRY.values())
    assert not np.isclose(first, second).any()


@RICHES
def test_an_image_moves_as_with_a_turned_mirror(rich, monkeypatch):
    """All segments turned alike are a sphere about another centre, which the ray tracer knows."""
    geometry = GEOMETRY[rich]
    mirror, (u_axis, v_axis, _) = geometry.spherical_mirror, geometry.photon_plane.axes
    alpha = np.array([2e-4, -3e-4])
    monkeypatch.setattr(
        misalignment, "rotations", lambda geometry, rms: np.broadcast_to(alpha, (16, 16, 2))
    )
    given = rays(geometry)
    u, v, panel = trace_photons(geometry, *given)
    moved_u, moved_v = u.copy(), v.copy()
    move_images(geometry, 1.0, *given, moved_u, moved_v)
    # The image of a direction is about where the axis of the sphere is, seen in the flat mirror.
    flat = np.array(geometry.flat_mirror.normal) / np.linalg.norm(geometry.flat_mirror.normal)
    shift = mirror.radius * (alpha[0] * u_axis + alpha[1] * v_axis)
    shift -= 2 * (shift @ flat) * flat
    centre = tuple((np.array(mirror.centre) + shift).tolist())
    turned = geometry.model_copy(
        update={"spherical_mirror": mirror.model_copy(update={"centre": centre})}
    )
    true_u, true_v, _ = trace_photons(turned, *given)
    here = (panel == 0) & np.isfinite(u) & np.isfinite(true_u)
    assert here.sum() > 1000
    for before, moved, true in ((u, moved_u, true_u), (v, moved_v, true_v)):
        np.testing.assert_allclose((moved - before)[here], (true - before)[here].mean(), rtol=0.15)


@RICHES
def test_photons_of_one_segment_move_together(rich):
    """The shifts that occur are those of the segments; off the edges a track has one."""
    geometry = GEOMETRY[rich]
    given = rays(geometry)
    moved_u, moved_v = np.zeros(len(given[3])), np.zeros(len(given[3]))
    move_images(geometry, 0.1, *given, moved_u, moved_v)
    shifts = geometry.spherical_mirror.radius * rotations(geometry, 0.1).reshape(-1, 2)
    found = np.unique(np.column_stack([moved_u, moved_v]), axis=0)
    assert len(found) >= 4
    assert all(np.isclose(shifts, one, rtol=1e-9).all(axis=1).any() for one in found)
    exit = given[1][:, :2]
    inner = (np.abs(exit / SEGMENT - np.round(exit / SEGMENT)) > 0.2).all(axis=1)
    assert inner.sum() > 100
    per_track = moved_u.reshape(len(exit), -1)[inner]
    assert (np.ptp(per_track, axis=1) == 0).all()
