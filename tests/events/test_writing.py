"""The native file is what the schema says, readable with uproot alone."""

import json
from dataclasses import replace

import awkward as ak
import numpy as np
import pytest
import uproot
from click.testing import CliRunner

from hepcnn.cli.simulate import command
from hepcnn.config import RichSimulation
from hepcnn.detector.geometry import load_geometry
from hepcnn.errors import InputError
from hepcnn.events.schema import NATIVE, TREE
from hepcnn.events.sources import FileSpec, fingerprint
from hepcnn.events.writing import PROVENANCE, write_events
from hepcnn.simulation.rich.generate import simulate_chunk


def chunk(events=3, first=0, seed=0, **changes):
    settings = RichSimulation(**{"tracks": 5, "unreconstructed": 0.5, **changes})
    rng = np.random.default_rng(seed)
    return simulate_chunk(settings, load_geometry("lhcb-run3"), rng, events, first=first)


def test_branches_have_the_names_and_types_of_the_schema(tmp_path):
    write_events(tmp_path / "e.root", [chunk()], {"id": "x"})
    with uproot.open(tmp_path / "e.root") as file:
        tree = file[TREE]
        assert set(tree.keys()) == {b.name for b in NATIVE} | {"ntrack", "nhit"}
        for branch in NATIVE:
            values = ak.flatten(tree[branch.name].array(), axis=None)
            assert ak.to_numpy(values).dtype == branch.dtype, branch.name
        assert "hit [mm]" in tree.title
        assert json.loads(str(file[PROVENANCE])) == {"id": "x"}


def test_values_come_back(tmp_path):
    chunks = [chunk(3), chunk(2, first=3, seed=1)]
    write_events(tmp_path / "e.root", iter(chunks), {})
    with uproot.open(tmp_path / "e.root") as file:
        arrays = file[TREE].arrays()
    np.testing.assert_array_equal(arrays["event"], np.arange(5))
    for name, level, column, axis in (
        ("track_p", "tracks", "p", None),
        ("track_rich2_exit_z", "tracks", "rich2_exit", 2),
        ("hit_y", "hits", "position", 1),
        ("hit_track", "hits", "track", None),
    ):
        expected = np.concatenate([getattr(c, level)[column] for c in chunks])
        expected = expected if axis is None else expected[:, axis]
        np.testing.assert_array_equal(ak.to_numpy(ak.flatten(arrays[name])), expected)
    expected = np.concatenate([np.diff(c.hit_offsets) for c in chunks])
    np.testing.assert_array_equal(arrays["nhit"], expected)


def test_files_of_the_same_have_one_identity_and_others_their_own(tmp_path):
    def identity(name, events, provenance):
        write_events(tmp_path / name, [events], provenance)
        return fingerprint(FileSpec(str(tmp_path / name))).split(":")[0]

    first = identity("a.root", chunk(), {"id": "x"})
    assert identity("b.root", chunk(), {"id": "x"}) == first
    others = [
        identity("c.root", chunk(seed=1), {"id": "x"}),
        identity("d.root", chunk(first=3), {"id": "x"}),
        identity("e.root", chunk(), {"id": "y"}),
    ]
    assert len({first, *others}) == 4


def test_events_without_tracks_or_hits(tmp_path):
    empty = chunk(4, tracks=1e-9, dark_hits=0)
    assert empty.n_hits == 0
    for name, entries in (("empty", 4), ("none", 0)):
        write_events(tmp_path / f"{name}.root", [empty.part(0, entries)], {})
        with uproot.open(tmp_path / f"{name}.root") as file:
            assert file[TREE].num_entries == entries
            assert ak.count(file[TREE]["hit_x"].array()) == 0


def test_no_chunks_or_unlike_ones_are_refused(tmp_path):
    events = chunk()
    blind = replace(events, hits={k: v for k, v in events.hits.items() if k != "track"})
    with pytest.raises(ValueError, match="no events to write"):
        write_events(tmp_path / "e.root", [], {})
    with pytest.raises(ValueError, match="different columns"):
        write_events(tmp_path / "e.root", [events, blind], {})
    assert not list(tmp_path.iterdir())
    write_events(tmp_path / "e.root", [blind], {})
    with uproot.open(tmp_path / "e.root") as file:
        assert set(file[TREE].keys()) >= {"hit_x"}
        assert "hit_track" not in file[TREE]


def test_a_failure_leaves_nothing(tmp_path):
    def chunks():
        yield chunk()
        raise RuntimeError("out of luck")

    with pytest.raises(RuntimeError, match="out of luck"):
        write_events(tmp_path / "e.root", chunks(), {})
    assert not list(tmp_path.iterdir())


def simulate(tmp_path, *arguments):
    config = tmp_path / "config.yaml"
    config.write_text(
        "samples: {rich: {simulate: {events: 5, shards: 2, tracks: 5}},"
        " tuple: {files: [a.root]}}\nimages: {}\ntasks: {}\n"
    )
    arguments = ["rich", "--config", str(config), *arguments]
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output


def read(path):
    with uproot.open(path) as file:
        return file[TREE].arrays(), json.loads(str(file[PROVENANCE]))


def test_command_line_is_deterministic_and_shards_differ(tmp_path):
    for name, arguments in {
        "a": ["--shard", "0"],
        "b": ["--shard", "0"],
        "c": ["--shard", "1"],
        "d": ["--shard", "0", "--seed", "7"],
        "e": ["--shard", "0", "--events", "9"],
    }.items():
        simulate(tmp_path, "--sample", "rich", *arguments, "-o", str(tmp_path / f"{name}.root"))
    files = {name: read(tmp_path / f"{name}.root") for name in "abcde"}
    first, record = files["a"]
    again, same = files["b"]
    assert record["id"] == same["id"]
    assert ak.almost_equal(first["hit_x"], again["hit_x"], rtol=0, atol=0)
    assert [len(files[name][0]) for name in "abcde"] == [3, 3, 2, 3, 9]
    assert set(files["c"][0]["subrun"]) == {1}
    assert len({files[name][1]["id"] for name in "acde"}) == 4
    assert not np.array_equal(first["nhit"], files["d"][0]["nhit"])


def test_command_line_refuses_a_sample_of_files_and_an_unknown_one(tmp_path):
    output = str(tmp_path / "x.root")
    with pytest.raises(InputError, match="has files"):
        simulate(tmp_path, "--sample", "tuple", "-o", output)
    with pytest.raises(InputError, match="'rich'"):
        simulate(tmp_path, "--sample", "rihc", "-o", output)
