"""Cherenkov angles against the ray tracer and the simulation."""

import numpy as np
import pytest
from straight_tracks import segments

from hepcnn.config import RichSimulation
from hepcnn.detector.geometry import load_geometry, unit
from hepcnn.detector.optics import from_plane, project_tracks, trace_photons
from hepcnn.detector.particles import PARTICLES
from hepcnn.detector.radiator import beta, detected_spectrum
from hepcnn.reconstruction.photon_kernels import arc_tangent2
from hepcnn.reconstruction.photons import photon_angles, photon_candidates
from hepcnn.simulation.rich.generate import simulate_chunk
from hepcnn.validation.rich.setup import IDEAL

RICHES = [
    pytest.param(rich, id=f"{name}-{number}")
    for name in ("lhcb-run3", "lhcb-run1")
    for number, rich in load_geometry(name).items()
]
RUN3 = load_geometry("lhcb-run3")
CURVED = [
    pytest.param(
        RUN3["rich2"].model_copy(
            update={
                "flat_mirror": RUN3["rich2"].flat_mirror.model_copy(update={"radius": 1e3 * metres})
            }
        ),
        id=f"curved-{metres}m",
    )
    for metres in (80, -80)
]
WINDOW = {"rich1": 150.0, "rich2": 200.0}
PION = next(p.mass for p in PARTICLES if p.name == "pion")
MICRORAD = 1e-6


def traced(rich, n=20_000, along=None, seed=1):
    """One photon a track: segments, emission, angles θ and φ, and the hit with its panel."""
    rng = np.random.default_rng(seed)
    entry, direction, exit = segments(rich, n, rng)
    n = len(entry)
    theta, turns = rng.uniform(0.001, 0.08, n), rng.random(n)
    along = rng.random(n) if along is None else np.full(n, along)
    u, v, panel = trace_photons(rich, entry, exit, np.arange(n + 1), np.cos(theta), along, turns)
    assert np.isfinite(u).all()
    return {
        "segment": (entry, direction, exit),
        "emission": entry + along[:, None] * (exit - entry),
        "theta": theta,
        "phi": 2 * np.pi * turns,
        "hit": from_plane(rich, np.column_stack([u, v]), panel),
        "panel": panel,
    }


def turned(phi):
    """An azimuth within -π and π."""
    return np.remainder(phi + np.pi, 2 * np.pi) - np.pi


@pytest.mark.parametrize("rich", RICHES)
def test_closure_with_the_ray_tracer_at_a_known_emission_point(rich):
    photon = traced(rich)
    direction = photon["segment"][1]
    theta, phi = photon_angles(rich, photon["emission"], direction, photon["hit"], photon["panel"])
    assert set(photon["panel"]) == {0, 1}
    # The ray tracer's own sine and cosine are good to 4e-9.
    assert np.abs(theta - photon["theta"]).max() < 2e-3 * MICRORAD
    assert np.abs(turned(phi - photon["phi"]) * theta).max() < 2e-3 * MICRORAD


@pytest.mark.parametrize("rich", RICHES)
def test_a_photon_along_the_track_has_no_angle(rich):
    entry, direction, exit = segments(rich, 500, np.random.default_rng(2))
    panel, point, _ = project_tracks(rich, entry, direction, exit)
    theta, _ = photon_angles(rich, (entry + exit) / 2, direction, point, panel)
    assert theta.max() < 1e-3 * MICRORAD


def test_the_halves_are_mirror_images():
    """Mirrored in y, the azimuth about the track turns round, and nothing else changes."""
    photon, flip = traced(RUN3["rich1"]), np.array([1, -1, 1])
    _, direction, _ = photon["segment"]
    args = photon["emission"], direction, photon["hit"]
    theta, phi = photon_angles(RUN3["rich1"], *args, photon["panel"])
    theta_2, phi_2 = photon_angles(RUN3["rich1"], *(a * flip for a in args), 1 - photon["panel"])
    np.testing.assert_allclose(theta_2, theta, rtol=0, atol=1e-12)
    np.testing.assert_allclose(turned(phi_2 + phi), 0, atol=1e-9)


@pytest.mark.parametrize("rich", RICHES + CURVED)
def test_no_physical_photon_is_nan(rich):
    photon = traced(rich, 200)
    _, direction, exit = photon["segment"]
    emission, hit, panel = photon["emission"], photon["hit"], photon["panel"]
    mirrored = np.ones_like(hit)
    mirrored[panel == 1, rich.split] = -1
    point, normal = np.array(rich.flat_mirror.point), unit(rich.flat_mirror.normal)
    depth = (hit * mirrored - point) @ normal
    beyond = hit - 2 * depth[:, None] * normal * mirrored
    radius = rich.spherical_mirror.radius
    hostile = {
        "emission behind the mirror": (1.02 * exit, direction, hit),
        "track flies backwards": (emission, -direction, hit),
        "hit behind the mirror": (emission, direction, hit + np.array([0, 0, 2 * radius])),
        "hit on the flat mirror's back": (emission, direction, beyond),
        "no track": (emission * np.nan, direction * np.nan, hit),
        "no hit": (emission, direction, hit * np.nan),
    }
    for name, arguments in hostile.items():
        theta, phi = photon_angles(rich, *arguments, panel)
        assert np.isnan(theta).all(), name
        assert np.isnan(phi).all(), name


@pytest.mark.parametrize("rich", RICHES + CURVED)
def test_every_candidate_traced_again_comes_back_to_its_hit(rich):
    """Tracks with hits all over both panels: what is found is what the optics allow."""
    rng = np.random.default_rng(6)
    segment = segments(rich, 300, rng)
    plane = rng.uniform(-1, 1, (300, 2)) * rich.photon_plane.half_size
    panel = rng.integers(0, 2, 300).astype(np.int8)
    hit = from_plane(rich, plane, panel)
    found = photon_candidates(rich, *segment, hit, panel, 600.0)
    entry, _, exit = segment
    n = len(found.hit)
    u, v, traced_panel = trace_photons(
        rich,
        entry,
        exit,
        found.offsets,
        np.cos(found.theta, dtype=np.float64),
        np.full(n, 0.5),
        np.remainder(found.phi / (2 * np.pi), 1.0, dtype=np.float64),
    )
    assert n > 1000
    assert found.theta.max() > 0.12
    np.testing.assert_array_equal(traced_panel, panel[found.hit])
    # What is left is from the angles in float32.
    np.testing.assert_allclose(np.column_stack([u, v]), plane[found.hit], rtol=0, atol=2e-3)


def test_arc_tangent_is_numpys():
    rng = np.random.default_rng(3)
    y, x = rng.normal(size=(2, 2000)) * 10.0 ** rng.uniform(-6, 6, (2, 2000))
    y[:4], x[:4] = [0, 1, 0, -1], [1, 0, -1, 0]
    ours = [arc_tangent2.py_func(*point) for point in zip(y, x, strict=True)]
    np.testing.assert_allclose(ours, np.arctan2(y, x), rtol=0, atol=5e-13)
    assert arc_tangent2.py_func(0.0, 0.0) == 0


@pytest.mark.parametrize("rich", ["rich1", "rich2"])
def test_candidates_are_the_pairs_within_the_window(rich):
    """The fused function against every pair, taken one by one."""
    geometry, window = RUN3[rich], WINDOW[rich]
    photon = traced(geometry, 60)
    entry, direction, exit = (a[:20].copy() for a in photon["segment"])
    entry[3] = direction[3] = exit[3] = np.nan
    hit, panel = photon["hit"], photon["panel"]
    found = photon_candidates(geometry, entry, direction, exit, hit, panel, window)

    j, i = (a.ravel() for a in np.indices((len(entry), len(hit))))
    theta, phi = photon_angles(geometry, ((entry + exit) / 2)[j], direction[j], hit[i], panel[i])
    table = np.full((len(entry), len(hit)), np.nan)
    table[found.track, found.hit] = found.theta
    np.testing.assert_allclose(found.theta, theta[found.track * len(hit) + found.hit], rtol=1e-6)
    np.testing.assert_allclose(found.phi, phi[found.track * len(hit) + found.hit], atol=1e-6)
    own, centre, _ = project_tracks(geometry, entry, direction, exit)
    near = (np.linalg.norm(hit[i] - centre[j], axis=1) < window) & (own[j] == panel[i])
    assert near.sum() > 20
    assert np.isfinite(table.ravel()[near & np.isfinite(theta)]).all()
    wrong = ~near & (own[j] == panel[i])
    assert np.isnan(table.ravel()[wrong]).all()
    assert (found.track != 3).all()
    assert len(set(zip(found.track, found.hit, strict=True))) == len(found.hit)


def test_order_of_hits_does_not_matter():
    geometry = RUN3["rich1"]
    photon = traced(geometry, 300)
    segment, hit, panel = [a[:10] for a in photon["segment"]], photon["hit"], photon["panel"]
    order = np.random.default_rng(0).permutation(len(hit))
    first = photon_candidates(geometry, *segment, hit, panel, 150.0)
    second = photon_candidates(geometry, *segment, hit[order], panel[order], 150.0)

    def rows(candidates, index):
        return sorted(zip(candidates.track, index[candidates.hit], candidates.theta, strict=True))

    assert rows(first, np.arange(len(hit))) == rows(second, order)


@pytest.mark.parametrize(("tracks", "hits"), [(0, 0), (0, 5), (5, 0)])
def test_nothing_to_pair(tracks, hits):
    photon = traced(RUN3["rich2"], 20)
    segment = [a[:tracks] for a in photon["segment"]]
    found = photon_candidates(
        RUN3["rich2"], *segment, photon["hit"][:hits], photon["panel"][:hits], 200.0
    )
    assert found.offsets.tolist() == [0] * (tracks + 1)
    assert len(found.hit) == len(found.theta) == len(found.phi) == len(found.track) == 0


def test_a_panel_that_is_none_is_an_error():
    photon = traced(RUN3["rich1"], 10)
    with pytest.raises(ValueError, match="panel"):
        photon_candidates(
            RUN3["rich1"], *photon["segment"], photon["hit"], -1 + 0 * photon["panel"], 1
        )


def residuals(events, **switches):
    """By RICH: reconstructed less expected angle (mrad) and azimuth of pions' own photons."""
    defaults = {
        "tracking": False,
        "unreconstructed": 0,
        "dark_hits": 0,
        "tracks": 10,
        "tracks_spread": 0,
        "mixture": {"pion": 1.0},
        "spectrum": "flat",
        "momentum_range": (30_000.0, 100_000.0),
        **IDEAL,
    }
    settings = RichSimulation(**(defaults | switches))
    chunk = simulate_chunk(settings, RUN3, np.random.default_rng(4), events)
    result = {}
    for number, (name, geometry) in enumerate(RUN3.items(), start=1):
        spectrum = detected_spectrum(geometry)
        theta, phi = [], []
        for event in range(events):
            tracks = slice(*chunk.track_offsets[event : event + 2])
            hits = np.arange(*chunk.hit_offsets[event : event + 2])
            hits = hits[chunk.hits["rich"][hits] == number]
            segment = (
                chunk.tracks[f"{name}_{part}"][tracks] for part in ("entry", "direction", "exit")
            )
            found = photon_candidates(
                geometry,
                *segment,
                chunk.hits["position"][hits],
                chunk.hits["panel"][hits],
                WINDOW[name],
            )
            velocity = beta(chunk.tracks["p"][tracks], PION)
            expected = (
                spectrum.mean_angle(velocity)
                if settings.chromatic
                else np.arccos(1 / (spectrum.mean_index * velocity))
            )
            own = chunk.hits["track"][hits][found.hit] == found.track
            theta.append(1e3 * (found.theta - expected[found.track])[own])
            phi.append(found.phi[own])
        result[name] = np.concatenate(theta), np.concatenate(phi)
    return result


#: Bands of the single-photon resolution in mrad. [LHCb Run 3 RICH, shared numbers of 1703.09027]
TOTAL = {"rich1": (0.8, 1.0), "rich2": (0.45, 0.60)}


def test_single_photon_resolution():
    for rich, (theta, _) in residuals(60).items():
        low, high = TOTAL[rich]
        assert low < theta.std() < high, rich
        assert abs(theta.mean()) < 0.05, rich


def test_emission_in_the_middle_gives_no_bias_in_azimuth():
    for rich, (theta, phi) in residuals(80, chromatic=False, pixel=False).items():
        which = np.floor((phi / np.pi + 1) * 8).astype(int) % 16
        bias = np.bincount(which, theta) / np.bincount(which)
        assert np.abs(bias).max() < 0.2, rich
