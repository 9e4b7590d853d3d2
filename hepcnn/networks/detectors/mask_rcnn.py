"""Mask R-CNN for wire planes."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.ops import MultiScaleRoIAlign

from hepcnn.networks.detectors.pyramid import Pyramid
from hepcnn.networks.detectors.regions import BINS, SAMPLING, Options, Regions, build_regions
from hepcnn.networks.registry import Shape

#: Convolutions that see a region before its mask (torchvision).
_CONVOLUTIONS = 4


def mask_rcnn(
    shape: Shape,
    outputs: int,
    *,
    backbone: str = "resnet18",
    anchors: Sequence[float] = (8, 16, 32, 64),
    ratios: Sequence[float] = (0.5, 1.0, 2.0),
    maps: int = 64,
    hidden: int = 256,
    proposals: int = 100,
    position_sensitive: bool = False,
) -> Regions:
    """Mask R-CNN, torchvision's, with a feature pyramid: Faster R-CNN, and a mask for each box.

    K. He et al., arXiv:1703.06870. The options are described in
    `hepcnn.networks.detectors.regions.Options`.
    """
    options = Options(backbone, anchors, ratios, maps, hidden, proposals, position_sensitive)
    return build_regions(
        MaskRCNN,
        shape,
        outputs,
        options,
        mask_roi_pool=_pool,
        mask_head=_head,
        mask_predictor=_predictor,
    )


def _pool(pyramid: Pyramid, _: int) -> nn.Module:
    return MultiScaleRoIAlign(pyramid.levels, 2 * BINS, SAMPLING)


def _head(pyramid: Pyramid, _: int) -> nn.Module:
    return MaskRCNNHeads(pyramid.out_channels, (pyramid.out_channels,) * _CONVOLUTIONS, 1)


def _predictor(pyramid: Pyramid, classes: int) -> nn.Module:
    return MaskRCNNPredictor(pyramid.out_channels, pyramid.out_channels, classes)
