"""Classes of pixels: the sparse U-ResNet beside the dense one of equal layers, time and memory.

    python -m benchmarks.segmentation

Images are straight lines, of which under 1 % of the pixels are occupied. Both networks run as the
product runs them: freed memory kept, channels last, bf16 where the CPU computes in it. Each step
of the sparse one finds the sites and their neighbours anew, as with every new batch. Memory is how
much more a process has had at most after two training steps than before them. The outside peer is
MONAI's U-Net (https://monai.io), of the extra `bench`: as many levels and maps, two residual
convolutions each.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.harness import row
from benchmarks.turns import take_turns
from hepcnn.learning.cpu import computes_bf16, keep_freed_memory
from hepcnn.networks.inputs import Inputs
from hepcnn.networks.pixels.output import AtSites, DenseNetwork
from hepcnn.networks.registry import Shape, build

CLASSES = 5
MONAI = "monai"


class Case(NamedTuple):
    """Images, how many of them a batch, lines in each, and steps that are timed."""

    shape: Shape
    batch_size: int
    lines: int
    steps: int


PLANES = Case(Shape(1, 1, 512, 512), 8, 7, 3)
VOXELS = Case(Shape(1, 1, 128, 128, depth=128), 1, 40, 3)


class MonaiUNet(DenseNetwork):
    """MONAI's U-Net, with the levels and maps of ours."""

    def __init__(self, dimensions: int) -> None:
        from monai.networks.nets import UNet

        super().__init__()
        widths, strides = (16, 32, 48, 64, 80), (2,) * 4
        self.network = UNet(dimensions, 1, CLASSES, widths, strides, num_res_units=2)

    def maps(self, images: Tensor) -> Tensor:
        return self.network(images)


def tracks(case: Case) -> Inputs:
    """Straight lines between random places."""
    sides = case.shape.sides
    images = torch.zeros(case.batch_size, 1, 1, *sides)
    along = torch.linspace(0, 1, 2 * max(sides))[:, None]
    for image in images:
        ends = torch.rand(case.lines, 2, len(sides)) * (torch.tensor(sides) - 1)
        for start, end in ends:
            place = (start + along * (end - start)).round().long()
            image[(0, 0, *place.unbind(1))] = 1
    return Inputs.zeros(case.shape, case.batch_size)._replace(images=images)


def occupancy(case: Case) -> float:
    """Part of the pixels that lines cross."""
    return float(tracks(case).images.mean())


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
    return network, tracks(case)


def trainer(name: str, case: Case) -> Callable[[], None]:
    """What makes a training step."""
    network, inputs = prepared(name, case)
    optimizer = torch.optim.Adam(network.parameters(), fused=True)
    label = torch.randint(0, CLASSES, (int(inputs.images.count_nonzero()),))

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=computes_bf16()):
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
        with (
            torch.inference_mode(),
            torch.autocast("cpu", torch.bfloat16, enabled=computes_bf16()),
        ):
            network(inputs)

    return step


def timed(
    turn: Connection, maker: Callable[[str, Case], Callable[[], None]], name: str, case: Case
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
    maker: Callable[[str, Case], Callable[[], None]], names: tuple[str, ...], case: Case
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


def rate_row(what: str, peer: str, taken: dict[str, float], case: Case, goal: float | None) -> bool:
    """Print images a second; the goal is the floor too."""
    rate = {name: case.batch_size / taken[name] for name in taken}
    return row(
        what,
        f"{rate['sparse_uresnet']:.3g} img/s",
        f"{rate[peer]:.3g} img/s",
        rate["sparse_uresnet"] / rate[peer],
        goal,
        goal,
    )


def main() -> bool:
    """Print all rows; returns whether all keep their limits."""
    both = ("sparse_uresnet", "uresnet")
    names = (*both, MONAI)
    kept = True
    for case, faster, smaller in ((PLANES, 25.0, 10.0), (VOXELS, 50.0, None)):
        sides = f"{case.shape.height}{'³' if case.shape.depth else '²'}"
        print(f"images of {sides}, {occupancy(case):.2%} occupied, {case.batch_size} a batch")
        taken = seconds(trainer, names, case)
        kept &= rate_row(f"U-ResNet, {sides}, training / dense", "uresnet", taken, case, faster)
        rate_row(f"U-ResNet, {sides}, training / MONAI's U-Net", MONAI, taken, case, None)
        scoring = seconds(predictor, both, case)
        rate_row(f"U-ResNet, {sides}, inference / dense", "uresnet", scoring, case, None)
        memory = megabytes(both, case)
        kept &= row(
            f"U-ResNet, {sides}, memory of training: dense /",
            f"{memory['sparse_uresnet']:,.0f} MB",
            f"{memory['uresnet']:,.0f} MB",
            memory["uresnet"] / memory["sparse_uresnet"],
            smaller,
            smaller,
        )
    return kept


if __name__ == "__main__":
    sys.exit(not main())
