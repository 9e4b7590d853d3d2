"""Detection in wire planes: events a second of CPU time, training and prediction.

    python -m benchmarks detection

Three planes of 256 × 256 pixels, 1 % of them occupied, with a box in each. The peer of Faster R-CNN
is torchvision's own of the same backbone, as its authors size it, on the same images without
resizing; that of the others is ours. Nothing is loaded: `benchmarks.plane_loading` has that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone

from benchmarks.harness import row, seconds, sized
from hepcnn.detector.labels import POINTS
from hepcnn.learning.cpu import keep_freed_memory
from hepcnn.learning.heads.detection import DetectionHead
from hepcnn.learning.heads.points import PointHead
from hepcnn.networks.detectors.detector import Detector, Objects
from hepcnn.networks.inputs import Inputs, SparseViews
from hepcnn.networks.registry import Shape, build

SHAPE, BATCH_SIZE, OCCUPANCY = Shape(3, 1, *sized((256, 256), (64, 64))), sized(2, 1), 0.01
HALF = (12, 12)
#: What our Faster R-CNN must reach beside torchvision's, and the small ones beside ours.
FLOORS = {"faster_rcnn": 1.0, "one_stage": 8.0, "sparse_uresnet": 2.0}


class Peer(Detector):
    """torchvision's Faster R-CNN on ResNet-18, its defaults but for the resizing."""

    def __init__(self) -> None:
        super().__init__()
        backbone = resnet_fpn_backbone(
            backbone_name="resnet18", weights=None, norm_layer=nn.BatchNorm2d, trainable_layers=5
        )
        side, colours = SHAPE.height, 3
        self.network = FasterRCNN(
            backbone, 2, side, side, image_mean=[0.0] * colours, image_std=[1.0] * colours
        )

    def forward(
        self, inputs: Inputs, targets: Sequence[Objects] | None = None
    ) -> dict[str, Tensor] | list[Objects]:
        images = inputs.images.flatten(0, 1).expand(-1, 3, -1, -1)
        self.network.train(targets is not None)
        return self.network(list(images), targets)


def examples(head: DetectionHead | PointHead) -> dict[str, Any]:
    """Random sparse images, each with a vertex; of the sparse network, which has points, sites."""
    inputs = Inputs.zeros(SHAPE, BATCH_SIZE)
    hit = torch.rand_like(inputs.images) < OCCUPANCY
    views = torch.cartesian_prod(torch.arange(BATCH_SIZE), torch.arange(SHAPE.views))
    places = torch.rand(len(views), 2) * SHAPE.height
    kind = torch.full((len(views), 1), POINTS.index("vertex"))
    images = torch.rand_like(inputs.images) * hit
    seen = SparseViews.of(images) if isinstance(head, PointHead) else images
    batch = inputs._replace(images=seen)._asdict()
    return batch | {"points": torch.cat([views, places, kind], dim=1)}


def training(network: nn.Module, head: DetectionHead | PointHead) -> Callable[[], None]:
    """A training step."""
    network.train()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4, fused=True)
    batch = examples(head)

    def step() -> None:
        optimizer.zero_grad()
        loss = head.loss(network, batch)
        loss.backward()
        optimizer.step()

    return step


def prediction(network: nn.Module, head: DetectionHead | PointHead) -> Callable[[], None]:
    """A batch's prediction."""
    batch = examples(head)

    def predict() -> None:
        network.eval()
        head.predict(network, batch)
        network.train()

    return predict


def main() -> None:
    """Print all rows."""
    keep_freed_memory()
    torch.manual_seed(1)
    boxes, points = DetectionHead(HALF), PointHead(["vertex"])
    networks: dict[str, tuple[nn.Module, DetectionHead | PointHead]] = {
        name: (build(name, SHAPE, boxes.outputs).to(memory_format=torch.channels_last), boxes)
        for name in ("faster_rcnn", "one_stage")
    }
    networks["sparse_uresnet"] = build("sparse_uresnet", SHAPE, points.outputs), points
    networks["peer"] = Peer(), boxes
    for what, work in (("training", training), ("prediction", prediction)):
        pieces = {name: work(network, head) for name, (network, head) in networks.items()}
        taken = seconds(pieces, 3)
        rate = {name: BATCH_SIZE / spent for name, spent in taken.items()}
        for name, floor in FLOORS.items():
            peer = "peer" if name == "faster_rcnn" else "faster_rcnn"
            row(
                f"{name}, 3 × {SHAPE.height}², {what}",
                f"{rate[name]:.2f} events/s",
                f"{rate[peer]:.2f} events/s",
                rate[name] / rate[peer],
                floor,
            )
