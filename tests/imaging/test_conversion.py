"""Files → shard: streamed, complete or listed as skipped, with its origin."""

import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from hepcnn.config import PolarImages, RichSample, RichSimulation
from hepcnn.detector.geometry import load_geometry
from hepcnn.errors import InputError
from hepcnn.events import reading
from hepcnn.events.writing import write_events
from hepcnn.imaging import makers
from hepcnn.imaging.convert import convert
from hepcnn.imaging.rich import rich_header, rich_images
from hepcnn.simulation.rich.generate import simulate_chunk
from hepcnn.store.images import ImageSet

GEOMETRY = load_geometry("lhcb-run3")
SETTINGS = PolarImages(sample="rich", rich=["rich1", "rich2"])
SAMPLE = RichSample(files=["*.root"])
SKIP = RichSample(files=["*.root"], on_bad_file="skip")


def chunk(seed, events=6, tracks=15.0):
    rng = np.random.default_rng(seed)
    return simulate_chunk(RichSimulation(tracks=tracks), GEOMETRY, rng, events, first=100 * seed)


@pytest.fixture(scope="module")
def chunks():
    return [chunk(seed) for seed in (1, 2, 3)]


@pytest.fixture
def files(tmp_path, chunks):
    folder = tmp_path / "events"
    folder.mkdir()
    for i, events in enumerate(chunks):
        write_events(folder / f"{i}.root", [events], {"id": str(i)})
    return folder


def assert_equal(found, expected):
    np.testing.assert_array_equal(found.key, expected.key)
    for name in expected.views:
        for part in ("offsets", "pixel", "value"):
            mine, theirs = (getattr(i.views[name], part) for i in (found, expected))
            np.testing.assert_array_equal(mine, theirs)
    for name, column in (expected.truth | expected.features).items():
        np.testing.assert_array_equal((found.truth | found.features)[name], column)


def small_steps(monkeypatch, step=2):
    def read(*args, **options):
        return reading.read_rich(*args, **options | {"step": step})

    monkeypatch.setattr(makers, "read_rich", read)


def test_a_shard_holds_the_images_of_all_files(tmp_path, files, chunks, monkeypatch):
    """Whatever the steps, the shard is what the events' images are."""
    small_steps(monkeypatch)
    cutflow = convert([str(files / "*.root")], SAMPLE, SETTINGS, tmp_path / "a.h5")
    images = ImageSet(tmp_path / "a.h5")
    assert images.header == rich_header(SETTINGS)
    expected = [rich_images(events, GEOMETRY, SETTINGS) for events in chunks]
    starts = np.cumsum([0] + [len(e) for e, _ in expected])
    for (block, _), start in zip(expected, starts, strict=False):
        assert_equal(images.read(start, start + len(block)), block)
    assert len(images) == starts[-1] > 50
    for step, count in images.cutflow.items():
        assert count == sum(counts[step] for _, counts in expected) == cutflow[step]
    assert images.skipped == []


@pytest.mark.parametrize("tracks", [1, 40])
def test_the_blocks_worked_on_do_not_show(tmp_path, files, monkeypatch, tracks):
    """Down to one event at a time."""
    convert([str(files / "*.root")], SAMPLE, SETTINGS, tmp_path / "a.h5")
    monkeypatch.setattr(makers, "BLOCK_TRACKS", tracks)
    convert([str(files / "*.root")], SAMPLE, SETTINGS, tmp_path / "b.h5")
    whole, parts = (ImageSet(tmp_path / name) for name in ("a.h5", "b.h5"))
    assert_equal(parts.read(0, len(parts)), whole.read(0, len(whole)))
    assert parts.cutflow == whole.cutflow


def test_provenance_names_settings_and_inputs(tmp_path, files):
    convert([str(files / "0.root")], SAMPLE, SETTINGS, tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5") as file:
        record = json.loads(file.attrs["provenance"])
    assert record["stage"] == "convert"
    assert record["settings"]["images"]["radius"] == {"rich1": 130.0, "rich2": 170.0}
    assert record["settings"]["sample"]["tree"] == "events"
    assert list(record["inputs"]) == [str(files / "0.root")]
    convert([str(files / "0.root")], SAMPLE, SETTINGS, tmp_path / "again.h5")
    convert([str(files / "1.root")], SAMPLE, SETTINGS, tmp_path / "other.h5")
    ids = [ImageSet(tmp_path / name).ids[0] for name in ("a.h5", "again.h5", "other.h5")]
    assert ids[0] == ids[1] != ids[2]


def break_late(path):
    """Overwrite the data of a file's second half: it opens, and fails while it is read."""
    data = bytearray(path.read_bytes())
    for start in range(len(data) // 3, 2 * len(data) // 3, 512):
        data[start : start + 64] = b"\xff" * 64
    path.write_bytes(data)


def test_a_bad_file_fails_the_conversion_and_leaves_nothing(tmp_path, files):
    broken = files / "1.root"
    broken.write_bytes(broken.read_bytes()[:-1000])
    with pytest.raises(InputError, match=r"1\.root' is truncated"):
        convert([str(files / "*.root")], SAMPLE, SETTINGS, tmp_path / "out" / "a.h5")
    assert not (tmp_path / "out").exists()


def test_bad_files_are_skipped_counted_and_listed(tmp_path, files, chunks, capsys):
    """The good files' images only, and each bad file with its reason."""
    (files / "1.root").write_bytes((files / "1.root").read_bytes()[:-1000])
    (files / "3.root").write_text("not ROOT")
    convert([str(files / "*.root")], SKIP, SETTINGS, tmp_path / "a.h5")
    images = ImageSet(tmp_path / "a.h5")
    expected = [rich_images(chunks[i], GEOMETRY, SETTINGS)[0] for i in (0, 2)]
    assert len(images) == sum(map(len, expected))
    assert_equal(images.read(0, len(expected[0])), expected[0])
    assert images.cutflow["events read"] == 12
    assert [(row.file, row.events) for row in images.skipped] == [
        (str(files / "1.root"), -1), (str(files / "3.root"), -1),
    ]  # fmt: skip
    assert "truncated" in images.skipped[0].reason
    assert "unknown number of events lost" in capsys.readouterr().err


@pytest.fixture
def productions(tmp_path):
    """Two files whose events are numbered alike, as those of every simulation."""
    paths = [tmp_path / "p" / f"{name}.root" for name in "ab"]
    for seed, path in enumerate(paths):
        rng = np.random.default_rng(seed)
        events = simulate_chunk(RichSimulation(tracks=15.0), GEOMETRY, rng, 6, first=0)
        write_events(path, [events], {})
    return paths


@pytest.mark.parametrize("sample", [SAMPLE, SKIP])
def test_events_of_one_name_are_refused_in_a_shard_and_across_shards(tmp_path, productions, sample):
    """Bad files may be skipped, events must not be lost so."""
    a, b = map(str, productions)
    with pytest.raises(
        InputError, match=rf"event 1:0:0 is in {a} and in {b} \(and 5 more"
    ) as error:
        convert([a, b], sample, SETTINGS, tmp_path / "both.h5")
    assert "run: $file" in str(error.value)
    assert not (tmp_path / "both.h5").exists()
    shards = [tmp_path / "a.h5", tmp_path / "b.h5"]
    for file, shard in zip((a, b), shards, strict=True):
        convert([file], sample, SETTINGS, shard)
    with pytest.raises(InputError, match=rf"a\.h5 \(of {a}\) and in .*b\.h5 \(of {b}\)"):
        ImageSet(shards)


def test_files_that_are_numbered_alike_are_named_apart(tmp_path, productions):
    sample = RichSample(files=["x"], branches={"run": "$file"})
    shards = [tmp_path / "a.h5", tmp_path / "b.h5"]
    for file, shard in zip(productions, shards, strict=True):
        convert([str(file)], sample, SETTINGS, shard)
    convert([str(file) for file in productions], sample, SETTINGS, tmp_path / "both.h5")
    apart, together = ImageSet(shards), ImageSet(tmp_path / "both.h5")
    np.testing.assert_array_equal(apart.key, together.key)
    assert len(np.unique(apart.key["run"])) == 2


def test_entries_of_one_event_are_refused_or_named_apart(tmp_path, productions):
    """One entry a candidate, as in tuples of decays."""
    path = productions[0]
    rng = np.random.default_rng(0)
    events = simulate_chunk(RichSimulation(tracks=15.0), GEOMETRY, rng, 6, first=0)
    write_events(path, [events, events.part(2, 4)], {})
    with pytest.raises(InputError, match=r"event 1:0:2 is there twice \(and 1 more"):
        convert([str(path)], SAMPLE, SETTINGS, tmp_path / "a.h5")
    apart = RichSample(files=["x"], branches={"subrun": "$entry"})
    convert([str(path)], apart, SETTINGS, tmp_path / "a.h5")
    key = ImageSet(tmp_path / "a.h5").key
    assert set(key["event"][key["subrun"] >= 6]) == {2, 3}


@pytest.mark.parametrize("sample", [SAMPLE, SKIP])
def test_a_copy_of_a_file_is_refused(tmp_path, files, sample):
    copy = str(shutil.copy(files / "0.root", files / "copy.root"))
    with pytest.raises(InputError, match=r"copy\.root' is a copy of '.*0\.root'"):
        convert([str(files / "*.root")], sample, SETTINGS, tmp_path / "a.h5")
    convert([str(files / "0.root"), str(files / "1.root")], sample, SETTINGS, tmp_path / "a.h5")
    convert([copy, str(files / "2.root")], sample, SETTINGS, tmp_path / "b.h5")
    with pytest.raises(InputError, match=r"a\.h5 and .*b\.h5 hold images of the same file"):
        ImageSet([tmp_path / "a.h5", tmp_path / "b.h5"])


def test_shards_of_bad_files_only_are_of_one_set(tmp_path, files):
    """Each has an identity of its own, the same in every conversion."""
    for name in ("0", "1"):
        (files / f"{name}.root").write_bytes(b"")
        convert([str(files / f"{name}.root")], SKIP, SETTINGS, tmp_path / f"{name}.h5")
    convert([str(files / "1.root")], SKIP, SETTINGS, tmp_path / "again.h5")
    images = ImageSet([tmp_path / "0.h5", tmp_path / "1.h5"])
    assert [Path(row.file).name for row in images.skipped] == ["0.root", "1.root"]
    assert images.ids[0] != images.ids[1] == ImageSet(tmp_path / "again.h5").ids[0]


def test_a_file_that_breaks_half_way_contributes_nothing(tmp_path, files, chunks, monkeypatch):
    """The steps before the break are taken back, from the counts too."""
    small_steps(monkeypatch)
    bad = files / "1.root"
    events = chunks[1]
    p = events.tracks["p"].copy()
    p[-1] = np.nan
    broken = type(events)(
        events.key, events.track_offsets, {**events.tracks, "p": p}, events.hit_offsets, events.hits
    )
    write_events(bad, [broken], {})
    convert([str(files / "*.root")], SKIP, SETTINGS, tmp_path / "a.h5")
    images = ImageSet(tmp_path / "a.h5")
    expected = [rich_images(chunks[i], GEOMETRY, SETTINGS)[0] for i in (0, 2)]
    np.testing.assert_array_equal(images.key, np.concatenate([e.key for e in expected]))
    assert_equal(images.read(len(expected[0]), len(images)), expected[1])
    assert images.cutflow["events read"] == 12
    (skipped,) = images.skipped
    assert (skipped.file, skipped.events) == (str(bad), 6)
    assert "track_p = nan" in skipped.reason


def test_damaged_data_is_a_bad_file(tmp_path, files):
    break_late(files / "2.root")
    convert([str(files / "*.root")], SKIP, SETTINGS, tmp_path / "a.h5")
    images = ImageSet(tmp_path / "a.h5")
    assert [row.file for row in images.skipped] == [str(files / "2.root")]
    assert set(np.unique(images.key["event"]) // 100) == {1, 2}


def test_no_track_kept_is_a_valid_shard(tmp_path, files, capsys):
    """And so is a shard of bad files only."""
    settings = PolarImages(sample="rich", momentum_range=(1.5e5, 2e5))
    convert([str(files / "*.root")], SAMPLE, settings, tmp_path / "none.h5")
    assert "none.h5: nothing was kept" in capsys.readouterr().err
    images = ImageSet(tmp_path / "none.h5")
    assert len(images) == images.cutflow["kept"] == 0
    assert images.cutflow["tracks read"] > 50
    assert len(images.read(0, 0)) == 0
    (files / "bad.root").write_text("not ROOT")
    convert([str(files / "bad.root")], SKIP, settings, tmp_path / "bad.h5")
    assert len(ImageSet([tmp_path / "none.h5", tmp_path / "bad.h5"]).skipped) == 1


def test_other_species_are_named(tmp_path, files, chunks, capsys):
    events = chunks[0]
    pdg = np.full_like(events.tracks["pdg"], -3112)
    other = type(events)(
        events.key, events.track_offsets, {**events.tracks, "pdg": pdg}, events.hit_offsets,
        events.hits,
    )  # fmt: skip
    write_events(files / "0.root", [other], {})
    convert([str(files / "0.root")], SAMPLE, SETTINGS, tmp_path / "a.h5")
    images = ImageSet(tmp_path / "a.h5")
    assert images.cutflow["kept, of other species"] == len(images) > 0
    assert (images.labels("species") == -1).all()
    assert f"-3112: {len(images)}" in capsys.readouterr().err


def test_wrong_settings_are_no_bad_file(tmp_path, files):
    """Not every file is skipped for a shape that is too large."""
    settings = PolarImages(sample="rich", shape=(5000, 5000))
    with pytest.raises(InputError, match="5000 × 5000"):
        convert([str(files / "*.root")], SKIP, settings, tmp_path / "a.h5")


def test_no_file_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"no file matches .*none\*\.root"):
        convert([str(tmp_path / "none*.root")], SKIP, SETTINGS, tmp_path / "a.h5")
