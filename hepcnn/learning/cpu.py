"""What a CPU, and in part a GPU, needs in order to train fast."""

from __future__ import annotations

import ctypes
import platform
from copy import deepcopy

import torch
from torch import Tensor, nn

from hepcnn.networks.inputs import Inputs
from hepcnn.networks.registry import Shape

#: glibc's malloc.h
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
_TOP_PAD = 64 << 20


def keep_freed_memory() -> None:
    """Let malloc keep what torch frees, for the whole process; with another libc, do nothing.

    By default glibc gives large blocks back to the system at once and asks for them anew, and the
    system clears each page: in the training of a small network that takes longer than the
    convolutions (`benchmarks/training.py`). The price is that memory once used stays used.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    mallopt = ctypes.CDLL(None).mallopt
    mallopt(_M_MMAP_MAX, 0)
    mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
    mallopt(_M_TOP_PAD, _TOP_PAD)


def computes_bf16() -> bool:
    """Tell whether this CPU multiplies bfloat16 itself; emulated, it is slower than float32."""
    found = torch.cpu.get_capabilities()
    return bool(found.get("avx512_bf16") or found.get("amx_bf16"))


def wrong_in_bf16(network: nn.Module, shape: Shape) -> str:
    """Name a convolution of which a CPU computes wrong gradients in bf16; "" for none.

    They are strided ones over maps of one column: seen with PyTorch 2.15, whose gradients are then
    off by any number, or NaN, at those weights that see nothing but padding.

    Parameters
    ----------
    network : Module
        A network of dense images.
    shape : Shape
        Of its examples.
    """
    copy, found = deepcopy(network).to("meta").eval(), []
    for name, layer in copy.named_modules():
        if isinstance(layer, nn.Conv2d | nn.Conv3d) and layer.stride[-1] > 1:

            def look(_: nn.Module, inputs: tuple[Tensor, ...], name: str = name) -> None:
                if inputs[0].shape[-1] == 1:
                    found.append(name)

            layer.register_forward_pre_hook(look)
    with torch.inference_mode(), torch.device("meta"):  # shapes only
        copy(Inputs.zeros(shape))
    return found[0] if found else ""


def channels_last(network: nn.Module) -> nn.Module:
    """Put the weights of convolutions in the order in which oneDNN and cuDNN are fastest."""
    voxels = any(weight.dim() == 5 for weight in network.parameters())
    return network.to(memory_format=torch.channels_last_3d if voxels else torch.channels_last)
