"""From tables of pixels, as findings have them, to sites and what is true there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hepcnn.detector.labels import PIXEL_CLASSES
from hepcnn.learning.heads.site_truth import NONE, SiteTruth
from hepcnn.networks.sparse.sites import Sites


def sites_of(
    pixels: Mapping[str, NDArray[Any]],
    image: NDArray[np.int64],
    images: int,
    shape: tuple[int, ...],
) -> tuple[Sites, SiteTruth]:
    """Make the sites of some rows of a table of pixels, and their truth.

    Parameters
    ----------
    pixels : mapping of str to ndarray, (n,)
        ``pixel``, ``semantic`` and ``instance``.
    image : int64 array, (n,)
        The image of each, rising.
    images : int
        How many there are.
    shape : tuple of int
        Of an image.
    """
    place = np.stack(np.unravel_index(pixels["pixel"].astype(np.int64), shape), axis=1)
    semantic = torch.from_numpy(pixels["semantic"].astype(np.int64))
    semantic = semantic.masked_fill(semantic == PIXEL_CLASSES.index("other"), NONE)
    instance = torch.from_numpy(pixels["instance"].astype(np.int64))
    sites = Sites(torch.from_numpy(image), torch.from_numpy(place), images, shape)
    return sites, SiteTruth(semantic, instance)
