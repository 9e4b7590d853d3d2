"""The particle of each pixel: sparse clustering by offsets.

In the manner of D. Koh et al., arXiv:2007.03083, after D. Neven et al., arXiv:1906.11109: each site
says where the middle of its particle is, and how sure of that it is (its seediness).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from hepcnn.config.pixel_weights import PixelWeights
from hepcnn.learning.heads.clustering import clusters
from hepcnn.learning.heads.pixel_weights import pixel_weights
from hepcnn.learning.heads.site_truth import NONE, Points, SiteTruth, groups, middles
from hepcnn.networks.inputs import Inputs
from hepcnn.networks.pixels.output import AtSites
from hepcnn.networks.sparse.sites import Sites


class InstanceHead:
    """Particles in images of D dimensions, each by itself.

    The 1 + D outputs are the seediness' logit, and the offset from the site to the mean place of
    its particle's sites in the image, in units of `unit` pixels. An offset is right if it is so
    within its tolerance, which is larger for long ones: see `hepcnn.learning.heads.clustering`.

    Parameters
    ----------
    weights : PixelWeights
        What each site counts in the loss. Sites of no known particle do not count.
    margin : float
        The least tolerance (pixels).
    slack : float
        What the tolerance grows by, as a part of an offset's length.
    dimensions : int
        2, of voxels 3.
    """

    #: Pixels: with it outputs are of the order of 1, as networks give them from the beginning.
    unit = 16.0
    truth = ("semantic", "instance")

    def __init__(
        self,
        weights: PixelWeights | None = None,
        margin: float = 3.0,
        slack: float = 0.1,
        dimensions: int = 2,
    ) -> None:
        self.weights = weights or PixelWeights()
        self.wants_points = self.weights.points != 1
        self.margin, self.slack = margin, slack
        self.outputs = 1 + dimensions
        self.reset()

    def reset(self, device: torch.device | str = "cpu") -> None:
        """Forget all batches: an epoch begins, on a device."""
        #: Losses of the sites, their distances from where they should point, those within the
        #: tolerance, sites.
        self._sums = torch.zeros(4, dtype=torch.float64, device=device)

    def loss(self, network: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        """Give the loss of a batch and count it in the metrics.

        It is the mean over the sites of known particles of weight × (smooth L1 of the offset's
        error in units of the tolerance + cross-entropy of the seediness). A site's seediness should
        be exp(−e²/2), e that error.

        Parameters
        ----------
        network : nn.Module
            From `Inputs` to `AtSites`.
        batch : dict of Tensors
            ``truth``, and ``points`` if `wants_points`, beside what the network takes.
        """
        sites, seed, offset = self._run(network, batch)
        truth = SiteTruth.at(sites, batch["truth"])
        points = Points.of(batch).table(sites.images) if self.wants_points else None
        known = (truth.semantic != NONE) & (truth.instance != NONE)
        weight = pixel_weights(sites, truth, self.weights, points) * known
        target = centre_offsets(sites, truth.instance)
        tolerance = self.margin + self.slack * target.norm(dim=1)
        error = (offset - target) / tolerance[:, None]
        way = functional.smooth_l1_loss(error, torch.zeros_like(error), reduction="none").sum(dim=1)
        squared = error.detach().square().sum(dim=1)
        seediness = functional.binary_cross_entropy_with_logits(
            seed, torch.exp(-squared / 2), reduction="none"
        )
        losses = (weight * (way + seediness)).sum()
        with torch.no_grad():
            distance = squared.sqrt() * tolerance
            sums = [losses, (distance * known).sum(), ((squared <= 1) & known).sum(), known.sum()]
            self._sums += torch.stack([value.double() for value in sums])
        return losses / known.sum().clamp(min=1)

    def metrics(self, total: Callable[[Tensor], Tensor] = lambda mine: mine) -> dict[str, float]:
        """Give the metrics of all batches since `reset`.

        Parameters
        ----------
        total : callable
            Sums a tensor over the processes of a training.

        Returns
        -------
        dict
            ``loss``: the mean over the sites of known particles; 0 without any. NaN without any:
            ``distance``: their mean distance from where they should point (pixels); ``accuracy``:
            the part of them that do so within the tolerance.
        """
        loss, distance, right, number = total(self._sums.clone()).cpu()
        return {
            "loss": float(loss / number.clamp(min=1)),
            "distance": float(distance / number),
            "accuracy": float(right / number),
        }

    @torch.no_grad()
    def predict(self, network: nn.Module, batch: dict[str, Tensor]) -> dict[str, NDArray[Any]]:
        """Cluster the sites.

        Returns
        -------
        dict of arrays
            Of the N sites, in their order: ``image`` int64: b·V + v; ``place`` int64 (N, D);
            ``found`` int32: the cluster, in each image from 0; every site has one. The truth:
            ``semantic`` uint8 into `PIXEL_CLASSES`, "other" where none is known; ``instance``
            int16, −1: nobody. Of the K clusters, by image and number: ``cluster_image`` int64;
            ``cluster`` int32; ``cluster_score`` float32: the mean seediness, 0 to 1.
        """
        sites, seed, offset = self._run(network, batch)
        truth = SiteTruth.at(sites, batch["truth"])
        columns = {
            name: column.cpu().numpy()
            for name, column in {
                "image": sites.image, "place": sites.place, **truth.columns(),
            }.items()
        }  # fmt: skip
        # Above 0, however sure the network is.
        score = seed.sigmoid().clamp(min=1e-6).double().cpu().numpy()
        image = columns["image"]
        found = clusters(
            image,
            columns["place"],
            offset.cpu().numpy(),
            score,
            sites.neighbours.cpu().numpy(),
            self.margin,
            self.slack,
        )
        _, first, cluster, sizes = np.unique(
            image << 32 | found, return_index=True, return_inverse=True, return_counts=True
        )
        return {
            **columns,
            "found": found,
            "cluster_image": image[first],
            "cluster": found[first],
            "cluster_score": (np.bincount(cluster, score) / sizes).astype(np.float32),
        }

    def _run(self, network: nn.Module, batch: dict[str, Tensor]) -> tuple[Sites, Tensor, Tensor]:
        """The network's sites, its seediness' logits (N,), its offsets (N, D) in pixels."""
        output: AtSites = network(Inputs.of(batch))
        values = output.values.float()
        return output.sites, values[:, 0], values[:, 1:] * self.unit


def centre_offsets(sites: Sites, instance: Tensor) -> Tensor:
    """Go from each site to the mean of the sites of its instance and image.

    Parameters
    ----------
    sites : Sites
        N sites.
    instance : Tensor, (N,) int64
        The instance of each.

    Returns
    -------
    Tensor, (N, D) float32
        Offsets (pixels).
    """
    everywhere = torch.ones_like(instance, dtype=torch.bool)
    group, sizes = groups(sites, instance, everywhere)
    middle = middles(sites).double()
    # Sums of halves are exact, in whatever order a GPU adds them.
    total = torch.zeros_like(middle).index_add(0, group, middle)
    return (total[group] / sizes[group, None] - middle).float()
