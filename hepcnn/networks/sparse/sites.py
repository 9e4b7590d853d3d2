"""Occupied places of sparse images, and which of them are whose neighbours: the rulebook.

B. Graham, M. Engelcke, L. van der Maaten, 3D semantic segmentation with submanifold sparse
convolutional networks, arXiv:1711.10275. All layers of one resolution share one rulebook, which is
made once for a batch when the first of them asks for it. It depends on the places alone, and
nothing in it or in what uses it adds in an order that could change from run to run.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import torch
from torch import Tensor

#: Places looked at together, at first.
_GROUP = 64

#: Sites whose pairs are together: on a CPU what they carry stays in the cache.
_ROWS_CPU = 4096


@dataclass(frozen=True, eq=False)
class Sites:
    """N occupied places of a batch of images at one resolution, in D dimensions.

    They are in the order of ``nonzero()`` of the dense images: by image, then by place, the last
    coordinate fastest.

    Attributes
    ----------
    image : Tensor, (N,) int64
        The image of each, from 0.
    place : Tensor, (N, D) int64
        Its place in the image: row and column in two dimensions.
    images : int
        Images of the batch, those without sites too.
    shape : tuple of int
        D sizes of an image.
    """

    image: Tensor
    place: Tensor
    images: int
    shape: tuple[int, ...]

    @classmethod
    def occupied(cls, dense: Tensor) -> tuple[Self, Tensor]:
        """Find where any channel of images is not 0.

        On torch's device "meta", where summaries are made and values are unknown, nothing is.

        Parameters
        ----------
        dense : Tensor, (I, C, *shape)
            Images.

        Returns
        -------
        Sites
            The N places.
        Tensor, (N, C)
            What is there.
        """
        # One channel is looked at as it is: half the time of a comparison before.
        hit = functools.reduce(torch.logical_or, dense.unbind(1)).flatten()
        index = _occupied(hit) if not hit.is_meta else _none(hit)
        sites = cls._at(index, len(dense), tuple(dense.shape[2:]))
        return sites, dense.movedim(1, -1)[sites.image, *sites.place.unbind(1)]

    @classmethod
    def of_views(cls, images: Tensor) -> tuple[Self, Tensor]:
        """Find where any channel of views is not 0.

        Batches lie in memory view after view; they are looked at as they lie, and never copied.

        Parameters
        ----------
        images : Tensor, (B, V, C, *shape)
            View v of example b is image b·V + v.

        Returns
        -------
        Sites, Tensor
            As of `occupied`.
        """
        examples, views = images.shape[:2]
        found, values = cls.occupied(images.transpose(0, 1).flatten(0, 1))
        image = found.image % examples * views + found.image // examples
        order = image.argsort(stable=True)
        return cls(image[order], found.place[order], found.images, found.shape), values[order]

    @classmethod
    def merged(
        cls, image: Tensor, place: Tensor, images: int, shape: tuple[int, ...]
    ) -> tuple[Self, Tensor]:
        """Find the places that are there, some of them more than once.

        Parameters
        ----------
        image : Tensor, (P,) int64
            The image of each place.
        place : Tensor, (P, D) int64
            The places, in any order.
        images : int
            Number of images.
        shape : tuple of int
            Of an image.

        Returns
        -------
        Sites
            The N places, each once.
        Tensor, (P,) int64
            Which of them each was.
        """
        index, slot = torch.unique(_ravel(place, shape, image), return_inverse=True)
        return cls._at(index, images, shape), slot

    @classmethod
    def _at(cls, index: Tensor, images: int, shape: tuple[int, ...]) -> Self:
        """Sites from places counted through all images."""
        image, *place = torch.unravel_index(index, (images, *shape))
        return cls(image.contiguous(), torch.stack(place, dim=1), images, shape)

    def __len__(self) -> int:
        return len(self.image)

    @functools.cached_property
    def counts(self) -> Tensor:
        """Number of sites of each image: (I,) int64."""
        images = torch.arange(self.images + 1, device=self.image.device)
        return torch.searchsorted(self.image, images).diff()

    @functools.cached_property
    def neighbours(self) -> Tensor:
        """The sites around each: (N, 3**D) int32, N where there is none.

        Row-major by the offset from −1 to 1 along each dimension, so that the site itself is in the
        middle, and the site at place k of another has that one at place 3**D − 1 − k.

        The sites are in order, so that of each row of places around one a single search finds all
        three; and who is the neighbour of whom is mutual, so that half of the rows are enough.
        """
        padded = tuple(size + 2 for size in self.shape)
        index = _ravel(self.place + 1, padded, self.image)
        order = torch.arange(len(self), dtype=torch.int32, device=index.device)
        before = []
        for slot, shift in enumerate(_before(padded)):
            wanted = index + shift
            if slot % 3 == 0:
                first = torch.searchsorted(index, wanted, out_int32=True)
            # An empty border is about each image: what is one further in order is not beside it.
            near = first.clamp(max=max(len(self) - 1, 0))
            found = index[near] == wanted
            before.append(torch.where(found, near, len(self)))
            first = first + found
        ahead = torch.stack(before, dim=1)
        behind = order.new_full((len(self) + 1, len(before)), len(self))
        # Where there is none, the last row is written, and left out.
        behind.scatter_(0, ahead.long(), order[:, None].expand_as(ahead))
        return torch.cat([ahead, order[:, None], behind[:-1].flip(1)], dim=1)

    @functools.cached_property
    def pairs(self) -> list[Pairs]:
        """Who sees whom, sorted by the place where: block by block of sites."""
        rows = _ROWS_CPU if self.image.device.type == "cpu" else max(len(self), 1)
        starts = range(0, len(self), rows)
        return [_paired(self.neighbours, slice(start, start + rows)) for start in starts]

    @functools.cached_property
    def coarser(self) -> Coarser:
        """The places at half the resolution, rounded up, of which any part is occupied."""
        half = tuple(-(-size // 2) for size in self.shape)
        index = _ravel(self.place >> 1, half, self.image)
        if index.is_meta:
            parents, parent = index, index
        else:
            parents, parent = torch.unique(index, return_inverse=True)
        slot = _ravel(self.place & 1, (2,) * len(half), parent)
        order = torch.arange(len(self), dtype=torch.int32, device=index.device)
        children = order.new_full((len(parents) << len(half),), len(self))
        children[slot] = order
        return Coarser(self._at(parents, self.images, half), slot.int(), children)

    def dense(self, values: Tensor) -> Tensor:
        """Put values (N, C) where they belong: (I, C, *shape), 0 elsewhere."""
        maps = values.new_zeros(self.images, *self.shape, values.shape[1])
        maps[self.image, *self.place.unbind(1)] = values
        return maps.movedim(-1, 1)


class Pairs(NamedTuple):
    """P pairs of R sites in a row and the neighbours of each, and how products of pairs are added.

    A site itself is not among its neighbours. Of lines few places around a site are occupied: 3 to
    7 of 26 in three dimensions. Pairs by place are multiplied by one matrix each, and nothing else
    is.

    Attributes
    ----------
    rows : slice
        Which sites they are.
    site : Tensor, (P,) int32
        The site, counted from the first of the rows.
    neighbour : Tensor, (P,) int32
        Its neighbour, of all sites.
    counts : list of int
        Pairs of each of 3**D places, in the order of `Sites.neighbours`; none in the middle.
    order : Tensor, (R + P,) int32
        Site by site what is to be added, of R products of sites themselves and then P of pairs.
    starts : Tensor, (R,) int32
        Where each site's begin in the order.
    """

    rows: slice
    site: Tensor
    neighbour: Tensor
    counts: list[int]
    order: Tensor
    starts: Tensor


class Coarser(NamedTuple):
    """M sites at half the resolution of N others, and how the two belong together.

    Attributes
    ----------
    sites : Sites
        The M sites.
    slot : Tensor, (N,) int32
        Of each finer site: its parent times 2**D, plus which of the parent's 2**D places it is in,
        row-major.
    children : Tensor, (M·2**D,) int32
        The finer site in each slot, N where there is none.
    """

    sites: Sites
    slot: Tensor
    children: Tensor


class SparseMaps(NamedTuple):
    """Values (N, C) at sites: what sparse layers hand on, as dense ones do (I, C, *shape)."""

    values: Tensor
    sites: Sites

    @property
    def shape(self) -> tuple[int, ...]:
        """That of `dense`."""
        return (self.sites.images, self.values.shape[1], *self.sites.shape)

    def dense(self) -> Tensor:
        """Make dense maps of them: (I, C, *shape)."""
        return self.sites.dense(self.values)


def _paired(neighbours: Tensor, rows: slice) -> Pairs:
    """Pairs of some rows of `Sites.neighbours`."""
    table = neighbours[rows].t().contiguous()
    places, sites = table.shape
    middle = places // 2
    some = table < len(neighbours)
    some[middle] = False
    which = some.flatten().nonzero().squeeze(1)
    counts: list[int] = some.sum(1).tolist()

    product = (some.flatten().cumsum(0, dtype=torch.int32) + (sites - 1)).view(places, sites)
    product[middle] = torch.arange(sites, device=table.device)
    some[middle] = True
    ends = some.sum(0).cumsum(0)
    return Pairs(
        rows=rows,
        site=(which % sites).int(),
        neighbour=table.flatten()[which],
        counts=counts,
        order=product.t()[some.t()],
        starts=(ends - some.sum(0)).int(),
    )


def _before(shape: Sequence[int]) -> list[int]:
    """How far before each place of a shape those around it are, of the half that is before it."""
    around = itertools.product((-1, 0, 1), repeat=len(shape))
    shifts = [sum(math.prod(shape[d + 1 :]) * o for d, o in enumerate(offset)) for offset in around]
    return shifts[: len(shifts) // 2]


def _occupied(hit: Tensor) -> Tensor:
    """Where a flat tensor, of which nearly all is 0, is not 0.

    On a CPU groups are looked at first, and into those where something is: a third of the time.
    """
    if hit.device.type != "cpu":
        return hit.nonzero().squeeze(1)
    whole = len(hit) // _GROUP * _GROUP
    groups = hit[:whole].view(-1, _GROUP)
    # Of bytes one pass finds the largest, whatever the numbers' signs and types.
    busy = groups.view(torch.uint8).amax(dim=1).nonzero().squeeze(1)
    group, place = groups[busy].nonzero().unbind(1)
    rest = whole + hit[whole:].nonzero().squeeze(1)
    return torch.cat([busy[group] * _GROUP + place, rest])


def _none(like: Tensor) -> Tensor:
    return like.new_empty(0, dtype=torch.int64)


def _ravel(place: Tensor, shape: Sequence[int], image: Tensor | int = 0) -> Tensor:
    """Places (…, D) counted through all images of a shape, row-major."""
    index = torch.as_tensor(image, device=place.device)
    for size, coordinate in zip(shape, place.unbind(-1), strict=True):
        index = index * size + coordinate
    return index
