"""Weights of pixels in a loss, in the manner of SSNet.

MicroBooNE, A deep neural network for pixel-level electromagnetic particle identification,
arXiv:1808.07269: pixels of rare classes, and those where particles meet, count more.
"""

from __future__ import annotations

import torch
from torch import Tensor

from hepcnn.config.pixel_weights import PixelWeights
from hepcnn.learning.heads.counting import count
from hepcnn.learning.heads.site_truth import (
    NONE,
    PointTable,
    SiteTruth,
    blocks,
    boundary,
    groups,
    middles,
)
from hepcnn.networks.sparse.sites import Sites


def pixel_weights(
    sites: Sites, truth: SiteTruth, settings: PixelWeights, points: PointTable | None = None
) -> Tensor:
    """Weigh sites.

    Parameters
    ----------
    sites : Sites
        N sites.
    truth : SiteTruth
        What they are.
    settings : PixelWeights
        What counts.
    points : PointTable, optional
        The key points; needed if those count.

    Returns
    -------
    Tensor, (N,) float32
        Weights; 0 where no class is known.
    """
    labelled = truth.semantic != NONE
    factors = [torch.ones(len(sites), device=sites.image.device)]
    if settings.boundary != 1:
        ring = boundary(sites, truth.semantic, truth.instance)
        factors.append(1 + (settings.boundary - 1) * ring)
    if settings.points != 1:
        if points is None:
            raise ValueError("the weights of key points need those points")
        factors.append(1 + (settings.points - 1) * near(sites, points.place, settings.radius))
    stacked = torch.stack(factors)
    factor = stacked.amax(dim=0) if settings.combine == "max" else (stacked - 1).sum(dim=0) + 1
    if settings.by != "none":
        label = truth.semantic if settings.by == "class" else truth.instance
        factor = factor * inverse_counts(sites, label, labelled)
    return factor.clamp(*settings.clip) * labelled


def inverse_counts(sites: Sites, label: Tensor, labelled: Tensor) -> Tensor:
    """Weigh sites by the inverse of how many of their label there are in their image.

    With n sites in an image, in K labels of n_k, the weight is n / (K n_k): its mean is 1, and each
    label weighs the same in all.

    Parameters
    ----------
    sites : Sites
        N sites.
    label : Tensor, (N,) int64
        Their labels; among those that count, `NONE` is one more.
    labelled : Tensor, (N,) bool
        Those that count.

    Returns
    -------
    Tensor, (N,) float32
        Weights; 0 for those that do not count.
    """
    group, sizes = groups(sites, label, labelled)
    number = count(sites.image, sites.images, labelled)
    image_of = torch.zeros_like(group).scatter(0, group, sites.image)
    labels = count(image_of, sites.images, sizes > 0)
    share = number / labels.clamp(min=1)
    weight = share[sites.image] / sizes[group].clamp(min=1)
    return weight * labelled


def near(sites: Sites, place: Tensor, radius: float) -> Tensor:
    """Find the sites whose middle is within a radius (pixels) of a point: (N,) bool.

    `place` is as of `PointTable`.
    """
    middle = middles(sites)
    found = torch.zeros(len(sites), dtype=torch.bool, device=sites.image.device)
    for here in blocks(sites, place):
        offset = place[sites.image[here]] - middle[here, None]
        found[here] = (offset.square().sum(dim=-1) <= radius**2).any(dim=1)
    return found
