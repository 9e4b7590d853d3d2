"""Rays obey the law of reflection and land where LHCb's land."""

import numpy as np
import pytest

from hepcnn.detector.geometry import load_geometry, unit
from hepcnn.detector.optics import (
    from_plane,
    on_panel,
    plane_coordinates,
    project_tracks,
    to_sphere,
    trace_photons,
    trace_rays,
)

GEOMETRIES = {
    (name, rich): geometry
    for name in ("lhcb-run3", "lhcb-run1")
    for rich, geometry in load_geometry(name).items()
}
RUN3 = load_geometry("lhcb-run3")


def curved(geometry, radius):
    mirror = geometry.flat_mirror.model_copy(update={"radius": radius})
    return geometry.model_copy(update={"flat_mirror": mirror})


for metres in (80, -80, 20, -20):
    GEOMETRIES["curved", f"rich2 {metres} m"] = curved(RUN3["rich2"], 1e3 * metres)


def reflect(direction, normal):
    return direction - 2 * (direction * normal).sum(-1, keepdims=True) * normal


def trace_step_by_step(geometry, position, direction):
    """Points on both mirrors and on the plane, in numpy, one surface after the other."""
    flip = np.ones_like(position)
    on_sphere = to_sphere(geometry, position, direction)
    flip[on_sphere[:, geometry.split] < 0, geometry.split] = -1
    position, direction = position * flip, direction * flip
    centre = np.array(geometry.spherical_mirror.centre)
    radius = geometry.spherical_mirror.radius
    q = position - centre
    b = (q * direction).sum(1)
    t = -b + np.sqrt(b**2 - (q**2).sum(1) + radius**2)
    mirror = position + t[:, None] * direction
    direction = reflect(direction, (mirror - centre) / radius)

    def meet(point, direction, plane_point, normal):
        t = (np.array(plane_point) - point) @ normal / (direction @ normal)
        return point + t[:, None] * direction

    normal = unit(geometry.flat_mirror.normal)
    flat = meet(mirror, direction, geometry.flat_mirror.point, normal)
    if geometry.flat_mirror.radius is not None:
        centre = curvature_centre(geometry)
        q = flat - centre
        b = (q * direction).sum(1)
        root = np.sqrt(b**2 - (q**2).sum(1) + geometry.flat_mirror.radius**2)
        # The point of the sphere that is nearer to the plane.
        flat = flat + np.where(b > 0, root - b, -root - b)[:, None] * direction
        normal = (flat - centre) / geometry.flat_mirror.radius
    direction = reflect(direction, normal)
    plane = geometry.photon_plane
    end = meet(flat, direction, plane.centre, unit(plane.normal))
    return mirror * flip, flat * flip, end * flip, flip[:, geometry.split] < 0


def curvature_centre(geometry):
    """Of a second mirror: on the side of the photon detectors for a radius above 0."""
    point, normal = np.array(geometry.flat_mirror.point), unit(geometry.flat_mirror.normal)
    side = np.sign((np.array(geometry.photon_plane.centre) - point) @ normal)
    return point + side * geometry.flat_mirror.radius * normal


def random_tracks(geometry, n, seed=0):
    """Segments (entry, direction, exit) within the acceptance."""
    rng = np.random.default_rng(seed)
    a = geometry.acceptance
    slope = rng.uniform(-1, 1, (n, 2)) * [a.horizontal, a.vertical] * 0.9
    direction = np.concatenate([slope, np.ones((n, 1))], axis=1)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    entry = direction * geometry.radiator.entry_z / direction[:, 2:]
    return entry, direction, to_sphere(geometry, entry, direction)


def track(geometry, x, y):
    """One straight track from the interaction point with slopes x, y."""
    direction = unit((x, y, 1.0))[None]
    entry = direction * geometry.radiator.entry_z / direction[:, 2:]
    return entry, direction, to_sphere(geometry, entry, direction)


def photons(tracks, angle, n, seed=1):
    """Photons at an angle: arguments of `trace_photons`, and their positions and directions."""
    entry, direction, exit = tracks
    rng = np.random.default_rng(seed)
    offsets = np.arange(len(entry) + 1) * n
    along, turns = rng.random((2, offsets[-1]))
    index = np.repeat(np.arange(len(entry)), n)
    a = np.cross([0.0, 1.0, 0.0], direction)
    a /= np.linalg.norm(a, axis=1, keepdims=True)
    b = np.cross(direction, a)
    phi = 2 * np.pi * turns[:, None]
    ray = np.cos(angle) * direction[index] + np.sin(angle) * (
        np.cos(phi) * a[index] + np.sin(phi) * b[index]
    )
    position = entry[index] + along[:, None] * (exit - entry)[index]
    arguments = (entry, exit, offsets, np.full(offsets[-1], np.cos(angle)), along, turns)
    return arguments, position, ray


@pytest.mark.parametrize("key", GEOMETRIES, ids="-".join)
def test_kernel_agrees_with_one_surface_after_the_other(key):
    """Folded mirrors and polynomial sines against plain numpy, to a nanometre."""
    geometry = GEOMETRIES[key]
    arguments, position, ray = photons(random_tracks(geometry, 200), 0.05, 50)
    *_, end, lower = trace_step_by_step(geometry, position, ray)
    for u, v, panel in (
        trace_photons(geometry, *arguments),
        trace_rays(geometry, position.T, ray.T),
    ):
        assert np.isfinite(u).all()
        np.testing.assert_array_equal(panel == 1, lower)
        found = from_plane(geometry, np.stack([u, v], 1), panel)
        np.testing.assert_allclose(found, end, atol=1e-5)


@pytest.mark.parametrize("key", GEOMETRIES, ids="-".join)
def test_law_of_reflection_between_the_emission_and_the_image(key):
    """At both mirrors: equal angles to the normal, in one plane; light goes the right way."""
    geometry = GEOMETRIES[key]
    _, position, ray = photons(random_tracks(geometry, 50), 0.05, 20)
    u, v, panel = trace_rays(geometry, position.T, ray.T)
    end = from_plane(geometry, np.stack([u, v], 1), panel)
    mirror, flat, _, lower = trace_step_by_step(geometry, position, ray)
    flip = np.ones(3)
    flip[geometry.split] = -1
    sign = np.where(lower[:, None], flip, 1.0)
    position, mirror, flat, end = (points * sign for points in (position, mirror, flat, end))
    centre = np.array(geometry.spherical_mirror.centre)
    normals = (
        (mirror - centre) / geometry.spherical_mirror.radius,
        np.broadcast_to(unit(geometry.flat_mirror.normal), mirror.shape)
        if geometry.flat_mirror.radius is None
        else (flat - curvature_centre(geometry)) / geometry.flat_mirror.radius,
    )
    for before, at, after, normal in (
        (position, mirror, flat, normals[0]),
        (mirror, flat, end, normals[1]),
    ):
        incoming = (at - before) / np.linalg.norm(at - before, axis=1, keepdims=True)
        outgoing = (after - at) / np.linalg.norm(after - at, axis=1, keepdims=True)
        np.testing.assert_allclose(outgoing, reflect(incoming, normal), atol=1e-7)


def test_known_track_of_rich1():
    """Slope (0, 0.1): image (0, 1383, 1681) in the upper half; a ring's paths of 912 and 911 mm."""
    geometry = RUN3["rich1"]
    entry, direction, exit = track(geometry, 0.0, 0.1)
    panel, point, inside = project_tracks(geometry, entry, direction, exit)
    assert panel[0] == 0
    assert inside[0]
    np.testing.assert_allclose(point[0], [0, 1383, 1681], atol=0.5)
    _, position, ray = photons((entry, direction, exit), 53.2e-3, 2000)
    mirror, flat, end, _ = trace_step_by_step(geometry, position, ray)
    to_flat, to_plane = (np.linalg.norm(d, axis=1) for d in (flat - mirror, end - flat))
    assert np.hypot(to_flat - 912, to_plane - 911).min() < 1
    np.testing.assert_allclose(to_flat + to_plane, 1823, atol=40)


@pytest.mark.parametrize(
    ("rich", "slope", "angle", "radius", "within"),
    [
        # ray traced
        ("rich1", (0.0, 0.1), 53.2e-3, 96.4, 0.5),
        ("rich1", (0.1, 0.1), 53.2e-3, 96.1, 0.5),
        ("rich1", (0.05, 0.05), 53.2e-3, 97.3, 0.5),
        ("rich1", (0.0, 0.2), 53.2e-3, 93.6, 0.5),
        ("rich1", (0.2, 0.15), 53.2e-3, 94.1, 0.5),
        # "about 130 mm"
        ("rich2", (0.03, 0.0), 30.5e-3, 130, 6),
        ("rich2", (0.06, 0.05), 30.5e-3, 130, 4),
        ("rich2", (0.1, 0.0), 30.5e-3, 130, 4),
    ],
)
@pytest.mark.parametrize("mirrored", [False, True])
def test_ring_radius(rich, slope, angle, radius, within, mirrored):
    geometry = RUN3[rich]
    slope = np.array(slope)
    slope[geometry.split] *= -1 if mirrored else 1
    tracks = track(geometry, *slope)
    arguments, *_ = photons(tracks, angle, 2000)
    u, v, panel = trace_photons(geometry, *arguments)
    assert (panel == mirrored).all()
    assert np.hypot(u - u.mean(), v - v.mean()).mean() == pytest.approx(radius, abs=within)


def test_a_concave_second_mirror_focuses():
    """It makes rings smaller, and a convex one larger; the normal's length and sign are free."""

    def size(radius, factor=1.0):
        rich = curved(RUN3["rich2"], radius)
        normal = tuple(factor * np.array(rich.flat_mirror.normal))
        mirror = rich.flat_mirror.model_copy(update={"normal": normal})
        rich = rich.model_copy(update={"flat_mirror": mirror})
        arguments, *_ = photons(track(rich, 0.06, 0.05), 30e-3, 2000)
        u, v, _ = trace_photons(rich, *arguments)
        return np.hypot(u - u.mean(), v - v.mean()).mean()

    assert size(20e3) < size(80e3) < size(None) < size(-80e3) < size(-20e3)
    assert size(20e3, -3.0) == pytest.approx(size(20e3))


def test_rich2_plane_is_at_the_best_focus():
    """Moved 60 mm either way along its normal, rings get wider."""

    def width(shift):
        geometry = RUN3["rich2"]
        plane = geometry.photon_plane
        moved = tuple(np.array(plane.centre) + shift * unit(plane.normal))
        geometry = geometry.model_copy(
            update={"photon_plane": plane.model_copy(update={"centre": moved})}
        )
        spread = []
        for slope in ((0.03, 0.0), (0.06, 0.05), (0.1, -0.05)):
            entry, direction, exit = track(geometry, *slope)
            arguments, *_ = photons((entry, direction, exit), 30.3e-3, 4000)
            turns = np.repeat(np.arange(20) / 20, 200)
            u, v, _ = trace_photons(geometry, *arguments[:-1], turns)
            spread.append(u.reshape(20, -1).var(1).mean() + v.reshape(20, -1).var(1).mean())
        return np.mean(spread)

    assert width(0.0) < min(width(-60.0), width(60.0))


@pytest.mark.parametrize("key", GEOMETRIES, ids="-".join)
def test_a_mirrored_track_has_the_mirrored_image(key):
    geometry = GEOMETRIES[key]
    entry, direction, exit = random_tracks(geometry, 500)
    flip = np.ones(3)
    flip[geometry.split] = -1
    panel, point, inside = project_tracks(geometry, entry, direction, exit)
    other, mirrored, again = project_tracks(geometry, entry * flip, direction * flip, exit * flip)
    np.testing.assert_array_equal(other, 1 - panel)
    np.testing.assert_allclose(mirrored, point * flip, atol=1e-9)
    np.testing.assert_array_equal(inside, again)
    np.testing.assert_allclose(
        plane_coordinates(geometry, point, panel),
        plane_coordinates(geometry, mirrored, other),
        atol=1e-4,
    )


@pytest.mark.parametrize("key", GEOMETRIES, ids="-".join)
def test_plane_coordinates_and_back(key):
    geometry = GEOMETRIES[key]
    rng = np.random.default_rng(3)
    plane = rng.uniform(-1, 1, (100, 2)) * geometry.photon_plane.half_size
    panel = rng.integers(0, 2, 100).astype(np.int8)
    point = from_plane(geometry, plane, panel)
    np.testing.assert_array_equal(point[:, geometry.split] > 0, panel == 0)
    np.testing.assert_allclose(plane_coordinates(geometry, point, panel), plane, atol=1e-4)
    assert on_panel(geometry, plane).all()
    assert not on_panel(geometry, plane + 2000).any()


def test_tracks_that_are_not_in_the_rich_project_nowhere():
    geometry = RUN3["rich1"]
    tracks = [np.concatenate([part, np.full((1, 3), np.nan)]) for part in track(geometry, 0, 0.1)]
    panel, point, inside = project_tracks(geometry, *tracks)
    np.testing.assert_array_equal(panel, [0, -1])
    np.testing.assert_array_equal(np.isfinite(point).all(1), [True, False])
    np.testing.assert_array_equal(inside, [True, False])


def test_rays_that_cannot_pass_the_optics_end_nowhere():
    """From outside the sphere, away from the mirror; and in empty arrays."""
    geometry = RUN3["rich1"]
    start = np.array([[0.0, 0.0, 9000.0]]).T
    u, _, _ = trace_rays(geometry, start, np.array([[0.0, 1.0, 0.0]]).T)
    assert np.isnan(u).all()
    panel, point, inside = project_tracks(geometry, *[np.empty((0, 3))] * 3)
    assert len(panel) == len(point) == len(inside) == 0


def test_rays_across_the_middle_choose_the_mirror_that_they_meet():
    """A photon that starts below the middle but rises meets the upper mirror, and the reverse."""
    geometry = RUN3["rich1"]
    position = np.array([[0.0, -5.0, 1000.0], [0.0, 5.0, 1000.0], [0.0, -5.0, 1000.0]])
    direction = np.array([unit((0, 0.05, 1)), unit((0, -0.05, 1)), unit((0, 0.001, 1))])
    _, _, panel = trace_rays(geometry, position.T, direction.T)
    np.testing.assert_array_equal(panel, [0, 1, 1])
