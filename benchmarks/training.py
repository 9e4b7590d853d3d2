"""Training steps on a CPU: ours beside PyTorch's defaults and the peak.

    python -m benchmarks training

Of the lecture's network ours is the product's training, Lightning and loading included. The peer is
the same network as torch's tutorials would train it: NCHW float32, Adam, a batch that is ready in
memory. Of siamese towers see
`benchmarks.towers`.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback
from torch import nn
from torch.nn import functional

from benchmarks.harness import row, sized
from benchmarks.shards import simulated_images
from benchmarks.turns import PEAK_FLOPS, peak, step_flops, take_turns
from hepcnn.config import Network, Split, Train
from hepcnn.learning.hardware import choose
from hepcnn.learning.loading import EpochDataset, loader
from hepcnn.learning.module import TrainingModule
from hepcnn.learning.progress import TrainingProgress
from hepcnn.learning.training import fit
from hepcnn.learning.training_data import training_data
from hepcnn.networks.inputs import Inputs
from hepcnn.networks.registry import Shape, build
from hepcnn.store.batches import Batches
from hepcnn.store.images import ImageSet

EVENTS = sized(150, 40)
BATCH_SIZES = sized((256, 512), (16,))
SHAPE, CLASSES = Shape(1, 1, 32, 32), 6


class TakeTurns(Callback):
    """Waits for its turn before each step, and tells how long the step took."""

    def __init__(self, turn: Connection) -> None:
        self.turn = turn

    def on_train_start(self, *_: Any) -> None:
        self.turn.recv()
        self.start = time.perf_counter()

    def on_train_batch_end(self, *_: Any) -> None:
        self.turn.send(time.perf_counter() - self.start)
        self.turn.recv()
        self.start = time.perf_counter()


def ours(turn: Connection, path: str, batch_size: int) -> None:
    """The product's training."""
    images = ImageSet(path)
    settings = Train(batch_size=batch_size)
    split = Split(train=0.8, validation=0.1, test=0.1)
    data = training_data(images, "species", "lecture_cnn", split, settings, Network())
    network = build("lecture_cnn", SHAPE, CLASSES)
    with tempfile.TemporaryDirectory() as name:
        module = TrainingModule(network, data, settings, 1, TrainingProgress(), Path(name))
        fit(module, choose(settings), "ours", [TakeTurns(turn)])


def peer(turn: Connection, batch_size: int) -> None:
    """PyTorch's defaults."""
    network = nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(),
        nn.MaxPool2d(2), nn.Dropout(0.25), nn.Flatten(),
        nn.Linear(12544, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, CLASSES),
    )  # fmt: skip
    optimizer = torch.optim.Adam(network.parameters())
    images = (torch.rand(batch_size, 1, 32, 32) < 0.35).float()
    label = torch.randint(0, CLASSES, (batch_size,))
    while True:
        turn.recv()
        start = time.perf_counter()
        optimizer.zero_grad()
        functional.cross_entropy(network(images), label).backward()
        optimizer.step()
        turn.send(time.perf_counter() - start)


def loading_seconds(images: ImageSet, batch_size: int) -> float:
    """Seconds to load a batch."""
    batches = Batches(images, np.arange(len(images)), batch_size, order="shuffled")
    taken = []
    for _ in range(3):
        start = time.perf_counter()
        for batch in loader(EpochDataset(batches)):
            del batch
        taken.append((time.perf_counter() - start) / len(batches))
    return min(taken)


def main() -> None:
    """Print all rows."""
    with tempfile.TemporaryDirectory() as name:
        images = simulated_images(Path(name), EVENTS)
        work: dict[str, tuple[Callable[..., None], tuple[Any, ...]]] = {"peak": (peak, ())}
        for size in BATCH_SIZES:
            work[f"ours {size}"] = ours, (str(images.paths[0]), size)
            work[f"peer {size}"] = peer, (size,)
        taken = take_turns(work)
        load = loading_seconds(images, BATCH_SIZES[0])
    rate = {n: max(size / taken[f"{n} {size}"] for size in BATCH_SIZES) for n in ("ours", "peer")}
    row(
        "lecture network, training / torch's defaults",
        f"{rate['ours']:,.0f} img/s",
        f"{rate['peer']:,.0f} img/s",
        rate["ours"] / rate["peer"],
        2,
    )
    flops = rate["ours"] * step_flops(build("lecture_cnn", SHAPE, CLASSES), Inputs.zeros(SHAPE, 2))
    limit = PEAK_FLOPS / taken["peak"]
    row(
        "  limit: its share of a convolution's peak",
        f"{flops / 1e9:.0f} GFLOP/s",
        f"{limit / 1e9:.0f} GFLOP/s",
        flops / limit,
        goal=0.45,
    )
    step = taken[f"ours {BATCH_SIZES[0]}"]
    row(
        "  loading a batch / a training step",
        f"{load * 1e3:.2f} ms",
        f"{step * 1e3:.0f} ms",
        load / step,
        goal=0.01,
        most=True,
    )
