"""What is true at the occupied pixels of a batch, and where its key points are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple, Self

import torch
from torch import Tensor

from hepcnn.detector.labels import PIXEL_CLASSES
from hepcnn.networks.pixels.output import at_views
from hepcnn.networks.sparse.sites import Sites

#: The class, or particle, of a pixel that has none.
NONE = -1


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


def middles(sites: Sites) -> Tensor:
    """The middle of each site: (N, D) float32."""
    return sites.place + 0.5


def offsets(sites: Sites, points: Points) -> Iterator[tuple[slice, Tensor]]:
    """Go through the images that have both sites and points.

    Yields
    ------
    slice
        The image's n sites.
    Tensor, (n, p, D)
        From the middle of each to each of the image's p points.
    """
    order = points.image.argsort(stable=True)
    numbers = torch.bincount(points.image, minlength=sites.images).tolist()
    places, middle = points.place[order].split(numbers), middles(sites)
    first = 0
    for n, place in zip(sites.counts.tolist(), places, strict=True):
        here = slice(first, first + n)
        if n and len(place):
            yield here, place - middle[here, None]
        first += n


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
        Labels, at least `NONE`, which is a label too.
    counted : Tensor, (N,) bool
        Those that count.

    Returns
    -------
    group : Tensor, (N,) int64
        Number of each site's group: image · L + label − `NONE`.
    sizes : Tensor, (I, L) int64
        How many sites that count each has.
    """
    labels = int(label.max()) - NONE + 1 if len(label) else 1
    group = sites.image * labels + label - NONE
    sizes = torch.bincount(group[counted], minlength=sites.images * labels)
    return group, sizes.view(sites.images, labels)
