"""Measured values, truth of pixels, ragged tables and three axes: written, read, refused."""

from dataclasses import replace

import h5py
import numpy as np
import pytest
from plane_shards import dense, plane_header, plane_images, write_planes

from hepcnn.errors import InputError
from hepcnn.store.batches import Batches
from hepcnn.store.images import ImageSet
from hepcnn.store.shard import Axis, Images, Rows, ShardWriter, Sparse

HEADER = plane_header()


def write(path, images, header=HEADER):
    with ShardWriter(path, header) as writer:
        writer.append(images)
        writer.describe({"id": path.name}, {"kept": len(images)})
    return path


def same(one: Images, other: Images) -> None:
    """That two blocks are equal in everything, bit by bit, with their types."""
    pairs = [(one.columns, other.columns), (one.ragged, other.ragged)]
    assert all(a.keys() == b.keys() for a, b in pairs)
    arrays = [(one.key, other.key)] + [(one.columns[n], other.columns[n]) for n in one.columns]
    for name, rows in one.ragged.items():
        mine, yours = rows.columns, other.ragged[name].columns
        assert mine.keys() == yours.keys()
        arrays += [(rows.offsets, other.ragged[name].offsets)]
        arrays += [(mine[n], yours[n]) for n in mine]
    for a, b in arrays:
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


def test_what_is_written_is_read(tmp_path):
    """Values, truth of examples, pixels and particles; any block, over two shards."""
    whole = plane_images(np.random.default_rng(1), 60)
    paths = [
        write(tmp_path / f"{i}.h5", whole.take(np.arange(30 * i, 30 * i + 30))) for i in range(2)
    ]
    images = ImageSet(paths)
    assert images.header == HEADER
    for start, stop in ((0, 60), (0, 0), (3, 9), (25, 41), (60, 60), (30, 60)):
        same(images.read(start, stop), whole.take(np.arange(start, stop)))
    for target in ("particle", "interaction"):
        np.testing.assert_array_equal(images.labels(target), whole.truth[target])
    np.testing.assert_array_equal(images.truth("corner"), whole.truth["corner"])


def test_a_shard_appended_in_parts_is_the_whole(tmp_path):
    whole = plane_images(np.random.default_rng(2), 40)
    with ShardWriter(tmp_path / "a.h5", HEADER) as writer:
        for start in range(0, 40, 7):
            writer.append(whole.take(np.arange(start, min(start + 7, 40))))
        writer.describe({"id": "a"}, {})
    same(ImageSet(tmp_path / "a.h5").read(0, 40), whole)


def test_the_truth_of_pixels_is_read_if_it_is_asked_for(tmp_path):
    whole = plane_images(np.random.default_rng(3), 9)
    images = ImageSet(write(tmp_path / "a.h5", whole))
    assert images.view("u", 2, 7).truth == {}
    found = images.view("u", 2, 7, truth=True)
    np.testing.assert_array_equal(
        found.truth["instance"], whole.views["u"].take(np.arange(2, 7)).truth["instance"]
    )


def test_taken_examples_are_those_named():
    """In any order, and again."""
    whole = plane_images(np.random.default_rng(4), 30)
    which = np.array([7, 29, 0, 7])
    taken = whole.take(which)
    np.testing.assert_array_equal(taken.key, whole.key[which])
    for view in HEADER.views:
        np.testing.assert_array_equal(
            dense(taken.views[view], HEADER), dense(whole.views[view], HEADER)[which]
        )
    particles, every = taken.tables["particles"], whole.tables["particles"]
    assert np.diff(particles.offsets).tolist() == [0, 1, 1, 0]
    np.testing.assert_array_equal(
        particles.columns["box"], every.columns["box"][every.offsets[[29, 0]]]
    )


def _particles(**change):
    images = plane_images(np.random.default_rng(5), 10)
    rows = images.tables["particles"]
    return replace(images, tables={"particles": Rows(rows.offsets, rows.columns | change)})


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (replace(_particles(), tables={}), "tables/particles"),
        (_particles(pdg=np.zeros(3, np.int32)), r"tables/particles/pdg: int32 \(3,\) instead of"),
        (_particles(pdg=np.zeros(9)), r"tables/particles/pdg: float64 .* of int32 \(9,\)"),
        (_particles(box=np.zeros((9, 4), np.float32)), r"box: float32 \(9, 4\) instead of"),
        (_particles(more=np.zeros(9)), "tables/particles/: .*'more'"),
    ],
)
def test_tables_that_do_not_fit_are_refused(tmp_path, images, message):
    with pytest.raises(ValueError, match=message), ShardWriter(tmp_path / "a.h5", HEADER) as writer:
        writer.append(images)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("tables/particles/pdg", lambda column: column[:-1]),
        ("tables/particles/box", lambda column: column[:, :3]),
        ("tables/particles/pdg", lambda column: column.astype("i8")),
        ("tables/particles/offsets", lambda offsets: offsets[:-1]),
        ("tables/particles/offsets", None),
        ("views/u/semantic", lambda column: column[:-1]),
        ("views/u/semantic", None),
        ("views/u/value", lambda column: column.astype("u2")),
        ("truth/corner", lambda column: column[:, :2]),
    ],
)
def test_damage_is_named(tmp_path, name, change):
    path = write(tmp_path / "a.h5", plane_images(np.random.default_rng(6), 12))
    with h5py.File(path, "a") as file:
        column = file[name][()]
        del file[name]
        if change is not None:
            file[name] = change(column)
    with pytest.raises(InputError, match=r"a\.h5: a damaged image shard") as error:
        ImageSet(path)
    assert name.rsplit("/", 1)[-1] in str(error.value) or "particles" in str(error.value)


@pytest.mark.parametrize("offset", [-1, 10**6])
def test_offsets_of_a_table_that_leave_it_are_refused(tmp_path, offset):
    path = write(tmp_path / "a.h5", plane_images(np.random.default_rng(7), 12))
    with h5py.File(path, "a") as file:
        file["tables/particles/offsets"][3] = offset
    with pytest.raises(InputError, match=r"a\.h5: a damaged .*: tables/particles/offsets"):
        ImageSet(path).read(0, 12)


@pytest.mark.parametrize(
    ("attribute", "value"),
    [("values", "float64"), ("truth", '{"particle": 3}'), ("tables", '{"particles": {"a": "x"}}')],
)
def test_a_damaged_header_is_refused(tmp_path, attribute, value):
    path = write(tmp_path / "a.h5", plane_images(np.random.default_rng(8), 3))
    with h5py.File(path, "a") as file:
        file.attrs[attribute] = value
    with pytest.raises(InputError, match=r"a\.h5: a damaged image shard"):
        ImageSet(path)


def test_an_unknown_target_names_the_nearest(tmp_path):
    images = ImageSet(write_planes(tmp_path))
    with pytest.raises(InputError, match="no classes of the target 'particles'; did you mean 'pa"):
        images.labels("particles")


def test_three_axes(tmp_path):
    """Voxels become dense in their shape; the first and the last axis are mirrored."""
    shape = (3, 4, 5)
    axes = tuple(Axis(name, "mm", 0.0, 10.0 * n, n) for name, n in zip("xyz", shape, strict=True))
    header = replace(
        HEADER, views=("xyz",), shape=shape, axes={"xyz": axes}, tables={}, pixel_truth={},
        features={}, truth={"particle": ("int16", None)},
    )  # fmt: skip
    rng = np.random.default_rng(9)
    full = np.where(rng.random((8, *shape)) < 0.3, rng.random((8, *shape)), 0).astype(np.float32)
    where, pixel = np.nonzero(full.reshape(8, -1))
    offsets = np.concatenate([[0], np.cumsum(np.bincount(where, minlength=8))])
    value = full.reshape(8, -1)[where, pixel][:, None]
    images = Images(
        key=plane_images(rng, 8).key,
        views={"xyz": Sparse(offsets, pixel.astype(np.uint16), value)},
        truth={"particle": np.zeros(8, np.int16)},
        features={},
    )
    stored = ImageSet(write(tmp_path / "a.h5", images, header))
    assert stored.header == header
    plain = Batches(stored, np.arange(8), 8, target="particle")
    np.testing.assert_array_equal(next(plain.epoch())["images"], full[:, None, None])
    turned = Batches(stored, np.arange(8), 8, target="particle", mirrored=["drift", "beam"])
    drift, beam = turned.mirrors(0).T
    expected = full.copy()
    expected[drift] = np.flip(expected[drift], 1)
    expected[beam] = np.flip(expected[beam], 3)
    assert 0 < drift.sum() < 8
    assert 0 < beam.sum() < 8
    np.testing.assert_array_equal(next(turned.epoch())["images"], expected[:, None, None])
