"""Siamese towers: one view each, joined with one another and with numbers beside the images.

J. Bromley et al., Signature verification using a "Siamese" time delay neural network, NIPS 6
(1993) 737: two identical networks whose outputs are joined.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from hepcnn.errors import InputError, nearest
from hepcnn.networks.checks import check_rate, check_switch, check_widths
from hepcnn.networks.inputs import Inputs, SparseViews
from hepcnn.networks.layers import dense
from hepcnn.networks.registry import SINGLE_IMAGE, Shape
from hepcnn.networks.single_image import trunk

#: Width of what the features are made into.
_FEATURES = 32


class Siamese(nn.Module):
    """Towers for the views, one or one each, and a head on all that they give."""

    def __init__(self, towers: Sequence[nn.Module], features: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.towers = nn.ModuleList(towers)
        self.features = features
        self.head = head

    def forward(self, inputs: Inputs) -> Tensor:
        seen = self._seen(inputs.images)
        return self.head(torch.cat([seen.flatten(1), self.features(inputs.features)], dim=1))

    def _seen(self, images: Tensor | SparseViews) -> Tensor:
        """What the towers give of the views: (B, V, …)."""
        if isinstance(images, SparseViews):
            if len(self.towers) == 1:
                return self.towers[0](images.maps()).unflatten(0, images.extent[:2])
            return torch.stack(
                [tower(images.view(v)) for v, tower in enumerate(self.towers)], dim=1
            )
        # (V, B, C, H, W), in memory channels last, as convolutions are fastest.
        views = images.permute(1, 0, 3, 4, 2).contiguous().movedim(-1, 2)
        if len(self.towers) == 1:
            return self.towers[0](views.flatten(0, 1)).unflatten(0, views.shape[:2]).movedim(0, 1)
        return torch.stack([tower(v) for tower, v in zip(self.towers, views, strict=True)], dim=1)


def siamese(
    shape: Shape,
    classes: int,
    *,
    backbone: str = "small",
    backbone_options: Mapping[str, Any] | None = None,
    shared: bool = False,
    hidden: Sequence[int] = (64,),
    dropout: float = 0.25,
) -> nn.Module:
    """A network for each view without its last layer, and dense layers on all of them together.

    The features, if there are any, enter through a dense layer of their own. With one view this is
    a network for an image and features.

    Parameters
    ----------
    backbone : str
        The network for a view: any that sees one image, by name.
    backbone_options : mapping, optional
        Options of it.
    shared : bool
        One set of weights for all views, or one for each.
    hidden : sequence of int
        Widths of the dense layers that join the views.
    dropout : float
        Rate of dropout after each of them.
    """
    if not isinstance(backbone, str) or backbone not in SINGLE_IMAGE:
        raise InputError(
            f"option 'backbone': no network '{backbone}' that sees one image; "
            f"{nearest(str(backbone), SINGLE_IMAGE)}"
        )
    if not isinstance(backbone_options, Mapping | None):
        raise InputError(f"option 'backbone_options': {backbone_options!r} must name options")
    check_switch("shared", shared)
    check_widths("hidden", hidden)
    check_rate("dropout", dropout)
    view = Shape(1, shape.channels, shape.height, shape.width)
    trunks = [
        trunk(backbone, view, backbone_options or {}) for _ in range(1 if shared else shape.views)
    ]
    width = shape.views * trunks[0][1] + (_FEATURES if shape.features else 0)
    features = (
        nn.Sequential(nn.Linear(shape.features, _FEATURES), nn.ReLU())
        if shape.features
        else nn.Identity()
    )
    return Siamese([tower for tower, _ in trunks], features, dense(width, hidden, classes, dropout))
