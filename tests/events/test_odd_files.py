"""Files as other programs write them: what is read of them, and what is said."""

import awkward as ak
import numpy as np
import pytest
import uproot
from click.testing import CliRunner
from made_up_events import (
    NATIVE_SAMPLE,
    assert_same,
    joined,
    make_events,
    native_arrays,
    write_tree,
)

from hepcnn.cli.main import main
from hepcnn.config import RichSample
from hepcnn.errors import InputError
from hepcnn.events.columns import to_column
from hepcnn.events.reading import read_rich
from hepcnn.events.sources import FileSpec


def read(path, sample=NATIVE_SAMPLE, **options):
    return joined(list(read_rich(FileSpec(str(path)), sample, **options)))


def error_of(path, sample=NATIVE_SAMPLE, **options):
    with pytest.raises(InputError) as error:
        read(path, sample, **options)
    assert str(path) in str(error.value)
    return str(error.value)


def sample(**branches):
    return RichSample(files=["unused.root"], branches=branches)


def inspected(path):
    result = CliRunner().invoke(main, ["inspect", str(path)])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("step", [7, None])
def test_trees_that_count_in_floating_point_are_read(tmp_path, monkeypatch, step):
    """As trees of class version 5 and below do."""
    events = make_events()
    path = write_tree(tmp_path / "a.root", native_arrays(events))
    count = property(lambda tree: float(tree.member("fEntries")))
    monkeypatch.setattr(uproot.behaviors.TTree.TTree, "num_entries", count)
    assert_same(read(path, hit_truth=True, step=step), events)


@pytest.fixture
def records(tmp_path):
    """An RNTuple of records and of lists of records, and the map of its branches."""
    arrays = native_arrays(make_events())
    track = {name: array for name, array in arrays.items() if name.startswith("track_")}
    key = {name: arrays[name] for name in ("run", "subrun", "event")}
    rest = {name: array for name, array in arrays.items() if name.startswith("hit_")}
    tracks = ak.zip({name.removeprefix("track_"): array for name, array in track.items()})
    fields = {"evt": ak.Array({"id": ak.zip(key)}), "track": tracks, **rest}
    path = write_tree(tmp_path / "records.root", fields, ntuple=True)
    branches = {name: f"evt.id.{name}" for name in key}
    return path, branches | {name: name.replace("_", ".", 1) for name in track}


def test_parts_of_records_are_read(records):
    path, branches = records
    assert_same(read(path, sample(**branches), hit_truth=True, step=7), make_events())
    scaled = read(path, sample(**branches | {"track_p": "2 * track.p"}))
    assert np.array_equal(scaled.tracks["p"], 2 * make_events().tracks["p"])
    assert "not numbers" in error_of(path, sample(**branches | {"track_p": "track"}))


def test_inspect_gives_the_types_that_parts_of_records_have(records):
    printed = inspected(records[0])
    assert "│ track.p                 │ std::vector<float> " in printed
    assert "event: evt.id.event" in printed
    assert "track_p: track.p" in printed


def test_inspect_proposes_only_what_can_be_read(tmp_path):
    """Lists of lists, of texts and of what may be missing have names that fit, too."""
    lists = ak.Array([[1.0, 2.0], [], [3.0]])
    deep = ak.Array([[[1.0], [4.0]], [], [[2.0, 3.0]]])
    missing = ak.Array([[1.0, None], [], [3.0]])
    fields = {"event": [1, 2, 3], "track": ak.zip({"p": missing, "charge": lists})}
    fields |= {"hit": ak.zip({"x": lists, "y": deep}, depth_limit=2), "hit_z": deep}
    path = write_tree(tmp_path / "a.root", fields, ntuple=True)
    block = inspected(path).split("branches:")[-1]
    for line in ("track_charge: track.charge  #", "hit_x: hit.x  #", "# track_p: ", "# hit_y: "):
        assert f"\n  {line}" in block
    assert "\n  # hit_z: " in block


def test_inspect_leaves_out_what_cannot_be_decoded(tmp_path, monkeypatch):
    lists = ak.Array([[1.0, 2.0], [], [3.0]])
    path = write_tree(tmp_path / "a.root", {"evt": [1, 2, 3], "Hit_x": lists, "Hit_y": lists})
    assert "hit_y: Hit_y" in inspected(path)

    def broken(array, name):
        if name == "Hit_y":
            raise NotImplementedError("no such compression")
        return to_column(array, name)

    monkeypatch.setattr("hepcnn.events.trying.to_column", broken)
    assert "# hit_y: " in inspected(path)


def test_inspect_says_why_a_native_layout_cannot_be_read(tmp_path):
    arrays = native_arrays(make_events())
    padded = ak.fill_none(ak.pad_none(arrays["track_p"], 60, clip=True), -999)
    path = write_tree(tmp_path / "a.root", arrays | {"track_p": ak.to_numpy(padded)})
    printed = inspected(path)
    assert "cannot be read: " in printed
    assert "counters: {track: BRANCH}" in printed
    assert "cannot be read" not in inspected(write_tree(tmp_path / "b.root", arrays))


def test_what_a_library_raises_on_a_branch_is_an_error_with_its_name(tmp_path, monkeypatch):
    path = write_tree(tmp_path / "a.root", native_arrays(make_events()))

    def broken(array, name):
        raise TypeError("no such array") if name == "hit_x" else AssertionError

    monkeypatch.setattr("hepcnn.events.reading.to_column", broken)
    assert "branch '" in error_of(path)


def test_constants_alone_make_no_events(tmp_path):
    path = write_tree(tmp_path / "a.root", native_arrays(make_events()))
    names = [name for name in native_arrays(make_events()) if "rich2" not in name]
    constants = dict.fromkeys(names, "1") | {"event": "$entry"}
    constants |= {name: "1" for name in native_arrays(make_events()) if "rich2" in name}
    assert "constants" in error_of(path, sample(**constants))


@pytest.mark.parametrize("sentinel", [-999.0, -9999.0])
@pytest.mark.parametrize("part", ["segment", "projection"])
def test_a_track_whose_segment_is_a_sentinel_does_not_cross(tmp_path, sentinel, part):
    events = make_events()
    names = [f"rich2_{x}" for x in ("entry", "direction", "exit")]
    if part == "projection":
        events.tracks["rich2_projection"] = events.tracks.pop(names[2])
        del events.tracks[names[0]], events.tracks[names[1]]
        names = ["rich2_projection"]
    arrays = native_arrays(events)
    for name in arrays:
        if name.startswith("track_rich2"):
            arrays[name] = ak.nan_to_num(arrays[name], nan=sentinel)
    assert np.isnan(events.tracks[names[0]]).any()
    assert_same(read(write_tree(tmp_path / "a.root", arrays), hit_truth=True), events)


def test_half_a_sentinel_is_no_sentinel(tmp_path):
    events = make_events()
    events.tracks["rich1_entry"][:2] = -999, 5, -999
    events.tracks["rich1_direction"][:2] = 0, 0, 1
    events.tracks["rich1_exit"][:2] = 1, 2, 3
    path = write_tree(tmp_path / "a.root", native_arrays(events))
    assert_same(read(path, hit_truth=True), events)


@pytest.mark.parametrize("text", ["numbers", "numbers[0]"])
def test_a_list_where_one_number_is_wanted_has_a_remedy(tmp_path, text):
    arrays = native_arrays(make_events())
    del arrays["run"]
    n = len(arrays["event"])
    path = write_tree(tmp_path / "a.root", arrays | {"numbers": ak.Array([[7]] * n)})
    error = error_of(path, sample(run=text))
    remedy = "where(len(numbers) == 1, sum(numbers), 0/0)"
    assert remedy in error
    assert set(read(path, sample(run=remedy)).key["run"]) == {7}
