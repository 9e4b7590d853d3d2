import os
import subprocess
import sys
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot
import yaml
from click.testing import CliRunner

from hepcnn.cli.main import main
from hepcnn.config import LArTPCSample
from hepcnn.detector.tpc import PLANES, load_tpc, tpc_names
from hepcnn.events import lartpc_schema, schema

REAL = Path(__file__).parents[3] / "shared" / "data"


def inspect(*arguments):
    return CliRunner().invoke(main, ["inspect", *map(str, arguments)])


@pytest.fixture
def user_file(tmp_path):
    path = tmp_path / "tuple.root"
    lists = ak.Array([[1.0, 2.0], [], [3.0]])
    with uproot.recreate(path) as file:
        file.mktree(
            "ana/DecayTree",
            {"eventNumber": "int64", "Track_P": "var * float32", "RichHit_x": "var * float32"},
        )
        file["ana/DecayTree"].extend(
            {"eventNumber": np.arange(3), "Track_P": lists, "RichHit_x": lists}
        )
        file.mktree("meta", {"version": "int32"})
        file["meta"].extend({"version": np.array([1], "i4")})
        file.mkrntuple("modern", {"run": np.arange(5)})
    return path


def test_trees_branches_and_a_block_are_printed(user_file):
    result = inspect(user_file)
    assert result.exit_code == 0, result.output
    for words in (
        "ana/DecayTree: TTree, 3 entries", "meta: TTree, 1 entries", "modern: RNTuple, 5 entries",
        "Track_P", "float[]", "not a native layout",
    ):  # fmt: skip
        assert words in result.output
    block = yaml.safe_load(result.output[result.output.index("\ntree:") :])
    assert block == {
        "tree": "ana/DecayTree",
        "branches": {"event": "eventNumber", "track_p": "Track_P", "hit_x": "RichHit_x"},
    }


def test_one_tree_can_be_named(user_file):
    result = inspect(f"{user_file}:meta")
    assert "meta: TTree" in result.output
    assert "DecayTree" not in result.output


@pytest.mark.parametrize(
    ("native", "lacking", "sentence"),
    [
        (schema.NATIVE, (), "native RICH layout: complete"),
        (schema.NATIVE, ("track_pdg",), "native RICH layout: no truth"),
        (schema.NATIVE, ("hit_panel",), "native RICH layout in part; lacking: hit_panel"),
        (lartpc_schema.NATIVE, (), "native LArTPC layout: complete"),
        (
            (*lartpc_schema.KEY_BRANCHES, *lartpc_schema.HIT_WIRE, *lartpc_schema.HITS),
            ("hit_rms",),
            "native LArTPC layout: no truth",
        ),
        (
            lartpc_schema.NATIVE,
            ("hit_wire", "vertex_y"),
            "native LArTPC layout in part; lacking: hit_wire, vertex_y",
        ),
    ],
)
def test_the_native_layout_is_recognised(tmp_path, native, lacking, sentence):
    path = tmp_path / "a.root"
    one, many = np.arange(2), ak.Array([[1.0], []])
    with uproot.recreate(path) as file:
        arrays = {
            b.name: one if b.level == "event" else many for b in native if b.name not in lacking
        }
        file.mktree("events", {name: ak.type(array).content for name, array in arrays.items()})
        file["events"].extend(arrays)
    output = inspect(path).output
    assert sentence in output
    assert ("branches:" in output) == ("in part" in sentence)


def tree_of(path, **types):
    with uproot.recreate(path) as file:
        file.mktree("events", types)
    return path


def test_the_detector_can_be_chosen_and_must_be_where_the_names_do_not_tell(tmp_path):
    many = "var * float32"
    argon = tree_of(tmp_path / "a.root", run="int32", evt="int32", wire=many, time=many, q=many)
    assert "detector: lartpc" in inspect(argon).output
    assert "say it with --detector" not in inspect(argon).output
    plain = tree_of(tmp_path / "b.root", runNo="int32", evtNo="int32", a=many)
    assert "say it with --detector" in inspect(plain).output
    for detector in ("rich", "lartpc"):
        chosen = inspect(plain, "--detector", detector).output
        assert ("detector: lartpc" in chosen) == (detector == "lartpc")
        assert "say it with" not in chosen
        block = yaml.safe_load(chosen.split("your configuration:")[1])
        assert block["branches"] == {"run": "runNo", "event": "evtNo"}


def channels_of_sbnd(path):
    """A channel map with the wires of SBND's two drift volumes."""
    tpc, channel = load_tpc("sbnd"), 0
    lines = ["channel,plane,tpc"]
    for volume in range(2):
        for number, plane in enumerate(PLANES):
            for _ in range(tpc.plane(plane).wires):
                lines.append(f"{channel},{number},{volume}")
                channel += 1
    path.write_text("\n".join(lines))


def write_tuple(path, entries=4):
    """Hits on channels along a line, under a LArSoft tuple's names."""
    many = ak.Array([np.arange(200.0) + 10 * i for i in range(entries)])
    arrays = {
        "RunID": np.full(entries, 7), "SubRunID": np.zeros(entries, int),
        "EventID": np.arange(entries), "HitsChannel": many, "HitsPeakTime": 500 + 3 * many,
        "HitsIntegral": many + 1,
    }  # fmt: skip
    with uproot.recreate(path) as file:
        file.mktree("ana/Tree", {k: ak.type(ak.Array(v)).content for k, v in arrays.items()})
        file["ana/Tree"].extend(arrays)


def test_a_configuration_is_written_that_runs_with_the_map_beside_the_file(tmp_path):
    write_tuple(tmp_path / "hits.root")
    new = tmp_path / "new.yaml"
    lacking = inspect(tmp_path / "hits.root", "--write", new)
    assert lacking.exit_code == 1
    assert "put the map of channels" in lacking.output
    assert not new.exists()
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    (tmp_path / "b.csv").write_text("channel,plane,tpc\n1,0,0\n")  # of another detector
    channels_of_sbnd(tmp_path / "mapping.csv")
    done = inspect(tmp_path / "hits.root", "--write", new)
    assert done.exit_code == 0, done.output
    assert "hit_time: HitsPeakTime  # needed, guessed: " in done.output
    assert "here 500 to 1187" in done.output
    config = yaml.safe_load(new.read_text())
    assert config["samples"]["mine"]["geometry"] == "sbnd"
    assert config["samples"]["mine"]["branches"]["hit_rms"] == 3
    assert config["tasks"] == {}
    images = ["--config", str(new), "--images", "planes", "-o", str(tmp_path / "a.h5")]
    made = CliRunner().invoke(main, ["convert", str(tmp_path / "hits.root"), *images])
    assert made.exit_code == 0, made.output


def test_what_no_configuration_runs_without_is_named(tmp_path):
    many = "var * float32"
    tree_of(tmp_path / "a.root", run="int32", evt="int32", wire=many, time=many)
    done = inspect(tmp_path / "a.root", "--detector", "lartpc", "--write", tmp_path / "c.yaml")
    assert done.exit_code == 1
    assert "nothing there is like hit_plane, hit_charge" in done.output
    assert not (tmp_path / "c.yaml").exists()


@pytest.mark.parametrize("geometry", tpc_names())
def test_truth_makes_tasks_and_a_native_file_needs_no_branches(tmp_path, geometry):
    """The geometry is that on whose wires the hits are."""
    settings = {"simulate": {"generator": "interactions", "events": 12}, "detector": "lartpc"}
    settings["geometry"] = geometry
    (tmp_path / "s.yaml").write_text(yaml.safe_dump({"samples": {"s": settings}}))
    path = tmp_path / "a.root"
    run = ["simulate", "lartpc", "--config", str(tmp_path / "s.yaml"), "--sample", "s"]
    assert CliRunner().invoke(main, [*run, "-o", str(path)]).exit_code == 0
    done = inspect(path, "--write", tmp_path / "c.yaml")
    assert done.exit_code == 0, done.output
    config = yaml.safe_load((tmp_path / "c.yaml").read_text())
    assert "branches" not in config["samples"]["mine"]
    assert config["samples"]["mine"]["geometry"] == geometry
    for target in ("interaction", "semantic", "vertex"):
        assert f"#     target: {target}" in (tmp_path / "c.yaml").read_text()


def test_one_hit_an_entry_is_not_the_native_layout(tmp_path):
    names = [branch.name for branch in schema.NATIVE]
    path = tree_of(tmp_path / "a.root", **dict.fromkeys(names, "float64"))
    output = inspect(path).output
    assert "native RICH layout" not in output
    assert "one number an entry where a list is needed" in output


def test_records_are_shown_as_such(tmp_path):
    key = ak.zip({"run": np.arange(3), "event": np.arange(3)})
    with uproot.recreate(tmp_path / "a.root") as file:
        file.mkrntuple("events", {"id": key})
    (line,) = (x for x in inspect(tmp_path / "a.root").output.splitlines() if " id " in x)
    assert "record" in line


def test_a_file_without_trees(tmp_path):
    path = tmp_path / "h.root"
    with uproot.recreate(path) as file:
        file["h"] = np.histogram([1, 2, 3])
    result = inspect(path)
    assert result.exit_code == 0
    assert "no TTree or RNTuple in it" in result.output


def test_errors_are_one_line_and_a_status(tmp_path, user_file):
    text = tmp_path / "a.root"
    text.write_text("no ROOT file " * 50)
    for arguments, words in (
        (text, "not a ROOT file"),
        (tmp_path / "none.root", "is not there"),
        (f"{user_file}:DecayTree", "did you mean 'ana/DecayTree'"),
    ):
        result = inspect(arguments)
        assert result.exit_code == 1
        assert words in result.output
        assert "Traceback" not in result.output


def test_a_dead_server_is_an_error_and_no_hang():
    pytest.importorskip("XRootD", reason="the Python package xrootd is not installed")
    # Nothing listens on port 1. XRootD looks at its deadlines every 15 s unless told otherwise.
    run = subprocess.run(
        [sys.executable, "-c", "from hepcnn.cli.main import main; main()", "inspect", "root://127.0.0.1:1//a.root"],
        env={**os.environ, "XRD_TIMEOUTRESOLUTION": "1"},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert run.returncode == 1
    assert "root://127.0.0.1:1//a.root" in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.skipif(not REAL.is_dir(), reason=f"no real files: {REAL} is not there")
def test_real_files_of_others_are_shown_with_a_block_that_makes_a_sample():
    # Those of the folder `odd` are of no detector: strange forms of files.
    for path in sorted(path for path in REAL.rglob("*.root") if path.parent.name != "odd"):
        result = inspect(path)
        assert result.exit_code == 0, f"{path}: {result.output}{result.exception}"
        assert "TTree" in result.output
        block = yaml.safe_load(result.output.split("your configuration:")[1])
        sample = LArTPCSample(files=[str(path)], **block)
        assert (sample.reader == "larcv") == ("larcv" in str(path)), path
        assert (sample.channel_map is not None) == ("sbnd" in str(path)), path
