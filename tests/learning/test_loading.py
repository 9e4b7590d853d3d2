import time

import numpy as np
import pytest
import torch

from hepcnn.learning.loading import EpochDataset, loader
from hepcnn.networks.inputs import Inputs
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
