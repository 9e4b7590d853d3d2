"""The dense U-ResNet: all pixels are computed, occupied or not."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from hepcnn.networks.checks import each_view
from hepcnn.networks.layers import sequential
from hepcnn.networks.pixels.output import DenseNetwork, cropped, padded
from hepcnn.networks.pixels.ushape import Parts, UShape
from hepcnn.networks.registry import Shape

_CONVOLUTION = {2: nn.Conv2d, 3: nn.Conv3d}
_TRANSPOSED = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
_NORM = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}


class Residual(nn.Module):
    """Two 3**D convolutions, each after normalisation and rectifier, added to their input.

    Where the width changes, a 1**D convolution takes the input to the new one.
    """

    def __init__(self, inputs: int, outputs: int, dimensions: int) -> None:
        super().__init__()
        self.norm1 = _NORM[dimensions](inputs)
        self.conv1 = _convolution(inputs, outputs, dimensions)
        self.norm2 = _NORM[dimensions](outputs)
        self.conv2 = _convolution(outputs, outputs, dimensions)
        self.projection = (
            nn.Identity()
            if inputs == outputs
            else _CONVOLUTION[dimensions](inputs, outputs, 1, bias=False)
        )

    def forward(self, maps: Tensor) -> Tensor:
        inside = self.conv1(functional.relu(self.norm1(maps), inplace=True))
        inside = self.conv2(functional.relu(self.norm2(inside), inplace=True))
        return self.projection(maps) + inside


class Down(nn.Module):
    """To half the resolution, by a convolution of size 2 and stride 2."""

    def __init__(self, inputs: int, outputs: int, dimensions: int) -> None:
        super().__init__()
        self.norm = _NORM[dimensions](inputs)
        conv = _CONVOLUTION[dimensions](inputs, outputs, 2, 2, bias=False)
        self.conv = _drawn(conv, inputs * 2**dimensions)

    def forward(self, maps: Tensor) -> Tensor:
        return self.conv(functional.relu(self.norm(maps), inplace=True))


class Up(nn.Module):
    """To twice the resolution, by a transposed convolution of size 2 and stride 2."""

    def __init__(self, inputs: int, outputs: int, dimensions: int) -> None:
        super().__init__()
        self.norm = _NORM[dimensions](inputs)
        conv = _TRANSPOSED[dimensions](inputs, outputs, 2, 2, bias=False)
        self.conv = _drawn(conv, inputs)  # each pixel comes from one place

    def forward(self, maps: Tensor, finer: Tensor) -> Tensor:
        maps = self.conv(functional.relu(self.norm(maps), inplace=True))
        return torch.cat([finer, maps], dim=1)


class UResNet(DenseNetwork):
    """The U on dense maps; images are padded to what all levels can halve."""

    def __init__(self, u: UShape) -> None:
        super().__init__()
        self.u = u

    def maps(self, images: Tensor) -> Tensor:
        maps = self.u(padded(images, 2 ** len(self.u.downs)))
        return cropped(maps, images.shape[2:])


def uresnet(
    shape: Shape, outputs: int, *, levels: int = 5, filters: int = 16, blocks: int = 2
) -> UResNet:
    """A dense U-ResNet: 954,309 parameters on one channel and 5 classes.

    In two dimensions or three. It is `sparse_uresnet` on all pixels, layer by layer.

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
    return UResNet(UShape(parts, channels, outputs, levels, filters, blocks))


def _parts(dimensions: int) -> Parts:
    def stage(widths: Sequence[int]) -> nn.Module:
        return nn.Sequential(*(Residual(n, m, dimensions) for n, m in itertools.pairwise(widths)))

    def head(inputs: int, outputs: int) -> nn.Module:
        return sequential(
            norm=_NORM[dimensions](inputs),
            relu=nn.ReLU(inplace=True),
            output=_CONVOLUTION[dimensions](inputs, outputs, 1),
        )

    return Parts(
        stem=lambda inputs, outputs: nn.Sequential(_convolution(inputs, outputs, dimensions)),
        stage=stage,
        down=functools.partial(Down, dimensions=dimensions),
        up=functools.partial(Up, dimensions=dimensions),
        head=head,
    )


def _convolution(inputs: int, outputs: int, dimensions: int) -> nn.Module:
    layer = _CONVOLUTION[dimensions](inputs, outputs, 3, padding=1, bias=False)
    return _drawn(layer, inputs * 3**dimensions)


def _drawn(layer: nn.Module, seen: int) -> nn.Module:
    """Draw weights so that a signal keeps its variance through rectifiers.

    K. He et al., arXiv:1502.01852; `seen` is how many values an output is the sum of.
    """
    nn.init.normal_(cast(Tensor, layer.weight), std=math.sqrt(2 / seen))
    return layer
