"""Our tower of submanifold sparse convolutions for wire planes: work where there is charge alone.

B. Graham, M. Engelcke, L. van der Maaten, arXiv:1711.10275; for liquid argon L. Dominé, K. Terao,
arXiv:1903.05663.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from hepcnn.errors import InputError
from hepcnn.networks.checks import check_count, check_widths, one_image
from hepcnn.networks.layers import FoldViews, sequential
from hepcnn.networks.registry import Shape
from hepcnn.networks.sparse.layers import SiteNorm, SparseResidual, StridedConv, SubmanifoldConv
from hepcnn.networks.sparse.sites import Sites, SparseMaps


class Occupied(nn.Module):
    """What is not 0 of images (B, C, H, W), and where it is; what is sparse stays as it is."""

    def forward(self, images: Tensor | SparseMaps) -> SparseMaps:
        if isinstance(images, SparseMaps):
            return images
        sites, values = Sites.occupied(images)
        return SparseMaps(values, sites)


class Stage(nn.Sequential):
    """Layers, one after the other, at the same sites."""

    def forward(self, input: SparseMaps) -> SparseMaps:
        values, sites = input
        for layer in self:
            values = layer(values, sites)
        return SparseMaps(values, sites)


class Down(nn.Module):
    """To half the resolution."""

    def __init__(self, inputs: int, outputs: int, dimensions: int = 2) -> None:
        super().__init__()
        self.norm = SiteNorm(inputs)
        self.conv = StridedConv(inputs, outputs, dimensions)

    def forward(self, input: SparseMaps) -> SparseMaps:
        coarser = input.sites.coarser
        values = functional.relu(self.norm(input.values), inplace=True)
        return SparseMaps(self.conv(values, coarser), coarser.sites)


class SitesTogether(nn.Module):
    """Of each image the mean and the maximum over its sites, and how many there are: (B, 2·C + 1).

    The number as ln(1 + n); an image without sites gives zeros.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.norm = SiteNorm(features)

    def forward(self, input: SparseMaps) -> Tensor:
        counts = input.sites.counts
        values = functional.relu(self.norm(input.values), inplace=True)
        # Sums of many in 32 bits at least. They run image by image: always in the same order.
        values = values.to(torch.promote_types(values.dtype, torch.float32))
        mean, maximum = (
            torch.segment_reduce(values, how, lengths=counts, initial=0, unsafe=True)
            for how in ("mean", "max")
        )
        return torch.cat([mean, maximum, counts.to(values.dtype).log1p()[:, None]], dim=1)


def sparse_tower(
    shape: Shape,
    classes: int,
    *,
    filters: Sequence[int] = (16, 32, 48, 64, 80, 96),
    blocks: int = 1,
) -> nn.Sequential:
    """A tower of sparse convolutions.

    Residual blocks at the full resolution and at each half of it, of the occupied pixels only; mean
    and maximum over those of the last stage. Other than in `tower`, the first layers see single
    pixels: short stubs at a vertex and the first gap of a shower are not lost in patches.

    Parameters
    ----------
    filters : sequence of int
        Widths of the stages, each with half the rows and columns of the one before.
    blocks : int
        Residual blocks of each stage.
    """
    channels, _, _ = one_image(shape, smallest=1)
    check_widths("filters", filters)
    if not filters:
        raise InputError("option 'filters': there must be at least one")
    check_count("blocks", blocks)
    layers: dict[str, nn.Module] = {"stem": Stage(SubmanifoldConv(channels, filters[0]))}
    inputs = filters[0]
    for number, width in enumerate(filters, start=1):
        if number > 1:
            layers[f"down{number}"] = Down(inputs, width)
        layers[f"stage{number}"] = Stage(*(SparseResidual(width, width) for _ in range(blocks)))
        inputs = width
    return sequential(
        views=FoldViews(),
        sites=Occupied(),
        **layers,
        pool=SitesTogether(inputs),
        output=nn.Linear(2 * inputs + 1, classes),
    )
