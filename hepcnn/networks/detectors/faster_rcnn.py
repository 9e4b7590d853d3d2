"""Faster R-CNN for wire planes."""

from __future__ import annotations

from collections.abc import Sequence

from torchvision.models.detection import FasterRCNN

from hepcnn.networks.detectors.regions import Options, Regions, build_regions
from hepcnn.networks.registry import Shape


def faster_rcnn(
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
    """Faster R-CNN, torchvision's, with a feature pyramid.

    S. Ren et al., arXiv:1506.01497; T.-Y. Lin et al., arXiv:1612.03144. MicroBooNE found neutrino
    interactions with it, on Inception-ResNet-v2 (arXiv:1611.05531). The options are described in
    `hepcnn.networks.detectors.regions.Options`.
    """
    options = Options(backbone, anchors, ratios, maps, hidden, proposals, position_sensitive)
    return build_regions(FasterRCNN, shape, outputs, options)
