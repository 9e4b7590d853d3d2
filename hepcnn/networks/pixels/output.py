"""What networks of pixels give, and what those of dense maps have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional

from hepcnn.networks.inputs import Inputs
from hepcnn.networks.sparse.sites import Sites


class AtSites(NamedTuple):
    """Outputs at the occupied pixels or voxels of a batch of B examples of V views.

    Attributes
    ----------
    sites : Sites
        The N occupied places of all B·V images; image b·V + v is view v of example b.
    values : Tensor, (N, outputs)
        What the network gives there.
    """

    sites: Sites
    values: Tensor


def at_sites(maps: Tensor, sites: Sites) -> Tensor:
    """Read dense maps (I, C, *shape) at sites: (N, C)."""
    return maps.movedim(1, -1)[sites.image, *sites.place.unbind(1)]


def at_views(views: Tensor, sites: Sites) -> Tensor:
    """Read dense views (B, V, C, *shape) at the sites of the images b·V + v: (N, C)."""
    number = views.shape[1]
    image = sites.image // number, sites.image % number
    return views.movedim(2, -1)[*image, *sites.place.unbind(1)]


class DenseNetwork(nn.Module, ABC):
    """A network that computes maps of all pixels, each view by itself with the same weights."""

    @abstractmethod
    def maps(self, images: Tensor) -> Tensor:
        """Compute maps (I, outputs, *sides) of images (I, C, *sides)."""

    def forward(self, inputs: Inputs) -> AtSites:
        images = inputs.images.flatten(0, 1)
        sites, _ = Sites.occupied(images)
        return AtSites(sites, at_sites(self.maps(images), sites))


def padded(images: Tensor, multiple: int) -> Tensor:
    """Append empty pixels until each side is a multiple, and at least twice it.

    Where each side is divided by `multiple`, two places remain: batch normalisation needs more than
    one, even if there is one image only.
    """
    sides = [max(2, -(-side // multiple)) * multiple for side in images.shape[2:]]
    missing = [size - side for size, side in zip(sides, images.shape[2:], strict=True)]
    return functional.pad(images, [n for more in reversed(missing) for n in (0, more)])


def cropped(maps: Tensor, sides: Sequence[int]) -> Tensor:
    """Take away what `padded` has appended."""
    for axis, side in enumerate(sides, start=2):
        maps = maps.narrow(axis, 0, side)
    return maps
