"""Sparse convolutions with gradients.

On a CPU pairs of sites are multiplied by compiled kernels (`hepcnn.networks.sparse.kernels`): what
a matrix carries from one site to another, and nothing else. Elsewhere, and in 16 bits, tables say
what a convolution sees in all its places, which is gathered, 0 where there is nothing, and
multiplied at once (`hepcnn.networks.sparse.gathered`); on Nvidia's GPUs by kernels that gather
while they multiply (`hepcnn.networks.sparse.fused`). Nothing is scattered there, forward or
backward: neighbourhood is mutual, so that a site's gradient comes from the same neighbours as its
value, and each fine site has one parent. All results are the same from run to run, on a GPU too.

For the backward pass the values alone are kept.
"""

from __future__ import annotations

import functools
import importlib.util
from types import ModuleType
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable

from hepcnn.networks.sparse import gathered
from hepcnn.networks.sparse.kernels import convolve, multiply
from hepcnn.networks.sparse.sites import Coarser, Pairs, Sites
from hepcnn.progress import note


def submanifold(values: Tensor, weight: Tensor, sites: Sites) -> Tensor:
    """Convolve with 3**D places around each site; only the sites themselves get a value.

    Parameters
    ----------
    values : Tensor, (N, inputs)
        At the sites.
    weight : Tensor, (3**D, inputs, outputs)
        Row-major by the offset of the neighbour, as `Sites.neighbours`.
    sites : Sites
        The N sites.

    Returns
    -------
    Tensor, (N, outputs)
        What a dense convolution with padding 1 gives at the sites.
    """
    values, weight = _autocast(values, weight)
    if _compiled(values):
        return _Pairwise.apply(values, weight, sites.pairs, len(sites))
    return _Submanifold.apply(values, weight, sites.neighbours)


def strided(values: Tensor, weight: Tensor, coarser: Coarser) -> Tensor:
    """Convolve the 2**D places of each coarser site: kernels of size 2 and stride 2.

    Parameters
    ----------
    values : Tensor, (N, inputs)
        At the finer sites.
    weight : Tensor, (2**D, inputs, outputs)
        Row-major by the place.
    coarser : Coarser
        The M coarser sites, from `Sites.coarser`.

    Returns
    -------
    Tensor, (M, outputs)
        At the coarser sites.
    """
    values, weight = _autocast(values, weight)
    if _compiled(values):
        return _Pairwise.apply(values, weight, coarser.pairs, len(coarser.sites))
    return _Strided.apply(values, weight, coarser.slot, coarser.children)


def inverse(values: Tensor, weight: Tensor, coarser: Coarser) -> Tensor:
    """Go back from coarser sites to those they came from: a transposed convolution of stride 2.

    Parameters
    ----------
    values : Tensor, (M, inputs)
        At the coarser sites.
    weight : Tensor, (2**D, inputs, outputs)
        Row-major by the place.
    coarser : Coarser
        As `strided` had it.

    Returns
    -------
    Tensor, (N, outputs)
        At the finer sites.
    """
    values, weight = _autocast(values, weight)
    if _compiled(values):
        return _Pairwise.apply(values, weight, coarser.pairs.back, len(coarser.slot))
    return _Inverse.apply(values, weight, coarser.slot, coarser.children)


def _autocast(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Cast as autocast does to a convolution; what is of 64 bits stays so.

    On a CPU to 32 bits: for 16 of them oneDNN prepares each product anew whose number of rows it
    has not seen. Of a new batch of voxels that took .66 s of a step of .89 s, the products .09 s,
    on a CPU that computes in bfloat16.
    """
    device = tensors[0].device.type
    if not torch.amp.is_autocast_available(device) or not torch.is_autocast_enabled(device):
        return tensors
    kind = torch.float32 if device == "cpu" else torch.get_autocast_dtype(device)
    return tuple(t if t.dtype == torch.float64 else t.to(kind) for t in tensors)


def _compiled(values: Tensor) -> bool:
    """Tell whether there are kernels for them."""
    return values.device.type == "cpu" and values.dtype in (torch.float32, torch.float64)


def _tables(values: Tensor) -> ModuleType:
    """Give the module that computes with tables: on most GPUs, up to 32 bits, the fused one."""
    if values.is_cuda and values.dtype != torch.float64:
        return _on_gpu(values.device)
    return gathered


@functools.cache
def _on_gpu(device: torch.device) -> ModuleType:
    """Give the fused module if Triton is there and works. It needs a C compiler, too."""
    # Before the "Ampere" GPUs Triton multiplies no bfloat16 nor TF32. AMD's are not tried.
    known = torch.version.cuda is not None and torch.cuda.get_device_capability(device) >= (8, 0)
    if not known or importlib.util.find_spec("triton") is None:
        return gathered
    try:
        from hepcnn.networks.sparse import fused

        fused.start()
    except Exception as error:  # of one of many kinds
        note(f"Sparse convolutions are not fused on the GPU: Triton does not start: {error}")
        return gathered
    return fused


class _Pairwise(torch.autograd.Function):
    """Any of the convolutions on a CPU, by what is carried from where to which of so many sites."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, weight: Tensor, pairs: Pairs, sites: int) -> Tensor:
        ctx.save_for_backward(values, weight)
        ctx.pairs = pairs
        return _carried(values, weight, pairs, sites)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, None, None]:
        values, weight = ctx.saved_tensors
        to_values = None
        if ctx.needs_input_grad[0]:
            to_values = _carried(gradient, weight.transpose(1, 2), ctx.pairs.back, len(values))
        to_weight = torch.zeros_like(weight, memory_format=torch.contiguous_format)
        multiply(_array(values), _array(gradient), *ctx.pairs, _array(to_weight))
        return to_values, to_weight, None, None


def _carried(values: Tensor, weight: Tensor, pairs: Pairs, sites: int) -> Tensor:
    result = values.new_zeros(sites, weight.shape[2])
    convolve(_array(values), _array(weight), *pairs, _array(result))
    return result


def _array(tensor: Tensor) -> NDArray[Any]:
    return tensor.detach().contiguous().numpy()


def _spread(values: Tensor, weight: Tensor, slot: Tensor) -> Tensor:
    """From coarse sites to fine ones: to all places, of which the occupied are taken."""
    places, inputs, outputs = weight.shape
    everywhere = values @ weight.movedim(0, 1).reshape(inputs, places * outputs)
    return everywhere.view(-1, outputs).index_select(0, slot)


class _Submanifold(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, weight: Tensor, neighbours: Tensor) -> Tensor:
        ctx.save_for_backward(values, weight, neighbours)
        return _tables(values).convolve(values, weight, neighbours)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, None]:
        values, weight, neighbours = ctx.saved_tensors
        tables, to_values = _tables(values), None
        # The neighbour at one place has the site at the opposite one.
        if ctx.needs_input_grad[0]:
            back = weight.flip(0).transpose(1, 2)
            to_values = tables.convolve(gradient, back, neighbours)
        return to_values, tables.multiply(values, gradient, neighbours).flip(0), None


class _Strided(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, weight: Tensor, slot: Tensor, children: Tensor) -> Tensor:
        ctx.save_for_backward(values, weight, slot, children)
        return _tables(values).convolve(values, weight, children)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, None, None]:
        values, weight, slot, children = ctx.saved_tensors
        to_values = None
        if ctx.needs_input_grad[0]:
            to_values = _spread(gradient, weight.transpose(1, 2), slot)
        to_weight = _tables(values).multiply(gradient, values, children).transpose(1, 2)
        return to_values, to_weight, None, None


class _Inverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, weight: Tensor, slot: Tensor, children: Tensor) -> Tensor:
        ctx.save_for_backward(values, weight, children)
        return _spread(values, weight, slot)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, None, None]:
        values, weight, children = ctx.saved_tensors
        tables, to_values = _tables(values), None
        if ctx.needs_input_grad[0]:
            to_values = tables.convolve(gradient, weight.transpose(1, 2), children)
        return to_values, tables.multiply(values, gradient, children), None, None
