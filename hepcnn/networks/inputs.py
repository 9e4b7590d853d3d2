"""What a network is given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Self

import torch
from torch import Tensor

from hepcnn.networks.registry import Shape


class Inputs(NamedTuple):
    """A batch of B examples, as every network takes it.

    Attributes
    ----------
    images : Tensor, (B, V, C, H, W) or (B, V, C, X, Y, Z)
        V views of C channels.
    features : Tensor, (B, F)
        Numbers beside the images, standardised.
    expected : Tensor, (B, V, K, 2)
        For each of K hypotheses: the position along the image's height, in rows from its edge,
        where light is expected (below 0: none), and the expected number of photons.
    """

    images: Tensor
    features: Tensor
    expected: Tensor

    @classmethod
    def of(cls, batch: Mapping[str, Tensor], device: torch.device | str | None = None) -> Self:
        """Take them from a batch, to a device."""
        return cls(*(batch[name].to(device) for name in cls._fields))

    @classmethod
    def zeros(cls, shape: Shape, batch: int = 1) -> Self:
        """Make examples with nothing in them."""
        return cls(
            torch.zeros(batch, shape.views, shape.channels, *shape.sides),
            torch.zeros(batch, shape.features),
            torch.zeros(batch, shape.views, shape.hypotheses, 2),
        )
