"""Classes of pixels: the sparse U-ResNet beside the dense one of equal layers, time and memory.

    python -m benchmarks segmentation

Images are straight lines, of which under 1 % of the pixels are occupied. Both networks run as the
product runs them: freed memory kept, channels last, in 32 bits. The sparse one is given sites, as
its batches are, and finds their neighbours anew in each step, as with every new batch. Memory is
how much more a process has had at most after two training steps than before them. The outside peer
is MONAI's U-Net (https://monai.io), of the extra `bench`: as many levels and maps, two residual
convolutions each.
"""

from __future__ import annotations

import math
import resource
import time
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.harness import TOY, row, sized
from benchmarks.turns import take_turns
from hepcnn.learning.cpu import computes_bf16, keep_freed_memory
from hepcnn.networks.inputs import Inputs, SparseViews
from hepcnn.networks.pixels.output import AtSites, DenseNetwork
from hepcnn.networks.registry import Shape, build
from hepcnn.networks.sparse.sites import Sites

CLASSES = 5
SPARSE, MONAI = "sparse_uresnet", "monai"


class Case(NamedTuple):
    """Images, how many of them a batch, lines in each, and steps that are timed."""

    shape: Shape
    batch_size: int
    lines: int
    steps: int


PLANES = Case(Shape(1, 1, *sized((512, 512), (64, 64))), sized(8, 1), 7, sized(3, 1))
VOXELS = Case(Shape(1, 1, 128, 128, depth=128), 1, 40, sized(3, 1))
if TOY:
    VOXELS = Case(Shape(1, 1, 16, 16, depth=16), 1, 3, 1)
#: A whole detector in voxels of 3 mm, which no dense network can be trained on.
WHOLE = Case(Shape(1, 1, 768, 768, depth=768), 4, sized(75, 3), 1)
#: MB that training on it may take.
LIMIT = 4096


class MonaiUNet(DenseNetwork):
    """MONAI's U-Net, with the levels and maps of ours."""

    def __init__(self, dimensions: int) -> None:
        from monai.networks.nets import UNet

        super().__init__()
        widths, strides = (16, 32, 48, 64, 80), (2,) * 4
        self.network = UNet(dimensions, 1, CLASSES, widths, strides, num_res_units=2)

    def maps(self, images: Tensor) -> Tensor:
        return self.network(images)


def tracks(case: Case) -> SparseViews:
    """Straight lines between random places."""
    sides = case.shape.sides
    along = torch.linspace(0, 1, 2 * max(sides))[:, None]
    ends = torch.rand(case.batch_size, case.lines, 2, 1, len(sides)) * (torch.tensor(sides) - 1)
    place = (ends[:, :, 0] + along * (ends[:, :, 1] - ends[:, :, 0])).round().long()
    image = torch.arange(case.batch_size).repeat_interleave(place[0, ..., 0].numel())
    sites, _ = Sites.merged(image, place.flatten(0, 2), case.batch_size, sides)
    extent = (case.batch_size, 1, *sides)
    return SparseViews(sites.image, sites.place, torch.ones(len(sites), 1), extent)


def prepared(name: str, case: Case) -> tuple[nn.Module, Inputs]:
    """A network as the product has it, and a batch."""
    keep_freed_memory()
    torch.manual_seed(1)
    planes = len(case.shape.sides) == 2
    network: nn.Module = (
        MonaiUNet(len(case.shape.sides)) if name == MONAI else build(name, case.shape, CLASSES)
    )
    if planes:
        network.to(memory_format=torch.channels_last)
    images = tracks(case)
    dense = images if name == SPARSE else images.maps().dense()[:, None]
    return network, Inputs.alone(dense)


def trainer(name: str, case: Case, bf16: bool = False) -> Callable[[], None]:
    """What makes a training step."""
    network, inputs = prepared(name, case)
    optimizer = torch.optim.Adam(network.parameters(), fused=True)
    label = torch.randint(0, CLASSES, (len(SparseViews.of(inputs.images).value),))

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            found: AtSites = network(inputs)
            loss = functional.cross_entropy(found.values, label)
        loss.backward()
        optimizer.step()

    return step


def predictor(name: str, case: Case) -> Callable[[], None]:
    """What scores a batch."""
    network, inputs = prepared(name, case)
    network.eval()

    def step() -> None:
        with torch.inference_mode():
            network(inputs)

    return step


def timed(
    turn: Connection, maker: Callable[..., Callable[[], None]], name: str, case: Case
) -> None:
    """Make a step whenever it is this process's turn, and tell how long it took."""
    step = maker(name, case)
    while True:
        turn.recv()
        start = time.perf_counter()
        step()
        turn.send(time.perf_counter() - start)


def measured(turn: Connection, name: str, case: Case) -> None:
    """Tell the MB that two training steps need."""
    step = trainer(name, case)
    turn.recv()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    step()
    step()
    turn.send((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)


def seconds(
    maker: Callable[..., Callable[[], None]], names: tuple[str, ...], case: Case
) -> dict[str, float]:
    """Seconds of a step of each network."""
    work: dict[str, tuple[Callable[..., None], tuple[Any, ...]]] = {
        name: (timed, (maker, name, case)) for name in names
    }
    return take_turns(work, case.steps, warm_up=1)


def megabytes(names: tuple[str, ...], case: Case) -> dict[str, float]:
    """MB that training takes, of one network after the other."""
    return {
        name: take_turns({name: (measured, (name, case))}, steps=1, warm_up=0)[name]
        for name in names
    }


def rate_row(
    what: str,
    peer: str,
    taken: dict[str, float],
    case: Case,
    floor: float | None = None,
    goal: float | None = None,
) -> None:
    """Print images a second."""
    rate = {name: case.batch_size / taken[name] for name in taken}
    row(
        what,
        f"{rate[SPARSE]:.3g} img/s",
        f"{rate[peer]:.3g} img/s",
        rate[SPARSE] / rate[peer],
        floor,
        goal,
    )


def compare(case: Case, training: tuple[float, float], inference: float, memory: float) -> None:
    """Print a case: floor and goal of training, goal of inference, floor of memory."""
    both = (SPARSE, "uresnet")
    sides = f"{case.shape.height}{'³' if case.shape.depth else '²'}"
    part = len(tracks(case).value) / case.batch_size / math.prod(case.shape.sides)
    print(f"images of {sides}, {part:.2%} occupied, {case.batch_size} a batch")
    # At toy size without the extra.
    taken = seconds(trainer, sized((*both, MONAI), both), case)
    rate_row(f"U-ResNet, {sides}, training / dense", "uresnet", taken, case, *training)
    if computes_bf16():
        both_ways = {"bf16": partial(trainer, bf16=True), "32 bits": trainer}
        turns = {name: (timed, (maker, SPARSE, case)) for name, maker in both_ways.items()}
        step = take_turns(turns, case.steps, warm_up=1)
        row(
            f"U-ResNet, {sides}, training: bf16 / 32 bits, time",
            f"{1e3 * step['bf16']:.0f} ms",
            f"{1e3 * step['32 bits']:.0f} ms",
            step["bf16"] / step["32 bits"],
            goal=1,
            most=True,
        )
    if MONAI in taken:
        rate_row(f"U-ResNet, {sides}, training / MONAI's U-Net", MONAI, taken, case)
    scoring = seconds(predictor, both, case)
    rate_row(f"U-ResNet, {sides}, inference / dense", "uresnet", scoring, case, goal=inference)
    needed = megabytes(both, case)
    row(
        f"U-ResNet, {sides}, memory of training: dense /",
        f"{needed[SPARSE]:,.0f} MB",
        f"{needed['uresnet']:,.0f} MB",
        needed["uresnet"] / max(needed[SPARSE], 1),
        memory,
    )


def main() -> None:
    """Print all rows."""
    compare(PLANES, (25, 40), 40, 10)
    compare(VOXELS, (50, 100), 120, 10)
    sites = len(tracks(WHOLE).value) / WHOLE.batch_size
    needed = megabytes((SPARSE,), WHOLE)[SPARSE]
    row(
        f"768³, {sites:,.0f} sites an event, {WHOLE.batch_size} a batch: memory",
        f"{needed:,.0f} MB",
        f"{LIMIT:,} MB",
        needed / LIMIT,
        1,
        most=True,
    )
