"""Which hardware a training uses, and how."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch

from hepcnn.config import Train
from hepcnn.errors import InputError
from hepcnn.learning.cpu import computes_bf16

Precision = Literal["32-true", "bf16-mixed", "16-mixed"]


class Hardware(NamedTuple):
    """Lightning's names of the accelerator and the precision, and the number of processes."""

    accelerator: Literal["gpu", "cpu"]
    devices: int
    precision: Precision


def choose(settings: Train) -> Hardware:
    """Choose the hardware: GPUs where there are any, else the CPU.

    ``devices: auto`` is all GPUs, or one process on the CPU, which uses all cores by threads.
    ``precision: auto`` is bfloat16 where the hardware computes in it, else 32 bits.

    Raises
    ------
    InputError
        If there are fewer GPUs than asked for, the batches cannot be shared equally, or the
        precision is not possible.
    """
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    devices = (gpus or 1) if settings.devices == "auto" else settings.devices
    if gpus and devices > gpus:
        raise InputError(f"train.devices: {devices}, but this machine has {gpus} GPUs")
    if settings.batch_size % devices:
        raise InputError(
            f"train.batch_size: {settings.batch_size} cannot be shared equally by {devices} devices"
        )
    if settings.precision == "16" and not gpus:
        raise InputError("train.precision: 16 needs a GPU; use auto, 32 or bf16")
    return Hardware("gpu" if gpus else "cpu", devices, _precision(settings, bool(gpus)))


def _precision(settings: Train, gpu: bool) -> Precision:
    if settings.precision == "auto":
        fast = torch.cuda.is_bf16_supported(including_emulation=False) if gpu else computes_bf16()
        return "bf16-mixed" if fast else "32-true"
    names: dict[str, Precision] = {"32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed"}
    return names[settings.precision]
