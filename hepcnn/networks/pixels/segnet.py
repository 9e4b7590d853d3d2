"""SegNet: what was the largest of each pooling tells where to put a value on the way back."""

from __future__ import annotations

import itertools

from torch import Tensor, nn
from torch.nn import functional

from hepcnn.networks.checks import check_count, each_view
from hepcnn.networks.pixels import vgg
from hepcnn.networks.pixels.output import DenseNetwork
from hepcnn.networks.registry import Shape


class SegNet(DenseNetwork):
    """VGG-16's convolutions, and their mirror image."""

    def __init__(self, channels: int, outputs: int, width: int) -> None:
        super().__init__()
        self.encoders = vgg.encoder(channels, width)
        widths = [width * wider for wider, _ in vgg.STAGES]
        levels = list(zip(itertools.pairwise(widths), vgg.STAGES[1:], strict=True))
        # From the deepest to the first, each down to the width of the one before it.
        self.decoders = nn.ModuleList(
            vgg.stage(here, here, before, convolutions)
            for (before, here), (_, convolutions) in reversed(levels)
        )
        self.output = nn.Sequential(
            vgg.stage(width, width, width, vgg.STAGES[0][1] - 1),
            nn.Conv2d(width, outputs, 3, padding=1),
        )

    def maps(self, images: Tensor) -> Tensor:
        maps = images
        pools = []
        for encoder in self.encoders:
            maps = encoder(maps)
            sides = maps.shape[2:]
            maps, largest = functional.max_pool2d(maps, 2, ceil_mode=True, return_indices=True)
            pools.append((largest, sides))
        for decoder in (*self.decoders, self.output):
            largest, sides = pools.pop()
            maps = decoder(functional.max_unpool2d(maps, largest, [2, 2], output_size=list(sides)))
        return maps


def segnet(shape: Shape, outputs: int, *, width: int = 16) -> SegNet:
    """SegNet.

    V. Badrinarayanan et al., SegNet: a deep convolutional encoder-decoder architecture for image
    segmentation, arXiv:1511.00561. Sides that are odd are pooled rounded up.

    Parameters
    ----------
    width : int
        Maps of the first stage; the original has 64.
    """
    channels = each_view(shape, smallest=17)
    check_count("width", width)
    return SegNet(channels, outputs, width)
