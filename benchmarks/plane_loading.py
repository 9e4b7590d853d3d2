"""Batches of wire planes, shuffled: ours beside the usual loader.

    python -m benchmarks.plane_loading

Three planes of 512 × 512 pixels, of which charge is in about 1.5 %. The usual loader is that of
`benchmarks.loading`, with a chunk an event: the best case for reading singly.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.harness import row, seconds
from benchmarks.loading import clear, drain, usual_loader
from hepcnn.config import LArTPCSimulation, PlaneImages
from hepcnn.detector.tpc import load_tpc
from hepcnn.imaging.planes import plane_header, plane_images
from hepcnn.learning.cpu import keep_freed_memory
from hepcnn.learning.loading import EpochDataset, loader
from hepcnn.simulation.lartpc.generate import simulate
from hepcnn.store.batches import Batches
from hepcnn.store.images import ImageSet
from hepcnn.store.shard import ShardWriter

BATCH_SIZE = 16
#: Simulated events, and how many times over they are in the shard.
EVENTS, COPIES = 64, 8
SIDE = 512
#: Neutrino interactions beneath so many cosmic muons: in windows of this size 1.5 % of the pixels
#: hold charge.
SIMULATION = LArTPCSimulation(generator="interactions", cosmics=5.0, deposits=False)
IMAGES = PlaneImages(sample="planes", maker="planes", shape=(SIDE, SIDE))


def simulated_planes(path: Path) -> ImageSet:
    """A shard of images of simulated events."""
    tpc = load_tpc("microboone")
    chunks = simulate(SIMULATION, tpc, np.random.default_rng(1), EVENTS, 0)
    blocks = [plane_images(events, tpc, IMAGES)[0] for events in chunks]
    with ShardWriter(path, plane_header(IMAGES, tpc)) as writer:
        for _ in range(COPIES):
            for block in blocks:
                writer.append(block)
        writer.describe({"id": "planes"}, {"kept": len(writer)})
    return ImageSet(path)


def occupancy(images: ImageSet) -> float:
    """Part of the pixels that hold charge."""
    views = images.header.views
    stored = sum(len(images.view(view, 0, len(images)).pixel) for view in views)
    return stored / (len(images) * len(views) * images.header.pixels)


def main() -> bool:
    """Print all rows; returns whether all keep their limits."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        images = simulated_planes(folder / "images.h5")
        which, target = np.arange(len(images)), "interaction"
        common = {"target": target, "order": "shuffled"}
        disk = EpochDataset(Batches(images, which, BATCH_SIZE, **common, memory=0))
        held = EpochDataset(Batches(images, which, BATCH_SIZE, **common))
        mirrored = ("drift", "beam")
        turned = EpochDataset(Batches(images, which, BATCH_SIZE, **common, mirrored=mirrored))
        usual = usual_loader(folder / "usual.h5", images, target, BATCH_SIZE, EVENTS)
        # Alone: that memory is kept is a part of our training and not of the usual one.
        taken = seconds({"usual": lambda: drain(usual)}, 5)
        keep_freed_memory()
        dense = np.empty((BATCH_SIZE, len(images.header.views), SIDE, SIDE), np.float32)
        taken |= seconds(
            {
                "disk": lambda: drain(loader(disk)),
                "memory": lambda: drain(loader(held)),
                "mirrored": lambda: drain(loader(turned)),
                "read": lambda: [images.view(v, 0, len(images)) for v in images.header.views],
                "zero": lambda: clear(dense, len(images) // BATCH_SIZE),
            },
            5,
        )
        print(f"three planes of {SIDE} × {SIDE}, occupied to {100 * occupancy(images):.2f} %")
    rate = {n: (EVENTS if n == "usual" else len(images)) / t for n, t in taken.items()}

    def compare(title: str, ours: str, peer: str, floor: float | None = None) -> bool:
        ratio = rate[ours] / rate[peer]
        return row(title, f"{rate[ours]:,.0f} ev/s", f"{rate[peer]:,.0f} ev/s", ratio, floor)

    kept = compare("batches from memory / per-item h5py", "memory", "usual", 80)
    compare("  … mirrored at random", "mirrored", "usual")
    compare("  limit: from memory / clearing a batch", "memory", "zero")
    compare("batches from disk / per-item h5py", "disk", "usual")
    compare("  limit: from disk / bare reading in order", "disk", "read")
    return kept


if __name__ == "__main__":
    sys.exit(not main())
