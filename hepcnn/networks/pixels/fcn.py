"""FCN-8s: fully convolutional, with skips from two finer levels."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from hepcnn.networks.checks import check_count, check_rate, each_view
from hepcnn.networks.layers import Dropout, sequential
from hepcnn.networks.pixels import vgg
from hepcnn.networks.pixels.output import DenseNetwork, cropped, padded
from hepcnn.networks.registry import Shape

#: Maps of the layers that VGG-16 has as dense ones, in those of its first stage.
_DENSE = 64


class FCN8(DenseNetwork):
    """VGG-16 with its dense layers as convolutions; scores of three levels are added."""

    def __init__(self, channels: int, outputs: int, width: int, dropout: float) -> None:
        super().__init__()
        self.stages = vgg.encoder(channels, width)
        last = vgg.STAGES[-1][0] * width
        self.dense = sequential(
            conv6=nn.Conv2d(last, _DENSE * width, 7, padding=3),
            relu6=nn.ReLU(inplace=True),
            dropout6=Dropout(dropout),
            conv7=nn.Conv2d(_DENSE * width, _DENSE * width, 1),
            relu7=nn.ReLU(inplace=True),
            dropout7=Dropout(dropout),
            output=nn.Conv2d(_DENSE * width, outputs, 1),
        )
        # Of the third and fourth pooling, the latter first.
        skips = [vgg.STAGES[level][0] * width for level in (3, 2)]
        self.skips = nn.ModuleList(nn.Conv2d(n, outputs, 1) for n in skips)
        self.ups = nn.ModuleList(_twice(outputs) for _ in skips)

    def maps(self, images: Tensor) -> Tensor:
        maps = padded(images, 2 ** len(self.stages))
        pooled = []
        for stage in self.stages:
            maps = functional.max_pool2d(stage(maps), 2)
            pooled.append(maps)
        scores = self.dense(maps)
        for up, skip, finer in zip(self.ups, self.skips, pooled[3:1:-1], strict=True):
            scores = up(scores) + skip(finer)
        scores = functional.interpolate(scores, scale_factor=8, mode="bilinear")
        return cropped(scores, images.shape[2:])


def fcn8(shape: Shape, outputs: int, *, width: int = 16, dropout: float = 0.5) -> FCN8:
    """FCN-8s.

    J. Long et al., Fully convolutional networks for semantic segmentation, arXiv:1411.4038. As
    there, the scores of the coarsest level are made twice as fine by a transposed convolution that
    begins as bilinear interpolation, twice with those of a finer level added, then eight times as
    fine by interpolation. Other than there the weights are drawn, with batch normalisation in the
    trunk, and images are padded to multiples of 32 pixels and not by 100.

    Parameters
    ----------
    width : int
        Maps of the first stage; VGG-16 has 64.
    dropout : float
        Rate of dropout after each of the layers that are dense in VGG-16.
    """
    channels = each_view(shape)
    check_count("width", width)
    check_rate("dropout", dropout)
    return FCN8(channels, outputs, width, dropout)


def _twice(maps: int) -> nn.ConvTranspose2d:
    """A transposed convolution to twice the resolution that begins as bilinear interpolation."""
    layer = nn.ConvTranspose2d(maps, maps, 4, 2, padding=1, bias=False)
    weights = torch.tensor([0.25, 0.75, 0.75, 0.25])
    with torch.no_grad():
        layer.weight.zero_()
        layer.weight.diagonal().copy_((weights[:, None] * weights)[..., None].expand(4, 4, maps))
    return layer
