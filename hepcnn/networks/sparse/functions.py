"""Sparse convolutions with gradients.

On a CPU pairs of sites are multiplied by compiled kernels (`hepcnn.networks.sparse.kernels`): what
a matrix carries from one site to another, and nothing else. Elsewhere, and in 16 bits, what a
convolution sees is gathered from all its places, 0 where there is nothing, and multiplied at once.
Nothing is scattered there, forward or backward: neighbourhood is mutual, so that a site's gradient
comes from the same neighbours as its value, and each fine site has one parent. All results are the
same from run to run, on a GPU too.

What is gathered is several times the values: it is never there as a whole, but block by block. For
the backward pass the values alone are kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable

from hepcnn.networks.sparse.kernels import convolve, multiply
from hepcnn.networks.sparse.sites import Coarser, Pairs, Sites

#: Bytes that are gathered at once: on a CPU what the cache holds, elsewhere enough to keep all
#: processors busy.
_BLOCK_CPU, _BLOCK = 1 << 21, 1 << 26


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


def _gathered(values: Tensor, index: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Gather values (N, C) for each row of an index (R, P), 0 where it is N.

    Yields blocks of rows: which they are, and what they see, (rows, P·C).
    """
    padded = torch.cat([values, values.new_zeros(1, values.shape[1])])
    width = index.shape[1] * values.shape[1]
    size = _BLOCK_CPU if values.device.type == "cpu" else _BLOCK
    rows = max(1, size // (width * values.element_size()))
    for start in range(0, len(index), rows):
        block = slice(start, start + rows)
        yield block, padded.index_select(0, index[block].flatten()).view(-1, width)


def _collect(values: Tensor, weight: Tensor, index: Tensor) -> Tensor:
    """Multiply what each row of an index (R, P) sees with weights (P, inputs, outputs)."""
    matrix = weight.flatten(0, 1)
    result = values.new_empty(len(index), weight.shape[2])
    for block, seen in _gathered(values, index):
        torch.mm(seen, matrix, out=result[block])
    return result


def _spread(values: Tensor, weight: Tensor, slot: Tensor) -> Tensor:
    """From coarse sites to fine ones: to all places, of which the occupied are taken."""
    places, inputs, outputs = weight.shape
    everywhere = values @ weight.movedim(0, 1).reshape(inputs, places * outputs)
    return everywhere.view(-1, outputs).index_select(0, slot)


def _sum(inputs: int, outputs: int, like: Tensor) -> Tensor:
    """Zeros to add products to, of 32 bits at least."""
    return like.new_zeros(inputs, outputs, dtype=torch.promote_types(like.dtype, torch.float32))


def _both(
    gradient: Tensor, weight: Tensor, index: Tensor, values: Tensor, wanted: bool
) -> tuple[Tensor | None, Tensor]:
    """Gradients of R values and of weights (P, inputs, outputs), which carry each to P places.

    An index (R, P) has the rows of the gradient that each value was carried to; of the values' own
    only if it is wanted.
    """
    places, inputs, outputs = weight.shape
    matrix = weight.transpose(1, 2).flatten(0, 1)
    to_values = torch.empty_like(values) if wanted else None
    to_weight = _sum(inputs, places * outputs, weight)
    for block, seen in _gathered(gradient, index):
        if to_values is not None:
            torch.mm(seen, matrix, out=to_values[block])
        to_weight += values[block].t() @ seen
    return to_values, to_weight.to(weight.dtype).view(inputs, places, outputs).movedim(1, 0)


class _Submanifold(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, weight: Tensor, neighbours: Tensor) -> Tensor:
        ctx.save_for_backward(values, weight, neighbours)
        return _collect(values, weight, neighbours)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, None]:
        values, weight, neighbours = ctx.saved_tensors
        # The neighbour at one place has the site at the opposite one.
        wanted = ctx.needs_input_grad[0]
        to_values, to_weight = _both(gradient, weight.flip(0), neighbours, values, wanted)
        return to_values, to_weight.flip(0), None


class _Strided(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, weight: Tensor, slot: Tensor, children: Tensor) -> Tensor:
        ctx.save_for_backward(values, weight, slot, children)
        return _collect(values, weight, children)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, None, None]:
        values, weight, slot, children = ctx.saved_tensors
        to_values = None
        if ctx.needs_input_grad[0]:
            to_values = _spread(gradient, weight.transpose(1, 2), slot)
        to_weight = _sum(len(weight) * weight.shape[1], weight.shape[2], weight)
        for block, seen in _gathered(values, children):
            to_weight += seen.t() @ gradient[block]
        return to_values, to_weight.to(weight.dtype).view_as(weight), None, None


class _Inverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, weight: Tensor, slot: Tensor, children: Tensor) -> Tensor:
        ctx.save_for_backward(values, weight, children)
        return _spread(values, weight, slot)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, None, None]:
        values, weight, children = ctx.saved_tensors
        wanted = ctx.needs_input_grad[0]
        return *_both(gradient, weight, children, values, wanted), None, None
