import re
from dataclasses import replace

import awkward as ak
import numpy as np
import pytest
from made_up_events import assert_same, joined, native_arrays, write_native, write_tree
from made_up_lartpc import make_lartpc

from hepcnn.config import LArTPCSample
from hepcnn.detector.tpc import load_tpc
from hepcnn.errors import InputError
from hepcnn.events.checks import check_lartpc, check_wires
from hepcnn.events.reading import read_lartpc
from hepcnn.events.sources import FileSpec
from hepcnn.events.writing import write_events


def sample(**branches):
    return LArTPCSample(detector="lartpc", files=["unused.root"], branches=branches)


PLAIN = sample()


def read(path, sample=PLAIN, **options):
    chunks = list(read_lartpc(FileSpec(str(path)), sample, **options))
    for chunk in chunks:
        chunk.validate()
    return joined(chunks)


def error_of(path, sample=PLAIN, **options):
    with pytest.raises(InputError) as error:
        read(path, sample, **options)
    assert str(path) in str(error.value)
    return str(error.value)


def without(*prefixes):
    def change(arrays):
        for name in list(arrays):
            if name.startswith(prefixes):
                del arrays[name]

    return change


def blind(events):
    """Events of which only the hits are known."""
    hits = {name: column for name, column in events.hits.items() if name != "particle"}
    none = np.zeros(len(events) + 1, np.int64)
    return replace(events, truth={}, hits=hits, particle_offsets=none, particles={},
                   deposit_offsets=none, deposits={})  # fmt: skip


# --- what is read -------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [1, 7, 1000, None])
def test_what_is_written_comes_back_to_the_last_bit(tmp_path, step):
    events = make_lartpc()
    write_events(tmp_path / "a.root", [events.part(0, 9), events.part(9, 20)], {})
    assert_same(read(tmp_path / "a.root", deposits=True, step=step), events)


@pytest.mark.parametrize("ntuple", [False, True], ids=["TTree", "RNTuple"])
def test_plain_branches_are_read(tmp_path, ntuple):
    events = make_lartpc()
    path = write_tree(tmp_path / "a.root", native_arrays(events), ntuple=ntuple)
    assert_same(read(path, deposits=True), events)


def test_deposits_are_read_only_on_request(tmp_path):
    events = make_lartpc()
    path = write_native(tmp_path / "a.root", events)
    assert not read(path).deposits
    blunt = write_native(tmp_path / "b.root", events, without("deposit_"))
    assert read(blunt).n_hits == events.n_hits
    assert "no branch 'deposit_energy'" in error_of(blunt, deposits=True)


def test_files_without_truth_are_read(tmp_path):
    events = blind(make_lartpc())
    write_events(tmp_path / "a.root", [events], {})
    assert_same(read(tmp_path / "a.root"), events)


def test_truth_is_left_out_on_request(tmp_path):
    events = make_lartpc()
    write_events(tmp_path / "a.root", [events], {})
    assert_same(read(tmp_path / "a.root", truth=False), blind(events))


def test_truth_is_optional_branch_by_branch(tmp_path):
    events = make_lartpc()
    some = write_native(tmp_path / "a.root", events, without("neutrino", "vertex_w", "particle"))
    assert "no branch 'particle_pdg'" in error_of(some)  # hit_particle refers to it
    some = write_native(
        tmp_path / "a.root", events, without("neutrino", "vertex_w", "particle", "hit_particle")
    )
    got = read(some)
    assert set(got.truth) == {"charged_current", "vertex", "vertex_tick"}
    assert not got.particles
    assert "particle" not in got.hits


def test_what_a_file_does_not_say_has_its_default(tmp_path):
    def change(arrays):
        for name in list(arrays):
            if name == "hit_rms" or (name.startswith("particle") and name != "particle_pdg"):
                del arrays[name]
        del arrays["deposit_particle"]

    events = make_lartpc()
    got = read(write_native(tmp_path / "a.root", events, change), deposits=True)
    assert (got.hits["rms"] == 0).all()
    np.testing.assert_array_equal(got.particles["pdg"], events.particles["pdg"])
    assert (got.particles["parent"] == -2).all()
    assert (got.particles["process"] == -1).all()
    assert (got.particles["origin"] == -1).all()
    assert (got.deposits["particle"] == -1).all()
    for name in ("energy", "start", "end"):
        assert np.isnan(got.particles[name]).all()


@pytest.mark.parametrize("counts", [(0, 0), (0, 3), (50, 0)])
def test_events_without_hits_or_particles_are_events(tmp_path, counts):
    hits, particles = counts
    events = make_lartpc(3, hits, particles)
    write_events(tmp_path / "a.root", [events], {})
    assert_same(read(tmp_path / "a.root", deposits=True), events)


def test_one_event_of_50000_hits_and_one_of_1(tmp_path):
    many, one = make_lartpc(2, hits=50_000).part(0, 1), make_lartpc(2, hits=300).part(0, 1)
    one = replace(one, hit_offsets=np.array([0, 1]), hits={k: v[:1] for k, v in one.hits.items()})
    write_events(tmp_path / "a.root", [many, one], {})
    assert_same(read(tmp_path / "a.root", deposits=True, step=1), joined([many, one]))


# --- a user's tuple -----------------------------------------------------------------------------


@pytest.mark.parametrize("ntuple", [False, True], ids=["TTree", "RNTuple"])
def test_lists_of_branches_are_joined_event_by_event(tmp_path, ntuple):
    """Each plane in branches of its own: the same events, hits in the order of the planes."""
    events = make_lartpc()
    native = native_arrays(events)
    order = ak.argsort(native["hit_plane"], stable=True)
    for name in native:
        if name.startswith("hit_"):
            native[name] = native[name][order]
    expected = read(write_tree(tmp_path / "a.root", native))
    names = [name for name in native if name.startswith("hit_") and name != "hit_plane"]
    arrays = {name: array for name, array in native.items() if not name.startswith("hit_")}
    for name in names:
        for plane in range(3):
            arrays[f"p{plane}_{name}"] = native[name][native["hit_plane"] == plane]
    path = write_tree(tmp_path / "b.root", arrays, ntuple=ntuple)
    lists = {name: [f"p{plane}_{name}" for plane in range(3)] for name in names}
    assert_same(read(path, sample(hit_plane=["0", "1", "2"], **lists), step=7), expected)
    # What holds for all parts is said once.
    lists["hit_rms"] = "2.5"
    got = read(path, sample(hit_plane=["0", "1", "2"], **lists))
    assert (got.hits["rms"] == 2.5).all()


@pytest.mark.parametrize(
    ("branches", "message"),
    [
        ({"hit_wire": ["hit_wire", "hit_wire"], "hit_time": ["hit_time"] * 3},
         "branches.hit_time: a list of 3, but that of hit_wire has 2"),
        ({"run": ["run", "run"]}, "branches.run: a list; only branches of hits and deposits"),
        ({"particle_pdg": ["particle_pdg", "0"]}, "branches.particle_pdg: a list; only"),
        ({"hit_wire": ["hit_wire", "hit_wier"]}, "no branch 'hit_wier' (for 'hit_wire: hit_wier')"),
        ({"hit_time": ["hit_time", "0"], "hit_wire": "0", "hit_plane": "0", "hit_charge": "1",
          "hit_rms": "1", "hit_particle": "-1"}, "no hit branch is a list"),
        ({"hit_wires": "hit_wire"}, "no native branch 'hit_wires'; did you mean 'hit_wire'"),
        ({"hit_x": "hit_wire"}, "no native branch 'hit_x'"),
        ({"vertex_x": "hit_time"}, "'hit_time' is a list, not one an event"),
        ({"hit_wire": "hit_wire / 2"}, "not an integer of type int32"),
        ({"hit_charge": "hit_charge + particle_pdg"}, "its lists have"),
        ({"hit_charge": "run"}, "hit_charge: 'run' is one an event, not a list"),
    ],
)  # fmt: skip
def test_a_wrong_map_is_named(tmp_path, branches, message):
    path = write_native(tmp_path / "a.root", make_lartpc())
    assert message in error_of(path, sample(**branches))


def test_missing_branches_are_listed_with_near_names(tmp_path):
    def change(arrays):
        arrays["hit_Wire"] = arrays.pop("hit_wire")
        del arrays["vertex_y"]

    error = error_of(write_native(tmp_path / "a.root", make_lartpc(), change))
    assert "no branch 'hit_wire'; did you mean 'hit_Wire'" in error
    assert "no branch 'vertex_y'" in error


# --- values that no detector gives --------------------------------------------------------------


def set_first(name, value, event=5):
    """Put a value on an event, or on its first hit, particle or deposit."""

    def change(arrays):
        if arrays[name].ndim == 1:
            arrays[name] = arrays[name].copy()
            arrays[name][event] = value
            return
        counts, flat = ak.num(arrays[name]), ak.flatten(arrays[name]).to_numpy().copy()
        flat[int(ak.sum(counts[:event]))] = value
        arrays[name] = ak.unflatten(flat, counts)

    return change


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("hit_plane", -1, "it must be 0 to 2"),
        ("hit_plane", 3, "it must be 0 to 2"),
        ("hit_wire", -1, "at least 0"),
        ("hit_wire", 5000, "2400 (u), 2400 (v), 3456 (y) wires"),
        ("hit_time", np.nan, "it must be finite"),
        ("hit_time", -np.inf, "it must be finite"),
        ("hit_charge", np.nan, "it must be finite"),
        ("hit_charge", np.inf, "it must be finite"),
        ("hit_rms", -0.1, "at least 0"),
        ("hit_rms", np.nan, "finite and at least 0"),
        ("hit_particle", -2, "index of the event's particles, or -1"),
        ("hit_particle", 100, "index of the event's particles, or -1"),
        ("particle_parent", 100, "index of the event's particles, or -1"),
        ("particle_parent", -3, "index of the event's particles, or -1"),
        ("particle_process", 5, "it must be -1 to 4"),
        ("particle_process", -2, "it must be -1 to 4"),
        ("particle_origin", 2, "it must be -1 to 1"),
        ("particle_energy", -1, "at least 0"),
        ("particle_start_y", np.inf, "finite, or NaN"),
        ("deposit_x", np.nan, "it must be finite"),
        ("deposit_energy", np.nan, "finite and at least 0"),
        ("deposit_particle", 100, "index of the event's particles, or -1"),
        ("vertex_z", np.inf, "finite, or NaN"),
        ("vertex_wire_u", -np.inf, "finite, or NaN"),
        ("vertex_tick", np.inf, "finite, or NaN"),
        ("charged_current", 2, "it must be 0 or 1"),
        ("neutrino_energy", -5, "at least 0"),
    ],
)
def test_an_impossible_value_is_named_with_its_event(tmp_path, name, value, rule):
    events = make_lartpc(particles=30)
    path = write_native(tmp_path / "a.root", events, set_first(name, value))
    run, subrun, event = events.key[5]
    kind = name.split("_")[0]
    row = f": {kind} 0" if kind in ("hit", "particle", "deposit") else ""
    error = error_of(path, deposits=True, step=4)
    assert re.search(rf"event {run}:{subrun}:{event}{row} has .*\b{name} = ", error)
    assert rule in error


@pytest.mark.parametrize("event", [1, 4, 5])
def test_an_index_is_one_of_the_particles_of_its_own_event(event):
    events = make_lartpc(6, particles=4)
    hits, particles = np.array([0, 2, 0, 0, 3, 1]), np.diff(events.particle_offsets)
    offsets = np.concatenate([[0], np.cumsum(hits)])
    columns = {name: column[: offsets[-1]].copy() for name, column in events.hits.items()}
    columns["particle"] = np.repeat(particles - 1, hits).astype("i4")
    events = replace(events, hit_offsets=offsets, hits=columns)
    check_lartpc(events)
    columns["particle"][offsets[event + 1] - 1] += 1
    with pytest.raises(InputError, match=rf":{events.key[event]['event']}: hit {hits[event] - 1} "):
        check_lartpc(events)


@pytest.mark.parametrize(("plane", "last"), [(0, 2399), (1, 2399), (2, 3455)])
def test_the_last_wire_of_each_plane_is_there_and_none_after_it(plane, last):
    events, tpc = make_lartpc(), load_tpc("microboone")
    events.hits["plane"][7], events.hits["wire"][7] = plane, last
    check_wires(events, tpc)
    events.hits["wire"][7] += 1
    with pytest.raises(InputError, match=f"hit_wire = {last + 1};"):
        check_wires(events, tpc)


@pytest.mark.parametrize("name", ["vertex_x", "vertex_wire_v", "vertex_tick", "particle_energy",
                                  "particle_end_z", "neutrino_energy"])  # fmt: skip
def test_nan_stands_for_none_where_there_may_be_none(tmp_path, name):
    read(write_native(tmp_path / "a.root", make_lartpc(particles=30), set_first(name, np.nan)))


def with_track_ids(arrays):
    """As LArSoft has them: ids that are no indices, 0 for a primary's parent."""
    counts = ak.num(arrays["particle_pdg"])
    index = ak.local_index(arrays["particle_pdg"])
    arrays["particle_id"] = ak.values_astype(3 * index + 11, np.int32)
    for name, none in (("particle_parent", 0), ("hit_particle", -1), ("deposit_particle", -1)):
        own = arrays[name]
        arrays[name] = ak.values_astype(ak.where(own < 0, none, 3 * own + 11), np.int32)
    assert ak.any(counts > 3)


def test_particles_by_geant4_ids_are_those_by_index(tmp_path):
    events = make_lartpc(particles=6)
    got = read(write_native(tmp_path / "a.root", events, with_track_ids), deposits=True)
    assert "id" not in got.particles
    for level in ("particles", "hits", "deposits"):
        for name, column in getattr(events, level).items():
            np.testing.assert_array_equal(getattr(got, level)[name], column, err_msg=name)


def test_a_track_that_is_not_in_the_event(tmp_path):
    """As parent it is not known; a hit of it is nobody's; one of a shower is of its beginning."""

    def change(arrays):
        with_track_ids(arrays)
        for name in ("particle_parent", "hit_particle"):
            flat = ak.to_numpy(ak.flatten(arrays[name])).copy()
            flat[flat == 14] = 9999 if name == "particle_parent" else -14
            flat[flat == 17] = 9999
            arrays[name] = ak.unflatten(flat, ak.num(arrays[name]))

    events = make_lartpc(particles=6)
    got = read(write_native(tmp_path / "a.root", events, change))
    lost = np.isin(events.particles["parent"], (1, 2))
    assert (got.particles["parent"][lost] == -2).all()
    assert (got.particles["parent"] == events.particles["parent"])[~lost].all()
    own = events.hits["particle"]
    np.testing.assert_array_equal(got.hits["particle"], np.where(own == 2, -1, own))


def test_an_id_given_twice_is_named(tmp_path):
    def change(arrays):
        with_track_ids(arrays)
        arrays["particle_id"] = ak.values_astype(ak.ones_like(arrays["particle_id"]), np.int32)

    path = write_native(tmp_path / "a.root", make_lartpc(particles=6), change)
    assert re.search(r"particle 1 has particle_id = 1; another particle", error_of(path))


def test_geant4_ids_taken_for_indices_are_named(tmp_path):
    """From 1 on, and 0 for none, they are indices too: but of events without a primary."""

    def change(arrays):
        arrays["particle_parent"] = arrays["particle_parent"] + 1

    # The last particle's parent is the one before: no id is beyond the event's particles.
    path = write_native(tmp_path / "a.root", make_lartpc(particles=6), change)
    assert "map particle_id" in error_of(path)


@pytest.mark.parametrize("none", [-999, -9999, -99999])
def test_numbers_that_say_none_are_none(tmp_path, none):
    """As LArSoft fills its ntuples; a single coordinate may well be that number."""

    def change(arrays):
        first = np.arange(len(arrays["run"])) == 2
        names = ("neutrino_pdg", "neutrino_energy", "vertex_tick")
        for name in (*names, "vertex_x", "vertex_y", "vertex_z"):
            arrays[name] = np.where(first, none, arrays[name]).astype(arrays[name].dtype)
        last = np.arange(len(arrays["run"])) == 3
        arrays["vertex_x"] = np.where(last, np.float32(none), arrays["vertex_x"])

    events = make_lartpc()
    truth = read(write_native(tmp_path / "a.root", events, change)).truth
    assert truth["neutrino_pdg"][2] == 0
    for name in ("neutrino_energy", "vertex", "vertex_tick"):
        assert np.isnan(truth[name][2]).all()
    assert truth["vertex"][3, 0] == none
    np.testing.assert_array_equal(truth["vertex"][4:], events.truth["vertex"][4:])


@pytest.mark.parametrize(("pdg", "energy"), [(14, 3.0), (-14, 100.0), (12, 0.4), (16, 1500.0)])
def test_a_neutrino_below_the_mass_of_its_lepton_is_refused(tmp_path, pdg, energy):
    events = make_lartpc()
    events.truth["neutrino_pdg"][5], events.truth["charged_current"][5] = pdg, 1
    events.truth["neutrino_energy"][5] = energy
    error = error_of(write_native(tmp_path / "a.root", events))
    run, subrun, event = events.key[5]
    assert f"event {run}:{subrun}:{event} has neutrino_energy" in error
    assert "1000 * BRANCH" in error
    events.truth["charged_current"][5] = 0
    assert_same(read(write_native(tmp_path / "b.root", events), deposits=True), events)
