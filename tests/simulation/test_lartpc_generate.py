"""Whole events of a liquid-argon TPC: columns, truth, random numbers, switches, files."""

import numpy as np
import pytest
import uproot
from straight_deposits import NOTHING, points, straight

from hepcnn.config import LArTPCSample, LArTPCSimulation
from hepcnn.detector.labels import PROCESSES, SINGLE_PARTICLES
from hepcnn.detector.tpc import CM, PLANES, load_tpc
from hepcnn.errors import InputError
from hepcnn.simulation.lartpc.generate import CELL, merge, simulate, write_sample_shard

TPC = load_tpc("microboone")
BOX = TPC.volume.bounds
INTERACTIONS = {"generator": "interactions", "cosmics": 1.0}


def make(events=6, seed=1, geometry="microboone", **changes):
    settings = LArTPCSimulation(**changes)
    (chunk,) = simulate(settings, load_tpc(geometry), np.random.default_rng(seed), events)
    return chunk


def equal(first, second):
    if not np.array_equal(first.key, second.key):
        return False
    for level in first.LEVELS:
        one, other = first.columns(level), second.columns(level)
        if set(one) != set(other) or not np.array_equal(
            first.offsets(level), second.offsets(level)
        ):
            return False
        if any(
            not np.array_equal(one[n], other[n], equal_nan=one[n].dtype.kind == "f") for n in one
        ):
            return False
    return True


def test_chunks_are_what_they_should_be():
    settings = LArTPCSimulation(energy_range=(100, 200))
    chunks = list(simulate(settings, TPC, np.random.default_rng(2), 10, subrun=3, chunk=4))
    assert [len(c) for c in chunks] == [4, 4, 2]
    for chunk in chunks:
        chunk.validate()
    key = np.concatenate([c.key for c in chunks])
    np.testing.assert_array_equal(key["event"], np.arange(10))
    assert set(key["subrun"]) == {3}


@pytest.mark.parametrize("changes", [{}, INTERACTIONS])
def test_the_columns_mean_what_they_say(changes):
    events = make(**changes)
    events.validate()
    hits, particles = events.hits, events.particles
    wires = np.array([TPC.wires(plane) for plane in PLANES])
    assert set(hits["plane"]) == {0, 1, 2}
    assert ((hits["wire"] >= 0) & (hits["wire"] < wires[hits["plane"]])).all()
    assert ((hits["time"] >= 0) & (hits["time"] < TPC.readout.ticks)).all()
    assert (hits["charge"] > 0).all()
    assert (hits["rms"] > 0).all()
    count = np.diff(events.particle_offsets)
    event = np.repeat(np.arange(len(events)), np.diff(events.hit_offsets))
    assert ((hits["particle"] >= -1) & (hits["particle"] < count[event])).all()
    assert ((particles["process"] >= 0) & (particles["process"] < len(PROCESSES))).all()
    primary = particles["parent"] == -1
    assert (particles["process"][primary] == 0).all()
    deposits = events.deposits["position"]
    assert ((deposits >= BOX[:, 0] / CM - 1e-3) & (deposits <= BOX[:, 1] / CM + 1e-3)).all()


def test_single_particles_start_at_the_vertex():
    events = make(energy_range=(300, 400))
    first = events.particle_offsets[:-1]
    assert "neutrino_pdg" not in events.truth
    assert set(np.abs(events.particles["pdg"][first])) <= set(SINGLE_PARTICLES.values())
    np.testing.assert_allclose(events.truth["vertex"], events.particles["start"][first])
    assert (events.particles["energy"][first] >= 300).all()
    assert (events.particles["energy"][first] <= 400).all()


def test_the_vertex_is_where_its_coordinates_say():
    events = make(**INTERACTIONS, mixture={"numu_cc": 1, "cosmic": 1}, events=12)
    neutrino = events.truth["neutrino_pdg"] != 0
    assert neutrino.any()
    assert not neutrino.all()
    for name in ("vertex", "vertex_wire", "vertex_tick", "neutrino_energy"):
        column = events.truth[name].reshape(len(events), -1)
        assert (np.isfinite(column) == neutrino[:, None]).all()
    x, y, z = events.truth["vertex"][neutrino].T * CM
    expected = np.column_stack([TPC.wire(plane, y, z) for plane in PLANES])
    np.testing.assert_allclose(events.truth["vertex_wire"][neutrino], expected, atol=0.01)
    np.testing.assert_allclose(events.truth["vertex_tick"][neutrino], TPC.tick(x), atol=0.01)


def test_a_muon_that_starts_at_the_vertex_has_hits_there_in_every_plane():
    events = make(mixture={"muon": 1}, energy_range=(400, 500), dead_wires=0.0, events=5)
    for i in range(len(events)):
        event = events.part(i, i + 1)
        for k in range(3):
            mine = (event.hits["plane"] == k) & (event.hits["particle"] == 0)
            wires = event.hits["wire"][mine] - event.truth["vertex_wire"][0, k]
            ticks = (event.hits["time"][mine] - event.truth["vertex_tick"][0]) / 6
            assert np.hypot(wires, ticks).min() < 5


def test_truth_of_hits_is_of_the_particle_that_was_there():
    """Hits of each particle lie near its deposits."""
    events = make(events=4)
    for i in range(len(events)):
        event = events.part(i, i + 1)
        position = event.deposits["position"].astype(float) * CM
        x, y, z = position.T
        for k, plane in enumerate(PLANES):
            wire, tick = TPC.wire(plane, y, z), TPC.tick(x)
            chosen = (event.hits["plane"] == k) & (event.hits["particle"] >= 0)
            for row in np.flatnonzero(chosen)[::20]:
                own = event.deposits["particle"] == event.hits["particle"][row]
                off = np.hypot(
                    wire[own] - event.hits["wire"][row], (tick[own] - event.hits["time"][row]) / 6
                )
                assert off.min() < 5


def test_deposits_hold_the_energy_and_can_be_left_out():
    events = make(mixture={"muon": 1}, energy_range=(100, 110), events=4)
    first = events.particle_offsets[:-1]
    sums = np.add.reduceat(events.deposits["energy"], events.deposit_offsets[:-1])
    # The decay electron's energy is more, what leaves the volume less.
    assert (sums < events.particles["energy"][first] + 55).all()
    assert (sums > 80).all()
    without = make(mixture={"muon": 1}, energy_range=(100, 110), events=4, deposits=False)
    assert without.deposits == {}
    without.validate()
    np.testing.assert_array_equal(without.hits["charge"], events.hits["charge"])


def test_merged_deposits_are_one_a_cell_and_particle():
    track = straight((400, -300, 3000), (0.3, 0.2, 1), step=1.0)
    cells = merge(track)
    assert cells.energy.sum() == pytest.approx(track.energy.sum())
    np.testing.assert_allclose(
        np.average(cells.position, axis=0, weights=cells.energy), track.position.mean(axis=0)
    )
    assert len(np.unique(cells.position // CELL, axis=0)) == len(cells)
    assert len(merge(NOTHING)) == 0
    nothing_left = points([(1, 1, 1), (2, 2, 2)], energy=0.0)
    assert len(merge(nothing_left)) == 0


def test_equal_seeds_give_equal_events_and_others_do_not():
    assert equal(make(**INTERACTIONS), make(**INTERACTIONS))
    assert not equal(make(**INTERACTIONS), make(**INTERACTIONS, seed=2))


@pytest.mark.parametrize(
    "change",
    [
        {"generator": "interactions"},
        {"mixture": {"proton": 1}},
        {"energy_range": (50, 60)},
        {"direction": "beam"},
        {"margin": 800.0},
        {"cosmics": 3.0},
        {"fluctuations": False},
        {"scattering": False},
        {"delta_rays": False},
        {"hadronic": False},
        {"recombination": "birks"},
        {"recombination": "off"},
        {"diffusion": False},
        {"noise": False},
        {"dead_wires": 0.5},
        {"deposits": False},
    ],
)
def test_every_switch_acts(change):
    assert not equal(make(events=8), make(events=8, **change))


def test_events_without_hits_are_events():
    events = make(
        mixture={"photon": 1}, energy_range=(1, 1.1), noise=False, dead_wires=1.0, events=3
    )
    events.validate()
    assert len(events) == 3
    assert events.n_hits == 0


def test_more_than_two_drift_volumes_cannot_be_simulated():
    four = load_tpc("sbnd").model_copy(update={"drift_volumes": 4})
    with pytest.raises(InputError, match="4 drift volumes; events of one, or of two"):
        next(simulate(LArTPCSimulation(), four, np.random.default_rng(0), 1))


def test_hits_of_two_drift_volumes_lie_where_their_deposits_are_seen():
    """On either side of the cathode; each hit has a deposit of its particle near, and both sides'
    vertices lie on hits."""
    tpc = load_tpc("sbnd")
    settings = {"mixture": {"muon": 1}, "energy_range": (900, 1000), "cosmics": 0.0}
    events = make(**settings, dead_wires=0.0, noise=False, events=12, geometry="sbnd")
    assert {0, 1} == {int(x > 0) for x in events.truth["vertex"][:, 0]}
    both = 0
    for i in range(len(events)):
        event = events.part(i, i + 1)
        tick, wire = tpc.seen(event.deposits["position"].astype(float) * CM)
        hits = event.hits
        for k, plane in enumerate(PLANES):
            mine = hits["plane"] == k
            assert (np.diff(hits["wire"][mine]) >= 0).all()
            off = np.hypot(
                wire[:, k][:, None] - hits["wire"][mine],
                (tick[:, None] - hits["time"][mine]) / 4,
            )
            assert np.nanmax(np.nanmin(off, axis=0)) < 5
            vertex = [event.truth["vertex_wire"][0, k], event.truth["vertex_tick"][0] / 4]
            if np.isfinite(vertex).all():
                at = np.stack([hits["wire"][mine], hits["time"][mine] / 4], axis=1)
                assert np.hypot(*(at - vertex).T).min() < 5
            side = hits["wire"][mine] >= tpc.plane(plane).wires
            both += 0 < side.mean() < 1
    assert both  # one at least crosses the cathode


class TestFiles:
    SAMPLE = LArTPCSample(detector="lartpc", simulate=LArTPCSimulation(events=8, shards=2))

    def test_equal_seeds_give_equal_files(self, tmp_path):
        for name, seed, shard in (("a", 5, 0), ("b", 5, 0), ("c", 6, 0), ("d", 5, 1)):
            write_sample_shard("argon", self.SAMPLE, seed, shard, tmp_path / f"{name}.root")
        read = {}
        for name in "abcd":
            with uproot.open(tmp_path / f"{name}.root") as file:
                read[name] = file["events"].arrays(library="np")
        assert len(read["a"]["event"]) == 4
        assert set(read["d"]["subrun"]) == {1}
        for branch, column in read["a"].items():
            for one, other in zip(column, read["b"][branch], strict=True):
                np.testing.assert_array_equal(one, other)
        charges = {name: columns["hit_charge"][0].sum() for name, columns in read.items()}
        assert charges["a"] not in (charges["c"], charges["d"])

    def test_what_cannot_be_written_is_said(self, tmp_path):
        files = LArTPCSample(detector="lartpc", files=["a.root"])
        with pytest.raises(InputError, match="'mine' has files"):
            write_sample_shard("mine", files, 1, 0, tmp_path / "x.root")
        with pytest.raises(InputError, match="shards 0 to 1, no 2"):
            write_sample_shard("argon", self.SAMPLE, 1, 2, tmp_path / "x.root")
        assert not list(tmp_path.iterdir())
