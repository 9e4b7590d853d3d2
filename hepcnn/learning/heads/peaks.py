"""Points from maps of scores on sites, in which each site also says where the point is."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from hepcnn.networks.sparse.sites import Sites


class Peaks(NamedTuple):
    """M points found, by image, and in an image from the highest score down.

    Attributes
    ----------
    image : ndarray (M,) int64
        The image of each.
    place : ndarray (M, D) float32
        Where it is, in pixels from the image's corner.
    score : ndarray (M,) float32
        Its score.
    """

    image: NDArray[np.int64]
    place: NDArray[np.float32]
    score: NDArray[np.float32]


def find_peaks(
    sites: Sites, logit: Tensor, vote: Tensor, lowest: float, separation: float
) -> Peaks:
    """Find points: the votes of the sites with the highest scores around.

    A point's place is the mean of its site's vote and of those of the site's neighbours that vote
    for about the same place, weighted with their scores.

    Parameters
    ----------
    sites : Sites
        N sites.
    logit : Tensor, (N,)
        Logits of the scores.
    vote : Tensor, (N, D)
        Where each site says that the point is, in pixels from the image's corner.
    lowest : float
        The least score of a point, above 0.
    separation : float
        Of points within this distance (pixels) only the one with the highest score remains; votes
        that differ by no more than half of it are for the same place.
    """
    logit = logit.float()
    peak = local_maxima(sites, logit)
    score = logit.sigmoid()
    chosen = (peak & (score >= lowest)).nonzero().squeeze(1)
    around = sites.neighbours[chosen].long()
    none = vote.new_zeros(1, vote.shape[1])
    votes = torch.cat([vote, none])[around].double()
    same = (votes - vote[chosen, None]).norm(dim=-1) <= separation / 2
    weight = torch.cat([score, score.new_zeros(1)])[around].double() * same
    place = (weight[..., None] * votes).sum(dim=1) / weight.sum(dim=1, keepdim=True)
    columns = (sites.image[chosen], place, score[chosen], logit[chosen])
    images, places, scores, heights = (column.cpu().numpy() for column in columns)
    order = np.lexsort((-heights, images))
    kept = order[_separate(images[order], places[order], separation)]
    return Peaks(images[kept], places[kept].astype(np.float32), scores[kept])


def local_maxima(sites: Sites, height: Tensor) -> Tensor:
    """Find the sites (N,) bool that no neighbour is higher than; of equal ones, the first."""
    around = sites.neighbours.long()
    there = torch.cat([height, height.new_full((1,), -torch.inf)])[around]
    earlier = around < torch.arange(len(sites), device=around.device)[:, None]
    higher = (there > height[:, None]) | ((there == height[:, None]) & earlier)
    return ~higher.any(dim=1)


@njit(cache=True, nogil=True)
def _separate(image, place, separation):  # type: ignore[no-untyped-def]
    """Which places (M, D), the best of each image first, are apart from all better ones."""
    kept = np.empty(len(image), np.int64)
    n, first = 0, 0
    for k in range(len(image)):
        if n and image[kept[n - 1]] != image[k]:
            first = n
        alone = True
        for other in kept[first:n]:
            distance = 0.0
            for d in range(place.shape[1]):
                distance += (place[k, d] - place[other, d]) ** 2
            if distance <= separation**2:
                alone = False
                break
        if alone:
            kept[n] = k
            n += 1
    return kept[:n]
