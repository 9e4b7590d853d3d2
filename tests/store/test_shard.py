"""Image shards: what is written is read, whole or not at all."""

import json

import h5py
import numpy as np
import pytest

from hepcnn.store.rich import FEATURES, TRUTH
from hepcnn.store.shard import KEY, Axis, Header, Images, ShardWriter, Skipped, Sparse

HEADER = Header(
    detector="rich",
    views=("rich1", "rich2"),
    shape=(4, 8),
    channels=("hits", "tracks"),
    axes={
        view: (Axis("r", "mm", 0.0, radius, 4), Axis("phi", "rad", -np.pi, np.pi, 8))
        for view, radius in (("rich1", 130.0), ("rich2", 170.0))
    },
    classes={"species": ("electron", "pion")},
    maker={"maker": "polar", "shape": [4, 8]},
    features={**dict.fromkeys(FEATURES), "log_global": 7, "angle": 1},
    truth=dict(TRUTH),
)


def block(n, seed=0):
    """Random images of `HEADER`."""
    rng = np.random.default_rng(seed)
    key = np.zeros(n, KEY)
    key["run"], key["event"], key["object"] = seed, rng.integers(0, 9, n), np.arange(n)
    views = {}
    for view in HEADER.views:
        pixels = [np.flatnonzero(rng.random(32) < 0.2) for _ in range(n)]
        offsets = np.cumsum([0] + [len(p) for p in pixels], dtype=np.int64)
        pixel = np.concatenate([np.empty(0, int), *pixels]).astype(np.uint16)
        value = rng.integers(1, 9, (len(pixel), 2)).astype(np.uint16)
        views[view] = Sparse(offsets, pixel, value)
    return Images(
        key=key,
        views=views,
        truth={name: rng.integers(-1, 2, n).astype(kind) for name, (kind, _) in TRUTH.items()},
        features={
            name: rng.random(n if width is None else (n, width)).astype(np.float32)
            for name, width in HEADER.features.items()
        },
    )


def _append_and_fail(writer, images, error):
    writer.append(images)
    raise error


def test_header_survives_json():
    """The header is stored as JSON and comes back equal."""
    assert Header.from_json(json.loads(json.dumps(HEADER.to_json()))) == HEADER


def test_layout_is_as_documented(tmp_path):
    """A physicist with h5py and no hepcnn finds names, types and lengths as described."""
    images = block(5)
    with ShardWriter(tmp_path / "a.h5", HEADER) as writer:
        writer.append(images)
        writer.describe({"id": "x"}, {"events read": 7, "kept": 5}, [Skipped("b.root", "bad", -1)])
    with h5py.File(tmp_path / "a.h5") as file:
        assert file.attrs["format"] == b"hepcnn-images"
        assert file.attrs["version"] == 3
        assert json.loads(file.attrs["views"]) == ["rich1", "rich2"]
        assert json.loads(file.attrs["axes"])["rich2"][0] == {
            "name": "r", "unit": "mm", "low": 0.0, "high": 170.0, "bins": 4,
        }  # fmt: skip
        assert file["key"].dtype == KEY
        np.testing.assert_array_equal(file["key"][:], images.key)
        assert file["views/rich1/offsets"].dtype == np.int64
        assert file["views/rich1/pixel"].dtype == np.uint16
        assert file["views/rich1/value"].shape == images.views["rich1"].value.shape
        np.testing.assert_array_equal(file["truth/pdg"][:], images.truth["pdg"])
        assert file["features/p"].shape == (5,)
        assert file["features/angle"].shape == (5, 1)
        np.testing.assert_array_equal(file["features/log_global"][:], images.features["log_global"])
        assert file["cutflow"]["step"][1] == b"kept"
        assert file["cutflow"]["count"][0] == 7
        assert file["skipped"]["reason"][0] == b"bad"


def test_large_images_have_wide_pixel_numbers():
    """Above 65536 pixels a pixel's number does not fit two bytes."""
    assert HEADER.pixel_type is np.uint16
    large = Header(**{**HEADER.__dict__, "shape": (512, 512)})
    assert large.pixel_type is np.uint32


def test_an_exception_leaves_nothing(tmp_path):
    """A shard that is not finished does not exist, and an older one stays."""
    path = tmp_path / "a.h5"
    path.write_bytes(b"older")
    with pytest.raises(RuntimeError, match="power cut"), ShardWriter(path, HEADER) as writer:
        _append_and_fail(writer, block(3), RuntimeError("power cut"))
    assert path.read_bytes() == b"older"
    assert list(tmp_path.iterdir()) == [path]


def test_an_undescribed_shard_is_refused(tmp_path):
    """Every shard says where it came from."""
    with (
        pytest.raises(ValueError, match="described"),
        ShardWriter(tmp_path / "a.h5", HEADER) as writer,
    ):
        writer.append(block(3))
    assert not list(tmp_path.iterdir())


def test_all_or_nothing_takes_back_a_part(tmp_path):
    """What was appended in a failed block is gone; what was there before stays."""
    first, lost, last = block(3, 1), block(40, 2), block(2, 3)
    with ShardWriter(tmp_path / "a.h5", HEADER) as writer:
        writer.append(first)
        with pytest.raises(OSError, match="broken"), writer.all_or_nothing():
            _append_and_fail(writer, lost, OSError("broken file"))
        with writer.all_or_nothing():
            writer.append(last)
        writer.describe({"id": "x"}, {})
        assert len(writer) == 5
    with h5py.File(tmp_path / "a.h5") as file:
        np.testing.assert_array_equal(file["key"][:], np.concatenate([first.key, last.key]))
        expected = np.concatenate([p.views["rich2"].value for p in (first, last)])
        np.testing.assert_array_equal(file["views/rich2/value"][:], expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"views": {}}, "views"),
        ({"truth": {}}, "truth"),
        ({"features": block(3).features | {"p": np.zeros((3, 1), "f4")}}, "features/p: float32"),
        ({"features": block(3).features | {"p": np.zeros(3)}}, r"p: float64 .* of float32 \(3,\)"),
        (
            {"features": block(3).features | {"log_global": np.zeros((3, 6), "f4")}},
            r"log_global: float32 \(3, 6\) instead of float32 \(3, 7\)",
        ),
        ({"key": np.zeros(2, KEY)}, r"\(3,\) instead of .* \(2,\)"),
    ],
)
def test_a_block_that_does_not_fit_is_refused(tmp_path, change, message):
    """Programming errors do not become files."""
    wrong = Images(**{**block(3).__dict__, **change})
    with (
        pytest.raises(ValueError, match=message),
        ShardWriter(tmp_path / "a.h5", HEADER) as writer,
    ):
        writer.append(wrong)


def test_many_inputs_fit_the_provenance(tmp_path):
    """A record above 64 kB, the limit of old HDF5 attributes, is stored."""
    record = {"id": "x", "inputs": {f"/a/long/folder/{i}.root": "0" * 16 for i in range(3000)}}
    with ShardWriter(tmp_path / "a.h5", HEADER) as writer:
        writer.describe(record, {})
    with h5py.File(tmp_path / "a.h5") as file:
        assert json.loads(file.attrs["provenance"]) == record
