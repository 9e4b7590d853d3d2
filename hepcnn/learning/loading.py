"""Batches as torch takes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
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

    Worker processes that have a copy of it, and live on from epoch to epoch, see what is set.

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
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    @property
    def epoch(self) -> int:
        """Number of the epoch, from 0."""
        return int(self._epoch)

    @epoch.setter
    def epoch(self, number: int) -> None:
        self._epoch.fill_(number)

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
                "log_likelihood": torch.from_numpy(batch["log_likelihood"]),
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

    Worker processes live on from epoch to epoch, as long as the loader. Where there is a GPU,
    batches lie in pinned memory, from which it copies them while the processor goes on. They are
    the consumer's own. Without a GPU and without workers, a batch's dense images are overwritten
    when `hepcnn.store.batches.BUFFERS` more are drawn.
    """
    return DataLoader(
        dataset,
        batch_size=None,  # the dataset gives whole batches
        collate_fn=_unchanged,
        num_workers=workers,
        # Also what workers give is a copy: one holds fewer unsent batches than it has buffers.
        prefetch_factor=BUFFERS - 1 if workers else None,
        persistent_workers=workers > 0,
        # Pinning copies. Without workers that is done as a batch is drawn, so before its buffer is
        # filled again; the pinned memory is reused only when the GPU has read it.
        pin_memory=torch.cuda.is_available(),
    )


def on_device(batch: Mapping[str, Any], device: torch.device) -> dict[str, Any]:
    """Copy a batch to a device, without waiting for it if the batch is in pinned memory.

    Not for copies from a GPU, which must be waited for.
    """
    return {name: part.to(device, non_blocking=True) for name, part in batch.items()}
