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

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hepcnn.networks.sparse.kernels import mutual

#: Places looked at together, at first.
_GROUP = 64


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
        # `torch.unravel_index` copies the shape to a GPU each time, and waits for it.
        place = []
        for size in reversed(shape):
            place.append(index % size)
            index = index // size
        return cls(index, torch.stack(place[::-1], dim=1), images, shape)

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
    def pairs(self) -> Pairs:
        """Who sees whom, the site itself too, by the 3**D places of `neighbours`: on a CPU."""
        padded = tuple(size + 2 for size in self.shape)
        index = _ravel(self.place + 1, padded, self.image)
        return Pairs(*mutual(index.numpy(), np.array(_before(padded))))

    @functools.cached_property
    def coarser(self) -> Coarser:
        """The places at half the resolution, rounded up, of which any part is occupied."""
        half = tuple(-(-size // 2) for size in self.shape)
        index = _ravel(self.place >> 1, half, self.image)
        if index.is_meta:
            parents, parent = index, index
        else:
            # A GPU must be waited for, once a level: all that follows is as long as what is found.
            parents, parent = torch.unique(index, return_inverse=True)
        slot = _ravel(self.place & 1, (2,) * len(half), parent)
        return Coarser(self._at(parents, self.images, half), slot.int())

    def dense(self, values: Tensor) -> Tensor:
        """Put values (N, C) where they belong: (I, C, *shape), 0 elsewhere."""
        maps = values.new_zeros(self.images, *self.shape, values.shape[1])
        maps[self.image, *self.place.unbind(1)] = values
        return maps.movedim(-1, 1)


class Pairs(NamedTuple):
    """P pairs of sites that a convolution's matrices carry from one to the other, by place.

    Of lines few places around a site are occupied: 3 to 7 of 26 in three dimensions. Nothing else
    is multiplied.

    Attributes
    ----------
    target : array, (P,) int32
        The site that something is carried to. Of each place the targets ascend, and the sources.
    source : array, (P,) int32
        The site that it is carried from.
    starts : array, (places + 1,) int64
        Where the pairs of each place begin.
    """

    target: NDArray[np.int32]
    source: NDArray[np.int32]
    starts: NDArray[np.int64]

    @property
    def back(self) -> Pairs:
        """From where it was carried to."""
        return Pairs(self.source, self.target, self.starts)


@dataclass(frozen=True, eq=False)
class Coarser:
    """M sites at half the resolution of N others, and how the two belong together.

    Attributes
    ----------
    sites : Sites
        The M sites.
    slot : Tensor, (N,) int32
        Of each finer site: its parent times 2**D, plus which of the parent's 2**D places it is in,
        row-major.
    """

    sites: Sites
    slot: Tensor

    @property
    def places(self) -> int:
        """Of a coarser site: 2**D."""
        return 1 << len(self.sites.shape)

    @functools.cached_property
    def children(self) -> Tensor:
        """The finer site in each slot, N where there is none: (M, 2**D) int32."""
        order = torch.arange(len(self.slot), dtype=torch.int32, device=self.slot.device)
        children = order.new_full((len(self.sites) * self.places,), len(order))
        children[self.slot] = order
        return children.view(-1, self.places)

    @functools.cached_property
    def pairs(self) -> Pairs:
        """From finer sites to their parents, by place: on a CPU."""
        place, parent = self.slot % self.places, self.slot // self.places
        order = place.argsort(stable=True)
        starts = np.zeros(self.places + 1, np.int64)
        starts[1:] = place.bincount(minlength=self.places).cumsum(0).numpy()
        return Pairs(parent[order].numpy(), order.int().numpy(), starts)


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


def _ravel(place: Tensor, shape: Sequence[int], index: Tensor) -> Tensor:
    """Places (N, D) of images (N,) counted through all images of a shape, row-major."""
    for size, coordinate in zip(shape, place.unbind(-1), strict=True):
        index = index * size + coordinate
    return index
