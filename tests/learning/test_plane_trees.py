"""Boosted trees on wire planes: tracks and blobs of the same charge."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from plane_shards import VIEWS, plane_header, plane_images

from hepcnn.config import validate
from hepcnn.errors import InputError
from hepcnn.learning.baselines import Examples, predict_baseline
from hepcnn.reconstruction.shapes import SHAPES, image_shapes
from hepcnn.store import blocks
from hepcnn.store.images import ImageSet
from hepcnn.store.predictions import read_predictions
from hepcnn.store.shard import ShardWriter, Sparse

SHAPE, PIXELS = (64, 64), 24
CONFIG = validate(
    {
        "samples": {"tpc": {"detector": "lartpc", "files": ["tpc.root"]}},
        "images": {"planes": {"sample": "tpc", "maker": "planes"}},
        "tasks": {
            "task": {
                "images": "planes",
                "target": "particle",
                "baselines": ["majority", "charge_tree", "shape_tree"],
            }
        },
    },
    "test",
)


def view_of(rng, label, header):
    """Straight tracks of class 2, blobs of class 0, of as many pixels and as much charge."""
    n = len(label)
    angle = rng.uniform(0, 2 * np.pi, n)[:, None]
    along = np.arange(PIXELS) - PIXELS / 2
    track = np.stack([along * np.cos(angle), along * np.sin(angle)])
    blob = rng.normal(0, 6, track.shape)
    place = (32 + np.where((label == 2)[:, None], track, blob)).clip(0, 63).astype(np.int64)
    flat = np.sort(place[0] * SHAPE[1] + place[1], axis=1)
    first = np.diff(flat, axis=1, prepend=-1) > 0
    truth = {
        name: np.zeros(first.sum(), header.pixel_truth[name]) for name in ("semantic", "instance")
    }
    return Sparse(
        np.concatenate([[0], np.cumsum(first.sum(axis=1))]),
        flat[first].astype(np.uint16),
        rng.gamma(4.0, 25.0, (first.sum(), 1)).astype(np.float32),
        truth,
    )


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    rng = np.random.default_rng(4)
    header = plane_header(SHAPE)
    images = plane_images(rng, 1200, header)
    label = rng.choice([0, 2], len(images)).astype(np.int16)
    views = {view: view_of(rng, label, header) for view in VIEWS}
    features = {"n_hits": rng.normal(3 * PIXELS, 3, len(images)).astype(np.float32)}
    for view, sparse in views.items():
        charge = np.add.reduceat(sparse.value[:, 0], sparse.offsets[:-1])
        features[f"charge_{view}"] = charge.astype(np.float32)
    path = tmp_path_factory.mktemp("trees") / "0000.h5"
    with ShardWriter(path, header) as writer:
        truth = images.truth | {"particle": label}
        writer.append(replace(images, views=views, features=features, truth=truth))
        writer.describe({"id": "trees"}, {"kept": len(images)})
    return [path]


def accuracy(shards, name, tmp_path):
    predict_baseline(shards, CONFIG, "task", name, tmp_path / "p.h5")
    found = read_predictions(tmp_path / "p.h5")
    np.testing.assert_allclose(found.scores.sum(axis=1), 1, atol=1e-5)
    return (found.scores.argmax(axis=1) == found.label).mean()


def test_shapes_tell_tracks_from_blobs(shards, tmp_path):
    assert accuracy(shards, "shape_tree", tmp_path) > 0.97


def test_charges_do_not(shards, tmp_path):
    """But for the pixels that a blob fills twice."""
    assert accuracy(shards, "charge_tree", tmp_path) < 0.75


def test_shapes_are_measured_in_blocks(shards, monkeypatch):
    """The same, example by example, as of all images at once; a few examples are a few rows."""
    images = ImageSet(shards)
    header, n = images.header, len(images)
    whole = [image_shapes(images.view(view, 0, n), header, view) for view in VIEWS]
    monkeypatch.setattr(blocks, "SPAN", 100)
    which = np.arange(5, n, 7)
    found = Examples(images, "particle", which).shapes
    assert found.shape == (len(which), len(VIEWS) * len(SHAPES))
    np.testing.assert_array_equal(found, np.hstack(whole)[which])


def test_images_without_charges(tmp_path):
    header = replace(plane_header(), features={"n_hits": None})
    path = tmp_path / "0000.h5"
    with ShardWriter(path, header) as writer:
        images = plane_images(np.random.default_rng(1), 200, header)
        n_hits = {"n_hits": images.features["n_hits"]}
        writer.append(replace(images, features=n_hits))
        writer.describe({"id": "bare"}, {"kept": len(images)})
    with pytest.raises(InputError, match=r"no feature 'charge_u'; .*maker: planes"):
        predict_baseline([path], CONFIG, "task", "shape_tree", tmp_path / "p.h5")
