import multiprocessing
import time

import numpy as np
import pytest
import torch
from plane_shards import write_planes
from torch.utils.data._utils.pin_memory import pin_memory

from hepcnn.learning.loading import EpochDataset, loader, on_device
from hepcnn.networks.inputs import Inputs, SparseViews
from hepcnn.networks.layers import FoldViews
from hepcnn.store import batches as module
from hepcnn.store.batches import Batches
from hepcnn.store.images import ImageSet


def sequence(dataset, workers):
    loaded = loader(dataset, workers)
    found = [{name: tensor.clone() for name, tensor in batch.items()} for batch in loaded]
    assert len(found) == len(loaded)
    return found


@pytest.mark.parametrize("memory", [0, 1 << 30])
def test_the_same_batches_for_any_number_of_workers(shards, monkeypatch, memory):
    monkeypatch.setattr(module, "WINDOW", 128)
    images = ImageSet(shards)
    batches = Batches(images, np.arange(777), 16, order="shuffled", seed=5, memory=memory)
    dataset = EpochDataset(batches)
    epochs = {}
    for dataset.epoch in range(2):
        alone, one, two = (sequence(dataset, workers) for workers in (0, 1, 2))
        for a, b, c in zip(alone, one, two, strict=True):
            for name in a:
                assert torch.equal(a[name], b[name])
                assert torch.equal(a[name], c[name])
        epochs[dataset.epoch] = torch.cat([batch["index"] for batch in alone])
    assert not torch.equal(epochs[0], epochs[1])


@pytest.fixture
def sites(tmp_path):
    """Batches of the sites of wire planes, with their truth."""
    images = ImageSet(write_planes(tmp_path / "planes", events=100))
    return Batches(
        images, np.arange(100), 16, target="particle", truth=("semantic",), order="shuffled",
        mirrored=("beam",), sparse=True,
    )  # fmt: skip


def same(batch, other):
    """Whether two batches are equal, also in what they are made of."""
    assert batch.keys() == other.keys()
    for name, part in batch.items():
        assert type(part) is type(other[name])
        if isinstance(part, SparseViews):
            assert type(part.extent) is tuple
            assert part.extent == other[name].extent
            tensors = zip(part[:3], other[name][:3], strict=True)
        else:
            tensors = [(part, other[name])]
        for tensor, expected in tensors:
            assert tensor.dtype == expected.dtype
            assert torch.equal(tensor, expected)


@pytest.mark.parametrize("form", ["dense", "sites"])
def test_workers_live_on_and_are_told_the_epoch(shards, sites, form):
    dense = Batches(ImageSet(shards), np.arange(400), 16, order="shuffled")
    dataset = EpochDataset({"dense": dense, "sites": sites}[form])
    alone, shared = loader(dataset), loader(dataset, 2)
    before = set(multiprocessing.active_children())
    workers, order = [], []
    for epoch in (0, 1, 5):
        dataset.epoch = epoch
        assert dataset.epoch == epoch
        order.append([])
        for batch, expected in zip(shared, alone, strict=True):
            same(batch, expected)
            order[-1] += batch["index"].tolist()
        workers.append(set(multiprocessing.active_children()) - before)
    assert len(workers[0]) == 2
    assert workers[0] == workers[1] == workers[2]
    assert len({tuple(indices) for indices in order}) == 3


def test_workers_are_told_the_epoch_after_one_that_was_left(shards):
    """As a training does that counts its batches: it never asks for one more than there are."""
    dataset = EpochDataset(Batches(ImageSet(shards), np.arange(400), 16, order="shuffled"))
    shared = loader(dataset, 2)
    next(iter(shared))
    dataset.epoch = 3
    found = [batch["index"] for batch in shared]
    assert torch.equal(torch.cat(found), torch.from_numpy(dataset.batches.order(3)))


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_go_to_a_device_as_they_are(shards, sites, device, workers):
    """Also those that have been waited for while others were drawn: pinned, they are copies."""
    dense = Batches(ImageSet(shards), np.arange(200), 16)
    for batches in (dense, sites):
        dataset = EpochDataset(batches)
        expected = list(loader(dataset, 1))
        batches = loader(dataset, workers)
        drawn = batches if device.type == "cpu" else list(batches)
        for batch, one in zip(drawn, expected, strict=True):
            moved = on_device(batch, device)
            assert all(part.device.type == device.type for part in moved.values())
            assert Inputs.of(moved).images.shape == one["images"].shape
            same({name: part.to("cpu") for name, part in moved.items()}, one)
            if device.type == "cuda":
                assert batch["label"].is_pinned()


def test_pinning_copies_a_batch_and_leaves_its_form(shards, sites, monkeypatch):
    """What torch's loader makes of a batch, but for where the memory is."""
    monkeypatch.setattr(torch.Tensor, "pin_memory", torch.Tensor.clone)
    dense = Batches(ImageSet(shards), np.arange(200), 16)
    for batches in (dense, sites):
        batch = next(iter(EpochDataset(batches)))
        pinned = pin_memory(batch)
        same(pinned, batch)
        for name in ("images", "label"):
            mine, other = (own[name] for own in (pinned, batch))
            if isinstance(mine, SparseViews):
                mine, other = mine.value, other.value
            assert mine.data_ptr() != other.data_ptr()
            assert mine.stride() == other.stride()


def test_a_slow_consumer_gets_whole_batches_from_workers(shards):
    """A worker fills its next buffer while an earlier batch may still wait to be sent."""
    batches = Batches(ImageSet(shards), np.arange(800), 8)
    expected = sequence(EpochDataset(batches), 0)
    for i, batch in enumerate(loader(EpochDataset(batches), 1)):
        time.sleep(0.01 * (i % 5 == 0))
        assert torch.equal(batch["images"], expected[i]["images"])


def test_images_are_channels_last_without_a_copy(make_shards, tmp_path):
    """As convolutions want them: when the views are folded into the batch, as siamese towers do."""
    paths = make_shards(tmp_path, views=("rich1", "rich2"), channels=("hits", "tracks"))
    batch = next(iter(EpochDataset(Batches(ImageSet(paths), np.arange(10), 8))))
    folded = batch["images"].transpose(0, 1).flatten(0, 1)
    assert folded.data_ptr() == batch["images"].data_ptr()
    assert folded.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("views", [("rich1",), ("rich1", "rich2")])
def test_views_folded_into_channels_are_channels_last(make_shards, tmp_path, views):
    """Without a copy where there is one view."""
    paths = make_shards(tmp_path, views=views, channels=("hits", "tracks"))
    batch = next(iter(EpochDataset(Batches(ImageSet(paths), np.arange(10), 8))))
    folded = FoldViews()(Inputs.of(batch))
    assert folded.is_contiguous(memory_format=torch.channels_last)
    assert (folded.data_ptr() == batch["images"].data_ptr()) == (len(views) == 1)
    assert torch.equal(folded, batch["images"].flatten(1, 2))
