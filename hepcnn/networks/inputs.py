"""What a network is given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor

from hepcnn.networks.registry import Shape
from hepcnn.networks.sparse.sites import Sites, SparseMaps


class SparseViews(NamedTuple):
    """The images of B examples of V views in D dimensions by their N occupied places.

    Attributes
    ----------
    image : Tensor, (N,) int64
        The image of each: view v of example b is image b·V + v.
    place : Tensor, (N, D) int64
        Its place in the image. Places are in the order of ``nonzero()`` of the dense images.
    value : Tensor, (N, C)
        What is there; not 0 in every channel.
    extent : sequence of int
        B, V and the D lengths of an image.
    """

    image: Tensor
    place: Tensor
    value: Tensor
    extent: tuple[int, ...]

    @classmethod
    def of(cls, images: Tensor | SparseViews) -> SparseViews:
        """Find where any channel of images (B, V, C, *shape) is not 0, if they are dense."""
        if isinstance(images, SparseViews):
            return images
        sites, value = Sites.of_views(images)
        return cls(sites.image, sites.place, value, (*images.shape[:2], *sites.shape))

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the dense images: (B, V, C, *shape)."""
        examples, views, *sides = self.extent
        return (examples, views, self.value.shape[1], *sides)

    @property
    def device(self) -> torch.device:
        """Where it is."""
        return self.value.device

    def to(self, device: torch.device | str, non_blocking: bool = False) -> SparseViews:
        """Copy it to a device."""
        image, place, value = (part.to(device, non_blocking=non_blocking) for part in self[:3])
        return SparseViews(image, place, value, self.extent)

    def maps(self) -> SparseMaps:
        """Give the values at the sites of all B·V images."""
        examples, views, *sides = self.extent
        return SparseMaps(self.value, Sites(self.image, self.place, examples * views, tuple(sides)))

    def view(self, number: int) -> SparseMaps:
        """Give the values at the sites of one view of the B examples."""
        examples, views, *sides = self.extent
        # Their number must be waited for on a GPU: once, where a mask would be counted by each use.
        own = (self.image % views == number).nonzero().squeeze(1)
        sites = Sites(self.image[own] // views, self.place[own], examples, tuple(sides))
        return SparseMaps(self.value[own], sites)

    def folded(self) -> SparseMaps:
        """Fold the views into channels: B images of V·C of them."""
        examples, views, *sides = self.extent
        if views == 1:
            return self.maps()
        sites, slot = Sites.merged(self.image // views, self.place, examples, tuple(sides))
        value = self.value.new_zeros(len(sites), views, self.value.shape[1])
        value[slot, self.image % views] = self.value
        return SparseMaps(value.flatten(1), sites)


class Inputs(NamedTuple):
    """A batch of B examples, as every network takes it.

    Attributes
    ----------
    images : Tensor, (B, V, C, H, W) or (B, V, C, X, Y, Z), or SparseViews
        V views of C channels. Networks of sparse convolutions take both, the others dense images.
    features : Tensor, (B, F)
        Numbers beside the images, standardised.
    expected : Tensor, (B, V, K, 2)
        For each of K hypotheses: the position along the image's height, in rows from its edge,
        where light is expected (below 0: none), and the expected number of photons.
    log_likelihood : Tensor, (B, L, K)
        What each of L likelihoods of the analytic reconstruction says of each hypothesis: its
        logarithm, less that of one of them. The last one takes most into account.
    """

    images: Any  # Tensor | SparseViews: which of them, a network knows by its kind
    features: Tensor
    expected: Tensor
    log_likelihood: Tensor

    @classmethod
    def of(cls, batch: Mapping[str, Any]) -> Self:
        """Take them from a batch."""
        return cls(*(batch[name] for name in cls._fields))

    @classmethod
    def alone(cls, images: Tensor | SparseViews) -> Self:
        """Images (B, V, ...) with nothing beside them."""
        batch, views = images.shape[:2]
        beside = ((batch, 0), (batch, views, 0, 2), (batch, 0, 0))
        return cls(images, *(torch.zeros(shape, device=images.device) for shape in beside))

    @classmethod
    def zeros(cls, shape: Shape, batch: int = 1) -> Self:
        """Make examples with nothing in them."""
        return cls(
            torch.zeros(batch, shape.views, shape.channels, *shape.sides),
            torch.zeros(batch, shape.features),
            torch.zeros(batch, shape.views, shape.hypotheses, 2),
            torch.zeros(batch, shape.likelihoods, shape.hypotheses),
        )
