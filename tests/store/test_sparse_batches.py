"""Batches of sites: what dense batches hold, without what is empty."""

import numpy as np
import pytest
from plane_shards import write_planes

from hepcnn.store.batches import Batches
from hepcnn.store.images import ImageSet

TRUTH = ("semantic", "instance")


@pytest.fixture
def images(tmp_path):
    return ImageSet(write_planes(tmp_path))


def both(images, which, **settings):
    """The same batches, of sites and dense."""
    settings = {"target": "particle", "truth": TRUTH} | settings
    forms = (Batches(images, which, 16, sparse=sparse, **settings) for sparse in (True, False))
    return zip(*(batches.epoch(1) for batches in forms), strict=True)


@pytest.mark.parametrize("mirrored", [[], ["drift"], ["beam"], ["drift", "beam"]])
@pytest.mark.parametrize("memory", [0, 1 << 30])
def test_sites_are_what_is_not_zero_of_dense_batches(images, mirrored, memory):
    settings = {"order": "shuffled", "mirrored": mirrored, "seed": 3, "memory": memory}
    scale = np.array([[1.0], [2.0], [4.0]], np.float32)
    seen = 0
    for sites, dense in both(images, np.arange(3, 190), scale=scale, **settings):
        pixels = dense["images"]
        image, place, value, extent = sites["images"]
        example, view = np.divmod(image, 3)
        assert extent == (*pixels.shape[:2], *pixels.shape[3:])
        found = np.nonzero(pixels[:, :, 0])
        np.testing.assert_array_equal(np.stack(found), np.stack([example, view, *place.T]))
        np.testing.assert_array_equal(value, pixels[found[0], found[1], :, found[2], found[3]])
        truth = dense["truth"][found[0], found[1], :, found[2], found[3]] - 1
        np.testing.assert_array_equal(sites["truth"], truth)
        for name in ("features", "label", "index", "points"):
            np.testing.assert_array_equal(sites[name], dense[name])
        seen += len(image)
    assert seen > 1000


def test_pixels_without_a_value_in_the_channels_seen_are_no_sites(images, monkeypatch):
    """As dense images have it, where they cannot be told from what is empty."""
    scale = np.array([[1.0], [0.0], [1.0]], np.float32)
    for sites, _ in both(images, np.arange(40), scale=scale):
        assert set(sites["images"].image % 3) == {0, 2}
        assert len(sites["truth"]) == len(sites["images"].image)


@pytest.mark.parametrize("limit", [1, 300, 1 << 20])
def test_batches_sized_by_their_sites(images, limit):
    which = np.arange(5, 200)
    batches = Batches(images, which, 16, target=None, sparse=True, sites=limit)
    numbers, index = [], []
    for batch in batches.epoch():
        numbers.append((len(batch["index"]), len(batch["images"].image)))
        index += batch["index"].tolist()
    assert index == which.tolist()
    assert all(examples <= 16 and (sites <= limit or examples == 1) for examples, sites in numbers)
    if limit == 300:
        # No batch could have had the next one's first example too.
        assert 1 < max(examples for examples, _ in numbers) < 16


def test_only_stored_batches_can_be_sized_by_their_sites(images):
    with pytest.raises(ValueError, match="stored order"):
        Batches(images, np.arange(9), 4, target=None, order="shuffled", sparse=True, sites=10)


def test_no_example_has_a_site(images):
    empty = np.arange(7, 200, 25)
    (batch,) = Batches(images, empty, 16, target=None, truth=TRUTH, sparse=True).epoch()
    assert batch["images"].place.shape == (0, 2)
    assert batch["truth"].shape == (0, 2)
    assert batch["images"].extent == (len(empty), 3, 16, 20)
