"""Batches of RICH images, shuffled: ours beside the usual loader, and beside their limits.

    python -m benchmarks loading

The usual loader reads one image after the other from a dense, gzipped HDF5 file and lets torch
collate them. How fast that is depends on the file's chunks: of a batch, as prototypes had them, or
of one image, the best case for reading singly. (With the chunks that h5py chooses by itself it is
five times slower still.)
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

import h5py
import numpy as np
from torch.utils.data import DataLoader, Dataset

from benchmarks.harness import row, seconds, sized
from benchmarks.shards import simulated_images
from hepcnn.learning.cpu import keep_freed_memory
from hepcnn.learning.loading import EpochDataset, loader
from hepcnn.store.batches import Batches
from hepcnn.store.blocks import SPAN
from hepcnn.store.images import ImageSet

EVENTS, BATCH_SIZE = sized((400, 256), (10, 16))
#: Images that the usual loader, which is slow, is timed with.
USUAL_IMAGES = sized(512, 16)


class UsualDataset(Dataset[tuple[np.ndarray, int]]):
    """One image of a dense HDF5 file an item."""

    def __init__(self, path: Path) -> None:
        self.file = h5py.File(path)

    def __len__(self) -> int:
        return len(self.file["labels"])

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        return self.file["images"][index], self.file["labels"][index]


def usual_loader(
    path: Path, images: ImageSet, target: str, batch_size: int, count: int, chunk: int = 1
) -> DataLoader[object]:
    """So many of the images dense, float32, gzipped in chunks of so many, read one by one."""
    which = np.arange(count)
    batch = next(Batches(images, which, count, target=target, memory=0).epoch())
    dense = np.asarray(batch["images"])
    with h5py.File(path, "w") as file:
        chunks = (chunk, *dense.shape[1:])
        file.create_dataset("images", data=dense, compression="gzip", chunks=chunks)
        file["labels"] = batch["label"]
    return DataLoader(UsualDataset(path), batch_size=batch_size, shuffle=True)


def drain(batches: Iterable[object]) -> None:
    """Go through an epoch."""
    for _ in batches:
        pass


def clear(dense: np.ndarray, times: int) -> None:
    """Only write: what making dense batches cannot do without."""
    for _ in range(times):
        dense.fill(0)


def main() -> None:
    """Print all rows."""
    keep_freed_memory()  # as training does
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        images = simulated_images(folder, EVENTS)
        which = np.arange(len(images))
        disk = EpochDataset(Batches(images, which, BATCH_SIZE, order="shuffled", memory=0))
        held = EpochDataset(Batches(images, which, BATCH_SIZE, order="shuffled"))
        which_usual = images, "species", BATCH_SIZE, USUAL_IMAGES
        usual = usual_loader(folder / "usual.h5", *which_usual, chunk=BATCH_SIZE)
        best = usual_loader(folder / "best.h5", *which_usual)
        dense = np.empty((BATCH_SIZE, *images.header.shape), np.float32)
        starts = range(0, len(images), SPAN)
        taken = seconds(
            {
                "disk": lambda: drain(loader(disk)),
                "memory": lambda: drain(loader(held)),
                "usual": lambda: drain(usual),
                "best": lambda: drain(best),
                "read": lambda: drain(images.read(i, min(i + SPAN, len(images))) for i in starts),
                "zero": lambda: clear(dense, len(held)),
            },
            3,
        )
    counts = {"usual": USUAL_IMAGES, "best": USUAL_IMAGES}
    rate = {name: counts.get(name, len(images)) / time for name, time in taken.items()}

    def compare(title: str, ours: str, peer: str, floor: float | None = None) -> None:
        ratio = rate[ours] / rate[peer]
        row(title, f"{rate[ours]:,.0f} img/s", f"{rate[peer]:,.0f} img/s", ratio, floor)

    compare("batches from disk / per-item h5py", "disk", "usual", 100)
    compare("batches from memory / per-item h5py", "memory", "usual", 100)
    compare("  … / per-item h5py, a chunk an image", "memory", "best")
    compare("  limit: from disk / bare reading in order", "disk", "read")
    compare("  limit: from memory / clearing a batch", "memory", "zero")
