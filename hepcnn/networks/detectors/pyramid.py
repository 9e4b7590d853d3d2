"""Feature maps for detectors, from our networks of image recognition."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, NamedTuple, cast

from torch import Tensor, nn
from torchvision.models._utils import IntermediateLayerGetter
from torchvision.ops import FeaturePyramidNetwork

from hepcnn.errors import InputError, nearest
from hepcnn.networks.registry import Shape, build


class Maps(NamedTuple):
    """Layers of a backbone that give feature maps, and the stride of the first; each further one
    has twice the stride of the one before."""

    layers: tuple[str, ...]
    stride: int


_RESNET = Maps(("layer1", "layer2", "layer3", "layer4"), 4)
BACKBONES = {
    "resnet18": _RESNET,
    "resnet50": _RESNET,
    "wide_resnet50": _RESNET,
    "tower": Maps(("stage1", "stage2", "stage3", "stage4"), 4),
    # As arXiv:1611.05531 has it: the maps before the last reduction.
    "inception_resnet_v2": Maps(("repeat_1",), 16),
}


class Pyramid(nn.Module):
    """A backbone, and a pyramid that hands what its coarse maps know down to the fine ones.

    T.-Y. Lin et al., Feature pyramid networks for object detection, arXiv:1612.03144.

    Parameters
    ----------
    shape : Shape
        Of an example; the views are no channels here.
    backbone : str
        One of `BACKBONES`.
    maps : int
        Channels of each level, its attribute `out_channels`.
    finest, levels : int
        The first layer that gives maps, of those of the backbone, and how many levels there are
        from it on. The pyramid reaches down from the last layer in any case.
    **options
        Of the backbone.
    """

    def __init__(
        self,
        shape: Shape,
        backbone: str,
        maps: int,
        finest: int = 0,
        levels: int = 1,
        **options: Any,
    ) -> None:
        super().__init__()
        seen = Shape(1, *shape[1:4])
        network = cast(nn.Sequential, build(backbone, seen, 1, **options))[1:]
        layers, stride = BACKBONES[backbone]
        if backbone == "inception_resnet_v2":
            _align(network)
        names = {layer: str(k) for k, layer in enumerate(layers[finest:])}
        self.body = IntermediateLayerGetter(network, names)
        widths = [_width(network.get_submodule(layer)) for layer in names]
        self.fpn = FeaturePyramidNetwork(widths, maps)
        for unread in range(levels, len(names)):
            self.fpn.layer_blocks[unread] = nn.Identity()
        self.out_channels = maps
        self.levels = [str(k) for k in range(levels)]
        self.stride = stride << finest

    def forward(self, images: Tensor) -> OrderedDict[str, Tensor]:
        """Give the maps of each level (N, maps, H, W), the finest first, by number.

        In float32: a pixel's position in a large image has more digits than bfloat16.
        """
        found = self.fpn(self.body(images))
        return OrderedDict((level, found[level].float()) for level in self.levels)


def maps_of(backbone: object) -> Maps:
    """Look up which maps a backbone gives.

    Raises
    ------
    InputError
        If it is no backbone of detectors.
    """
    if not isinstance(backbone, str) or backbone not in BACKBONES:
        hint = nearest(str(backbone), BACKBONES)
        raise InputError(f"option 'backbone': no backbone '{backbone}' of detectors; {hint}")
    return BACKBONES[backbone]


def _width(layer: nn.Module) -> int:
    """Channels that a layer of residual blocks gives: those of its last convolution."""
    return [m for m in layer.modules() if isinstance(m, nn.Conv2d)][-1].out_channels


def _align(network: nn.Module) -> None:
    """Pad all that Inception-ResNet does not, so that its maps divide the image evenly.

    As in its authors' own detector: ``align_feature_maps`` in TensorFlow's
    ``inception_resnet_v2_base``.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3):
            module.padding = (1, 1)
        elif isinstance(module, nn.MaxPool2d):
            module.padding = 1
