"""What is true at the occupied pixels of a batch, and where its key points are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple, Self

import torch
from torch import Tensor

from hepcnn.detector.labels import PIXEL_CLASSES
from hepcnn.learning.heads.counting import count
from hepcnn.networks.pixels.output import at_views
from hepcnn.networks.sparse.sites import Sites

#: The class, or particle, of a pixel that has none.
NONE = -1

#: Numbers of places of points that are looked at together, beside as many sites as have them.
_NUMBERS = 1 << 20


class SiteTruth(NamedTuple):
    """Truth at N sites.

    Attributes
    ----------
    semantic : Tensor, (N,) int64
        Index into `PIXEL_CLASSES`; `NONE`: no known particle, so "other" too.
    instance : Tensor, (N,) int64
        Particle; `NONE`: nobody.
    """

    semantic: Tensor
    instance: Tensor

    @classmethod
    def at(cls, sites: Sites, truth: Tensor) -> Self:
        """Take it at sites.

        Parameters
        ----------
        sites : Sites
            The sites of the images b·V + v.
        truth : Tensor, (B, V, 2, *shape) or (N, 2)
            Class and particle of each pixel, plus 1; 0 where there is none. Or of each site, as a
            batch of sites has them.
        """
        found = truth if truth.ndim == 2 else at_views(truth, sites).long() - 1
        semantic, instance = found.unbind(1)
        other = semantic == PIXEL_CLASSES.index("other")
        return cls(semantic.masked_fill(other, NONE), instance)

    def columns(self) -> dict[str, Tensor]:
        """As they are stored: ``semantic`` uint8, "other" for `NONE`; ``instance`` int16."""
        other = PIXEL_CLASSES.index("other")
        semantic = self.semantic.masked_fill(self.semantic == NONE, other)
        return {"semantic": semantic.to(torch.uint8), "instance": self.instance.to(torch.int16)}


class Points(NamedTuple):
    """P key points of a batch.

    Attributes
    ----------
    image : Tensor, (P,) int64
        The image b·V + v of each.
    place : Tensor, (P, D)
        Where it is, in pixels from the image's corner; it need not lie inside.
    kind : Tensor, (P,) int64
        Index into `hepcnn.detector.labels.POINTS`.
    """

    image: Tensor
    place: Tensor
    kind: Tensor

    @classmethod
    def of(cls, batch: Mapping[str, Tensor]) -> Self:
        """Take them from a batch: ``points`` (P, 3 + D), ``images`` (B, V, C, *shape)."""
        points, views = batch["points"], batch["images"].shape[1]
        image = points[:, 0].long() * views + points[:, 1].long()
        return cls(image, points[:, 2:-1], points[:, -1].long())

    def only(self, chosen: Tensor) -> Points:
        """Some of them: a mask (P,)."""
        return Points(*(column[chosen] for column in self))

    def table(self, images: int) -> PointTable:
        """Tabulate them by image, in their order.

        A GPU is waited for here, once, to know the number of columns.
        """
        order = self.image.argsort(stable=True)
        image = self.image[order]
        first = torch.searchsorted(image, torch.arange(images + 1, device=image.device))
        columns = max(int(first.diff().max()), 1)
        slot = torch.arange(len(image), device=image.device) - first[image]
        place = self.place.new_full((images, columns, self.place.shape[1]), torch.inf)
        kind = self.kind.new_full((images, columns), NONE)
        place[image, slot], kind[image, slot] = self.place[order], self.kind[order]
        return PointTable(place, kind)


class PointTable(NamedTuple):
    """Key points of I images, at most K of an image.

    Attributes
    ----------
    place : Tensor, (I, K, D)
        As of `Points`. Where an image has fewer points it is infinite: no site is near.
    kind : Tensor, (I, K) int64
        As of `Points`; `NONE` where there is no point.
    """

    place: Tensor
    kind: Tensor

    def places(self, kind: int) -> Tensor:
        """The places of one kind alone: (I, K, D), infinite for all others."""
        return self.place.masked_fill((self.kind != kind)[:, :, None], torch.inf)


def middles(sites: Sites) -> Tensor:
    """The middle of each site: (N, D) float32."""
    return sites.place + 0.5


def blocks(sites: Sites, place: Tensor) -> Iterator[slice]:
    """Go through sites in parts, so that what is made of each and its image's points stays small.

    `place` is as of `PointTable`.
    """
    rows = max(_NUMBERS // place[0].numel(), 1)
    return (slice(first, first + rows) for first in range(0, len(sites), rows))


def boundary(sites: Sites, *labels: Tensor) -> Tensor:
    """Find the sites that touch one of another label, also by a corner.

    Parameters
    ----------
    sites : Sites
        N sites.
    *labels : Tensor, (N,) int64
        Their labels; sites with `NONE` in the first, such as noise, bound nothing, and are not
        bounded.

    Returns
    -------
    Tensor, (N,) bool
        Whether any of the labels differs from a neighbour's.
    """
    around = sites.neighbours.long()
    known = labels[0] != NONE
    there = torch.cat([known, known.new_zeros(1)])[around]
    differs = torch.zeros_like(there)
    for label in labels:
        differs |= torch.cat([label, label.new_zeros(1)])[around] != label[:, None]
    return known & (there & differs).any(dim=1)


def groups(sites: Sites, label: Tensor, counted: Tensor) -> tuple[Tensor, Tensor]:
    """Number the groups of sites of one image and one label, and count them.

    Parameters
    ----------
    sites : Sites
        N sites.
    label : Tensor, (N,) int64
        Labels from `NONE`, which is a label too, to less than 2**31.
    counted : Tensor, (N,) bool
        Those that count.

    Returns
    -------
    group : Tensor, (N,) int64
        Number of each site's group, from 0, by image and label.
    sizes : Tensor, (N,) int64
        How many sites that count each group has; there are no more groups than sites.
    """
    # By sorting: how many groups there are a GPU need not tell.
    key, order = ((sites.image << 32) + (label - NONE)).sort()
    begins = torch.ones_like(key, dtype=torch.bool)
    begins[1:] = key[1:] != key[:-1]
    group = torch.empty_like(order).scatter(0, order, begins.cumsum(0) - 1)
    return group, count(group, len(group), counted)
