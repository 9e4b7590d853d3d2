import re

import awkward as ak
import numpy as np
import pytest
from made_up_events import native_arrays, write_tree
from made_up_lartpc import make_lartpc

from hepcnn.config import LArTPCSample
from hepcnn.errors import InputError
from hepcnn.events.channels import load_channel_map
from hepcnn.events.reading import read_lartpc
from hepcnn.events.sources import FileSpec

#: Two TPCs of 2 + 2 + 1 channels, in no order, one channel (4) of none.
TABLE = """ID,w,Plane,TPC
0,9,0,1
1,9,0,1
2,9,1,1
3,9,1,1
5,9,2,1
11,9,0,0
10,9,0,0
12,9,1,0
13,9,1,0
14,9,2,0
"""


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "map.csv"
    path.write_text(TABLE)
    return path


def test_wires_are_ranks_by_tpc_and_channel(table):
    channels = load_channel_map(table)
    np.testing.assert_array_equal(
        channels.plane, [0, 0, 1, 1, -1, 2, -1, -1, -1, -1, 0, 0, 1, 1, 2]
    )
    there = channels.plane >= 0
    np.testing.assert_array_equal(channels.wire[there], [2, 3, 2, 3, 1, 0, 1, 0, 1, 0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.replace("Plane", "view"), "no column 'plane'"),
        (lambda t: "", "no column 'channel'"),
        (lambda t: t.splitlines()[0], "has no channels"),
        (lambda t: t + "5,9,2,0\n", "channel 5 appears twice"),
        (lambda t: t + "20,9,3,0\n", "line 12: channel 20, plane 3"),
        (lambda t: t + "-1,9,2,0\n", "line 12: channel -1"),
        (lambda t: t + "x,9,2,0\n", "line 12: ID = x"),
        (lambda t: t + "20,9\n", "line 12"),
    ],
)
def test_a_broken_map_is_refused(table, change, message):
    table.write_text(change(TABLE))
    with pytest.raises(InputError, match=re.escape(str(table))) as error:
        load_channel_map(table)
    assert message in str(error.value)


def test_a_missing_map_and_a_binary_one(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        load_channel_map(tmp_path / "none.csv")
    (tmp_path / "b.csv").write_bytes(bytes(range(256)))
    with pytest.raises(InputError, match=r"b\.csv"):
        load_channel_map(tmp_path / "b.csv")


def tuple_on_channels(tmp_path, change=lambda arrays: None):
    """Hits and vertices of random events on channels, and these channels."""
    events = make_lartpc(6, hits=10)
    rng = np.random.default_rng(3)
    arrays = native_arrays(events)
    for name in ("hit_plane", "vertex_wire_u", "vertex_wire_v", "vertex_wire_y"):
        del arrays[name]
    there = np.array([0, 1, 2, 3, 5, 10, 11, 12, 13, 14])
    wires = arrays.pop("hit_wire")
    channel = there[ak.flatten(wires).to_numpy() % 10]
    arrays["hit_channel"] = ak.unflatten(channel, ak.num(wires))
    for plane, pair in (("u", (0, 11)), ("v", (3, 12)), ("y", (5, 14))):
        arrays[f"vertex_channel_{plane}"] = rng.choice(pair, 6)
    arrays["vertex_tick"] = np.arange(6.0)
    change(arrays)
    return write_tree(tmp_path / "a.root", arrays)


def read(path, table):
    sample = LArTPCSample(detector="lartpc", files=["x"], channel_map=str(table))
    [events] = read_lartpc(FileSpec(str(path)), sample)
    events.validate()
    return events


def test_hits_and_vertices_are_put_on_wires(tmp_path, table):
    arrays = {}
    path = tuple_on_channels(tmp_path, arrays.update)
    events, channels = read(path, table), load_channel_map(table)
    assert "channel" not in events.hits
    assert "vertex_channel" not in events.truth
    hit_channel = ak.flatten(arrays["hit_channel"]).to_numpy()
    np.testing.assert_array_equal(events.hits["plane"], channels.plane[hit_channel])
    np.testing.assert_array_equal(events.hits["wire"], channels.wire[hit_channel])
    for axis, plane in enumerate("uvy"):
        wires = channels.wire[arrays[f"vertex_channel_{plane}"]]
        np.testing.assert_array_equal(events.truth["vertex_wire"][:, axis], wires)


def test_a_vertex_without_channels_has_no_wires_and_no_tick(tmp_path, table):
    def change(arrays):
        for plane in "uvy":
            arrays[f"vertex_channel_{plane}"][2] = -1
        arrays["vertex_tick"][2] = -1
        arrays["vertex_channel_u"][4] = -1  # in the other planes there is one

    truth = read(tuple_on_channels(tmp_path, change), table).truth
    assert np.isnan(truth["vertex_wire"][2]).all()
    np.testing.assert_array_equal(truth["vertex_tick"], [0, 1, np.nan, 3, 4, 5])
    np.testing.assert_array_equal(np.isnan(truth["vertex_wire"][4]), [True, False, False])
    assert np.isfinite(truth["vertex"][2]).all()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("hit_channel", 4, "hit 0 has hit_channel = 4; there is no such channel"),
        ("hit_channel", 15, "hit 0 has hit_channel = 15"),
        ("hit_channel", -1, "hit 0 has hit_channel = -1"),
        ("vertex_channel_v", 0, "vertex_channel_v = 0"),
        ("vertex_channel_y", 99, "vertex_channel_y = 99"),
    ],
)
def test_channels_that_are_not_in_the_map_are_named(tmp_path, table, name, value, message):
    def change(arrays):
        if name == "hit_channel":
            arrays[name] = arrays[name] * 0 + value
        else:
            arrays[name][3] = value

    with pytest.raises(InputError, match="event 7:2:") as error:
        read(tuple_on_channels(tmp_path, change), table)
    assert message in str(error.value)


def test_wires_in_the_file_do_not_help_where_channels_are_asked_for(tmp_path, table):
    path = write_tree(tmp_path / "a.root", native_arrays(make_lartpc()))
    with pytest.raises(InputError, match="no branch 'hit_channel'"):
        read(path, table)
