"""Batches as torch takes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from hepcnn.networks.inputs import SparseViews
from hepcnn.store.batches import BUFFERS, Batches
from hepcnn.store.sparse import SparseBatch


class EpochDataset(IterableDataset[dict[str, Tensor]]):
    """The batches of one epoch: set `epoch`, then iterate.

    Parameters
    ----------
    batches : Batches
        What to go through.
    rank, ranks : int
        This process and the number of processes that share each batch.
    standardise : callable, optional
        What is done to the features (B, F); by default nothing.
    """

    def __init__(
        self,
        batches: Batches,
        rank: int = 0,
        ranks: int = 1,
        standardise: Callable[[NDArray[np.float32]], NDArray[np.float32]] | None = None,
    ) -> None:
        self.batches = batches
        self.standardise = standardise
        self.rank, self.ranks = rank, ranks
        self.epoch = 0

    def __len__(self) -> int:
        return self.batches.count(self.ranks)

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        info = get_worker_info()
        worker, workers = (info.id, info.num_workers) if info else (0, 1)
        for batch in self.batches.epoch(
            self.epoch, rank=self.rank, ranks=self.ranks, worker=worker, workers=workers
        ):
            features = batch["features"]
            if self.standardise is not None:
                features = self.standardise(features)
            yield {
                "images": _images(batch["images"]),
                "features": torch.from_numpy(features),
                "expected": torch.from_numpy(batch["expected"]),
                "label": torch.from_numpy(batch["label"]),
                "index": torch.from_numpy(batch["index"]),
                "truth": torch.from_numpy(batch["truth"]),
                "points": torch.from_numpy(batch["points"]),
            }


def _images(images: NDArray[np.float32] | SparseBatch) -> Any:
    """Images, dense or by their sites, as networks take them."""
    if isinstance(images, SparseBatch):
        image, place, value = (torch.from_numpy(part) for part in images[:3])
        return SparseViews(image, place, value, images.extent)
    return torch.from_numpy(images)


def _unchanged(batch: Any) -> Any:
    return batch


def loader(dataset: EpochDataset, workers: int = 0) -> DataLoader[dict[str, Tensor]]:
    """Load an epoch's batches; their sequence is the same for any number of worker processes.

    Without workers a batch is overwritten when `hepcnn.store.batches.BUFFERS` more are drawn.
    With workers batches are copies: a worker holds fewer unsent ones than it has buffers.
    """
    return DataLoader(
        dataset,
        batch_size=None,  # the dataset gives whole batches
        collate_fn=_unchanged,
        num_workers=workers,
        prefetch_factor=BUFFERS - 1 if workers else None,
    )
