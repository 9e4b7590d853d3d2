"""What torchvision's Faster R-CNN and Mask R-CNN share here: sized for small images.

Images are neither resized nor normalised, all weights are drawn and trained, batch normalisation
among them, and boxes are computed in float32 whatever the layers are computed in.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from torch import Tensor, nn
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.generalized_rcnn import GeneralizedRCNN
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.roi_heads import paste_masks_in_image
from torchvision.models.detection.rpn import RPNHead
from torchvision.ops import MultiScaleRoIAlign, PSRoIAlign

from hepcnn.errors import InputError
from hepcnn.networks.checks import check_count, check_switch, one_image
from hepcnn.networks.detectors.detector import STRIDE, Detector, Objects, folded
from hepcnn.networks.detectors.pyramid import Pyramid, maps_of
from hepcnn.networks.inputs import Inputs
from hepcnn.networks.pixels.output import padded
from hepcnn.networks.registry import Shape

#: Bins along either side of a region, and points in each at which its maps are read (torchvision).
BINS, SAMPLING = 7, 2
#: Anchors and regions of an image that the losses are of: some of an image's few boxes and, in the
#: ratio that torchvision has, background. There: 256 and 512, for photographs full of things.
_ANCHORS_DRAWN, _REGIONS_DRAWN = 128, 64
#: Boxes of less than this score are none. There 0.05; the tail belongs to an average precision.
_LEAST_SCORE = 0.01
#: At most so many boxes are found in an image. There 100.
_DETECTIONS = 32
#: Before those that overlap are suppressed there are so many times the proposals.
_BEFORE_SUPPRESSION = 4


class Regions(Detector):
    """A network of torchvision that proposes regions and classifies them, as a `Detector`."""

    def __init__(self, rcnn: GeneralizedRCNN) -> None:
        super().__init__()
        self.rcnn = rcnn
        self.rcnn.transform = Unchanged()

    def forward(
        self, inputs: Inputs, targets: Sequence[Objects] | None = None
    ) -> dict[str, Tensor] | list[Objects]:
        # These parts of torchvision's give losses in training and boxes in evaluation; the layers
        # in them keep the mode that they are in.
        for part in (self.rcnn, self.rcnn.rpn, self.rcnn.roi_heads):
            part.training = targets is not None
        return self.rcnn(folded(inputs), targets)


class Unchanged(nn.Module):
    """In the place of torchvision's normalisation and resizing: only pads the images."""

    def forward(
        self, images: Tensor, targets: Sequence[Objects] | None
    ) -> tuple[ImageList, Sequence[Objects] | None]:
        sides = (images.shape[-2], images.shape[-1])
        return ImageList(padded(images, STRIDE), [sides] * len(images)), targets

    def postprocess(
        self, found: list[Objects], _: Any, sides: list[tuple[int, int]]
    ) -> list[Objects]:
        for objects, shape in zip(found, sides, strict=False):  # none in training
            if "masks" in objects:
                masks = objects["masks"].float()
                objects["masks"] = paste_masks_in_image(masks, objects["boxes"], shape)
        return found


class Proposals(RPNHead):
    """torchvision's head of proposals, in float32 at its end."""

    def forward(self, maps: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        logits, boxes = super().forward(maps)
        return [level.float() for level in logits], [level.float() for level in boxes]


class Predictor(FastRCNNPredictor):
    """torchvision's last layers of a region, in float32 at their end."""

    def forward(self, region: Tensor) -> tuple[Tensor, Tensor]:
        logits, boxes = super().forward(region)
        return logits.float(), boxes.float()


class PositionSensitive(nn.Module):
    """Maps of their own for each bin of a region, from the finest level.

    J. Dai et al., R-FCN: object detection via region-based fully convolutional networks,
    arXiv:1605.06409. All layers are before the pooling: a region costs next to nothing.
    """

    def __init__(self, pyramid: Pyramid, outputs: int) -> None:
        super().__init__()
        self.scores = nn.Conv2d(pyramid.out_channels, outputs * BINS**2, 1)
        self.pool = PSRoIAlign(BINS, 1 / pyramid.stride, SAMPLING)

    def forward(self, maps: OrderedDict[str, Tensor], boxes: list[Tensor], _: Any) -> Tensor:
        return self.pool(self.scores(next(iter(maps.values()))).float(), boxes)


class Votes(nn.Module):
    """The bins of a region vote, with equal weights, on its class and its box."""

    def forward(self, bins: Tensor) -> Tensor:
        return bins.mean(dim=(2, 3))


class Split(nn.Module):
    """Scores of so many classes, and their boxes."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes

    def forward(self, votes: Tensor) -> tuple[Tensor, Tensor]:
        return votes[:, : self.classes], votes[:, self.classes :]


@dataclass(frozen=True)
class Options:
    """Options of a network of regions.

    Attributes
    ----------
    backbone : str
        One of `hepcnn.networks.detectors.pyramid.BACKBONES`.
    anchors : sequence of float
        Sides of square anchors in pixels, increasing: one for each level of the pyramid, whose
        strides are 4, 8, 16 and 32; of a backbone with one map all are on it. For fewer sizes
        there are fewer levels. A training fits them to the true boxes where they are not chosen,
        the ratios too: see `hepcnn.networks.detectors.anchors.fit_anchors`.
    ratios : sequence of float
        Heights over widths of the anchors, at equal area.
    maps : int
        Channels of the pyramid. There 256.
    hidden : int
        Width of the two layers that see a region. There 1024.
    proposals : int
        Regions of an image, at most. There 2000 in training and 1000 afterwards.
    position_sensitive : bool
        Pool regions as in R-FCN, see `PositionSensitive`; `hidden` is not used then.
    """

    backbone: str
    anchors: Sequence[float]
    ratios: Sequence[float]
    maps: int
    hidden: int
    proposals: int
    position_sensitive: bool

    def check(self, shape: Shape) -> None:
        """Refuse what is not possible."""
        one_image(shape, smallest=STRIDE)
        levels = len(maps_of(self.backbone).layers)
        _check_lengths("anchors", self.anchors)
        _check_lengths("ratios", self.ratios)
        if len(self.anchors) > levels > 1:
            raise InputError(
                f"option 'anchors': {len(self.anchors)} are more than the {levels} levels of "
                f"'{self.backbone}'"
            )
        check_count("maps", self.maps)
        check_count("hidden", self.hidden)
        check_count("proposals", self.proposals)
        check_switch("position_sensitive", self.position_sensitive)


def _check_lengths(name: str, value: object) -> None:
    """Refuse what is no increasing list of numbers above 0."""
    numbers = isinstance(value, list | tuple) and all(type(n) in (int, float) for n in value)
    if not numbers or not value or not all(0 < n < float("inf") for n in cast(list[float], value)):
        raise InputError(f"option '{name}': {value!r} must be a list of numbers above 0")
    if list(cast(list[float], value)) != sorted(set(cast(list[float], value))):
        raise InputError(f"option '{name}': {value!r} must increase")


def build_regions(
    network: type[GeneralizedRCNN],
    shape: Shape,
    outputs: int,
    options: Options,
    **parts: Any,
) -> Regions:
    """Put a network of regions together, for `outputs` classes beside the background."""
    options.check(shape)
    classes = outputs + 1
    single = len(maps_of(options.backbone).layers) == 1
    levels = 1 if single else len(options.anchors)
    pyramid = Pyramid(shape, options.backbone, options.maps, levels=levels)
    sizes = (tuple(options.anchors),) if single else tuple((side,) for side in options.anchors)
    anchors = AnchorGenerator(sizes, (tuple(options.ratios),) * levels)
    before = _BEFORE_SUPPRESSION * options.proposals
    if options.position_sensitive:
        head, predictor = Votes(), Split(classes)
    else:
        head = TwoMLPHead(options.maps * BINS**2, options.hidden)
        predictor = Predictor(options.hidden, classes)
    rcnn = network(
        pyramid,
        rpn_anchor_generator=anchors,
        rpn_head=Proposals(options.maps, anchors.num_anchors_per_location()[0]),
        rpn_pre_nms_top_n_train=before,
        rpn_pre_nms_top_n_test=before,
        rpn_post_nms_top_n_train=options.proposals,
        rpn_post_nms_top_n_test=options.proposals,
        rpn_batch_size_per_image=_ANCHORS_DRAWN,
        box_roi_pool=MultiScaleRoIAlign(pyramid.levels, BINS, SAMPLING),
        box_head=head,
        box_predictor=predictor,
        box_score_thresh=_LEAST_SCORE,
        box_detections_per_img=_DETECTIONS,
        box_batch_size_per_image=_REGIONS_DRAWN,
        **{name: part(pyramid, classes) for name, part in parts.items()},
    )
    if options.position_sensitive:
        rcnn.roi_heads.box_roi_pool = PositionSensitive(pyramid, 5 * classes)
    return Regions(rcnn)
