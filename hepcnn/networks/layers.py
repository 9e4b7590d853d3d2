"""Layers that do what torch's do in a fraction of their time on a CPU.

`benchmarks/training.py` measures what they are worth in the training of the lecture's network.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from hepcnn.networks.inputs import Inputs, SparseViews
from hepcnn.networks.sparse.sites import SparseMaps

#: A mask is drawn from so many values, a byte.
_LEVELS = 256


class Dropout(nn.Dropout):
    """Dropout with eight elements of the mask from each random number.

    torch draws the mask on a CPU in one thread, a number for each element: a sixth of the
    training step of the lecture's network. Here a byte decides, which is exact for rates that are
    multiples of 1/256, such as 1/4 and 1/2; for other rates, and on a GPU, torch's own is used.
    """

    def forward(self, input: Tensor) -> Tensor:
        threshold = self.p * _LEVELS
        if not self.training or input.device.type != "cpu" or threshold % 1 or self.p == 1:
            return functional.dropout(input, self.p, self.training)
        # The mask gets the strides of the input (channels last or not), to be read in step.
        mask = torch.empty_like(input, requires_grad=False)
        numbers = torch.empty(-(-mask.numel() // 8), dtype=torch.int64).random_(-(1 << 63), None)
        keep = numbers.view(torch.uint8)[: mask.numel()] >= int(threshold)
        keep = keep.as_strided(mask.shape, mask.stride())
        return input * torch.mul(keep, 1 / (1 - self.p), out=mask)


class FoldViews(nn.Module):
    """The images alone, views folded into channels: (B, V·C, H, W), in memory channels last.

    Images that come as sites stay sparse.
    """

    def forward(self, inputs: Inputs) -> Tensor | SparseMaps:
        if isinstance(inputs.images, SparseViews):
            return inputs.images.folded()
        return inputs.images.permute(0, 3, 4, 1, 2).flatten(3).movedim(-1, 1)


class Flatten(nn.Module):
    """Flatten (B, C, H, W) to (B, H·W·C), in Keras' order.

    torch's order, C·H·W, would copy maps that are kept channels last, as they are while training,
    and their gradients too.
    """

    def forward(self, maps: Tensor) -> Tensor:
        return maps.permute(0, 2, 3, 1).flatten(1)


def sequential(**layers: nn.Module) -> nn.Sequential:
    """Layers in their order, each by name: the names stand in summaries and in checkpoints."""
    return nn.Sequential(OrderedDict(layers))


def dense(inputs: int, hidden: Sequence[int], outputs: int, dropout: float = 0) -> nn.Sequential:
    """Fully connected layers with ReLU; dropout after each hidden one."""
    layers: dict[str, nn.Module] = {}
    for i, width in enumerate(hidden, start=1):
        layers[f"dense{i}"] = nn.Linear(inputs, width)
        layers[f"relu{i}"] = nn.ReLU()
        if dropout:
            layers[f"dropout{i}"] = Dropout(dropout)
        inputs = width
    layers["output"] = nn.Linear(inputs, outputs)
    return sequential(**layers)
