"""From energy deposits to hits: charge, place, width, noise, truth, switches."""

import numpy as np
import pytest
from straight_deposits import NOTHING, joined, points, straight

from hepcnn.config import LArTPCSimulation
from hepcnn.detector.dead_wires import dead_wires
from hepcnn.detector.tpc import PLANES, load_tpc
from hepcnn.simulation.lartpc.drift import drift
from hepcnn.simulation.lartpc.ionisation import W, electrons, recombination
from hepcnn.simulation.lartpc.noise import noise_pulse_rate, noise_samples, shaping
from hepcnn.simulation.lartpc.response import LONGEST, Response
from hepcnn.simulation.lartpc.substeps import substeps
from hepcnn.simulation.lartpc.waveforms import BLOCK

TPC = load_tpc("microboone")
CLEAN = {"noise": False, "diffusion": False, "recombination": "off", "dead_wires": 0.0}
ETERNAL = TPC.model_copy(
    update={"drift": TPC.drift.model_copy(update={"lifetime": 1e9})},
)
#: A track across the wires of all planes.
TRACK = straight((400, -300, 3000), (0.3, 0.2, 1))


def response(tpc=TPC, seed=1, **changes):
    settings = LArTPCSimulation(**{**CLEAN, **changes})
    return Response(settings, tpc, np.random.default_rng(seed))


def hits_of(deposits, tpc=TPC, seed=1, particles=1, **changes):
    made = response(tpc, seed, **changes)
    return made.hits(deposits, particles, np.random.default_rng(seed))


def charges(hits):
    return np.array([hits.charge[hits.plane == k].sum() for k in range(len(PLANES))])


def on_dead_wire(hits, fraction):
    dead = dead_wires(TPC, fraction)
    return np.array([dead[PLANES[k]][w] for k, w in zip(hits.plane, hits.wire, strict=True)])


class TestRecombination:
    @pytest.mark.parametrize(
        ("loss", "survives"), [(1.7, 0.664), (2.1, 0.633), (4.2, 0.505), (10, 0.335)]
    )
    def test_the_box_model_has_the_published_values(self, loss, survives):
        assert recombination(loss, 0.2739, "box") == pytest.approx(survives, abs=0.003)

    def test_birks_law_agrees_with_it_for_minimum_ionising_particles(self):
        box, birks = (recombination(2.1, 0.5, model) for model in ("box", "birks"))
        assert birks == pytest.approx(box, rel=0.05)

    @pytest.mark.parametrize("model", ["box", "birks"])
    def test_less_survives_of_more(self, model):
        loss = np.linspace(0.01, 60, 500)
        survives = recombination(loss, 0.2739, model)
        assert (np.diff(survives) <= 0).all()
        assert ((survives > 0) & (survives < 1)).all()

    def test_electrons_of_a_minimum_ionising_track(self):
        """1.7 MeV/cm over 3 mm give 14.4 thousand electrons."""
        freed = electrons(np.array([0.51]), np.array([3.0]), 0.2739, "box")
        assert freed[0] == pytest.approx(14400, rel=0.01)

    def test_deposits_at_points_are_as_of_slow_electrons(self):
        at_point, in_step = electrons(np.array([1.0, 1.0]), np.array([0.0, 10 / 2.1]), 0.27, "box")
        assert at_point == pytest.approx(in_step)


class TestDrift:
    def test_charge_is_conserved_at_infinite_lifetime(self):
        clouds = drift(TRACK, LArTPCSimulation(**CLEAN), ETERNAL)
        assert clouds.electrons.sum() == pytest.approx(TRACK.energy.sum() / W, rel=1e-6)

    def test_charge_decays_with_the_drift_time(self):
        x = np.array([0.0, 1098.0, 2196.0])  # 0, 1 and 2 ms
        clouds = drift(points(np.c_[x, 0 * x, x]), LArTPCSimulation(**CLEAN), TPC)
        left = clouds.electrons * W
        np.testing.assert_allclose(left, np.exp(-np.arange(3) / 18), rtol=1e-6)

    def test_spread_is_that_of_diffusion_at_full_drift(self):
        """1.3 to 1.7 mm along, 2.1 mm across."""
        clouds = drift(points((2560, 0, 5000)), LArTPCSimulation(), TPC)
        assert 1.3 < clouds.along[0] * TPC.mm_per_tick < 1.8
        assert clouds.across[0] * TPC.pitch == pytest.approx(2.1, abs=0.05)

    def test_pieces_lie_along_the_track(self):
        pieces = substeps(TRACK, np.full(len(TRACK), 1.0))
        assert len(pieces) == 3 * len(TRACK)
        expected = straight((400, -300, 3000), (0.3, 0.2, 1), steps=900, step=1.0)
        np.testing.assert_allclose(pieces.position, expected.position, atol=1e-9)
        np.testing.assert_allclose(pieces.energy, expected.energy)
        np.testing.assert_allclose(pieces.length, expected.length)

    def test_pieces_of_lonely_steps_stay_where_they_are(self):
        lonely = straight((400, 0, 3000), (0, 0, 1), steps=1)
        beside = straight((400, 50, 3000), (0, 0, 1), steps=1)
        pieces = substeps(joined(lonely, beside), np.ones(2))
        np.testing.assert_array_equal(
            pieces.position, np.repeat(joined(lonely, beside).position, 3, axis=0)
        )


class TestCharge:
    def test_waveforms_hold_all_electrons_in_every_plane(self):
        made = response(ETERNAL, diffusion=True)
        waveforms = made.waveforms(TRACK, np.random.default_rng(0))
        wire = waveforms.key.repeat(BLOCK) // made.frame.blocks
        plane = np.searchsorted(made.frame.first, wire, side="right") - 1
        sums = np.bincount(plane, waveforms.samples) / made.electron_area
        # What lies beyond four widths of a cloud is left out.
        np.testing.assert_allclose(sums, TRACK.energy.sum() / W, rtol=3e-4)
        assert waveforms.charge.sum() == pytest.approx(3 * TRACK.energy.sum() / W, rel=3e-4)

    def test_hits_hold_all_charge_in_every_plane(self):
        expected = TRACK.energy.sum() / W * TPC.electronics.area_per_electron
        np.testing.assert_allclose(charges(hits_of(TRACK, ETERNAL)), expected, rtol=0.01)

    def test_noise_does_not_change_it_on_average(self):
        quiet, noisy = (charges(hits_of(TRACK, noise=noise)).sum() for noise in (False, True))
        assert noisy == pytest.approx(quiet, rel=0.02)

    def test_a_minimum_ionising_pulse_is_as_high_as_published(self):
        """79 ADC of 14.4 thousand electrons before diffusion."""
        made = response(ETERNAL)
        deposits = points((500, 0, 5000.5), energy=14400 * W)
        waveforms = made.waveforms(deposits, np.random.default_rng(0))
        assert waveforms.samples.max() == pytest.approx(79, rel=0.04)

    @pytest.mark.parametrize("place", [(500, 0, 5001), (3.0, 1100, 41), (2500, -1100, 10301)])
    def test_a_point_is_one_hit_on_the_nearest_wire_in_time(self, place):
        hits = hits_of(points(place))
        np.testing.assert_array_equal(hits.plane, [0, 1, 2])
        wires = [TPC.wire(plane, *place[1:]) for plane in PLANES]
        np.testing.assert_array_equal(hits.wire, np.rint(wires))
        np.testing.assert_allclose(hits.time, TPC.tick(place[0]), atol=0.05)

    def test_width_grows_linearly_with_the_drift(self):
        x = np.linspace(50, 2500, 8)
        squares = []
        for depth in x:
            track = straight((depth, 100, 3000), (0, 0, 1), loss=2.0)
            hits = hits_of(track, ETERNAL, diffusion=True)
            squares.append(np.mean(hits.rms[hits.plane == 2][20:-20] ** 2))
        slope, start = np.polyfit(x, squares, 1)
        # mm²/µs over mm/µs, in ticks² a mm.
        expected = 2 * TPC.drift.diffusion.longitudinal * 1e-4 / TPC.drift.velocity
        assert slope * TPC.mm_per_tick**2 == pytest.approx(expected, rel=0.05)
        assert start == pytest.approx(shaping(TPC) ** 2, rel=0.05)
        assert np.abs(squares - start - slope * x).max() < 0.02 * max(squares)


class TestPulses:
    def test_a_tracks_hits_lie_on_its_line_in_every_plane(self):
        hits = hits_of(TRACK, noise=True, diffusion=True, recombination="box")
        seen = hits.particle == 0
        (x, y, z), (dx, dy, dz) = TRACK.position[0], TRACK.position[-1] - TRACK.position[0]
        for k, plane in enumerate(PLANES):
            mine = seen & (hits.plane == k)
            first, last = (TPC.wire(plane, y + s * dy, z + s * dz) for s in (0, 1))
            along = (hits.wire[mine] - first) / (last - first)
            assert mine.sum() > 0.9 * abs(last - first)
            off = hits.time[mine] - TPC.tick(x + along * dx)
            assert np.abs(off[(along > 0.02) & (along < 0.98)]).max() < 3
            assert -0.02 < along.min() < along.max() < 1.02

    def test_two_pulses_on_a_wire_are_told_apart_and_know_their_particles(self):
        places = [(500, 0, 5001), (512, 0, 5001)]  # 22 ticks
        both = joined(points(places[0], 0.5, particle=0), points(places[1], 2.0, particle=1))
        hits = hits_of(both, particles=2)
        for k in range(3):
            mine = hits.plane == k
            np.testing.assert_array_equal(hits.particle[mine], [0, 1])
            np.testing.assert_allclose(hits.charge[mine][1] / hits.charge[mine][0], 4, rtol=0.02)

    def test_what_cannot_be_told_apart_is_of_the_larger(self):
        both = joined(points((500, 0, 5001), 0.5), points((501, 0, 5001), 2.0, particle=1))
        hits = hits_of(both, particles=2)
        np.testing.assert_array_equal(hits.particle, [1, 1, 1])

    def test_tracks_along_the_drift_become_many_hits(self):
        along = straight((500, 0, 5001), (1, 0, 0), steps=100)
        hits = hits_of(along, noise=True)
        assert (np.bincount(hits.plane[hits.particle == 0]) > 10).all()
        assert hits.rms.max() < LONGEST * shaping(TPC) / 3

    def test_small_pulses_are_below_the_threshold(self):
        assert len(hits_of(points((500, 0, 5001), energy=0.02))) == 0
        assert len(hits_of(points((500, 0, 5001), energy=0.2))) == 3

    def test_cosmic_rays_come_at_other_times(self):
        early, late = (hits_of(points((500, 0, 5001), time=t)) for t in (0.0, 1e6))
        np.testing.assert_allclose(late.time - early.time, 2000, atol=0.01)
        np.testing.assert_array_equal(late.wire, early.wire)

    @pytest.mark.parametrize("time", [-3e6, 5e6])
    def test_charge_outside_the_readout_is_lost(self, time):
        assert len(hits_of(points((500, 0, 5001), time=time))) == 0

    @pytest.mark.parametrize("tick", [0, 9599])
    def test_charge_at_the_ends_of_the_readout_is_half_seen(self, tick):
        time = (tick - TPC.tick(500.0)) * 1000 * TPC.readout.tick
        cut, whole = hits_of(points((500, 0, 5001), time=time)), hits_of(points((500, 0, 5001)))
        np.testing.assert_allclose(cut.charge / whole.charge, 0.6, atol=0.1)
        assert ((cut.time > -1) & (cut.time < 9600)).all()

    def test_no_charge_gives_no_hits_but_noise(self):
        assert len(hits_of(NOTHING, particles=0)) == 0
        noise = hits_of(NOTHING, particles=0, noise=True)
        assert len(noise) > 0
        assert set(noise.particle) == {-1}


class TestNoise:
    def test_it_has_the_rms_and_the_correlation_of_the_shaper(self):
        noise = noise_samples(TPC, 400000, np.random.default_rng(3)).astype(float)
        assert noise.std() == pytest.approx(TPC.electronics.noise, rel=0.02)
        for lag in (1, 2, 5):
            correlation = np.mean(noise[lag:] * noise[:-lag]) / noise.var()
            expected = np.exp(-(lag**2) / (4 * shaping(TPC) ** 2))
            assert correlation == pytest.approx(expected, abs=0.02)

    def test_its_pulses_are_as_many_as_in_long_waveforms(self):
        """At a lower threshold, for statistics: three times the noise."""
        low = TPC.electronics.model_copy(update={"threshold": 3 * TPC.electronics.noise})
        tpc = TPC.model_copy(update={"electronics": low})
        noise = noise_samples(tpc, 2000000, np.random.default_rng(4))
        crossings = np.sum((noise[1:] > low.threshold) & (noise[:-1] <= low.threshold))
        assert crossings / len(noise) == pytest.approx(noise_pulse_rate(tpc), rel=0.1)

    def test_waveforms_near_charge_have_it(self):
        quiet, noisy = (
            response(noise=noise).waveforms(TRACK, np.random.default_rng(1)).samples
            for noise in (False, True)
        )
        assert np.std(noisy - quiet) == pytest.approx(TPC.electronics.noise, rel=0.05)

    def test_it_ends_with_the_readout(self):
        """Here inside of a block."""
        short = TPC.model_copy(update={"readout": TPC.readout.model_copy(update={"ticks": 4001})})
        along = straight((200, 0, 3000), (1, 0, 0), steps=200)
        made = response(short, noise=True)
        waveforms = made.waveforms(along, np.random.default_rng(1))
        tick = (waveforms.key % made.frame.blocks * BLOCK)[:, None] + np.arange(BLOCK)
        beyond = tick.ravel() >= 4001
        assert beyond.any()
        assert not waveforms.samples[beyond].any()
        assert waveforms.samples[~beyond].all()


def test_dead_wires_are_silent_and_the_others_unchanged():
    all_hits, hits = hits_of(TRACK), hits_of(TRACK, dead_wires=0.3)
    silent = on_dead_wire(all_hits, 0.3)
    assert silent.any()
    for name in ("plane", "wire", "time", "charge", "rms"):
        np.testing.assert_array_equal(getattr(hits, name), getattr(all_hits, name)[~silent])
    noise = hits_of(NOTHING, particles=0, noise=True, dead_wires=0.5)
    assert not on_dead_wire(noise, 0.5).any()


def test_events_do_not_change_one_another():
    """Nothing is left in the readout of an event before."""
    made = response()
    first = made.hits(TRACK, 1, np.random.default_rng(0))
    made.hits(straight((900, 0, 500), (0.1, 1, 0.3)), 1, np.random.default_rng(0))
    again = made.hits(TRACK, 1, np.random.default_rng(0))
    for name in first.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))


@pytest.mark.parametrize(
    "change",
    [
        {"recombination": "box"},
        {"recombination": "birks"},
        {"diffusion": True},
        {"noise": True},
        {"dead_wires": 0.5},
    ],
)
def test_every_switch_acts(change):
    plain, changed = hits_of(TRACK), hits_of(TRACK, **change)
    assert len(plain) != len(changed) or not np.array_equal(plain.charge, changed.charge)


def test_pieces_of_a_step_at_the_wires_do_not_lie_beyond_them():
    """A step whose middle is just inside, along the drift: half of it would have no drift time."""
    track = straight((-1.4, 100, 3000), (1, 0, 0.1), steps=20)
    clouds = drift(track, LArTPCSimulation(), TPC)
    for column in (clouds.along, clouds.across, clouds.tick):
        assert np.isfinite(column).all()
    assert len(response(diffusion=True).hits(track, 1, np.random.default_rng(0)).wire)
