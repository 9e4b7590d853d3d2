import gc
import re
import subprocess
import sys
import threading
from collections import Counter
from itertools import pairwise
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot
from hypothesis import given
from hypothesis import strategies as st
from made_up_events import (
    NATIVE_SAMPLE,
    assert_same,
    joined,
    make_events,
    native_arrays,
    write_native,
    write_tree,
)
from pydantic import ValidationError

from hepcnn.config import RichSample
from hepcnn.errors import InputError
from hepcnn.events.columns import to_column
from hepcnn.events.reading import read_rich
from hepcnn.events.sources import FileSpec


def read(path, sample=NATIVE_SAMPLE, **options):
    chunks = list(read_rich(FileSpec(str(path)), sample, **options))
    for chunk in chunks:
        chunk.validate()
    return joined(chunks)


def sample(**branches):
    return RichSample(files=["unused.root"], branches=branches)


def error_of(path, sample=NATIVE_SAMPLE, **options):
    with pytest.raises(InputError) as error:
        read(path, sample, **options)
    assert str(path) in str(error.value)
    return str(error.value)


# --- what is read -------------------------------------------------------------------------------


@pytest.mark.parametrize("ntuple", [False, True], ids=["TTree", "RNTuple"])
@pytest.mark.parametrize("step", [1, 7, 1000, None])
def test_native_files_come_back_to_the_last_bit(tmp_path, ntuple, step):
    events = make_events()
    path = write_tree(tmp_path / "a.root", native_arrays(events), ntuple=ntuple)
    assert_same(read(path, hit_truth=True, step=step), events)


def test_chunks_have_the_size_asked_for_and_arrays_that_can_be_worked_on(tmp_path):
    path = write_native(tmp_path / "a.root", make_events(20))
    chunks = list(read_rich(FileSpec(str(path)), NATIVE_SAMPLE, step=8))
    assert [len(chunk) for chunk in chunks] == [8, 8, 4]
    for array in [*chunks[1].tracks.values(), *chunks[1].hits.values()]:
        assert array.flags.c_contiguous
        assert array.flags.writeable


def test_events_without_tracks_or_hits_are_events(tmp_path):
    events = make_events(3, tracks=0, hits=0)
    assert events.n_tracks == events.n_hits == 0
    assert_same(read(write_native(tmp_path / "a.root", events), hit_truth=True), events)


def test_true_hit_tracks_are_read_on_request(tmp_path):
    path = write_native(tmp_path / "a.root", make_events())
    assert "track" not in read(path).hits
    assert "track" in read(path, hit_truth=True).hits


def test_a_file_without_truth_is_read_only_on_request(tmp_path):
    path = write_native(tmp_path / "a.root", make_events(), lambda a: a.pop("track_pdg"))
    assert "no branch 'track_pdg'" in error_of(path)
    assert "pdg" not in read(path, truth=False).tracks


def test_truth_that_is_there_is_read_even_if_not_needed(tmp_path):
    assert "pdg" in read(write_native(tmp_path / "a.root", make_events()), truth=False).tracks


def without(rich, *parts):
    def change(arrays):
        for name in list(arrays):
            if any(name.startswith(f"track_{rich}_{part}") for part in parts):
                del arrays[name]

    return change


def test_one_rich_is_enough(tmp_path):
    path = write_native(tmp_path / "a.root", make_events(), without("rich2", ""))
    tracks = read(path).tracks
    assert "rich1_entry" in tracks
    assert "rich2_entry" not in tracks
    assert "no branch 'track_rich2_entry_x'" in error_of(path, rich=["rich2"])


def test_only_the_richs_asked_for_are_read(tmp_path):
    path = write_native(tmp_path / "a.root", make_events())
    assert {name for name in read(path, rich=["rich2"]).tracks if "rich" in name} == {
        "rich2_entry", "rich2_direction", "rich2_exit",
    }  # fmt: skip


def test_half_a_segment_is_an_error(tmp_path):
    path = write_native(tmp_path / "a.root", make_events(), without("rich1", "exit"))
    assert "no branch 'track_rich1_exit_z'" in error_of(path)


def test_a_projection_stands_for_the_segment(tmp_path):
    def change(arrays):
        without("rich1", "direction", "exit")(arrays)
        for axis in "xyz":
            arrays[f"seen_at_{axis}"] = arrays.pop(f"track_rich1_entry_{axis}")

    events = make_events()
    path = write_native(tmp_path / "a.root", events, change)
    mapped = {f"track_rich1_projection_{axis}": f"seen_at_{axis}" for axis in "xyz"}
    tracks = read(path, sample(**mapped)).tracks
    np.testing.assert_array_equal(tracks["rich1_projection"], events.tracks["rich1_entry"])
    assert "rich1_entry" not in tracks


def test_tree_of_the_sample_and_of_the_file(tmp_path):
    events = make_events()
    path = tmp_path / "a.root"
    write_tree(path, native_arrays(events), tree="Rec")
    named = RichSample(files=["unused.root"], tree="Rec")
    assert_same(read(path, named, hit_truth=True), events)
    [chunk] = read_rich(FileSpec(str(path), "Rec"), NATIVE_SAMPLE, hit_truth=True)
    assert_same(chunk, events)


# --- a user's tuple -----------------------------------------------------------------------------


@pytest.mark.parametrize("ntuple", [False, True], ids=["TTree", "RNTuple"])
def test_another_layout_gives_identical_events_through_branches_alone(tmp_path, ntuple):
    """Other names, GeV and cm, other order, other number types, a constant run."""
    events = make_events()
    native = native_arrays(events)
    branches, arrays = {}, {}
    for name, array in reversed(native.items()):
        other = "user_" + name.replace("track", "Trk").replace("hit", "Photon")
        if name == "run":
            branches[name] = "5 + 2"
            continue
        if name == "track_p":
            arrays[other], branches[name] = ak.values_astype(array, "f8") / 1000, f"1000 * {other}"
        elif name.startswith("hit_") and name[-1] in "xyz":
            arrays[other], branches[name] = ak.values_astype(array, "f8") / 10, f"{other}*10"
        elif name == "track_charge":
            arrays[other], branches[name] = ak.values_astype(array, "f4"), other
        elif name == "hit_rich":
            arrays[other], branches[name] = array - 1, f"{other} + 1"
        else:
            arrays[other], branches[name] = array, other
    path = write_tree(tmp_path / "a.root", arrays, ntuple=ntuple)
    assert_same(read(path, sample(**branches), hit_truth=True), events)


def test_constants_take_the_shape_of_what_they_stand_for(tmp_path):
    path = write_native(tmp_path / "a.root", make_events())
    events = read(path, sample(run="0", track_charge="-1", hit_rich="1", hit_z="2.5e3"))
    assert (events.key["run"] == 0).all()
    assert (events.tracks["charge"] == -1).all()
    assert (events.hits["rich"] == 1).all()
    assert (events.hits["position"][:, 2] == 2500).all()


def test_what_there_is_one_of_an_event_spreads_over_its_hits(tmp_path):
    events = make_events()
    path = write_native(tmp_path / "a.root", events)
    shifted = read(path, sample(hit_x="hit_x - hit_x + subrun")).hits["position"][:, 0]
    np.testing.assert_array_equal(shifted, np.full(events.n_hits, 2))


def test_dotted_and_nested_names(tmp_path):
    def change(arrays):
        arrays["Track.P"] = arrays.pop("track_p")

    events = make_events()
    path = write_native(tmp_path / "a.root", events, change)
    p = read(path, sample(track_p="2 * Track.P")).tracks["p"]
    np.testing.assert_array_equal(p, 2 * events.tracks["p"])


# --- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("branches", "messages"),
    [
        ({"track_P": "track_p"}, ["no native branch 'track_P'", "did you mean 'track_p'"]),
        ({"track_p": "Track_P"}, ["no branch 'Track_P' (for 'track_p: Track_P')", "'track_p'"]),
        ({"track_p": "1000 * trak_p"}, ["no branch 'trak_p'", "did you mean 'track_p'"]),
        ({"track_p": "sqr(track_p)"}, ["branches.track_p: expression", "did you mean 'sqrt'"]),
        ({"event": "event * 10**12"}, ["entry 0: 'event * 10**12': ", "needs more than the 64"]),
        ({"event": "event * 1e5"}, ["is not an integer of type int64"]),
        ({"hit_rich": "hit_rich + hit_x * 0 + 'a'"}, ["branches.hit_rich: expression"]),
        ({"event": "1"}, ["branches.event: a constant"]),
        ({"run": "hit_x"}, ["'hit_x' is a list"]),
        ({"track_p": "run"}, ["track_p: 'run' is one an event, not a list"]),
        ({"hit_x": "track_p"}, ["event 7:2:", "'track_p' has"]),
        ({"hit_panel": "hit_panel / 3"}, ["hit_panel: 0.333", "not an integer of type int8"]),
        ({"hit_rich": "hit_rich + 1000"}, ["hit_rich: 100", "not an integer of type int8"]),
        ({"track_charge": "1 / 0"}, ["track_charge: inf"]),
        ({"hit_x": "1e30 * (hit_x + 1e30)"}, ["hit 0 has hit_x = inf"]),
        ({"hit_x": "hit_x", "z": "1"}, ["no native branch 'z'"]),
    ],
)
def test_a_wrong_map_is_named(tmp_path, branches, messages):
    path = write_native(tmp_path / "a.root", make_events())
    error = error_of(path, sample(**branches))
    for message in messages:
        assert message in error


def test_all_missing_branches_are_listed_with_near_names(tmp_path):
    def change(arrays):
        arrays["Track_P"] = arrays.pop("track_p")
        arrays["hit_X"] = arrays.pop("hit_x")

    error = error_of(write_native(tmp_path / "a.root", make_events(), change))
    assert "no branch 'track_p'; did you mean 'Track_P'" in error
    assert "no branch 'hit_x'; did you mean 'hit_X'" in error
    assert "hepcnn inspect" in error


def test_branches_of_other_things_than_numbers_are_refused(tmp_path):
    arrays = native_arrays(make_events())
    arrays["name"] = ak.Array(["a"] * len(arrays["run"]))
    path = write_tree(tmp_path / "a.root", arrays, ntuple=True)
    assert "run: holds texts, not numbers" in error_of(path, sample(run="name"))


def set_first(name, value, event=5):
    """Put a value on the first track or hit of an event."""

    def change(arrays):
        counts, flat = ak.num(arrays[name]), ak.flatten(arrays[name]).to_numpy().copy()
        flat[int(ak.sum(counts[:event]))] = value
        arrays[name] = ak.unflatten(flat, counts)

    return change


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("hit_x", np.nan, "it must be finite"),
        ("hit_z", np.inf, "it must be finite"),
        ("hit_rich", 0, "it must be 1 or 2"),
        ("hit_rich", 3, "it must be 1 or 2"),
        ("hit_panel", -1, "it must be 0 or 1"),
        ("hit_panel", 2, "it must be 0 or 1"),
        ("hit_track", 100, "index of the event's tracks"),
        ("hit_track", -2, "index of the event's tracks"),
        ("track_p", np.nan, "finite and above 0"),
        ("track_p", 0, "finite and above 0"),
        ("track_p", -5000, "finite and above 0"),
        ("track_p", np.inf, "finite and above 0"),
        ("track_rich1_entry_y", np.nan, "or all NaN"),
        ("track_rich1_exit_z", np.inf, "or all NaN"),
        ("track_rich2_direction_x", 0.9, "unit vector"),
    ],
)
def test_an_impossible_value_is_named_with_its_event(tmp_path, name, value, rule):
    events = make_events()
    for rich in ("rich1", "rich2"):  # every track crosses, so that one NaN is a partial one
        for part in ("entry", "direction", "exit"):
            column = events.tracks[f"{rich}_{part}"]
            column[np.isnan(column).all(axis=1)] = (0, 0, 1)
    path = write_native(tmp_path / "a.root", events, set_first(name, value))
    run, subrun, event = events.key[5]
    kind = name.split("_")[0]
    error = error_of(path, hit_truth=True, step=4)
    assert re.search(rf"event {run}:{subrun}:{event}: {kind} 0 has .*\b{name} = ", error)
    assert rule in error


def test_one_finite_number_of_an_absent_segment_is_an_error(tmp_path):
    events = make_events()
    outside = np.flatnonzero(np.isnan(events.tracks["rich2_exit"]).all(axis=1))
    events.tracks["rich2_exit"][outside[2], 1] = 7
    assert "or all NaN" in error_of(write_native(tmp_path / "a.root", events))


def test_different_lengths_are_named_with_the_event(tmp_path):
    events = make_events()

    def change(arrays):
        arrays["hit_y"] = ak.Array(
            [hits[:-1] if i == 6 else hits for i, hits in enumerate(arrays["hit_y"].to_list())]
        )

    path = write_native(tmp_path / "a.root", events, change)
    n = int(np.diff(events.hit_offsets)[6])
    name = ":".join(str(part) for part in events.key[6])
    error = error_of(path, step=4)
    assert f"event {name}: 'hit_x' has {n} values, 'hit_y' {n - 1}" in error


def test_an_empty_tree_is_an_error(tmp_path):
    arrays = native_arrays(make_events())
    path = tmp_path / "a.root"
    with uproot.recreate(path) as file:
        file.mktree("events", {name: ak.type(array).content for name, array in arrays.items()})
    assert "tree 'events' has no entries" in error_of(path)


def test_broken_baskets_are_an_error_with_the_entries(tmp_path):
    """The file opens, but its data is not what was written."""
    path = write_native(tmp_path / "a.root", make_events(400))
    with uproot.open(path) as file:
        branch = file["events"]["hit_x"]
        seek = int(branch.member("fBasketSeek")[0])
        length = int(branch.member("fBasketBytes")[0])
    data = bytearray(path.read_bytes())
    data[seek + length // 4 : seek + length] = bytes(length - length // 4)
    path.write_bytes(data)
    assert "cannot read entries 0 to" in error_of(path)


# --- how it is read -----------------------------------------------------------------------------


def test_leaving_early_closes_the_file_and_ends_the_thread(tmp_path):
    path = write_native(tmp_path / "a.root", make_events(50))
    before = threading.active_count()
    chunks = read_rich(FileSpec(str(path)), NATIVE_SAMPLE, step=5)
    next(chunks)
    chunks.close()
    gc.collect()
    assert threading.active_count() == before
    assert not any(str(path) in str(link) for link in open_files())


def open_files():
    folder = Path("/proc/self/fd")
    return [link.resolve() for link in folder.iterdir()] if folder.exists() else []


@given(st.lists(st.lists(st.integers(-100, 100), max_size=5), min_size=1, max_size=10), st.data())
def test_columns_are_the_lists_flattened(lists, data):
    """Any slice of a jagged array: its own offsets from 0, its own values."""
    start = data.draw(st.integers(0, len(lists)))
    array = ak.values_astype(ak.from_iter([*lists, [0]]), "i4")[start:-1]
    column = to_column(array, "x")
    assert column.offsets is not None
    assert column.offsets.dtype == np.int64
    assert column.offsets[0] == 0
    parts = [column.values[a:b].tolist() for a, b in pairwise(column.offsets)]
    assert parts == lists[start:]
    assert len(column.values) == column.offsets[-1]


_PEAK = """
import resource, sys
from hepcnn.config import RichSample
from hepcnn.events.reading import read_rich
from hepcnn.events.sources import FileSpec
n = sum(len(e) for e in read_rich(FileSpec(sys.argv[1]), RichSample(files=["x"]), step=100))
print(n, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss has other units elsewhere")
def test_memory_does_not_grow_with_the_file(tmp_path):
    peaks = []
    arrays = native_arrays(make_events(500, tracks=20, hits=500))
    for repeats in (2, 60):
        path = tmp_path / f"{repeats}.root"
        with uproot.recreate(path, compression=None) as file:
            file.mktree("events", {name: ak.type(array).content for name, array in arrays.items()})
            for _ in range(repeats):
                file["events"].extend(arrays)
        run = subprocess.run(
            [sys.executable, "-c", _PEAK, str(path)], capture_output=True, text=True, check=True
        )
        n, peak = (int(word) for word in run.stdout.split())
        assert n == 500 * repeats
        peaks.append(peak / 1024)
    size = path.stat().st_size / 2**20
    assert size > 250
    assert peaks[1] - peaks[0] < 40, f"{peaks} MiB for a file of {size:.0f} MiB"


# --- expressions --------------------------------------------------------------------------------


def test_momentum_and_slopes_are_written_as_expressions(tmp_path):
    """As LHCb's tuples have them: px, py, pz, slopes and arrays of fixed size."""
    events = make_events()
    native = native_arrays(events)
    p, counts = ak.flatten(native["track_p"]).to_numpy(), np.diff(events.track_offsets)
    entry = [native.pop(f"track_rich1_entry_{axis}") for axis in "xyz"]
    direction = [native.pop(f"track_rich1_direction_{axis}") for axis in "xyz"]
    hits = [ak.flatten(native.pop(f"hit_{axis}")).to_numpy() for axis in "xyz"]
    del native["track_p"], native["event"]
    nowhere = [ak.nan_to_none(d) for d in direction]
    tx, ty = (ak.fill_none(d / nowhere[2], np.nan) for d in nowhere[:2])
    unit = events.tracks["rich2_direction"].astype(float)
    unit[np.isnan(unit)] = 1 / np.sqrt(3)
    for axis, component in zip("xyz", (p[:, None] * unit).T, strict=True):
        native[f"P{axis}"] = ak.unflatten(component / 1000, counts)
    native |= {
        "tx": ak.values_astype(tx, "f8"),
        "ty": ak.values_astype(ty, "f8"),
        "entry": ak.unflatten(np.stack([ak.flatten(e) for e in entry], axis=1), counts),
        "hit_pos": ak.unflatten(np.stack(hits, axis=1), np.diff(events.hit_offsets)),
        "number": np.stack([events.key["event"], events.key["event"]], axis=1),
    }
    norm = "sqrt(1 + tx**2 + ty**2)"
    mapped = {
        "event": "number[1]",
        "track_p": "1000 * sqrt(Px**2 + Py**2 + Pz**2)",
        "track_rich1_direction_x": f"tx / {norm}",
        "track_rich1_direction_y": f"ty / {norm}",
        "track_rich1_direction_z": f"1 / {norm}",
        **{f"track_rich1_entry_{axis}": f"entry[:, {i}]" for i, axis in enumerate("xyz")},
        **{f"hit_{axis}": f"hit_pos[:, {i}]" for i, axis in enumerate("xyz")},
    }
    path = write_tree(tmp_path / "a.root", native, ntuple=True)
    found = read(path, sample(**mapped), hit_truth=True)
    np.testing.assert_array_equal(found.key, events.key)
    for name in ("p", "rich1_entry", "rich1_direction"):
        np.testing.assert_allclose(found.tracks[name], events.tracks[name], rtol=2e-6)
    np.testing.assert_array_equal(found.hits["position"], events.hits["position"])


def test_texts_become_numbers_by_comparison(tmp_path):
    events = make_events()
    arrays = native_arrays(events)
    codes = {"Kplus": 321, "piplus": 211}
    names = np.array(list(codes))[np.arange(events.n_tracks) % 2]
    arrays["name"] = ak.unflatten(ak.Array(names.tolist()), np.diff(events.track_offsets))
    path = write_tree(tmp_path / "a.root", arrays, ntuple=True)
    pdg = read(path, sample(track_pdg="where(name == 'Kplus', 321, 211)")).tracks["pdg"]
    np.testing.assert_array_equal(pdg, [codes[name] for name in names])


@pytest.mark.parametrize(
    ("branches", "message"),
    [
        ({"event": "number"}, "'number' is an array of 2 an event: write number[0]"),
        ({"hit_x": "pos"}, "hit_x: 'pos' has 3 numbers a hit: write pos[:, 0] for the first"),
        ({"hit_x": "pos[:, 3]"}, "'pos' has 3 values there: the last is number 2"),
    ],
)
def test_arrays_of_fixed_size_need_an_index(tmp_path, branches, message):
    events = make_events()
    arrays = native_arrays(events)
    arrays["number"] = np.stack([events.key["event"]] * 2, axis=1)
    arrays["pos"] = ak.unflatten(events.hits["position"], np.diff(events.hit_offsets))
    path = write_tree(tmp_path / "a.root", arrays, ntuple=True)
    assert message in error_of(path, sample(**branches))


# --- selection ----------------------------------------------------------------------------------


def selecting(selection, **settings):
    return RichSample(files=["unused.root"], selection=selection, **settings)


def test_a_selection_takes_events_tracks_and_hits(tmp_path):
    events = make_events(40)
    path = write_native(tmp_path / "a.root", events)
    chosen = {
        "event": "event % 3 > 0 and count(hit_x) > 0",
        "track": "track_p > 8000",
        "hit": "hypot(hit_x, hit_y) < 600 and hit_panel == 1",
    }
    counts = Counter()
    found = read(path, selecting(chosen), hit_truth=True, step=7, counts=counts)

    n_hits = np.diff(events.hit_offsets)
    kept = (events.key["event"] % 3 > 0) & (n_hits > 0)
    np.testing.assert_array_equal(found.key, events.key[kept])
    of_track = np.repeat(kept, np.diff(events.track_offsets))
    of_hit = np.repeat(kept, n_hits)
    track = of_track & (events.tracks["p"] > 8000)
    x, y, _ = events.hits["position"].astype(float).T
    hit = of_hit & (np.sqrt(x**2 + y**2) < 600) & (events.hits["panel"] == 1)
    assert counts == {
        "events before the selection": 40,
        "tracks before the selection": of_track.sum(),
        "hits before the selection": of_hit.sum(),
    }
    assert 0 < found.n_tracks == track.sum() < of_track.sum()
    np.testing.assert_array_equal(found.tracks["p"], events.tracks["p"][track])
    np.testing.assert_array_equal(found.hits["position"], events.hits["position"][hit])

    index = np.arange(events.n_tracks) - np.repeat(
        events.track_offsets[:-1], np.diff(events.track_offsets)
    )
    np.testing.assert_array_equal(found.tracks["index"], index[track])
    # Each hit refers to the same track as before, or to none if that was left out.
    event = np.repeat(np.arange(len(events)), n_hits)
    own = events.hits["track"][hit]
    row = events.track_offsets[event[hit]] + own
    left = (own >= 0) & track[np.where(own >= 0, row, 0)]
    its_event = np.repeat(np.arange(len(found)), np.diff(found.hit_offsets))
    its_row = found.track_offsets[its_event] + found.hits["track"]
    np.testing.assert_array_equal(found.hits["track"] >= 0, left)
    np.testing.assert_array_equal(found.tracks["p"][its_row[left]], events.tracks["p"][row[left]])


def test_an_odd_row_can_be_selected_away(tmp_path):
    """Before it is converted or checked; of what is mapped the native name is the native value."""

    def change(arrays):
        set_first("track_p", -1)(arrays)
        arrays["P"] = ak.values_astype(arrays.pop("track_p"), "f8") / 1000
        arrays["hit_panel"] = ak.values_astype(arrays["hit_panel"], "i4")
        set_first("hit_panel", 2**31 - 1)(arrays)

    path = write_native(tmp_path / "a.root", make_events(), change)
    branches = {"track_p": "1000 * P"}
    error = error_of(path, sample(**branches))
    assert re.search(r"event 7:2:\d+: hit 0: hit_panel: 2147483647 is not an integer", error)
    assert "`selection: {hit: CONDITION}` leaves such hits out" in error
    only_hits = selecting({"hit": "hit_panel < 2"}, branches=branches)
    assert "`selection: {track: CONDITION}` leaves such tracks out" in error_of(path, only_hits)
    chosen = {"track": "track_p > 1", "hit": "hit_panel < 2"}
    found = read(path, selecting(chosen, branches=branches))
    events = make_events()
    assert found.n_tracks == events.n_tracks - 1
    assert found.n_hits == events.n_hits - 1
    assert found.tracks["p"].min() > 1


def test_a_selection_may_use_what_is_not_read(tmp_path):
    def change(arrays):
        arrays["trigger"] = np.arange(20) % 2
        arrays["quality"] = ak.unflatten(np.arange(make_events().n_hits), ak.num(arrays["hit_x"]))

    path = write_native(tmp_path / "a.root", make_events(), change)
    chosen = {"event": "trigger == 1", "hit": "quality % 2 == 1 and trigger == 1"}
    found = read(path, selecting(chosen), rich=["rich1"])
    np.testing.assert_array_equal(found.key, make_events().key[1::2])
    assert 0 < found.n_hits < make_events().n_hits
    mapped = {"track_rich2_exit_z": "track_rich2_exit_z / 10"}
    crossing = selecting({"track": "isfinite(track_rich2_exit_z)"}, branches=mapped)
    found = read(path, crossing, rich=["rich1"])
    finite = np.isfinite(make_events().tracks["rich2_exit"][:, 2])
    assert found.n_tracks == finite.sum()


def test_a_selection_of_no_event_gives_no_chunk(tmp_path):
    path = write_native(tmp_path / "a.root", make_events())
    counts = Counter()
    chunks = read_rich(FileSpec(str(path)), selecting("run < 0"), counts=counts)
    assert list(chunks) == []
    assert counts == {"events before the selection": 20}


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        ("track_p > 0", "selection.event: 'track_p > 0' is a list, not one an event"),
        ({"event": "run"}, "selection.event: 'run' is no condition: compare it"),
        ({"track": "track_p"}, "selection.track: 'track_p' is no condition"),
        ({"track": "run > 0"}, "selection.track: 'run > 0' is one an event, not a list"),
        ({"track": "hit_x > 0"}, "event 7:2:"),
        ({"hit": "hit_xx > 0"}, "no branch 'hit_xx' (for 'selection.hit: hit_xx > 0')"),
        ({"hit": "sqr(hit_x) > 0"}, "selection.hit: expression 'sqr(hit_x) > 0': no function"),
    ],
)
def test_a_wrong_selection_is_named(tmp_path, selection, message):
    path = write_native(tmp_path / "a.root", make_events())
    assert message in error_of(path, selecting(selection))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"selection": {"deposit": "x > 0"}}, "selection: not of 'deposit', only of event, track"),
        ({"counters": {"particle": "n"}}, "counters: not of 'particle', only of track, hit"),
    ],
)
def test_a_selection_of_another_detector_is_refused(settings, message):
    with pytest.raises(ValidationError, match=message):
        RichSample(files=["unused.root"], **settings)


# --- arrays of fixed size -----------------------------------------------------------------------


def padded(events, size=64):
    """Arrays of which the hits have a fixed size, padded with what looks like hits."""
    arrays = native_arrays(events)
    for name in [name for name in arrays if name.startswith("hit_")]:
        lists = ak.fill_none(ak.pad_none(arrays[name], size, clip=True), 1)
        arrays[name] = ak.to_numpy(lists).astype(ak.to_numpy(ak.flatten(arrays[name])).dtype)
    return arrays | {"nhits": np.diff(events.hit_offsets).astype("i4")}


@pytest.mark.parametrize("ntuple", [False, True], ids=["TTree", "RNTuple"])
def test_padding_is_not_read_as_hits(tmp_path, ntuple):
    events = make_events()
    path = tmp_path / "a.root"
    arrays = padded(events)
    if ntuple:
        write_tree(path, arrays, ntuple=True)
    else:
        with uproot.recreate(path) as file:
            types = {
                name: np.dtype((a.dtype, a.shape[1:])) if isinstance(a, np.ndarray)
                else ak.type(a).content for name, a in arrays.items()
            }  # fmt: skip
            file.mktree("events", types)
            file["events"].extend(arrays)
    error = error_of(path)
    assert "hit_x: 'hit_x' is an array of 64 an event, whose padding would be read as hits" in error
    assert "counters: {hit: BRANCH}" in error
    counted = RichSample(files=["unused.root"], counters={"hit": "nhits"})
    assert_same(read(path, counted, hit_truth=True), events)
    all_real = RichSample(files=["unused.root"], counters={"hit": 64})
    assert read(path, all_real).n_hits == 20 * 64
    chosen = {"hit": "hit_x > 0 and hit_panel == 1"}
    found = read(path, RichSample(files=["x"], counters={"hit": "nhits"}, selection=chosen))
    x, panel = events.hits["position"][:, 0], events.hits["panel"]
    np.testing.assert_array_equal(found.hits["position"][:, 0], x[(x > 0) & (panel == 1)])


@pytest.mark.parametrize(
    ("counter", "message"),
    [
        ("nhits + 60", "counters.hit: 'nhits + 60' is"),
        ("nhits - 100", "counters.hit: 'nhits - 100' is"),
        ("nhits / 2", "counters.hit: 'nhits / 2' is"),
        ("track_p", "'track_p' is a list, not one an event"),
        ("nhit", "no branch 'nhit' (for 'counters.hit: nhit'); did you mean 'nhits'"),
    ],
)
def test_a_wrong_counter_is_named(tmp_path, counter, message):
    path = write_tree(tmp_path / "a.root", padded(make_events()), ntuple=True)
    settings = RichSample(files=["unused.root"], counters={"hit": counter})
    assert message in error_of(path, settings)


def test_lists_need_no_counter(tmp_path):
    path = write_native(tmp_path / "a.root", make_events())
    settings = RichSample(files=["unused.root"], counters={"hit": "run"})
    assert "counters.hit: its branches are lists, which need none" in error_of(path, settings)
