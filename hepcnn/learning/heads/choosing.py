"""The head of a network, by what it is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hepcnn.config import InstanceTrain, PointTrain, SegmentTrain
from hepcnn.detector.labels import POINTS
from hepcnn.errors import InputError
from hepcnn.imaging.lengths import pixel_size
from hepcnn.learning.heads.detection import DetectionHead, MaskHead
from hepcnn.learning.heads.head import FindingHead
from hepcnn.learning.heads.instances import InstanceHead
from hepcnn.learning.heads.points import PointHead
from hepcnn.learning.heads.segmentation import SegmentationHead
from hepcnn.networks.registry import DETECTORS, PIXEL_NETWORKS
from hepcnn.store.header import Header

#: The networks that can answer each target: those of pixels, and some detectors.
_ABLE: Mapping[str, tuple[str, ...]] = {
    "semantic": tuple(PIXEL_NETWORKS),
    "instance": (*PIXEL_NETWORKS, "mask_rcnn"),
    "vertex": (*PIXEL_NETWORKS, "faster_rcnn", "one_stage"),
    "points": tuple(PIXEL_NETWORKS),
}


def head_for(
    target: str, architecture: str, settings: Mapping[str, Any], header: Header
) -> FindingHead:
    """Make the head of a network.

    Parameters
    ----------
    target : str
        One of `hepcnn.store.findings.TARGETS`.
    architecture : str
        Name of the network.
    settings : mapping
        Of its training, as `SegmentTrain` or `PointTrain`.
    header : Header
        Of the images as the network sees them.

    Raises
    ------
    InputError
        If the network does not answer such a question.
    """
    if architecture not in _ABLE[target]:
        raise InputError(
            f"network '{architecture}': cannot answer the target '{target}'; "
            f"these can: {', '.join(_ABLE[target])}"
        )
    axes = len(header.shape)
    if target == "semantic":
        train = SegmentTrain.model_validate(settings)
        return SegmentationHead(train.loss, train.weights)
    if target == "instance":
        if architecture in DETECTORS:
            return MaskHead()
        return InstanceHead(InstanceTrain.model_validate(settings).weights, dimensions=axes)
    train_points = PointTrain.model_validate(settings)
    if architecture in DETECTORS:
        rows, columns = pixel_size(header, header.views[0])
        half = train_points.box / 2
        return DetectionHead((half / rows, half / columns))
    kinds = POINTS[:1] if target == "vertex" else POINTS
    return PointHead(kinds, train_points.sigma, dimensions=axes)
