"""Sparse convolutions with gradients: what each needs is gathered, and multiplied at once.

Nothing is scattered, forward or backward: neighbourhood is mutual, so that a site's gradient comes
from the same neighbours as its value, and each fine site has one parent. All results are the same
from run to run, on a GPU too.

Kept for the backward pass are the values alone, never what is gathered of them, which is 3**D times
as much. The gradients of a submanifold convolution's weights need no second gather for that: they
are found from the gathered gradients of its output, as those of its input are.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from hepcnn.networks.sparse.sites import Coarser, Sites


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
    return _Submanifold.apply(*_autocast(values, weight), sites.neighbours)


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
    return _Strided.apply(*_autocast(values, weight), coarser.slot, coarser.children)


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
    return _Inverse.apply(*_autocast(values, weight), coarser.slot, coarser.children)


def _autocast(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Cast as autocast does to a convolution; what is of 64 bits stays so."""
    device = tensors[0].device.type
    if not torch.amp.is_autocast_available(device) or not torch.is_autocast_enabled(device):
        return tensors
    kind = torch.get_autocast_dtype(device)
    return tuple(t if t.dtype == torch.float64 else t.to(kind) for t in tensors)


def _gather(values: Tensor, index: Tensor, places: int) -> Tensor:
    """Values (N, C) of so many places each, side by side: (…, places·C); 0 for the index N."""
    padded = torch.cat([values, values.new_zeros(1, values.shape[1])])
    return padded.index_select(0, index.flatten()).view(-1, places * values.shape[1])


def _collect(values: Tensor, weight: Tensor, children: Tensor) -> Tensor:
    """From fine sites to coarse ones."""
    return _gather(values, children, len(weight)) @ weight.flatten(0, 1)


def _spread(values: Tensor, weight: Tensor, slot: Tensor) -> Tensor:
    """From coarse sites to fine ones: to all places, of which the occupied are taken."""
    places, inputs, outputs = weight.shape
    everywhere = values @ weight.movedim(0, 1).reshape(inputs, places * outputs)
    return everywhere.view(-1, outputs).index_select(0, slot)


class _Submanifold(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, weight: Tensor, neighbours: Tensor) -> Tensor:
        ctx.save_for_backward(values, weight, neighbours)
        return _collect(values, weight, neighbours)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, None]:
        values, weight, neighbours = ctx.saved_tensors
        places, inputs, outputs = weight.shape
        # Site j is at place k of its neighbour at place −k: both sums run over j's neighbours.
        around = _gather(gradient, neighbours, places)
        mirrored = weight.flip(0).transpose(1, 2).reshape(places * outputs, inputs)
        to_values = around @ mirrored if ctx.needs_input_grad[0] else None
        to_weight = (values.t() @ around).view(inputs, places, outputs).movedim(1, 0).flip(0)
        return to_values, to_weight, None


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
        gathered = _gather(values, children, len(weight))
        return to_values, (gathered.t() @ gradient).view_as(weight), None, None


class _Inverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, weight: Tensor, slot: Tensor, children: Tensor) -> Tensor:
        ctx.save_for_backward(values, weight, children)
        return _spread(values, weight, slot)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, None, None]:
        values, weight, children = ctx.saved_tensors
        places, inputs, outputs = weight.shape
        gathered = _gather(gradient, children, places)
        to_values = None
        if ctx.needs_input_grad[0]:
            to_values = gathered @ weight.transpose(1, 2).flatten(0, 1)
        to_weight = (values.t() @ gathered).view(inputs, places, outputs).movedim(1, 0)
        return to_values, to_weight, None, None
