"""The weights that an event's pixels have in the loss of a training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hepcnn.config.pixel_weights import PixelWeights
from hepcnn.detector.labels import PIXEL_CLASSES
from hepcnn.learning.heads.pixel_weights import pixel_weights
from hepcnn.learning.heads.site_truth import NONE, Points, SiteTruth
from hepcnn.networks.sparse.sites import Sites
from hepcnn.store.findings import Findings
from hepcnn.store.header import Header
from hepcnn.store.points import key_points
from hepcnn.store.shard import Images

_OTHER = PIXEL_CLASSES.index("other")


def weigh(
    pixels: Mapping[str, NDArray[Any]],
    findings: Findings,
    one: Images,
    header: Header,
    settings: PixelWeights,
) -> NDArray[np.float64]:
    """Weigh the pixels of one event.

    Parameters
    ----------
    pixels : mapping of str to ndarray, (n,)
        The event's rows of the table ``pixels`` of findings.
    findings : Findings
        Have the views and the shape.
    one : Images
        The event, and no other, as the network sees it.
    header : Header
        Of it.
    settings : PixelWeights
        Those of the training.

    Returns
    -------
    ndarray, (n,)
    """
    place = np.stack(np.unravel_index(pixels["pixel"].astype(np.int64), findings.shape), axis=1)
    sites = Sites(
        torch.from_numpy(pixels["view"].astype(np.int64)),
        torch.from_numpy(place),
        len(findings.views),
        findings.shape,
    )
    semantic = torch.from_numpy(pixels["semantic"].astype(np.int64))
    instance = torch.from_numpy(pixels["instance"].astype(np.int64))
    truth = SiteTruth(semantic.masked_fill(semantic == _OTHER, NONE), instance)
    points = None
    if settings.points != 1:
        found = key_points(one, header).columns
        number = {header.views.index(view): v for v, view in enumerate(findings.views)}
        own = np.isin(found["view"], list(number))
        image = np.array([number[int(v)] for v in found["view"][own]], np.int64)
        points = Points(
            torch.from_numpy(image),
            torch.from_numpy(found["place"][own].astype(np.float32)),
            torch.from_numpy(found["kind"][own].astype(np.int64)),
        )
    return pixel_weights(sites, truth, settings, points).numpy().astype(np.float64)
