"""Batches of wire planes, shuffled: ours beside the usual loader.

    python -m benchmarks plane_loading

Three planes of 512 × 512 pixels, of which charge is in about 1.5 %. The usual loader is that of
`benchmarks.loading`, with a chunk an event: the best case for reading singly.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.harness import row, seconds, sized
from benchmarks.loading import clear, drain, usual_loader
from hepcnn.config import LArTPCSimulation, PlaneImages
from hepcnn.detector.tpc import load_tpc
from hepcnn.imaging.planes import plane_header, plane_images
from hepcnn.learning.cpu import keep_freed_memory
from hepcnn.learning.heads.site_truth import SiteTruth
from hepcnn.learning.loading import EpochDataset, loader
from hepcnn.networks.inputs import SparseViews
from hepcnn.simulation.lartpc.generate import simulate
from hepcnn.store.batches import Batch, Batches, Mirror
from hepcnn.store.images import ImageSet
from hepcnn.store.shard import ShardWriter
from hepcnn.store.sparse import SparseBatch

BATCH_SIZE = 16
#: Simulated events, and how many times over they are in the shard.
EVENTS, COPIES = sized((64, 8), (16, 1))
SIDE = 512
#: Neutrino interactions beneath so many cosmic muons: in windows of this size 1.5 % of the pixels
#: hold charge.
SIMULATION = LArTPCSimulation(generator="interactions", cosmics=5.0, deposits=False)
IMAGES = PlaneImages(sample="planes", maker="planes", shape=(SIDE, SIDE))
#: All wires and the whole drift in pixels of 7 by 6 mm.
WHOLE = PlaneImages(
    sample="planes", maker="planes", region="whole", shape=None,
    wires_per_pixel=2, ticks_per_pixel=12, threshold=20,
)  # fmt: skip


def simulated_planes(path: Path, settings: PlaneImages) -> ImageSet:
    """A shard of images of simulated events."""
    tpc = load_tpc("microboone")
    chunks = simulate(SIMULATION, tpc, np.random.default_rng(1), EVENTS, 0)
    blocks = [plane_images(events, tpc, settings)[0] for events in chunks]
    with ShardWriter(path, plane_header(settings, tpc)) as writer:
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


def whole_planes(path: Path) -> None:
    """Batches of whole planes for a sparse network: of sites, beside dense ones that are searched.

    What the network takes is made of the rows of a shard in both ways: sites, values and truth.
    """
    images = simulated_planes(path, WHOLE)
    settings: dict[str, Any] = {"target": None, "truth": ("semantic", "instance")}
    which = np.arange(len(images))
    dense, sparse = (
        Batches(images, which, 8, **settings, order="shuffled", sparse=own) for own in (False, True)
    )

    def search() -> None:
        for batch in loader(EpochDataset(dense)):
            sites = SparseViews.of(batch["images"]).maps().sites
            SiteTruth.at(sites, batch["truth"])

    def take() -> None:
        for batch in loader(EpochDataset(sparse)):
            sites = batch["images"].maps().sites
            SiteTruth.at(sites, batch["truth"])

    torch.set_num_threads(1)
    taken = seconds({"dense": search, "sparse": take}, 5)
    size = {name: nbytes(next(own.epoch())) for name, own in (("dense", dense), ("sparse", sparse))}
    shape = " × ".join(map(str, images.header.shape))
    count = len(dense)
    row(
        f"a batch of 3 × {shape}: dense and searched / sites",
        f"{1e3 * taken['sparse'] / count:.2f} ms",
        f"{1e3 * taken['dense'] / count:.2f} ms",
        taken["dense"] / taken["sparse"],
        5,
        5,
    )
    row(
        "  bytes: dense / sites",
        f"{size['sparse'] / 1e6:.2f} MB",
        f"{size['dense'] / 1e6:.0f} MB",
        size["dense"] / size["sparse"],
        100,
        100,
    )


def nbytes(batch: Batch) -> int:
    """Bytes of a batch's images and their truth."""
    images = batch["images"]
    parts = images[:3] if isinstance(images, SparseBatch) else (images,)
    return sum(part.nbytes for part in (*parts, batch["truth"]))


def main() -> None:
    """Print all rows."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        whole_planes(folder / "whole.h5")
        images = simulated_planes(folder / "images.h5", IMAGES)
        which, target = np.arange(len(images)), "interaction"
        common: dict[str, Any] = {"target": target, "order": "shuffled"}
        disk = EpochDataset(Batches(images, which, BATCH_SIZE, **common, memory=0))
        held = EpochDataset(Batches(images, which, BATCH_SIZE, **common))
        mirrored: tuple[Mirror, ...] = ("drift", "beam")
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

    def compare(title: str, ours: str, peer: str, floor: float | None = None) -> None:
        ratio = rate[ours] / rate[peer]
        row(title, f"{rate[ours]:,.0f} ev/s", f"{rate[peer]:,.0f} ev/s", ratio, floor)

    compare("batches from memory / per-item h5py", "memory", "usual", 80)
    compare("  … mirrored at random", "mirrored", "usual")
    compare("  limit: from memory / clearing a batch", "memory", "zero")
    compare("batches from disk / per-item h5py", "disk", "usual")
    compare("  limit: from disk / bare reading in order", "disk", "read")
