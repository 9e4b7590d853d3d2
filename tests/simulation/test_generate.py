"""Whole events: random numbers, switches, spectra, occupancy, shards."""

import numpy as np
import pytest
from scipy.stats import truncnorm

from hepcnn.config import RichSample, RichSimulation
from hepcnn.detector.geometry import load_geometry
from hepcnn.detector.optics import plane_coordinates
from hepcnn.detector.particles import SPECIES, species_of
from hepcnn.detector.pixels import number_of_pixels
from hepcnn.errors import InputError
from hepcnn.simulation.rich.generate import (
    CHUNK,
    simulate,
    simulate_chunk,
    write_sample_shard,
)
from hepcnn.simulation.rich.rates import RISE
from hepcnn.simulation.rich.tracks import lognormal_within, sample_momentum, sample_species
from hepcnn.simulation.shards import shard_events, shard_generator
from hepcnn.validation.rich.setup import IDEAL

GEOMETRY = load_geometry("lhcb-run3")
SMALL = {"tracks": 30, "tracks_spread": 0.0}


def make(events=20, seed=1, geometry=GEOMETRY, **changes):
    settings = RichSimulation(**{**SMALL, **changes})
    return simulate_chunk(settings, geometry, np.random.default_rng(seed), events)


def equal(first, second):
    return (
        np.array_equal(first.key, second.key)
        and np.array_equal(first.hit_offsets, second.hit_offsets)
        and all(
            np.array_equal(first.tracks[k], second.tracks[k], equal_nan=True) for k in first.tracks
        )
        and all(np.array_equal(first.hits[k], second.hits[k]) for k in first.hits)
    )


def test_chunks_are_what_they_should_be():
    chunks = list(
        simulate(RichSimulation(**SMALL), GEOMETRY, np.random.default_rng(2), CHUNK + 7, 3)
    )
    assert [len(c) for c in chunks] == [CHUNK, 7]
    for chunk in chunks:
        chunk.validate()
    key = np.concatenate([c.key for c in chunks])
    np.testing.assert_array_equal(key["event"], np.arange(CHUNK + 7))
    assert set(key["subrun"]) == {3}
    assert len(np.unique(key)) == len(key)


def test_equal_seeds_give_equal_events_and_others_do_not():
    assert equal(make(), make())
    assert not equal(make(), make(seed=2))


def test_random_numbers_of_shards_and_samples_are_independent():
    draws = {
        shard_generator(seed, name, shard).random()
        for seed in (1, 2)
        for name in ("rich", "hcir", "rich2")
        for shard in range(4)
    }
    assert len(draws) == 24
    assert shard_generator(1, "rich", 0).random() == shard_generator(1, "rich", 0).random()


def test_shards_share_the_events():
    settings = RichSimulation(events=10, shards=4)
    assert [shard_events(settings, k) for k in range(4)] == [3, 3, 2, 2]
    with pytest.raises(ValueError, match="shards: 3 are more than the events"):
        RichSimulation(events=2, shards=3)


@pytest.mark.parametrize("sigmas", [-20, -3, 0, 3, 20])
def test_momenta_keep_the_spectrum_far_from_its_median(sigmas):
    """Uniform quantiles of a narrow range, whose density falls or rises exponentially in ln p."""
    low, width = 1000 * np.exp(0.1 * sigmas), 0.1
    p = lognormal_within(1000.0, width, (low, 1.02 * low), (np.arange(1000) + 0.5) / 1000)
    assert (np.diff(p) > 0).all()
    t = np.log(p / low)
    expected = truncnorm(sigmas, sigmas + np.log(1.02) / width).cdf(sigmas + t / width)
    np.testing.assert_allclose(expected, (np.arange(1000) + 0.5) / 1000, atol=1e-6)


@pytest.mark.parametrize(
    "change",
    [
        {"tracks": 31.0},
        {"tracks_spread": 0.3},
        {"spectrum": "flat"},
        {"spectrum": "lognormal"},
        {"momentum_median": 9000.0},
        {"momentum_width": 0.5},
        {"momentum_range": (3000.0, 50000.0)},
        {"mixture": "flat"},
        {"decays": False},
        {"interactions": False},
        {"ghosts": 0.0},
        {"unreconstructed": 0.5},
        {"conversions": False},
        {"dark_hits": 20.0},
        {"tracking_angle": 1.0},
        {"tracking_scattering": 9.0},
        {"tracking_position": 2.0},
        {"tracking_momentum": 0.05},
        {"tracking_tails": 0.0},
        {"misextrapolated": 0.0},
        {"misalignment": 0.0},
        {"emission": False},
        {"chromatic": False},
        {"pixel": False},
        {"tracking": False},
        {"index_shift": 1e-5},
        {"dead_tubes": 0.05},
    ],
    ids=str,
)
def test_every_setting_changes_the_events(change):
    assert not equal(make(), make(**change))


def test_tracking_switch_leaves_the_true_tracks():
    """Off: the momentum is in range and the segment ends on the sphere, straight from the entry."""
    events = make(tracking=False, momentum_range=(5000, 6000), decays=False)
    p = events.tracks["p"]
    assert ((p >= 5000) & (p <= 6000)).all()
    for rich in GEOMETRY:
        entry, direction, exit = (
            events.tracks[f"{rich}_{part}"].astype(float) for part in ("entry", "direction", "exit")
        )
        crosses = np.isfinite(entry[:, 0])
        along = exit - entry
        along /= np.linalg.norm(along, axis=1, keepdims=True)
        np.testing.assert_allclose(along[crosses], direction[crosses], atol=1e-5)
        assert not np.isfinite(np.stack([entry, direction, exit])[:, ~crosses]).any()


def test_tracking_errors_are_those_of_the_settings():
    errors = {"tracking_angle": 0.5, "tracking_scattering": 4.0, "tracking_position": 0.8}
    common = {"momentum_range": (10000, 10001), "tracks": 200, **IDEAL}
    true, seen = (make(tracking=on, seed=3, **errors, **common) for on in (False, True))
    # random numbers of what follows the first error differ, so only RICH1 compares
    finite = np.isfinite(true.tracks["rich1_entry"][:, 0])
    shift = (seen.tracks["rich1_entry"] - true.tracks["rich1_entry"])[finite]
    np.testing.assert_allclose(shift.std(0), [0.8, 0.8, 0], rtol=0.06)
    turn = (seen.tracks["rich1_direction"] - true.tracks["rich1_direction"])[finite]
    np.testing.assert_allclose(turn.std(0)[:2], 1e-3 * np.hypot(0.5, 0.4), rtol=0.06)
    ratio = seen.tracks["p"] / true.tracks["p"]
    assert ratio.std() == pytest.approx(0.005, rel=0.06)


def test_pixels_are_binary_and_hits_at_their_centres():
    """At most one hit in a pixel of an event; off, points are spread over the pixels."""
    for switch, distinct in ((True, False), (False, True)):
        events = make(pixel=switch, tracks=100)
        event = np.repeat(np.arange(len(events)), np.diff(events.hit_offsets))
        hit = np.column_stack([event, events.hits["rich"], events.hits["position"]])
        assert len(np.unique(hit, axis=0)) == len(hit)
        upper = (events.hits["rich"] == 1) & (events.hits["panel"] == 0)
        places = len(np.unique(events.hits["position"][upper, 0]))
        assert (places > 56 * 8) == distinct


def test_photons_of_one_pixel_are_one_hit():
    assert make(pixel=True, tracks=200).n_hits < 0.95 * make(pixel=False, tracks=200).n_hits


def test_flat_spectrum_and_mixture():
    events = make(spectrum="flat", mixture="flat", tracks=500, tracking=False, **IDEAL)
    p, (low, high) = events.tracks["p"], (2000, 100000)
    counts, _ = np.histogram(p, bins=10, range=(low, high))
    assert counts.sum() == len(p)
    assert np.abs(counts - counts.mean()).max() < 5 * np.sqrt(counts.mean())
    species = np.bincount(species_of(events.tracks["pdg"]), minlength=6)
    assert np.abs(species - species.mean()).max() < 5 * np.sqrt(species.mean())


def test_default_spectrum_and_mixture_are_lhcbs():
    """Median 7-8 GeV, mean 12-15 GeV; abundances of long tracks, both charges."""
    events = make(tracks=500, ghosts=0)
    p = events.tracks["p"]
    assert 7000 < np.median(p) < 8500
    assert 11500 < p.mean() < 15000
    species = np.bincount(species_of(events.tracks["pdg"]), minlength=6) / len(p)
    assert species[SPECIES.index("pion")] == pytest.approx(0.78, abs=0.02)
    assert species[SPECIES.index("kaon")] == pytest.approx(0.12, abs=0.015)
    assert species[SPECIES.index("proton")] == pytest.approx(0.07, abs=0.012)
    assert events.tracks["charge"].mean() == pytest.approx(0, abs=0.05)
    positive_code = events.tracks["pdg"] > 0
    lepton = np.abs(events.tracks["pdg"]) < 100
    np.testing.assert_array_equal(positive_code ^ lepton, events.tracks["charge"] > 0)


@pytest.mark.parametrize(("spectrum", "rise"), [("species", 1), ("lognormal", 0)])
def test_kaons_and_protons_rise_with_momentum_if_species_have_spectra_of_their_own(spectrum, rise):
    """The ratio to pions goes as a power of p; all momenta together it is the mixture's."""
    settings = RichSimulation(spectrum=spectrum, mixture={"pion": 2, "kaon": 1, "proton": 1})
    rng = np.random.default_rng(1)
    species = sample_species(settings, 400_000, rng)
    p = sample_momentum(settings, species, rng)
    assert p.min() >= 2000
    assert p.max() <= 100_000
    edges = np.geomspace(3e3, 6e4, 7)
    counts = {s: np.histogram(p[species == s], edges)[0] for s in np.unique(species)}
    middle = np.log(edges[1:] * edges[:-1]) / 2
    pion = counts.pop(SPECIES.index("pion"))
    for index, count in counts.items():
        assert (species == index).mean() == pytest.approx(0.25, abs=0.004)
        slope = np.polyfit(middle, np.log(count / pion), 1)[0]
        assert slope == pytest.approx(rise * RISE[SPECIES[index]], abs=0.02)


def test_the_magnet_keeps_slow_tracks_out_of_rich2():
    events = make(tracks=500)
    p = events.tracks["p"]
    in_1, in_2 = (np.isfinite(events.tracks[f"{rich}_entry"][:, 0]) for rich in GEOMETRY)
    assert in_1.mean() > 0.8
    assert in_2[p < 3000].mean() < 0.15 < 0.6 < in_2[p > 15000].mean()


def test_hits_are_on_the_panels():
    events = make(tracks=100)
    for number, geometry in enumerate(GEOMETRY.values(), 1):
        mine = events.hits["rich"] == number
        position, panel = events.hits["position"][mine], events.hits["panel"][mine]
        plane = geometry.photon_plane
        uv = plane_coordinates(geometry, position, panel)
        assert (np.abs(uv) < plane.half_size).all()
        position = position.astype(float)
        np.testing.assert_array_equal(position[:, geometry.split] < 0, panel == 1)
        position[panel == 1, geometry.split] *= -1
        np.testing.assert_allclose((position - plane.centre) @ plane.axes[2], 0, atol=1e-2)


def test_dark_hits_alone():
    """As many as asked for, over both panels, with no truth; and events without tracks."""
    events = make(events=200, tracks=1e-9, dark_hits=50)
    assert events.n_tracks == 0
    events.validate()
    assert (events.hits["track"] == -1).all()
    for number in (1, 2):
        mine = events.hits["rich"] == number
        assert mine.sum() / 200 == pytest.approx(50, rel=0.05)
        assert events.hits["panel"][mine].mean() == pytest.approx(0.5, abs=0.03)


def test_unreconstructed_particles_leave_hits_and_no_tracks():
    few, many = (make(tracks=50, unreconstructed=r, dark_hits=0, **IDEAL) for r in (0.0, 2.0))
    assert (few.hits["track"] >= 0).all()
    assert (many.hits["track"] < 0).mean() > 0.3
    assert np.diff(many.track_offsets).mean() == pytest.approx(50, rel=0.1)


def test_activity_spreads_the_multiplicity():
    for spread, expected in ((0.0, np.sqrt(1 / 30)), (0.5, np.sqrt(0.25 + 1 / 30))):
        rng = np.random.default_rng(4)
        settings = RichSimulation(
            tracks=30, tracks_spread=spread, unreconstructed=0, dark_hits=0, ghosts=0
        )
        n = np.concatenate(
            [np.diff(c.track_offsets) for c in simulate(settings, GEOMETRY, rng, 800)]
        )
        assert n.std() / n.mean() == pytest.approx(expected, rel=0.1)


def test_occupancy_is_that_of_run_3():
    """150 tracks: 30 % of the pixels of the busiest tubes of RICH1, thousands of hits an event."""
    events = make(events=100, tracks=150)
    rich = GEOMETRY["rich1"]
    mine = events.hits["rich"] == 1
    uv = plane_coordinates(rich, events.hits["position"][mine], events.hits["panel"][mine])
    tube = ((uv + rich.photon_plane.half_size) / 26.4).astype(int)
    hits = np.bincount(tube[:, 0] * 24 + tube[:, 1], minlength=56 * 24)
    occupancy = hits / (2 * 64 * len(events))
    assert np.sort(occupancy)[-10:].mean() == pytest.approx(0.30, abs=0.05)
    assert 4000 < mine.sum() / len(events) < 8000
    assert mine.sum() / len(events) / (2 * number_of_pixels(rich)) < 0.05


def test_run_1_is_a_configuration():
    events = make(geometry=load_geometry("lhcb-run1"))
    events.validate()
    assert set(events.hits["rich"]) == {1, 2}


def test_wrong_samples_and_shards_are_refused(tmp_path):
    output = tmp_path / "x.root"
    with pytest.raises(InputError, match="'mine' has files"):
        write_sample_shard("mine", RichSample(files=["a.root"]), 1, 0, output)
    with pytest.raises(InputError, match="shards 0 to 3, no 4"):
        write_sample_shard("rich", RichSample(simulate=RichSimulation()), 1, 4, output)
    sample = RichSample(simulate=RichSimulation(), geometry="lhcb-run4")
    with pytest.raises(InputError, match="lhcb-run3"):
        write_sample_shard("rich", sample, 1, 0, output)
    assert not list(tmp_path.iterdir())
