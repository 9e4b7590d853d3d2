"""Which precision a network trains fastest in, as measured on this machine."""

from __future__ import annotations

import time
from copy import deepcopy
from typing import cast

import torch

from hepcnn.learning.cpu import wrong_in_bf16
from hepcnn.learning.hardware import Precision, threads, threads_of_torch
from hepcnn.learning.loading import on_device
from hepcnn.learning.module import TrainingModule
from hepcnn.progress import note

#: bf16 must be faster by this factor: for less, 8 bits of precision are not given up.
GAIN = 1.1
#: Timed steps in each precision; the least time counts, which other work on the machine disturbs
#: least.
STEPS = 4


def fastest(module: TrainingModule, gpu: bool, processes: int, name: str) -> Precision:
    """Choose between 32 bits and bf16, and keep the choice in the training's progress.

    A training that goes on gets the choice it was begun with. Nothing else of the training depends
    on the timing: it is of a copy of the network, and draws no random numbers that others see.

    Parameters
    ----------
    module : TrainingModule
        What is about to be trained; its progress is saved if the choice is new.
    gpu : bool
        Whether it will be on a GPU.
    processes : int
        Processes that will share each batch.
    name : str
        Of the training, for the log.
    """
    state = module.state
    if not state.precision:
        full, half = step_seconds(module, gpu, processes)
        right = gpu or not wrong_layer(module)
        state.precision = "bf16-mixed" if half * GAIN < full and right else "32-true"
        state.save(module.folder)
        note(
            f"{name}: a step takes {full:.4f} s in 32 bits, {half:.4f} s in bf16: "
            f"{state.precision}; bf16 if {GAIN} × faster"
            + ("" if right else " and computed rightly, which it is not by a CPU")
        )
    return cast(Precision, state.precision)


def wrong_layer(module: TrainingModule) -> str:
    """Name a layer of a classifier of which a CPU computes wrong gradients in bf16; "" for none."""
    if module.data.sparse or module.data.labels is None:
        return ""
    return wrong_in_bf16(module.network, module.data.preprocessing.shape)


def step_seconds(module: TrainingModule, gpu: bool, processes: int) -> tuple[float, float]:
    """Time steps of a training, with one real batch, in 32 bits and in bf16 (s)."""
    device = torch.device("cuda" if gpu else "cpu")
    network = deepcopy(module.network).to(device).train()
    head = deepcopy(module.train_head)
    head.reset(device)
    optimizer = torch.optim.Adam(network.parameters(), fused=True)
    batch = on_device(next(iter(module.train_dataset(0, processes))), device)

    def step(bf16: bool) -> float:
        if gpu:
            torch.cuda.synchronize()
        start = time.perf_counter()
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            loss = head.loss(network, batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if gpu:
            torch.cuda.synchronize()
        return time.perf_counter() - start

    with torch.random.fork_rng(), threads_of_torch(threads(module.data.sparse, processes)):
        module.prepare()
        # In turns, so that what else the machine does meets both; the first warms up.
        turns = [(step(False), step(True)) for _ in range(1 + STEPS)][1:]
    full, half = (min(times) for times in zip(*turns, strict=True))
    return full, half
