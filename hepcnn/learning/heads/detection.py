"""Boxes around the vertex, and masks of particles, found by detectors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hepcnn.detector.labels import POINTS
from hepcnn.learning.heads.site_truth import NONE, Points, SiteTruth
from hepcnn.networks.detectors.boxes import about_masks, around, transposed
from hepcnn.networks.detectors.detector import Objects
from hepcnn.networks.inputs import Inputs
from hepcnn.networks.sparse.sites import Sites

_VERTEX = POINTS.index("vertex")
#: Probability from which on a pixel is in a mask.
_INSIDE = 0.5


class DetectorHead(ABC):
    """What heads of detectors have in common: the loss is the sum of the network's own."""

    #: One class of boxes, beside the background.
    outputs = 1
    truth: tuple[str, ...] = ()
    wants_points = False

    def __init__(self) -> None:
        self.reset()

    def reset(self, device: torch.device | str = "cpu") -> None:
        """Forget all batches: an epoch begins, on a device."""
        #: Losses of the batches times their images; images; images with something to find, and
        #: those of them in which it was found.
        self._sums = torch.zeros(4, dtype=torch.float64, device=device)

    @abstractmethod
    def targets(self, batch: dict[str, Tensor]) -> list[Objects]:
        """Give what a detector should find in each image b·V + v."""

    def loss(self, network: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        """Give the loss of a batch and count it in the metrics.

        Parameters
        ----------
        network : nn.Module
            A `hepcnn.networks.detectors.detector.Detector`. In evaluation its batch normalisation
            is left alone, and the anchors and regions that its losses are of are drawn alike each
            time, so that losses of two epochs differ by the weights alone.
        batch : dict of Tensors
            ``truth`` or ``points`` beside what the network takes.
        """
        inputs, targets = Inputs.of(batch), self.targets(batch)
        device = inputs.images.device
        with torch.random.fork_rng(
            [device] if device.type == "cuda" else [], enabled=not network.training
        ):
            if not network.training:
                torch.manual_seed(0)
            loss = torch.stack(list(network(inputs, targets).values())).sum()
        self._sums[0] += loss.detach().double() * len(targets)
        self._sums[1] += len(targets)
        return loss

    def metrics(self, total: Callable[[Tensor], Tensor] = lambda mine: mine) -> dict[str, float]:
        """Give the metrics of all batches since `reset`.

        Parameters
        ----------
        total : callable
            Sums a tensor over the processes of a training.

        Returns
        -------
        dict
            ``loss``: the mean over the images of their batches' losses. ``accuracy``: the part of
            the images with something to find in which it was found; left out where that was not
            looked for, as in training.
        """
        loss, images, present, right = total(self._sums.clone()).cpu()
        found = {"loss": float(loss / images.clamp(min=1))}
        return found | ({"accuracy": float(right / present)} if present else {})


class DetectionHead(DetectorHead):
    """Boxes of one size around vertices.

    Parameters
    ----------
    half : (float, float)
        Half the height and half the width of a box, in pixels. Boxes are clipped to the image.
    within : float
        The vertex is found if the best box is around a point so near (pixels).
    """

    wants_points = True

    def __init__(self, half: Sequence[float], within: float = 3.0) -> None:
        super().__init__()
        self.half = tuple(half)
        self.within = within

    def targets(self, batch: dict[str, Tensor]) -> list[Objects]:
        images = batch["images"]
        sides = images.shape[-2:]
        targets = []
        for places in _vertices(batch):
            boxes = around(places, self.half, sides)
            labels = torch.ones(len(boxes), dtype=torch.int64, device=images.device)
            targets.append({"boxes": boxes, "labels": labels})
        return targets

    def loss(self, network: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        loss = super().loss(network, batch)
        if not network.training:
            with torch.no_grad():
                self._count(network(Inputs.of(batch)), batch)
        return loss

    def _count(self, found: list[Objects], batch: dict[str, Tensor]) -> None:
        """Count the images with vertices, and those of them whose best box is around one."""
        for objects, true in zip(found, _vertices(batch), strict=True):
            if len(true):
                best = self.places(objects["boxes"][:1], batch["images"].shape[-2:])
                near = (best - true).norm(dim=1) <= self.within if len(best) else best
                self._sums[2:] += near.new_tensor([1, near.any()], dtype=torch.float64)

    def places(self, boxes: Tensor, sides: Sequence[int]) -> Tensor:
        """Give the points (n, 2) that boxes (x1, y1, x2, y2) are around: their middles.

        Of a box that ends at the image's edge, since it was clipped, only the other side counts.
        """
        low, high = transposed(boxes).split(2, dim=-1)
        half, end = low.new_tensor(self.half), low.new_tensor(list(sides))
        place = torch.where(high >= end, low + half, (low + high) / 2)
        place = torch.where(low <= 0, high - half, place)
        return torch.minimum(place.clamp(min=0), end)

    @torch.no_grad()
    def predict(self, network: nn.Module, batch: dict[str, Tensor]) -> dict[str, NDArray[Any]]:
        """Find vertices; no truth is needed.

        Returns
        -------
        dict of arrays (M, ...)
            M boxes by image and falling score: ``image`` int64, b·V + v; ``kind`` uint8 into
            `POINTS`; ``place`` float32 (M, 2), row and column; ``score`` float32, 0 to 1; ``box``
            float32 (M, 4): row low, column low, row high, column high.
        """
        found: list[Objects] = network(Inputs.of(batch))
        image = _numbered(found)
        boxes = torch.cat([objects["boxes"] for objects in found]).float()
        columns = {
            "image": image,
            "kind": torch.full_like(image, _VERTEX, dtype=torch.uint8),
            "place": self.places(boxes, batch["images"].shape[-2:]),
            "score": torch.cat([objects["scores"] for objects in found]).float(),
            "box": transposed(boxes),
        }
        return {name: column.cpu().numpy() for name, column in columns.items()}


class MaskHead(DetectorHead):
    """Particles by their masks, in each view by itself.

    Parameters
    ----------
    least : int
        Particles of fewer pixels in an image are not trained on.
    """

    truth = ("semantic", "instance")

    def __init__(self, least: int = 8) -> None:
        super().__init__()
        self.least = least

    def targets(self, batch: dict[str, Tensor]) -> list[Objects]:
        targets = []
        for particle in batch["truth"][:, :, self.truth.index("instance")].flatten(0, 1):
            numbers, pixels = particle[particle > 0].unique(return_counts=True)
            masks = particle == numbers[pixels >= self.least, None, None]
            labels = torch.ones(len(masks), dtype=torch.int64, device=masks.device)
            boxes = about_masks(masks)
            targets.append({"boxes": boxes, "labels": labels, "masks": masks.to(torch.uint8)})
        return targets

    @torch.no_grad()
    def predict(self, network: nn.Module, batch: dict[str, Tensor]) -> dict[str, NDArray[Any]]:
        """Cluster the sites: each belongs to the mask of the highest score that it is in.

        Returns
        -------
        dict of arrays
            Of the N sites, in their order: ``image`` int64: b·V + v; ``place`` int64 (N, 2);
            ``found`` int32: the cluster, in each image by falling score, −1: none. The truth:
            ``semantic`` uint8 into `PIXEL_CLASSES`, "other" where none is known; ``instance``
            int16, −1: nobody. Of the K clusters that have sites, by image and number:
            ``cluster_image`` int64; ``cluster`` int32; ``cluster_score`` float32, 0 to 1.
        """
        sites, _ = Sites.of_views(batch["images"])
        found: list[Objects] = network(Inputs.of(batch))
        places = sites.place.split(sites.counts.tolist())
        cluster = torch.cat([_clusters(*pair) for pair in zip(found, places, strict=True)])
        owned = torch.stack([sites.image, cluster], dim=1)[cluster != NONE].unique(dim=0)
        first = torch.bincount(_numbered(found), minlength=sites.images).cumsum(0).roll(1)
        first[0] = 0
        score = torch.cat([objects["scores"] for objects in found]).float()
        columns = {
            "image": sites.image,
            "place": sites.place,
            **SiteTruth.at(sites, batch["truth"]).columns(),
            "found": cluster.int(),
            "cluster_image": owned[:, 0],
            "cluster": owned[:, 1].int(),
            "cluster_score": score[first[owned[:, 0]] + owned[:, 1]],
        }
        return {name: column.cpu().numpy() for name, column in columns.items()}


def _vertices(batch: dict[str, Tensor]) -> list[Tensor]:
    """Rows and columns (n, 2) of the vertices within each image b·V + v."""
    images, points = batch["images"], Points.of(batch)
    end = points.place.new_tensor(images.shape[-2:])
    inside = ((points.place >= 0) & (points.place < end)).all(dim=1)
    points = points.only(inside & (points.kind == _VERTEX))
    number = images.shape[0] * images.shape[1]
    return [points.place[points.image == image] for image in range(number)]


def _numbered(found: list[Objects]) -> Tensor:
    """The image of each object, (M,) int64."""
    device = found[0]["scores"].device
    number = torch.tensor([len(objects["scores"]) for objects in found], device=device)
    return torch.arange(len(found), device=device).repeat_interleave(number)


def _clusters(objects: Objects, place: Tensor) -> Tensor:
    """Give each of n places (n, 2) the first object whose mask it is in, or `NONE`: (n,) int64."""
    masks = objects["masks"][:, 0, place[:, 0], place[:, 1]] >= _INSIDE
    if not len(masks):
        return torch.full_like(place[:, 0], NONE)
    return torch.where(masks.any(dim=0), masks.to(torch.uint8).argmax(dim=0), NONE)
