"""Key points, the vertex among them: heat maps on sites, and from each site the way to the point.

The heat maps are trained as those of CornerNet, H. Law, J. Deng, arXiv:1808.01244, eq. 1, the
offsets as in CenterNet, X. Zhou et al., arXiv:1904.07850; here in sparse images, where the point
itself may lie on no site.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from hepcnn.detector.labels import POINTS
from hepcnn.learning.heads.counting import count
from hepcnn.learning.heads.peaks import find_peaks
from hepcnn.learning.heads.site_truth import Points, blocks, middles
from hepcnn.networks.inputs import Inputs
from hepcnn.networks.pixels.output import AtSites
from hepcnn.networks.sparse.sites import Sites

#: Exponents of the loss of heat maps: α on the score's error, β on the distance from a point.
_FOCUS, _RELIEF = 2, 4
#: Score of a network whose output is 0. Nearly no site is a point; were it 1/2, the first steps
#: would be spent on that alone (T.-Y. Lin et al., arXiv:1708.02002, section 4.1).
_PRIOR = 0.01


class Targets(NamedTuple):
    """What N sites should say of one kind of points.

    Attributes
    ----------
    heat : Tensor, (N,)
        Gaussian of the distance to a point, scaled to be 1 at the point's nearest site.
    offset : Tensor, (N, D)
        From the site's middle to the point for which it is hottest (pixels); 0: no point.
    near : Tensor, (N,) bool
        Whether that point is within the radius.
    """

    heat: Tensor
    offset: Tensor
    near: Tensor


def point_targets(sites: Sites, place: Tensor, sigma: float, radius: float) -> Targets:
    """Make the targets of N sites from points of one kind.

    Parameters
    ----------
    sites : Sites
        N sites of I images.
    place : Tensor, (I, K, D)
        Places of the points, as of `PointTable`; those with no site within the radius are left out.
    sigma : float
        Width of the Gaussian (pixels).
    radius : float
        How far a site may be from a point to tell where it is (pixels).

    Notes
    -----
    With d the distance of a site, d0 that of the nearest one, the heat is
    exp(−(d² − d0²) / 2σ²): of a point beside all sites, as where a neutral particle began, the
    nearest ones get the heat that those around a point on a track have.
    """
    middle = middles(sites)
    nearest = place.new_full(place.shape[:2], torch.inf)
    for here in blocks(sites, place):
        image = sites.image[here]
        squared = (place[image] - middle[here, None]).square().sum(dim=-1)
        nearest.scatter_reduce_(0, image[:, None].expand_as(squared), squared, "amin")
    excess, found = place.new_empty(len(sites)), place.new_empty(middle.shape)
    for here in blocks(sites, place):
        image = sites.image[here]
        offset = place[image] - middle[here, None]
        beyond = offset.square().sum(dim=-1) - nearest[image]
        beyond = beyond.masked_fill(nearest[image] > radius**2, torch.inf)
        least, which = beyond.min(dim=1)
        excess[here] = least
        chosen = offset.take_along_dim(which[:, None, None], dim=1).squeeze(1)
        found[here] = chosen.masked_fill(least.isinf()[:, None], 0)
    near = excess.isfinite() & (found.square().sum(dim=1) <= radius**2)
    return Targets(torch.exp(-excess / (2 * sigma**2)), found, near)


def heat_loss(logit: Tensor, heat: Tensor) -> Tensor:
    """Give the sum over sites of CornerNet's loss (eq. 1, without its 1/N); heat 1 is a point."""
    score = logit.sigmoid()
    point = (1 - score) ** _FOCUS * functional.logsigmoid(logit)
    other = (1 - heat) ** _RELIEF * score**_FOCUS * functional.logsigmoid(-logit)
    return -torch.where(heat == 1, point, other).sum()


class PointHead:
    """Key points of some kinds, in D dimensions.

    The K·(1 + D) outputs are, kind by kind: the score's logit, from that of a score of 0.01; and
    the offset from the site's middle to the point (pixels).

    The vertex is one kind. In its image are more tracks than those that begin there: cosmic muons
    of the same readout, whose sites are trained to be cold.

    Parameters
    ----------
    kinds : sequence of str
        Names, of `POINTS`.
    sigma : float
        Width of the heat about a point (pixels). Points found are at least twice as far apart.
    radius : float
        How far from a point sites can tell where it is (pixels); a point with no site so near is
        not trained on.
    dimensions : int
        2, of voxels 3.
    """

    truth: tuple[str, ...] = ()
    wants_points = True

    def __init__(
        self, kinds: Sequence[str], sigma: float = 2.0, radius: float = 8.0, dimensions: int = 2
    ) -> None:
        self.kinds = tuple(kinds)
        self.sigma, self.radius, self.dimensions = sigma, radius, dimensions
        self.outputs = len(self.kinds) * (1 + dimensions)
        self.reset()

    def reset(self, device: torch.device | str = "cpu") -> None:
        """Forget all batches: an epoch begins, on a device."""
        #: By kind (row): loss of the heat, points; loss of the offsets, distances, sites near
        #: points; images with points whose best site votes for one, images with points.
        self._sums = torch.zeros(len(self.kinds), 7, dtype=torch.float64, device=device)

    def loss(self, network: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        """Give the loss of a batch and count it in the metrics.

        The heat's is per point, the offset's per site within the radius of a point; both are summed
        over the kinds.

        Parameters
        ----------
        network : nn.Module
            From `Inputs` to `AtSites`.
        batch : dict of Tensors
            ``points``, beside what the network takes.
        """
        sites, logits, ways = self._run(network, batch)
        points = Points.of(batch).table(sites.images)
        losses = []
        for k, name in enumerate(self.kinds):
            kind = POINTS.index(name)
            target = point_targets(sites, points.places(kind), self.sigma, self.radius)
            logit, way = logits[:, k], ways[:, k]
            heat = heat_loss(logit, target.heat)
            errors = functional.smooth_l1_loss(way, target.offset, reduction="none").sum(dim=1)
            offset = (errors * target.near).sum()
            own, near = points.kind == kind, target.near.sum()
            with torch.no_grad():
                distance = (way - target.offset).norm(dim=1)
                right = _best_are(sites, logit, target.near & (distance <= self.sigma))
                present = own.any(dim=1)
                sums = [
                    heat, own.sum(), offset, (distance * target.near).sum(), near,
                    (right & present).sum(), present.sum(),
                ]  # fmt: skip
                self._sums[k] += torch.stack([value.double() for value in sums])
            losses.append(heat / own.sum().clamp(min=1) + offset / near.clamp(min=1))
        return torch.stack(losses).sum()

    def metrics(self, total: Callable[[Tensor], Tensor] = lambda mine: mine) -> dict[str, float]:
        """Give the metrics of all batches since `reset`.

        Parameters
        ----------
        total : callable
            Sums a tensor over the processes of a training.

        Returns
        -------
        dict
            ``loss``: that of the batches, with the points and sites of all. NaN without any point:
            ``distance``: mean of a vote from the point, of the sites near points (pixels);
            ``accuracy``: the part of the images with points of a kind in which the site with the
            highest score votes for one of them, within sigma.
        """
        sums = total(self._sums.clone()).cpu()
        heat, points, offset, distance, near, right, present = sums.unbind(1)
        loss = heat / points.clamp(min=1) + offset / near.clamp(min=1)
        return {
            "loss": float(loss.sum()),
            "distance": float(distance.sum() / near.sum()),
            "accuracy": float(right.sum() / present.sum()),
        }

    @torch.no_grad()
    def predict(
        self, network: nn.Module, batch: dict[str, Tensor], lowest: float = 0.02
    ) -> dict[str, NDArray[Any]]:
        """Find points; no truth is needed.

        Parameters
        ----------
        network : nn.Module
            From `Inputs` to `AtSites`.
        batch : dict of Tensors
            What the network takes.
        lowest : float
            The least score of a point, above 0.

        Returns
        -------
        dict of arrays (M, ...)
            M points by kind, image and falling score: ``image`` int64, b·V + v; ``kind`` uint8 into
            `POINTS`; ``place`` float32 (M, D), pixels from the image's corner, may lie outside;
            ``score`` float32, 0 to 1.
        """
        sites, logits, ways = self._run(network, batch)
        votes = middles(sites)[:, None] + ways
        found: list[dict[str, NDArray[Any]]] = []
        for k, name in enumerate(self.kinds):
            peaks = find_peaks(sites, logits[:, k], votes[:, k], lowest, 2 * self.sigma)
            kind = np.full(len(peaks.image), POINTS.index(name), np.uint8)
            found.append({**peaks._asdict(), "kind": kind})
        return {name: np.concatenate([part[name] for part in found]) for name in found[0]}

    def _run(self, network: nn.Module, batch: dict[str, Tensor]) -> tuple[Sites, Tensor, Tensor]:
        """The network's sites, its logits (N, K), its offsets (N, K, D)."""
        output: AtSites = network(Inputs.of(batch))
        values = output.values.float().unflatten(1, (len(self.kinds), 1 + self.dimensions))
        return output.sites, values[:, :, 0] + math.log(_PRIOR / (1 - _PRIOR)), values[:, :, 1:]


def _best_are(sites: Sites, logit: Tensor, chosen: Tensor) -> Tensor:
    """Whether a chosen site has the highest logit of its image: (I,) bool."""
    best = logit.new_full((sites.images,), -torch.inf)
    best = best.scatter_reduce(0, sites.image, logit, "amax")
    right = chosen & (logit == best[sites.image])
    return count(sites.image, sites.images, right) > 0
