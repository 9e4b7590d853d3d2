"""Our tower for wire planes: fast on a CPU, for large images of which little is occupied."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hepcnn.networks.checks import check_count, one_image
from hepcnn.networks.layers import FoldViews, sequential
from hepcnn.networks.registry import Shape

#: Stages, each with half the rows and columns of the one before: their maps, in those of the
#: first, and their residual convolutions.
_STAGES = ((1, 1), (2, 2), (4, 2), (6, 1))


class Residual(nn.Sequential):
    """Layers whose output is added to their input (K. He et al., arXiv:1512.03385)."""

    def forward(self, input: Tensor) -> Tensor:
        return input + super().forward(input)


class MeanAndMaximum(nn.Module):
    """Of each map its mean and its maximum: (B, C, H, W) to (B, 2·C).

    The mean tells how much there is, the maximum whether there is any: of the few pixels of a
    vertex or a stopping proton next to nothing is left in the mean of a whole plane.
    """

    def forward(self, maps: Tensor) -> Tensor:
        return torch.cat([maps.mean(dim=(2, 3)), maps.amax(dim=(2, 3))], dim=1)


def tower(shape: Shape, classes: int, *, width: int = 16) -> nn.Sequential:
    """A small tower for wire planes: 258,757 parameters on 192 × 192 × 1 and 5 classes.

    Overlapping patches of 8 × 8 pixels, four apart, then four stages of one or two residual 3 × 3
    convolutions, with 3 × 3 convolutions of stride two between them; mean and maximum over the
    image. What costs most of a common network's time, its first layers on whole images, is one
    convolution here; `benchmarks/towers.py` measures the training.

    Batch normalisation, since it alone keeps how much charge there is: normalised by itself, a
    plane with one faint track looks as bright as a shower. It takes all views and pixels of a
    batch together, so that few examples suffice.

    Parameters
    ----------
    width : int
        Maps of the first stage; the others have 2, 4 and 6 times as many.
    """
    channels, _, _ = one_image(shape, smallest=4)
    check_count("width", width)
    layers: dict[str, nn.Module] = {"patches": _unit(channels, width, size=8, stride=4, padding=2)}
    maps = width
    for number, (wider, convolutions) in enumerate(_STAGES, start=1):
        if number > 1:
            layers[f"down{number}"] = _unit(maps, wider * width, stride=2)
            maps = wider * width
        residual = (Residual(*_unit(maps, maps)) for _ in range(convolutions))
        layers[f"stage{number}"] = nn.Sequential(*residual)
    return sequential(
        views=FoldViews(), **layers, pool=MeanAndMaximum(), output=nn.Linear(2 * maps, classes)
    )


def _unit(
    inputs: int, outputs: int, size: int = 3, stride: int = 1, padding: int = 1
) -> nn.Sequential:
    """A convolution, normalised, and what is above 0 of it."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, stride, padding, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )
