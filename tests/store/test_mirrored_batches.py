"""Batches of wire planes: mirrored at random, and transformed as they are read."""

from functools import partial

import numpy as np
import pytest
from plane_shards import VIEWS, dense, write_planes

from hepcnn.config import Network
from hepcnn.errors import InputError
from hepcnn.imaging.steps import apply_steps, step_header
from hepcnn.store import batches as batching
from hepcnn.store import blocks
from hepcnn.store.batches import Batches
from hepcnn.store.blocks import Transform
from hepcnn.store.images import ImageSet

#: Where the planes are put if the beam is mirrored.
SWAPPED = [1, 0, 2]


@pytest.fixture
def images(tmp_path):
    return ImageSet(write_planes(tmp_path))


@pytest.fixture(params=["held", "one read", "small reads"])
def memory(request, monkeypatch):
    """Ways in which images get into a batch."""
    if request.param == "small reads":
        monkeypatch.setattr(blocks, "SPAN_BYTES", 20_000)
        monkeypatch.setattr(batching, "WINDOW_BYTES", 100_000)
    return 1 << 30 if request.param == "held" else 0


def stored(images, transform=None):
    """All images, plainly: (N, V, C, H, W)."""
    block = images.read(0, len(images))
    header = images.header
    if transform is not None:
        block, header = transform.apply(block), transform.header
    return np.stack([dense(block.views[view], header) for view in header.views], axis=1)


def steps(*wanted):
    return Network(steps=list(wanted)).steps


def transform_of(images, *wanted):
    chosen = steps(*wanted)
    apply = partial(apply_steps, chosen, images.header)
    return Transform(step_header(chosen, images.header), apply)


@pytest.mark.parametrize("mirrored", [[], ["drift"], ["beam"], ["drift", "beam"]])
def test_mirrored_examples_are_flipped_dense_images(images, memory, mirrored):
    """Every batch of two epochs; U and V change places with the beam, and so do their charges."""
    which = np.arange(3, 190)
    scale = np.array([[1.0], [2.0], [4.0]], np.float32)
    names = ["charge_v", "n_hits", "charge_y", "charge_u"]
    batches = Batches(
        images, which, 16, target="particle", order="shuffled", mirrored=mirrored, seed=5,
        memory=memory, scale=scale, features=names,
    )  # fmt: skip
    plain, features = stored(images), np.column_stack([images.features(name) for name in names])
    for epoch in range(2):
        order, mirrors = batches.order(epoch), batches.mirrors(epoch)
        drawn = mirrors.any(axis=0)
        assert drawn.tolist() == ["drift" in mirrored, "beam" in mirrored]
        done = 0
        for batch in batches.epoch(epoch):
            index = batch["index"]
            np.testing.assert_array_equal(index, order[done : done + len(index)])
            drift, beam = mirrors[done : done + len(index)].T
            expected, beside = plain[index], features[index]
            expected[drift] = np.flip(expected[drift], axis=3)
            expected[beam] = np.flip(expected[beam], axis=4)[:, SWAPPED]
            beside[beam] = beside[beam][:, [3, 1, 2, 0]]
            np.testing.assert_array_equal(batch["images"], expected * scale[:, :, None, None])
            np.testing.assert_array_equal(batch["features"], beside)
            np.testing.assert_array_equal(batch["label"], images.labels("particle")[index])
            done += len(index)
        assert done == len(which)


def test_mirrors_are_those_of_the_step(images):
    """What a mirrored example looks like is what the processing step of this axis makes."""
    plain = stored(images)
    for axis, flipped in (
        ("drift", np.flip(plain, 3)),
        ("beam", np.flip(plain, 4)[:, SWAPPED]),
    ):
        np.testing.assert_array_equal(
            stored(images, transform_of(images, {"step": "mirror", "axis": axis})), flipped
        )


def test_mirrors_are_a_function_of_seed_and_epoch(images):
    def drawn(seed, epoch, **settings):
        batches = Batches(
            images, np.arange(200), 16, target="particle", order="shuffled", seed=seed,
            mirrored=["drift", "beam"], **settings,
        )  # fmt: skip
        return [{n: a.copy() for n, a in batch.items()} for batch in batches.epoch(epoch)]

    first = drawn(1, 0)
    for again in (drawn(1, 0), drawn(1, 0, memory=0)):
        for a, b in zip(first, again, strict=True):
            assert all(np.array_equal(a[name], b[name]) for name in a)
    for other in (drawn(1, 1), drawn(2, 0)):
        assert not np.array_equal(first[0]["images"], other[0]["images"])
    batches = Batches(images, np.arange(200), 16, target="particle", mirrored=["beam"])
    share = np.mean([batches.mirrors(epoch)[:, 1].mean() for epoch in range(50)])
    assert abs(share - 0.5) < 5 * 0.5 / np.sqrt(50 * 200)


def test_ranks_and_workers_see_the_same_mirrors(images):
    batches = Batches(
        images, np.arange(200), 16, target="particle", order="shuffled", mirrored=["drift", "beam"]
    )

    def by_index(**share):
        return {
            int(i): image.copy()
            for batch in batches.epoch(3, **share)
            for i, image in zip(batch["index"], batch["images"], strict=True)
        }

    whole = by_index()
    for share in ("rank", "worker"):
        parts = [by_index(**{share: k, f"{share}s": 2}) for k in range(2)]
        assert len(parts[0]) + len(parts[1]) == len(whole) == 200
        for i, image in (parts[0] | parts[1]).items():
            np.testing.assert_array_equal(image, whole[i])


@pytest.mark.parametrize(
    ("seen", "message"),
    [
        ({"views": ["u", "y"]}, "'u' becomes 'v', which is not seen"),
        ({"features": ["charge_v"]}, "'charge_v' becomes 'charge_u'"),
    ],
)
def test_what_the_mirror_needs_must_be_seen(images, seen, message):
    with pytest.raises(InputError, match=message):
        Batches(images, np.arange(9), 4, target="particle", mirrored=["beam"], **seen)
    Batches(images, np.arange(9), 4, target="particle", mirrored=["drift"], **seen)
    Batches(images, np.arange(9), 4, target="particle", mirrored=["beam"], views=["y"])


@pytest.mark.parametrize(
    "wanted",
    [
        [{"step": "downsample", "factor": (4, 5)}, {"step": "log"}],
        [{"step": "crop", "shape": (8, 9)}],
        [{"step": "blur", "sigma": 1.0}, {"step": "threshold", "minimum": 5.0}],
    ],
)
@pytest.mark.parametrize("every", [1, 3])
def test_a_transform_is_done_as_images_are_read(images, memory, wanted, every):
    """Batches are of the steps' images, whatever part of the set is asked for."""
    transform = transform_of(images, *wanted)
    expected = stored(images, transform)[:, [2, 0]]
    batches = Batches(
        images, np.arange(0, 199, every), 16, target="particle", views=["y", "u"],
        order="shuffled", transform=transform, memory=memory,
    )  # fmt: skip
    seen = 0
    for batch in batches.epoch():
        assert batch["images"].shape[3:] == transform.header.shape
        np.testing.assert_array_equal(batch["images"], expected[batch["index"]])
        seen += len(batch["index"])
    assert seen == len(range(0, 199, every))


def test_labels_are_of_the_target(images):
    for target in ("particle", "interaction"):
        batch = next(Batches(images, np.arange(50), 50, target=target).epoch())
        np.testing.assert_array_equal(batch["label"], images.labels(target)[:50])
    assert len(VIEWS) == batch["images"].shape[1]
