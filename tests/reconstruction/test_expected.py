"""Expected light against the radiator's formulae and the simulation."""

import numpy as np
import pytest
from straight_tracks import segments

from hepcnn.config import RichSimulation
from hepcnn.detector.geometry import load_geometry
from hepcnn.detector.particles import MASSES, SPECIES, species_of
from hepcnn.detector.radiator import beta, detected_spectrum
from hepcnn.events.schema import RICHES
from hepcnn.reconstruction.expected import expected_light
from hepcnn.simulation.rich.generate import simulate_chunk
from hepcnn.validation.rich.setup import IDEAL

RUN3 = load_geometry("lhcb-run3")


@pytest.mark.parametrize("rich", RICHES)
def test_angles_are_the_means_of_the_detected_spectrum(rich):
    entry, direction, exit = segments(RUN3[rich], 300, np.random.default_rng(0))
    p = np.geomspace(2e3, 1e5, len(entry))
    light = expected_light(RUN3[rich], entry, direction, exit, p)
    spectrum = detected_spectrum(RUN3[rich])
    velocity = beta(p[:, None], MASSES)
    expected = spectrum.mean_angle(velocity)
    lit = light.emitted > 0
    np.testing.assert_allclose(light.angle[lit], expected[lit], atol=5e-6)
    length = np.linalg.norm(exit - entry, axis=1)[:, None]
    np.testing.assert_allclose(
        light.emitted[lit], (length * spectrum.photons_per_mm(velocity))[lit], rtol=1e-3, atol=1e-3
    )
    # What is left out has no light to speak of.
    assert (length * spectrum.photons_per_mm(velocity))[~lit].max() < 2e-3
    assert np.isnan(light.angle[~lit]).all()
    assert (light.photons[~lit] == 0).all()


def test_a_track_that_is_not_in_the_rich_has_no_light():
    nowhere = np.full((3, 3), np.nan)
    light = expected_light(RUN3["rich1"], nowhere, nowhere, nowhere, np.full(3, 5e4))
    assert np.isnan(light.angle).all()
    assert np.isnan(light.sigma).all()
    assert (light.photons == 0).all()
    assert (light.emitted == 0).all()


def test_no_tracks():
    none = np.empty((0, 3))
    light = expected_light(RUN3["rich2"], none, none, none, np.empty(0))
    assert light.angle.shape == light.photons.shape == (0, len(SPECIES))


@pytest.mark.parametrize("name", ["lhcb-run3", "lhcb-run1"])
def test_photons_are_those_of_the_simulation(name):
    """Mean number of a track's photons on pixels, by species; joined to hits they are fewer."""
    geometry = load_geometry(name)
    settings = RichSimulation(
        tracks=15, tracks_spread=0, unreconstructed=0, dark_hits=0, mixture="flat", **IDEAL,
        spectrum="flat", momentum_range=(5e3, 8e4), tracking=False, pixel=False,
    )  # fmt: skip
    events = simulate_chunk(settings, geometry, np.random.default_rng(4), 250)
    species = species_of(events.tracks["pdg"])
    event = np.repeat(np.arange(len(events)), np.diff(events.hit_offsets))
    for number, rich in enumerate(RICHES, start=1):
        segment = (events.tracks[f"{rich}_{part}"] for part in ("entry", "direction", "exit"))
        light = expected_light(geometry[rich], *segment, events.tracks["p"])
        expected = light.photons[np.arange(events.n_tracks), species]
        own = (events.hits["rich"] == number) & (events.hits["track"] >= 0)
        track = (events.track_offsets[event] + events.hits["track"])[own]
        seen = np.bincount(track, minlength=events.n_tracks)
        for s in range(len(SPECIES)):
            total = expected[species == s].sum()
            assert seen[species == s].sum() == pytest.approx(
                total, rel=0.03, abs=4 * np.sqrt(total)
            )
        assert seen.sum() == pytest.approx(expected.sum(), rel=0.03)


@pytest.mark.parametrize("rich", RICHES)
def test_the_halves_expect_the_same(rich):
    entry, direction, exit = segments(RUN3[rich], 200, np.random.default_rng(0))
    p = np.full(len(entry), 3e4)
    mirrored = [np.array(a) for a in (entry, direction, exit)]
    for vectors in mirrored:
        vectors[:, RUN3[rich].split] *= -1
    one = expected_light(RUN3[rich], entry, direction, exit, p)
    other = expected_light(RUN3[rich], *mirrored, p)
    np.testing.assert_allclose(one.photons, other.photons, rtol=1e-6)


def test_a_ring_that_falls_off_the_panel_expects_less():
    """On the panel only the gaps between pixels are lost; next to it everything is."""
    rich = RUN3["rich1"]
    plane = rich.photon_plane.model_copy(update={"half_size": (211.2, 316.8)})
    narrow = rich.model_copy(update={"photon_plane": plane})
    track = segments(rich, 1000, np.random.default_rng(1))
    p = np.full(len(track[0]), 5e4)
    gaps = (23 / 26.4) ** 2
    whole, cut = (expected_light(g, *track, p) for g in (rich, narrow))
    fraction = cut.photons[:, 2] / cut.emitted[:, 2]
    np.testing.assert_allclose(whole.photons[:, 2] / whole.emitted[:, 2], gaps, rtol=0.12)
    assert fraction.min() == 0
    assert ((fraction > 0.05) & (fraction < 0.7)).mean() > 0.1
    inside = np.abs(track[2][:, 0]) < 50
    np.testing.assert_allclose(fraction[inside], gaps, rtol=0.12)
