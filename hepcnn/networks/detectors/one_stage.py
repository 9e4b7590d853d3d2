"""A detector in one stage, small enough for a CPU."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import (
    batched_nms,
    box_convert,
    clip_boxes_to_image,
    generalized_box_iou_loss,
    sigmoid_focal_loss,
)

from hepcnn.networks.checks import check_count, one_image
from hepcnn.networks.detectors.boxes import centres
from hepcnn.networks.detectors.detector import STRIDE, Detector, Objects, folded
from hepcnn.networks.detectors.pyramid import Pyramid
from hepcnn.networks.inputs import Inputs
from hepcnn.networks.pixels.output import padded
from hepcnn.networks.registry import Shape

#: Probability of a box in a cell before training, and the focal loss' exponent and share of the
#: boxes: those of T.-Y. Lin et al., Focal loss for dense object detection, arXiv:1708.02002.
_PRIOR, _GAMMA, _ALPHA = 0.01, 2.0, 0.25
#: Cells, by falling score, that are looked at; boxes that overlap more are one (torchvision); at
#: most so many are found in an image; boxes of less than this score are none.
_CELLS, _OVERLAP, _DETECTIONS, _LEAST_SCORE = 256, 0.5, 32, 0.01
#: Logarithms of a box' sides over the stride are at most this: 2981 strides.
_LARGEST = 8.0


class Cells(NamedTuple):
    """What each cell of N images, h × w of them, says; boxes in pixels.

    Attributes
    ----------
    objectness : Tensor, (N, h, w)
        Logits: whether the middle of a box is in the cell.
    boxes : Tensor, (N, h, w, 4)
        Boxes (x1, y1, x2, y2).
    classes : Tensor, (N, h, w, C)
        Logits of C > 1 classes; of one there are none, C = 0.
    """

    objectness: Tensor
    boxes: Tensor
    classes: Tensor


class OneStage(Detector):
    """Each cell of a coarse map says whether the middle of a box is in it, which box and what of.

    In the manner of YOLO (J. Redmon et al., arXiv:1506.02640), without anchors: the middle as an
    offset in the cell, which may reach half a cell beyond it (A. Bochkovskiy et al.,
    arXiv:2004.10934), the sides by their logarithms. One box a cell and class: two middles in one
    cell are not told apart. Losses: of all cells the focal loss of `objectness`; of cells with a
    middle the generalised IoU of their ``box`` (H. Rezatofighi et al., arXiv:1902.09630) and the
    cross-entropy of its ``class``, if there are several; all over the number of boxes.

    Parameters
    ----------
    pyramid : Pyramid
        Gives the map, on one level.
    outputs : int
        Classes.
    """

    def __init__(self, pyramid: Pyramid, outputs: int) -> None:
        super().__init__()
        maps = pyramid.out_channels
        self.pyramid = pyramid
        self.hidden = nn.Sequential(
            nn.Conv2d(maps, maps, 3, padding=1, bias=False),
            nn.BatchNorm2d(maps),
            nn.ReLU(inplace=True),
        )
        self.classes = outputs if outputs > 1 else 0
        self.output = nn.Conv2d(maps, 5 + self.classes, 1)
        nn.init.normal_(self.output.weight, std=0.01)
        bias = torch.zeros(5 + self.classes)
        bias[0] = math.log(_PRIOR / (1 - _PRIOR))
        self.output.bias = nn.Parameter(bias)

    def forward(
        self, inputs: Inputs, targets: Sequence[Objects] | None = None
    ) -> dict[str, Tensor] | list[Objects]:
        images = folded(inputs)
        (maps,) = self.pyramid(padded(images, STRIDE)).values()
        cells = self._cells(self.output(self.hidden(maps)).float())
        if targets is not None:
            return self._losses(cells, targets)
        return [self._found(Cells(*image), images.shape[-2:]) for image in zip(*cells, strict=True)]

    def _cells(self, output: Tensor) -> Cells:
        """Decode the last layer's maps (N, 5 + C, h, w)."""
        objectness, offset, sides, classes = output.movedim(1, -1).split(
            [1, 2, 2, self.classes], dim=-1
        )
        rows, columns = (torch.arange(n, device=output.device) for n in output.shape[-2:])
        corner = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), dim=-1)
        middle = corner + 2 * offset.sigmoid() - 0.5
        boxes = torch.cat([middle, sides.clamp(max=_LARGEST).exp()], dim=-1) * self.pyramid.stride
        return Cells(objectness[..., 0], box_convert(boxes, "cxcywh", "xyxy"), classes)

    def _losses(self, cells: Cells, targets: Sequence[Objects]) -> dict[str, Tensor]:
        """Give the losses where each image's boxes are known."""
        boxes = torch.cat([target["boxes"] for target in targets])
        number = torch.tensor([len(target["boxes"]) for target in targets], device=boxes.device)
        image = torch.arange(len(targets), device=boxes.device).repeat_interleave(number)
        row, column = (centres(boxes) / self.pyramid.stride).long().unbind(dim=-1)
        there = torch.zeros_like(cells.objectness)
        there[image, row, column] = 1
        focal = sigmoid_focal_loss(cells.objectness, there, _ALPHA, _GAMMA, reduction="sum")
        many = max(len(boxes), 1)
        overlap = generalized_box_iou_loss(cells.boxes[image, row, column], boxes, reduction="sum")
        losses = {"objectness": focal / many, "box": overlap / many}
        if self.classes:
            label = torch.cat([target["labels"] for target in targets]) - 1
            wrong = functional.cross_entropy(
                cells.classes[image, row, column], label, reduction="sum"
            )
            losses["class"] = wrong / many
        return losses

    def _found(self, cells: Cells, sides: Sequence[int]) -> Objects:
        """Give the boxes found in an image of so many rows and columns."""
        scores = cells.objectness.sigmoid()[..., None]
        if self.classes:
            scores = scores * cells.classes.softmax(dim=-1)
        scores, best = scores.flatten().topk(min(_CELLS, scores.numel()))
        best = best[scores > _LEAST_SCORE]
        scores = scores[: len(best)]
        kinds = max(self.classes, 1)
        boxes = clip_boxes_to_image(cells.boxes.flatten(0, 1)[best // kinds], tuple(sides))
        labels = best % kinds + 1
        kept = batched_nms(boxes, scores, labels, _OVERLAP)[:_DETECTIONS]
        return {"boxes": boxes[kept], "labels": labels[kept], "scores": scores[kept]}


def one_stage(shape: Shape, outputs: int, *, width: int = 16) -> OneStage:
    """A detector in one stage on our tower: a cell is 8 × 8 pixels.

    Its maps at strides of 16 and 32 say what surrounds a cell; see `OneStage` for what it does.

    Parameters
    ----------
    width : int
        Maps of the tower's first stage; the detector's own are four times as many.
    """
    one_image(shape, smallest=STRIDE)
    check_count("width", width)
    return OneStage(Pyramid(shape, "tower", 4 * width, finest=1, width=width), outputs)
