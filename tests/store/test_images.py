"""An image set reads many shards as one and refuses what does not belong together."""

import json
import multiprocessing
import pickle

import h5py
import numpy as np
import pytest

from hepcnn.errors import InputError
from hepcnn.store.images import ImageSet
from hepcnn.store.rich import TRUTH
from hepcnn.store.shard import KEY, Axis, Header, Images, ShardWriter, Skipped, Sparse

HEADER = Header(
    detector="rich",
    views=("rich1",),
    shape=(2, 4),
    channels=("hits",),
    axes={"rich1": (Axis("r", "mm", 0.0, 130.0, 2), Axis("phi", "rad", -3.0, 3.0, 4))},
    classes={"species": ("electron", "pion")},
    maker={"maker": "polar", "radius": {"rich1": 130.0}},
    features=dict.fromkeys(("p", "eta", "charge", "n_tracks")) | {"angle": 6},
    truth=dict(TRUTH),
)


def write(path, n, seed=0, header=HEADER, identity=None):
    """A shard of n examples whose content follows from the seed."""
    rng = np.random.default_rng(seed)
    key = np.zeros(n, KEY)
    key["run"], key["object"] = seed, np.arange(n)
    counts = rng.integers(0, 4, n)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    pixel = np.concatenate([np.empty(0, int), *(np.arange(c) for c in counts)]).astype(np.uint16)
    images = Images(
        key=key,
        views={
            "rich1": Sparse(offsets, pixel, rng.integers(1, 9, (len(pixel), 1)).astype(np.uint16))
        },
        truth={name: rng.integers(-1, 2, n).astype(kind) for name, (kind, _) in TRUTH.items()},
        features={
            name: rng.random((n, width) if width else n).astype("f4")
            for name, width in header.features.items()
        },
    )
    with ShardWriter(path, header) as writer:
        writer.append(images)
        writer.describe(
            {"id": identity or path.name},
            {"events read": 10, "kept": n},
            [Skipped(f"{path.stem}.root", "truncated", 3)],
        )
    return images


@pytest.fixture
def shards(tmp_path):
    sizes = {"a.h5": 5, "b.h5": 0, "c.h5": 7, "d.h5": 1}
    return {
        tmp_path / name: write(tmp_path / name, n, i) for i, (name, n) in enumerate(sizes.items())
    }


def dense(sparse, i):
    image = np.zeros(8, int)
    rows = slice(sparse.offsets[i], sparse.offsets[i + 1])
    image[sparse.pixel[rows]] = sparse.value[rows, 0]
    return image


def test_many_shards_read_as_one(shards):
    """Any block, over any number of shards (an empty one among them), is what was written."""
    images = ImageSet(list(shards))
    written = [(block, i) for block in shards.values() for i in range(len(block))]
    assert len(images) == 13
    assert images.header == HEADER
    for start in range(14):
        for stop in range(start, 14):
            found = images.read(start, stop)
            assert len(found) == stop - start
            assert found.views["rich1"].offsets[0] == 0
            for row, (block, i) in enumerate(written[start:stop]):
                assert found.key[row] == block.key[i]
                assert found.truth["pdg"][row] == block.truth["pdg"][i]
                assert found.features["p"][row] == block.features["p"][i]
                np.testing.assert_array_equal(
                    found.features["angle"][row], block.features["angle"][i]
                )
                np.testing.assert_array_equal(
                    dense(found.views["rich1"], row), dense(block.views["rich1"], i)
                )


def test_an_empty_block_keeps_its_types(shards):
    """Reading nothing gives arrays of the right types."""
    for images in (ImageSet(list(shards)), ImageSet(list(shards)[1])):
        nothing = images.read(0, 0)
        assert nothing.key.dtype == KEY
        assert nothing.views["rich1"].pixel.dtype == np.uint16
        assert nothing.views["rich1"].value.shape == (0, 1)
        assert nothing.features["angle"].shape == (0, 6)


@pytest.mark.parametrize("block", [(-1, 2), (3, 2), (0, 14)])
def test_a_block_outside_is_an_error(shards, block):
    """An index beyond the end is not cut silently."""
    with pytest.raises(IndexError, match="13 examples"):
        ImageSet(list(shards)).read(*block)


def test_columns_cutflow_and_skipped_join(shards):
    """Columns are concatenated, counts added, skipped files listed."""
    images = ImageSet(list(shards))
    blocks = list(shards.values())
    np.testing.assert_array_equal(images.key, np.concatenate([b.key for b in blocks]))
    species = np.concatenate([b.truth["species"] for b in blocks])
    np.testing.assert_array_equal(images.labels("species"), species)
    eta = np.concatenate([b.features["eta"] for b in blocks])
    np.testing.assert_array_equal(images.features("eta"), eta)
    angle = np.concatenate([b.features["angle"] for b in blocks])
    np.testing.assert_array_equal(images.features("angle"), angle)
    assert images.cutflow == {"events read": 40, "kept": 13}
    assert [row.file for row in images.skipped] == ["a.root", "b.root", "c.root", "d.root"]
    assert images.ids == ["a.h5", "b.h5", "c.h5", "d.h5"]


def test_an_unknown_column_names_the_nearest(shards):
    """A misspelt feature is an error that helps."""
    with pytest.raises(InputError, match="no features 'n_track'; did you mean 'n_tracks'"):
        ImageSet(list(shards)).features("n_track")


def _length_and_sum(images):
    block = images.read(0, len(images))
    return len(block), int(block.views["rich1"].value.sum())


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_it_works_in_other_processes(shards, method):
    """A set with open files is pickled, and files are opened anew in a worker."""
    images = ImageSet(list(shards))
    here = _length_and_sum(images)
    assert _length_and_sum(pickle.loads(pickle.dumps(images))) == here
    with multiprocessing.get_context(method).Pool(1) as pool:
        assert pool.apply(_length_and_sum, (images,)) == here


def test_more_shards_than_open_files(tmp_path, monkeypatch):
    """The number of files held open is bounded."""
    monkeypatch.setattr("hepcnn.store.images.MAX_OPEN", 2)
    for i in range(5):
        write(tmp_path / f"{i}.h5", 2, i)
    images = ImageSet([tmp_path / f"{i}.h5" for i in range(5)])
    assert list(images.read(0, 10).key["run"]) == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert list(images.read(0, 3).key["run"]) == [0, 0, 1]


def test_no_shard_is_an_error():
    with pytest.raises(InputError, match="no image shard"):
        ImageSet([])


def test_other_files_are_refused(tmp_path):
    """Each refusal names the file and what it is instead."""
    text = tmp_path / "a.txt"
    text.write_text("hello")
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file["x"] = 1
    predictions = tmp_path / "predictions.h5"
    with h5py.File(predictions, "w") as file:
        file.attrs["format"] = "hepcnn-predictions"
    for path, message in (
        (tmp_path / "none.h5", "none.h5: no such file"),
        (text, "a.txt: not an HDF5 file"),
        (other, "other.h5: not an image shard: it names no format"),
        (predictions, "it has the format 'hepcnn-predictions', not 'hepcnn-images'"),
    ):
        with pytest.raises(InputError, match=message):
            ImageSet(path)


@pytest.mark.parametrize(
    ("version", "message"), [(4, "use a newer hepcnn"), (2, "convert the events again")]
)
def test_another_version_is_refused(tmp_path, version, message):
    path = tmp_path / "a.h5"
    write(path, 2)
    with h5py.File(path, "a") as file:
        file.attrs["version"] = version
    with pytest.raises(InputError, match=f"a.h5: format version {version}; .*{message}"):
        ImageSet(path)


def test_a_truncated_file_is_refused(tmp_path):
    path = tmp_path / "a.h5"
    write(path, 2)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"a\.h5: a damaged HDF5 file"):
        ImageSet(path)


@pytest.mark.parametrize(
    "what",
    [
        "provenance", "features", "truth/pdg", "views/rich1/offsets", "views/rich1/value",
        "features/p", "features/angle", "cutflow",
    ],
)  # fmt: skip
def test_a_shard_that_lacks_a_part_is_refused(tmp_path, what):
    path = tmp_path / "a.h5"
    write(path, 2)
    with h5py.File(path, "a") as file:
        if what in file.attrs:
            del file.attrs[what]
        else:
            del file[what]
            if what == "truth/pdg":
                file[what] = np.zeros(1)
            if what == "features/angle":
                file[what] = np.zeros((2, 5))
    with pytest.raises(InputError, match=r"a\.h5: a damaged image shard"):
        ImageSet(path)


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("truth/pdg", None),
        ("views/rich1/value", lambda value: value[:-1]),
        ("views/rich1/value", lambda value: value[:, 0]),
        ("views/rich1/pixel", lambda pixel: pixel[:-1]),
        ("views/rich1/offsets", lambda offsets: offsets + 1),
    ],
)
def test_columns_of_another_shape_are_refused(tmp_path, what, change):
    """Compiled code reads them."""
    path = tmp_path / "a.h5"
    write(path, 4)
    with h5py.File(path, "a") as file:
        column = file[what][()]
        del file[what]
        file[what] = h5py.Empty("f4") if change is None else change(column)
    with pytest.raises(
        InputError, match=rf"a\.h5: a damaged image shard: {what}|views/rich1/pixel"
    ):
        ImageSet(path)


@pytest.mark.parametrize("offset", [-1, 0, 10**6])
def test_offsets_that_fall_or_leave_the_pixels_are_refused(tmp_path, offset):
    path = tmp_path / "a.h5"
    write(path, 4)
    with h5py.File(path, "a") as file:
        file["views/rich1/offsets"][2] = offset
    for block in ((0, 4), (0, 2), (2, 4)):
        images = ImageSet(path)
        if offset == 0 and block[0] == 2:
            continue  # so many pixels more: not known from this block alone
        with pytest.raises(InputError, match=r"a\.h5: a damaged image shard: views/rich1/offsets"):
            images.view("rich1", *block)


def test_shards_of_different_images_are_refused(tmp_path):
    """Both files and the key that differs are named."""
    write(tmp_path / "a.h5", 2)
    maker = {"maker": "polar", "radius": {"rich1": 99.0}}
    write(tmp_path / "b.h5", 2, header=Header(**{**HEADER.__dict__, "maker": maker}))
    with pytest.raises(InputError, match=r"a\.h5 and .*b\.h5 .*'maker' is .*130.*99"):
        ImageSet([tmp_path / "a.h5", tmp_path / "b.h5"])


def test_the_same_images_twice_are_refused(tmp_path):
    """Counting tracks twice would make every interval too small."""
    write(tmp_path / "a.h5", 2, identity="same")
    write(tmp_path / "b.h5", 2, identity="same")
    with pytest.raises(InputError, match="hold the same images"):
        ImageSet([tmp_path / "a.h5", tmp_path / "b.h5"])


def test_the_header_is_readable_without_hepcnn(tmp_path):
    write(tmp_path / "a.h5", 2)
    with h5py.File(tmp_path / "a.h5") as file:
        assert json.loads(file.attrs["classes"]) == {"species": ["electron", "pion"]}


@pytest.mark.parametrize("column", ["key", "truth/species", "views/rich1/pixel"])
@pytest.mark.parametrize("byte", [0, 9])
def test_a_damaged_chunk_is_refused_and_the_file_named(tmp_path, column, byte):
    path = tmp_path / "a.h5"
    write(path, 500)
    with h5py.File(path) as file:
        place = file[column].id.get_chunk_info(0).byte_offset
    content = bytearray(path.read_bytes())
    content[place + byte] ^= 1
    path.write_bytes(content)
    images = ImageSet(path)
    with pytest.raises(InputError, match=r"a\.h5: a damaged image shard"):
        images.read(0, 500)
