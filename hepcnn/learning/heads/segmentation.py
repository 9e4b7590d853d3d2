"""The class of each pixel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hepcnn.config.pixel_weights import PixelWeights
from hepcnn.detector.labels import PIXEL_CLASSES, TWO_CLASSES
from hepcnn.learning.heads.counting import count
from hepcnn.learning.heads.pixel_losses import PIXEL_LOSSES
from hepcnn.learning.heads.pixel_weights import pixel_weights
from hepcnn.learning.heads.site_truth import NONE, Points, SiteTruth, boundary
from hepcnn.networks.inputs import Inputs
from hepcnn.networks.pixels.output import AtSites


class SegmentationHead:
    """One of `PIXEL_CLASSES` for each site, but "other", which is never trained on.

    Parameters
    ----------
    loss : {"cross_entropy", "focal", "dice"}
        What is minimised: see `hepcnn.learning.heads.pixel_losses`.
    weights : PixelWeights
        What each site counts in the loss. In the metrics all count the same, but those without a
        known class, which do not.
    """

    #: The classes in the order of the network's outputs.
    classes = PIXEL_CLASSES[: PIXEL_CLASSES.index("other")]
    outputs = len(classes)
    truth = ("semantic", "instance")

    def __init__(
        self,
        loss: Literal["cross_entropy", "focal", "dice"] = "cross_entropy",
        weights: PixelWeights | None = None,
    ) -> None:
        self.weights = weights or PixelWeights()
        self.wants_points = self.weights.points != 1
        self._loss_of = PIXEL_LOSSES[loss]
        self.reset()

    def reset(self, device: torch.device | str = "cpu") -> None:
        """Forget all batches: an epoch begins, on a device."""
        #: Losses of the batches times their sites that count.
        self._loss = torch.zeros((), dtype=torch.float64, device=device)
        #: Sites by true class (row) and most probable class (column).
        self._counts = torch.zeros(self.outputs, self.outputs, dtype=torch.float64, device=device)

    def loss(self, network: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        """Give the loss of a batch and count it in the metrics.

        Parameters
        ----------
        network : nn.Module
            From `Inputs` to `AtSites`.
        batch : dict of Tensors
            ``truth``, and ``points`` if `wants_points`, beside what the network takes.
        """
        output: AtSites = network(Inputs.of(batch))
        sites, values = output
        truth = SiteTruth.at(sites, batch["truth"])
        points = Points.of(batch).table(sites.images) if self.wants_points else None
        weight = pixel_weights(sites, truth, self.weights, points)
        loss = self._loss_of(values, truth.semantic, weight)
        with torch.no_grad():
            known = truth.semantic != NONE
            cell = truth.semantic.clamp(min=0) * self.outputs + values.argmax(dim=1)
            counts = count(cell, self._counts.numel(), known)
            self._counts += counts.view_as(self._counts)
            self._loss += loss.double() * counts.sum()
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
            ``loss``: the mean over the sites of their batches' losses; 0 without any. NaN without
            any: ``accuracy``: the part of the sites called rightly; ``balanced_accuracy``: the mean
            of that over the classes that occur; ``two_class_accuracy``: the part called rightly
            track or shower, by the most probable of the classes.
        """
        counts, loss = total(self._counts.clone()).cpu(), total(self._loss.clone()).cpu()
        true, right = counts.sum(dim=1), counts.diagonal()
        two = [[self.classes.index(name) for name in names] for names in TWO_CLASSES.values()]
        right_of_two = sum(counts[group][:, group].sum() for group in two)
        return {
            "loss": float(loss / true.sum().clamp(min=1)),
            "accuracy": float(right.sum() / true.sum()),
            "balanced_accuracy": float((right / true)[true > 0].mean()),
            "two_class_accuracy": float(right_of_two / true.sum()),
        }

    @torch.no_grad()
    def predict(self, network: nn.Module, batch: dict[str, Tensor]) -> dict[str, NDArray]:
        """Give the posteriors at the sites, in their order.

        Returns
        -------
        dict of arrays (N, ...)
            ``image`` int64: b·V + v. ``place`` int64 (N, D). ``scores`` float32 (N, 5): rows sum
            to 1; of a training with weights, under the class mix that those make. The truth:
            ``semantic`` uint8 into `PIXEL_CLASSES`, "other" where none is known; ``instance``
            int16, −1: nobody; ``boundary`` bool: a neighbour, diagonal ones too, is of another
            class; sites of "other" are neither boundaries nor make any.
        """
        output: AtSites = network(Inputs.of(batch))
        sites, values = output
        truth = SiteTruth.at(sites, batch["truth"])
        found = {
            "image": sites.image,
            "place": sites.place,
            "scores": values.float().softmax(dim=1),
            **truth.columns(),
            "boundary": boundary(sites, truth.semantic),
        }
        return {name: column.cpu().numpy() for name, column in found.items()}
