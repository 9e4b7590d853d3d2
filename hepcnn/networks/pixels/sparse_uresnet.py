"""The sparse U-ResNet: the dense one's layers, at the occupied pixels or voxels only.

L. Dominé, K. Terao, Scalable deep convolutional neural networks for sparse, locally dense liquid
argon time projection chamber data, arXiv:1903.05663.
"""

from __future__ import annotations

import functools
import itertools
from collections import OrderedDict
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from hepcnn.networks.checks import each_view
from hepcnn.networks.inputs import Inputs, SparseViews
from hepcnn.networks.pixels.output import AtSites
from hepcnn.networks.pixels.ushape import Parts, UShape
from hepcnn.networks.registry import Shape
from hepcnn.networks.sparse.layers import InverseConv, SiteNorm, SparseResidual, SubmanifoldConv
from hepcnn.networks.sparse.sites import SparseMaps
from hepcnn.networks.sparse_tower import Down, Stage


class Up(nn.Module):
    """Back to the sites of the finer level."""

    def __init__(self, inputs: int, outputs: int, dimensions: int) -> None:
        super().__init__()
        self.norm = SiteNorm(inputs)
        self.conv = InverseConv(inputs, outputs, dimensions)

    def forward(self, maps: SparseMaps, finer: SparseMaps) -> SparseMaps:
        values = functional.relu(self.norm(maps.values), inplace=True)
        values = self.conv(values, finer.sites.coarser)
        return SparseMaps(torch.cat([finer.values, values], dim=1), finer.sites)


class Pointwise(nn.Sequential):
    """Layers on each site by itself."""

    def forward(self, input: SparseMaps) -> SparseMaps:
        return SparseMaps(super().forward(input.values), input.sites)


class SparseUResNet(nn.Module):
    """The U at occupied places of each view, all with the same weights."""

    def __init__(self, u: UShape) -> None:
        super().__init__()
        self.u = u

    def forward(self, inputs: Inputs) -> AtSites:
        maps = SparseViews.of(inputs.images).maps()
        return AtSites(maps.sites, self.u(maps).values)


def sparse_uresnet(
    shape: Shape, outputs: int, *, levels: int = 5, filters: int = 16, blocks: int = 2
) -> SparseUResNet:
    """A sparse U-ResNet: 954,309 parameters on one channel and 5 classes.

    In two dimensions or three. Of `uresnet` it differs in that empty pixels are and stay 0 before
    each convolution, and that normalisation counts occupied ones only; `dense_weights` takes its
    weights there.

    Parameters
    ----------
    levels : int
        Resolutions, each half of the one before.
    filters : int
        Maps of the first level; level l, from 0, has (l + 1) times as many.
    blocks : int
        Residual modules of a level, on the way down and on the way up.
    """
    channels = each_view(shape, voxels=True)
    parts = _parts(len(shape.sides))
    return SparseUResNet(UShape(parts, channels, outputs, levels, filters, blocks))


def dense_weights(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Make of the weights of a `sparse_uresnet` those of the `uresnet` of the same options.

    The names are the same. Kernels (places, inputs, outputs) become those of dense convolutions,
    (outputs, inputs, …), and of transposed ones, (inputs, outputs, …); matrices become kernels of
    one place.

    Parameters
    ----------
    state : mapping
        As ``state_dict()`` gives it.

    Returns
    -------
    dict
        For ``load_state_dict()``; the numbers are shared, not copied.
    """
    dimensions = {9: 2, 27: 3}[len(state["u.stem.0.weight"])]
    found = {}
    for name, weight in state.items():
        if weight.ndim == 3:
            size = round(len(weight) ** (1 / dimensions))
            kernel = weight.unflatten(0, (size,) * dimensions)
            found[name] = kernel.movedim((-2, -1), (0, 1) if _transposed(name) else (1, 0))
        elif weight.ndim == 2:
            found[name] = weight[(..., *[None] * dimensions)]
        else:
            found[name] = weight
    return found


def sparse_weights(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Make of the weights of a `uresnet` those of the `sparse_uresnet` of the same options.

    The inverse of `dense_weights`, which see.
    """
    found = {}
    for name, weight in state.items():
        if weight.ndim < 4:
            found[name] = weight
        elif weight.shape[-1] == 1:
            found[name] = weight.flatten(1)
        else:
            found[name] = weight.flatten(2).permute(2, *((0, 1) if _transposed(name) else (1, 0)))
    return found


def _transposed(name: str) -> bool:
    return name.startswith("u.ups.")


def _parts(dimensions: int) -> Parts:
    def stage(widths: Sequence[int]) -> nn.Module:
        return Stage(*(SparseResidual(n, m, dimensions) for n, m in itertools.pairwise(widths)))

    def head(inputs: int, outputs: int) -> nn.Module:
        output = nn.Linear(inputs, outputs)
        return Pointwise(
            OrderedDict(norm=SiteNorm(inputs), relu=nn.ReLU(inplace=True), output=output)
        )

    return Parts(
        stem=lambda inputs, outputs: Stage(SubmanifoldConv(inputs, outputs, dimensions)),
        stage=stage,
        down=functools.partial(Down, dimensions=dimensions),
        up=functools.partial(Up, dimensions=dimensions),
        head=head,
    )
