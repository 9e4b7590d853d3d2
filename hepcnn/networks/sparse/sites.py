"""Occupied places of sparse images, and which of them are whose neighbours: the rulebook.

B. Graham, M. Engelcke, L. van der Maaten, 3D semantic segmentation with submanifold sparse
convolutional networks, arXiv:1711.10275. All layers of one resolution share one rulebook, which is
made once for a batch when the first of them asks for it. It depends on the places alone, and
nothing in it or in what uses it adds in an order that could change from run to run.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import torch
from torch import Tensor


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
        index = hit.nonzero().squeeze(1) if not hit.is_meta else _none(hit)
        sites = cls._at(index, len(dense), tuple(dense.shape[2:]))
        return sites, dense.movedim(1, -1)[sites.image, *sites.place.unbind(1)]

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

        Looked up in a table of all places, with an empty border around each image: for wire planes
        that takes a quarter of the time of a binary search among the sites, for 128³ voxels about
        the same. The table is as large as a channel of the dense images, and is gone afterwards.
        """
        padded = tuple(size + 2 for size in self.shape)
        index = _ravel(self.place + 1, padded, self.image)
        order = torch.arange(len(self), dtype=torch.int32, device=index.device)
        table = order.new_full((self.images * math.prod(padded),), len(self))
        table[index] = order
        step = torch.arange(-1, 2, device=index.device)
        offsets = torch.cartesian_prod(*[step] * len(padded)).view(-1, len(padded))
        around = index[:, None] + _ravel(offsets, padded)
        return table.index_select(0, around.flatten()).view_as(around)

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


def _none(like: Tensor) -> Tensor:
    return like.new_empty(0, dtype=torch.int64)


def _ravel(place: Tensor, shape: Sequence[int], image: Tensor | int = 0) -> Tensor:
    """Places (…, D) counted through all images of a shape, row-major."""
    index = torch.as_tensor(image, device=place.device)
    for size, coordinate in zip(shape, place.unbind(-1), strict=True):
        index = index * size + coordinate
    return index
