"""Training steps in processes that take turns, and the most that the CPU can compute.

Each runs in a process of its own, because ours changes the process's malloc; they take turns, step
by step, so that a change of the machine's speed meets all of them.
"""

from __future__ import annotations

import multiprocessing
import statistics
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.harness import sized
from hepcnn.networks.inputs import Inputs

STEPS, WARM_UP = sized((12, 3), (1, 1))
#: Images and operations of the convolution in `peak`.
PEAK_IMAGES = sized(16, 1)
PEAK_FLOPS = 2 * PEAK_IMAGES * 56**2 * 256**2 * 9


def peak(turn: Connection) -> None:
    """A convolution that oneDNN computes as fast as any: 256 channels, 3 × 3, channels last."""
    images = torch.rand(PEAK_IMAGES, 256, 56, 56).to(memory_format=torch.channels_last)
    kernel = torch.rand(256, 256, 3, 3).to(memory_format=torch.channels_last)
    with torch.inference_mode():
        while True:
            turn.recv()
            start = time.perf_counter()
            functional.conv2d(images, kernel, padding=1)
            turn.send(time.perf_counter() - start)


def step_flops(network: nn.Module, inputs: Inputs) -> float:
    """Floating-point operations of a training step, an example."""
    with FlopCounterMode(display=False) as counter:
        network(inputs).sum().backward()
    return counter.get_total_flops() / len(inputs.features)


def take_turns(
    work: dict[str, tuple[Callable[..., None], tuple[Any, ...]]],
    steps: int = STEPS,
    warm_up: int = WARM_UP,
) -> dict[str, float]:
    """Median of what each tells of a step, such as its seconds; they take turns."""
    context = multiprocessing.get_context("spawn")
    turns, processes = {}, []
    for name, (target, arguments) in work.items():
        turns[name], theirs = context.Pipe()
        processes.append(context.Process(target=target, args=(theirs, *arguments), daemon=True))
        processes[-1].start()
    taken: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(warm_up + steps):
        for name, turn in turns.items():
            turn.send(True)
            taken[name].append(turn.recv())
    for process in processes:
        process.kill()  # Lightning catches SIGTERM
        process.join()
    return {name: statistics.median(times[warm_up:]) for name, times in taken.items()}
