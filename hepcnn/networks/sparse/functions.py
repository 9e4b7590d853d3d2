"""Sparse convolutions with gradients: what a kernel sees is gathered, and multiplied.

Nothing is scattered, forward or backward: neighbourhood is mutual, so that a site's gradient comes
from the same neighbours as its value, and each fine site has one parent. All results are the same
from run to run, on a GPU too.

Of the 3**D places around a site few are occupied. Pairs of sites and neighbours are gathered place
by place, multiplied by the place's matrix, and added site by site: in half the time, in three
dimensions, that products of all places take, and no slower in two. Of the 2**D places of a coarser
site most are occupied, and all are multiplied at once.

What is gathered is several times the values: it is never there as a whole, but block by block, each
of which is multiplied before it leaves the cache (on a CPU in half the time, of large images). For
the backward pass the values alone are kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

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
    return _Submanifold.apply(*_autocast(values, weight), sites.pairs)


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


def _sum(shape: Sequence[int], like: Tensor) -> Tensor:
    """Zeros to add products to, of 32 bits at least."""
    return like.new_zeros(shape, dtype=torch.promote_types(like.dtype, torch.float32))


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
    to_weight = _sum((inputs, places * outputs), weight)
    for block, seen in _gathered(gradient, index):
        if to_values is not None:
            torch.mm(seen, matrix, out=to_values[block])
        to_weight += values[block].t() @ seen
    return to_values, to_weight.to(weight.dtype).view(inputs, places, outputs).movedim(1, 0)


class _Submanifold(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, weight: Tensor, pairs: list[Pairs]) -> Tensor:
        ctx.save_for_backward(values, weight)
        ctx.pairs = pairs
        result = values.new_empty(len(values), weight.shape[2])
        for block in pairs:
            seen = values.index_select(0, block.neighbour).split(block.counts)
            products, own, others = _products(result, block)
            torch.mm(values[block.rows], _middle(weight), out=own)
            for carried, matrix, product in zip(seen, weight.unbind(), others, strict=True):
                torch.mm(carried, matrix, out=product)
            result[block.rows] = _added(products, block)
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        values, weight = ctx.saved_tensors
        # The neighbour at one place has the site at the opposite one.
        matrices = weight.flip(0).transpose(1, 2)
        to_values = torch.empty_like(values)
        to_weight = _sum(weight.shape, weight)
        for block in ctx.pairs:
            here, back = values[block.rows], gradient[block.rows]
            mine = here.index_select(0, block.site).split(block.counts)
            seen = gradient.index_select(0, block.neighbour).split(block.counts)
            products, own, others = _products(to_values, block)
            torch.mm(back, _middle(matrices), out=own)
            _middle(to_weight).add_(here.t() @ back)
            for value, carried, matrix, product, total in zip(
                mine, seen, matrices.unbind(), others, to_weight.unbind(), strict=True
            ):
                torch.mm(carried, matrix, out=product)
                total += value.t() @ carried
            to_values[block.rows] = _added(products, block)
        return to_values, to_weight.to(weight.dtype).flip(0), None


def _middle(weight: Tensor) -> Tensor:
    """Of 3**D matrices the site's own."""
    return weight[len(weight) // 2]


def _products(like: Tensor, block: Pairs) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
    """Room for products: all of it, that of the sites themselves, and that of each place."""
    products = like.new_empty(len(block.order), like.shape[1])
    own, others = products.split([len(block.starts), len(block.site)])
    return products, own, others.split(block.counts)


def _added(products: Tensor, block: Pairs) -> Tensor:
    """Add the products of each site, always in the same order."""
    return functional.embedding_bag(block.order, products, block.starts, mode="sum")


class _Strided(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, weight: Tensor, slot: Tensor, children: Tensor) -> Tensor:
        ctx.save_for_backward(values, weight, slot, children)
        return _collect(values, weight, children.view(-1, len(weight)))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, None, None]:
        values, weight, slot, children = ctx.saved_tensors
        to_values = None
        if ctx.needs_input_grad[0]:
            to_values = _spread(gradient, weight.transpose(1, 2), slot)
        to_weight = _sum((len(weight) * weight.shape[1], weight.shape[2]), weight)
        for block, seen in _gathered(values, children.view(-1, len(weight))):
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
        index = children.view(-1, len(weight))
        return *_both(gradient, weight, index, values, ctx.needs_input_grad[0]), None, None
