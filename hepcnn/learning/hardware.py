"""Which hardware a training uses, and how."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, NamedTuple

import torch

from hepcnn.config import Train
from hepcnn.errors import InputError
from hepcnn.learning.cpu import computes_bf16
from hepcnn.threads import available

Precision = Literal["32-true", "bf16-mixed", "16-mixed"]


class Hardware(NamedTuple):
    """Lightning's names of the accelerator and the precision, and the number of processes.

    `precision` is None where `hepcnn.learning.timing.fastest` is to choose it.
    """

    accelerator: Literal["gpu", "cpu"]
    devices: int
    precision: Precision | None


def choose(settings: Train) -> Hardware:
    """Choose the hardware: GPUs where there are any, else the CPU.

    ``devices: auto`` is all GPUs, or one process on the CPU, which uses its cores by threads.
    ``precision: auto`` is 32 bits on a CPU, whatever it can, so that all CPUs train the same; on a
    GPU bfloat16, if it computes in it.

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
        raise InputError("train.precision: 16 needs a GPU; use auto, fastest, 32 or bf16")
    return Hardware("gpu" if gpus else "cpu", devices, _precision(settings, bool(gpus)))


def _precision(settings: Train, gpu: bool) -> Precision | None:
    named: dict[str, Precision] = {"32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed"}
    if settings.precision in named:
        return named[settings.precision]
    fast = torch.cuda.is_bf16_supported(including_emulation=False) if gpu else computes_bf16()
    if settings.precision == "fastest":
        return None if fast else "32-true"
    return "bf16-mixed" if fast and gpu else "32-true"


def compute_in_32_bits(tf32: bool = False) -> None:
    """Let 32 bits on GPUs mean 32 bits, which torch does not in convolutions; or TF32, if wanted.

    For the whole process, and for what is not in another precision by autocast.
    """
    torch.backends.cuda.matmul.allow_tf32 = tf32
    torch.backends.cudnn.allow_tf32 = tf32


def threads(sparse: bool, processes: int = 1) -> int:
    """Give the number of threads of a process that trains or applies a network.

    A network of sparse convolutions gets one, with which it is fastest: its steps are many small
    ones between which threads wait for one another. Others share what `hepcnn.threads.available`
    gives.

    Parameters
    ----------
    sparse : bool
        Whether the network takes batches of sites: `hepcnn.networks.registry.is_sparse`.
    processes : int
        Processes of a training on this machine.
    """
    return 1 if sparse else max(available() // processes, 1)


@contextmanager
def threads_of_torch(number: int) -> Iterator[None]:
    """Let torch compute with so many threads; then with as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
