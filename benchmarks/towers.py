"""A training step of siamese towers on three planes: ours beside PyTorch's defaults.

    python -m benchmarks towers

Ours folds the planes into the batch, and keeps channels last and freed memory. The peer is the same
network as one would write it first: the tower is called for each plane, on NCHW float32. The sparse
tower is set beside the dense tower as PyTorch's defaults have it. None loads anything:
`benchmarks.loading` has that.
"""

from __future__ import annotations

import math
import time
from multiprocessing.connection import Connection
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.harness import row, sized
from benchmarks.turns import PEAK_FLOPS, peak, step_flops, take_turns
from hepcnn.learning.cpu import keep_freed_memory
from hepcnn.networks.inputs import Inputs, SparseViews
from hepcnn.networks.registry import Shape, build, is_sparse
from hepcnn.networks.siamese import Siamese

CLASSES = 4
#: Of images of the larger and the smaller towers.
SIDES = sized(((256, 256), (192, 192)), ((64, 64), (64, 64)))
#: Of each plane, as long as half of it: of 192² pixels, a little over 1 % are occupied.
TRACKS = 3
#: By backbone: images and batch size, and the floor of the ratio. Both ways of a dense tower are
#: bound by the same arithmetic: it is enough not to be slower.
TOWERS = {
    "resnet18": (Shape(3, 1, *SIDES[0]), sized(4, 1), 1.0),
    "tower": (Shape(3, 1, *SIDES[1]), sized(64, 2), 1.0),
    "sparse_tower": (Shape(3, 1, *SIDES[1]), sized(64, 2), 0.8),
}


class Planes(nn.Module):
    """The towers of a network, called for each plane in turn."""

    def __init__(self, network: Siamese) -> None:
        super().__init__()
        self.tower, self.head = network.towers[0], network.head

    def forward(self, inputs: Inputs) -> Tensor:
        planes = inputs.images.unbind(1)
        return self.head(torch.cat([self.tower(plane) for plane in planes], dim=1))


def network_of(backbone: str) -> Siamese:
    """One tower for all planes."""
    network = build("siamese", TOWERS[backbone][0], CLASSES, backbone=backbone, shared=True)
    return cast(Siamese, network)


def examples(shape: Shape, batch_size: int) -> Inputs:
    """Images of straight tracks, two pixels wide."""
    inputs = Inputs.zeros(shape, batch_size)
    planes = inputs.images.flatten(0, 2)
    start = torch.rand(len(planes), TRACKS, 1) * shape.height, torch.rand(TRACKS, 1) * shape.width
    angle = torch.rand(len(planes), TRACKS, 1) * 2 * math.pi
    along = torch.arange(0, shape.height / 2, 0.5)
    row = (start[0] + along * angle.sin()).long() % (shape.height - 1)
    column = (start[1] + along * angle.cos()).long() % shape.width
    plane = torch.arange(len(planes))[:, None, None]
    for width in range(2):
        planes[plane, row + width, column] = 0.1 + torch.rand(row.shape)
    return inputs


def ours(turn: Connection, backbone: str) -> None:
    """As the product trains."""
    keep_freed_memory()
    shape, batch_size, _ = TOWERS[backbone]
    network = network_of(backbone).to(memory_format=torch.channels_last)
    inputs = examples(shape, batch_size)
    # As batches are: one view after the other in memory, channels last.
    images = inputs.images.permute(1, 0, 3, 4, 2).contiguous().permute(1, 0, 4, 2, 3)
    if is_sparse("siamese", {"backbone": backbone}):
        images = SparseViews.of(images)
    optimizer = torch.optim.Adam(network.parameters(), fused=True)
    train(turn, network, inputs._replace(images=images), optimizer)


def peer(turn: Connection, backbone: str) -> None:
    """PyTorch's defaults."""
    shape, batch_size, _ = TOWERS[backbone]
    planes = Planes(network_of(backbone))
    optimizer = torch.optim.Adam(planes.parameters())
    train(turn, planes, examples(shape, batch_size), optimizer)


def train(
    turn: Connection,
    network: nn.Module,
    inputs: Inputs,
    optimizer: torch.optim.Optimizer,
) -> None:
    """Make a step whenever it is this process's turn, and tell how long it took."""
    label = torch.randint(0, CLASSES, (len(inputs.features),))
    while True:
        turn.recv()
        start = time.perf_counter()
        optimizer.zero_grad()
        loss = functional.cross_entropy(network(inputs), label)
        loss.backward()
        optimizer.step()
        turn.send(time.perf_counter() - start)


def main() -> None:
    """Print a row for each backbone, and for dense ones how near they are to what is possible."""
    for backbone, (shape, batch_size, floor) in TOWERS.items():
        sparse = backbone == "sparse_tower"
        peer_of = (peer, ("tower" if sparse else backbone,))
        taken = take_turns({"ours": (ours, (backbone,)), "peer": peer_of, "peak": (peak, ())})
        rate = {name: batch_size / taken[name] for name in ("ours", "peer")}
        row(
            f"{backbone}, 3 × {shape.height}², training",
            f"{rate['ours']:.1f} events/s",
            f"{rate['peer']:.1f} events/s" + (" (tower)" if sparse else ""),
            rate["ours"] / rate["peer"],
            floor,
            goal=2,
        )
        if sparse:
            continue
        flops = rate["ours"] * step_flops(network_of(backbone), examples(shape, 2))
        limit = PEAK_FLOPS / taken["peak"]
        row(
            "  limit: its share of a convolution's peak",
            f"{flops / 1e9:.0f} GFLOP/s",
            f"{limit / 1e9:.0f} GFLOP/s",
            flops / limit,
        )
