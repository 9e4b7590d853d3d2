"""A curved second mirror: closure with the ray tracer, how fast it comes, and the likelihood."""

import numpy as np
import pytest
from straight_tracks import segments
from test_photons import RUN3, traced, turned

from hepcnn.config import RichSimulation
from hepcnn.detector.optics import project_tracks
from hepcnn.reconstruction.curved import SOLUTIONS, curved_block
from hepcnn.reconstruction.photon_kernels import mirrors_of, prepare_track, unfold
from hepcnn.reconstruction.photons import photon_angles, photon_candidates
from hepcnn.reconstruction.reconstruct import LARGEST_ANGLE, reconstruct
from hepcnn.simulation.rich.generate import simulate_chunk
from hepcnn.validation.rich.setup import IDEAL

RADII = [80e3, -80e3, 20e3, -20e3]


def curved(radius, rich="rich2"):
    geometry = RUN3[rich]
    mirror = geometry.flat_mirror.model_copy(update={"radius": radius})
    return geometry.model_copy(update={"flat_mirror": mirror})


def errors(photon, theta, phi):
    """How far a direction is off (µrad), in θ and across it, for photons with a RICH2's angles."""
    light = photon["theta"] < 0.04
    off = theta - photon["theta"], turned(phi - photon["phi"]) * photon["theta"]
    return 1e6 * np.abs(np.stack(off)[:, light]).max(axis=0)


def reconstructed(geometry, photon):
    direction = photon["segment"][1]
    return photon_angles(geometry, photon["emission"], direction, photon["hit"], photon["panel"])


@pytest.mark.parametrize("radius", RADII)
def test_closure_with_the_ray_tracer_at_a_known_emission_point(radius):
    photon = traced(curved(radius))
    assert set(photon["panel"]) == {0, 1}
    error = errors(photon, *reconstructed(curved(radius), photon))
    assert error.max() < (0.01 if abs(radius) > 50e3 else 1.0)


@pytest.mark.parametrize("radius", RADII)
def test_three_quartics_are_enough(radius):
    """Newton's steps: each error is far below the one before, and two are not enough."""
    geometry = curved(radius)
    photon = traced(geometry, 1000)
    o, panel, direction = mirrors_of(geometry), photon["panel"], photon["segment"][1]
    hits = unfold(o, photon["hit"], panel)
    largest = []
    for solutions in range(1, 5):
        theta, phi = np.empty((2, len(panel)))
        for i, emission in enumerate(photon["emission"]):
            track = prepare_track(o, 1.0 - 2.0 * panel[i], emission, direction[i])
            here = slice(i, i + 1)
            curved_block(o, track, *hits[:, here], theta[here], phi[here], solutions)
        # A first solution may be in the other half.
        largest.append(np.nanmax(errors(photon, theta, phi)))
    first, second, third, fourth = largest
    assert first > 1000
    assert first / 30 > second > 1
    assert second / 100 > third
    assert third / 100 > fourth
    assert SOLUTIONS == 3


def test_a_mirror_of_the_other_sign_does_not_close():
    photon = traced(curved(80e3))
    assert np.nanmedian(errors(photon, *reconstructed(curved(-80e3), photon))) > 1000


@pytest.mark.parametrize("rich", ["rich1", "rich2"])
@pytest.mark.parametrize("radius", [1e15, -1e15])
def test_a_very_large_radius_is_a_plane(rich, radius):
    photon = traced(RUN3[rich])
    almost = traced(curved(radius, rich))
    np.testing.assert_array_equal(almost["panel"], photon["panel"])
    np.testing.assert_allclose(almost["hit"], photon["hit"], rtol=0, atol=1e-4)
    theta, phi = reconstructed(RUN3[rich], photon)
    theta_2, phi_2 = reconstructed(curved(radius, rich), photon)
    np.testing.assert_allclose(theta_2, theta, rtol=0, atol=1e-11)
    np.testing.assert_allclose(turned(phi_2 - phi) * theta, 0, atol=1e-11)


@pytest.mark.parametrize("radius", RADII)
def test_a_photon_along_the_track_has_no_angle(radius):
    entry, direction, exit = segments(curved(radius), 500, np.random.default_rng(2))
    panel, point, _ = project_tracks(curved(radius), entry, direction, exit)
    theta, _ = photon_angles(curved(radius), (entry + exit) / 2, direction, point, panel)
    assert theta.max() < 1e-9


@pytest.mark.parametrize("radius", RADII)
def test_candidates_are_the_pairs_within_the_window(radius):
    """About where the curved mirror puts the ring, up to half a metre from where a plane does."""
    geometry = curved(radius)
    photon = traced(geometry, 60)
    entry, direction, exit = (a[:20] for a in photon["segment"])
    hit, panel = photon["hit"], photon["panel"]
    found = photon_candidates(geometry, entry, direction, exit, hit, panel, 200.0)
    own, centre, _ = project_tracks(geometry, entry, direction, exit)
    j, i = (a.ravel() for a in np.indices((len(entry), len(hit))))
    theta, phi = photon_angles(geometry, ((entry + exit) / 2)[j], direction[j], hit[i], panel[i])
    near = (np.linalg.norm(hit[i] - centre[j], axis=1) < 200.0) & np.isfinite(theta)
    mine = panel[i] == own[j]
    pair = np.zeros(len(j), bool)
    pair[found.track * len(hit) + found.hit] = True
    assert near.sum() > 20
    np.testing.assert_array_equal(pair[mine], near[mine])
    np.testing.assert_allclose(found.theta, theta[pair], rtol=1e-6)
    np.testing.assert_allclose(found.phi, phi[pair], rtol=0, atol=1e-6)


@pytest.mark.parametrize("radius", [80e3, -80e3, -20e3])
def test_events_are_reconstructed(radius):
    """Tracks find their own photons, and most of them their species."""
    geometry = {"rich2": curved(radius)}
    settings = RichSimulation(
        tracks=20, tracks_spread=0, unreconstructed=0, dark_hits=0, tracking=False, **IDEAL,
        mixture={"pion": 0.5, "kaon": 0.5}, spectrum="flat", momentum_range=(20e3, 40e3),
    )  # fmt: skip
    events = simulate_chunk(settings, RUN3 | geometry, np.random.default_rng(1), 10)
    result = reconstruct(events, geometry, ["rich2"])
    rows = result.candidates["rich2"]
    track = np.repeat(np.arange(events.n_tracks), np.diff(rows.offsets))
    event = np.repeat(np.arange(len(events)), np.diff(events.hit_offsets))
    maker = events.track_offsets[event] + events.hits["track"]
    own = maker[rows.hit] == track
    assert own.sum() > 0.99 * (events.hits["rich"] == 2).sum()
    assert rows.theta.max() < LARGEST_ANGLE["rich2"]
    bright = np.bincount(track[own], minlength=events.n_tracks) > 10
    kaon = np.abs(events.tracks["pdg"]) == 321
    log = result.log_global
    assert bright.sum() > 50
    assert ((log[:, 3] > log[:, 2]) == kaon)[bright].mean() > 0.95
