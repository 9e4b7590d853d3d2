"""Files of a liquid-argon TPC → shard: by the command line, streamed, real files too."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from hand_made_planes import TPC, hand_made, particle, random_events

from hepcnn.cli.main import main
from hepcnn.config import LArTPCSample, PlaneImages, RichSample
from hepcnn.errors import InputError
from hepcnn.events import reading
from hepcnn.events.writing import write_events
from hepcnn.imaging import makers
from hepcnn.imaging.convert import convert
from hepcnn.imaging.planes import plane_header, plane_images
from hepcnn.imaging.steps import apply_steps, step_header
from hepcnn.store.images import ImageSet

SAMPLE = LArTPCSample(detector="lartpc", files=["*.root"])
SKIP = LArTPCSample(detector="lartpc", files=["*.root"], on_bad_file="skip")
SETTINGS = PlaneImages(sample="s", maker="planes", shape=(128, 128))
REAL = Path(__file__).parents[3] / "shared" / "data"
real = pytest.mark.skipif(not REAL.is_dir(), reason=f"no real files: {REAL} is not there")


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "events"
    folder.mkdir()
    for seed in (1, 2):
        events = random_events(seed, n=6)
        events.key["subrun"] = seed
        write_events(folder / f"{seed}.root", [events], {})
    return folder


def everything(images):
    found = dict(images.columns, key=images.key)
    for path, rows in images.ragged.items():
        found |= {f"{path}/{name}": column for name, column in rows.columns.items()}
        found[f"{path}/offsets"] = rows.offsets
    return found


def assert_equal(found, expected):
    found, expected = everything(found), everything(expected)
    assert set(found) == set(expected)
    for name, column in expected.items():
        np.testing.assert_array_equal(found[name], column, err_msg=name)


def test_a_shard_holds_the_images_of_all_files(tmp_path, files, monkeypatch):
    """Read two events at a time, worked on one by one."""

    def read(*args, **options):
        return reading.read_lartpc(*args, **options | {"step": 2})

    monkeypatch.setattr(makers, "read_lartpc", read)
    monkeypatch.setattr(makers, "BLOCK_HITS", 1)
    cutflow = convert([str(files / "*.root")], SAMPLE, SETTINGS, tmp_path / "a.h5")
    images = ImageSet(tmp_path / "a.h5")
    assert images.header == plane_header(SETTINGS, TPC)
    assert len(images) == cutflow["kept"] == 12
    for seed, start in ((1, 0), (2, 6)):
        events = random_events(seed, n=6)
        events.key["subrun"] = seed
        expected, _ = plane_images(events, TPC, SETTINGS)
        assert_equal(images.read(start, start + 6), expected)


def test_steps_of_the_settings_are_applied(tmp_path, files):
    steps = [{"step": "downsample", "factor": [2, 4]}, {"step": "threshold", "minimum": 50}]
    settings = PlaneImages(**(SETTINGS.model_dump() | {"steps": steps}))
    convert([str(files / "1.root")], SAMPLE, settings, tmp_path / "a.h5")
    images, header = ImageSet(tmp_path / "a.h5"), plane_header(settings, TPC)
    assert images.header == step_header(settings.steps, header)
    assert images.header.shape == (64, 32)
    [events] = reading.read_lartpc(reading.FileSpec(str(files / "1.root")), SAMPLE)
    expected = apply_steps(settings.steps, header, plane_images(events, TPC, settings)[0])
    assert_equal(images.read(0, len(images)), expected)


def test_the_command_line_simulates_and_converts(tmp_path):
    config = {
        "samples": {
            "neutrinos": {
                "detector": "lartpc",
                "simulate": {"events": 3, "shards": 1, "generator": "interactions", "cosmics": 1},
            }
        },
        "images": {"planes": {"sample": "neutrinos", "maker": "planes", "planes": ["u", "y"]}},
        "tasks": {},
    }
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(config))
    events, shard, settings = (str(tmp_path / n) for n in ("e.root", "s.h5", "c.yaml"))
    for command in (
        ["simulate", "lartpc", "--config", settings, "--sample", "neutrinos", "-o", events],
        ["convert", events, "--config", settings, "--images", "planes", "-o", shard],
    ):
        result = CliRunner().invoke(main, command)
        assert result.exit_code == 0, result.output
    images = ImageSet(shard)
    assert images.header.detector == "lartpc"
    assert images.header.views == ("u", "y")
    assert len(images) == 3
    assert (images.truth("interaction") >= 0).all()
    block = images.read(0, 3)
    assert (block.features["n_hits"] > 0).all()
    neutrino = block.truth["neutrino_pdg"] != 0
    assert np.isfinite(block.truth["vertex_pixel"][neutrino]).all()


def test_empty_events_one_hit_and_no_truth(tmp_path):
    """What has no hits at all is a valid file and a valid shard."""
    hit = (2, 10, 4000.0, 5.0, 3.0, -1)
    write_events(tmp_path / "no-truth.root", [hand_made([[], [hit], []])], {})
    write_events(tmp_path / "empty.root", [hand_made([[], []], [[particle()], []])], {})
    for name, charge in (("no-truth", [0, 5, 0]), ("empty", [0, 0])):
        for chosen in (SETTINGS, SETTINGS.model_copy(update={"region": "whole", "shape": None})):
            path = tmp_path / f"{name}.h5"
            convert([str(tmp_path / f"{name}.root")], SAMPLE, chosen, path)
            images = ImageSet(path)
            assert images.read(0, len(images)).features["charge_y"].tolist() == charge
            assert (images.truth("particle") == -1).sum() >= len(images) - 1


def test_bad_files_are_skipped_or_fail(tmp_path, files):
    (files / "3.root").write_text("not ROOT")
    with pytest.raises(InputError, match=r"3\.root"):
        convert([str(files / "*.root")], SAMPLE, SETTINGS, tmp_path / "a.h5")
    convert([str(files / "*.root")], SKIP, SETTINGS, tmp_path / "a.h5")
    images = ImageSet(tmp_path / "a.h5")
    assert len(images) == 12
    assert [row.file for row in images.skipped] == [str(files / "3.root")]


def test_an_event_that_cannot_be_imaged_names_its_file(tmp_path):
    hits = [(2, 10, 4000.0, 3e38, 3.0, -1)]
    write_events(tmp_path / "a.root", [hand_made([hits])], {})
    with pytest.raises(InputError, match=r"a\.root: event 1:2:100: .*hit_charge"):
        convert([str(tmp_path / "a.root")], SAMPLE, SETTINGS, tmp_path / "a.h5")


def test_images_of_another_detector_are_refused(tmp_path, files):
    with pytest.raises(InputError, match="'planes': takes events of the detector 'lartpc'"):
        convert([str(files / "1.root")], RichSample(files=["*"]), SETTINGS, tmp_path / "a.h5")


def test_particles_of_no_class_are_named(tmp_path, capsys):
    events = hand_made([[], []], [[particle(321)], [particle(-13)]])
    write_events(tmp_path / "a.root", [events], {})
    convert([str(tmp_path / "a.root")], SAMPLE, SETTINGS, tmp_path / "a.h5")
    assert "not one of electron, photon, muon, pion, proton" in (noted := capsys.readouterr().err)
    assert "321: 1" in noted


def test_files_without_processes_have_electrons_of_no_class(tmp_path):
    """By the command line: none becomes a shower's, and it is said how many there are."""
    events = hand_made(
        [[(2, 10, 4000.0, 5.0, 3.0, 0), (2, 40, 4000.0, 5.0, 3.0, 1)]],
        [[particle(13), particle(11, parent=0, process=1)]],
    )
    for kept, expected in ((True, ["mip", "michel"]), (False, ["mip", "other"])):
        if not kept:
            events.particles.pop("process")
        write_events(tmp_path / "a.root", [events], {})
        config = {
            "samples": {"s": {"detector": "lartpc", "files": ["unused"]}},
            "images": {"i": {"sample": "s", "maker": "planes"}},
            "tasks": {},
        }
        (tmp_path / "c.yaml").write_text(yaml.safe_dump(config))
        command = ["convert", str(tmp_path / "a.root"), "--config", str(tmp_path / "c.yaml")]
        shard = str(tmp_path / "a.h5")
        result = CliRunner().invoke(main, [*command, "--images", "i", "-o", shard])
        assert result.exit_code == 0, result.output
        images = ImageSet(shard)
        semantic = images.read(0, 1).tables["particles"].columns["semantic"]
        assert [images.header.classes["semantic"][k] for k in semantic] == expected
        (line,) = (line for line in result.stderr.splitlines() if "unknown process" in line)
        assert line.split()[-1] == str(int(not kept))


def test_provenance_names_geometry_and_channels(tmp_path):
    """By their contents: a file can change under its name."""
    channels = tmp_path / "map.csv"
    ids = []
    write_events(tmp_path / "a.root", [hand_made([[(0, 1, 4000.0, 5.0, 3.0, -1)]])], {})
    for planes in ("1,0,0\n", "1,1,0\n"):
        channels.write_text("channel,plane,tpc\n" + planes)
        sample = LArTPCSample(
            detector="lartpc", files=["*"], channel_map=str(channels),
            branches={"hit_channel": "hit_wire"},
        )  # fmt: skip
        convert([str(tmp_path / "a.root")], sample, SETTINGS, tmp_path / "a.h5")
        with h5py.File(tmp_path / "a.h5") as file:
            record = json.loads(file.attrs["provenance"])
        ids.append(record["settings"]["sample"]["channel_map_digest"])
        assert record["settings"]["sample"]["geometry_digest"]
        assert record["settings"]["images"]["shape"] == [128, 128]
    assert ids[0] != ids[1]


@real
@pytest.mark.parametrize("region", ["charge", "vertex"])
def test_sbnd_like_vertices_lie_on_their_hits_in_every_plane(tmp_path, region):
    """Of the events that have one; each within 4 pixels (12 mm) of charge."""
    sample = LArTPCSample(
        detector="lartpc",
        geometry="sbnd",
        files=["*"],
        tree="ana/AnaTPCTree",
        channel_map=str(REAL / "sbnd_ntuple" / "mapping.csv"),
        branches={
            "run": "RunID", "subrun": "SubRunID", "event": "EventID",
            "vertex_x": "TrueVx", "vertex_y": "TrueVy", "vertex_z": "TrueVz",
            "vertex_channel_u": "TrueVU", "vertex_channel_v": "TrueVV",
            "vertex_channel_y": "TrueVC", "vertex_tick": "TrueVTimeTick",
            "hit_channel": "HitsChannel", "hit_time": "HitsPeakTime", "hit_charge": "HitsIntegral",
        },
    )  # fmt: skip
    settings = PlaneImages(sample="s", maker="planes", shape=(512, 512), region=region)
    convert([str(REAL / "sbnd_ntuple" / "*.root")], sample, settings, tmp_path / "a.h5")
    images = ImageSet(tmp_path / "a.h5")
    block = images.read(0, len(images))
    vertex = block.truth["vertex_pixel"].reshape(-1, 3, 2)
    assert len(block) == 20
    known = np.isfinite(vertex).all(axis=(1, 2))
    assert known.sum() == 18
    in_image = ((vertex >= 0) & (vertex < 512)).all(axis=(1, 2))
    assert in_image.sum() == {"charge": 16, "vertex": 18}[region]
    for number, view in enumerate(("u", "v", "y")):
        sparse = block.views[view]
        for i in np.flatnonzero(in_image):
            own = sparse.pixel[sparse.offsets[i] : sparse.offsets[i + 1]].astype(int)
            away = np.stack(np.divmod(own, 512), axis=1) + 0.5 - vertex[i, number]
            assert np.hypot(*away.T).min() < 4
