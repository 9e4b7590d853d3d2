"""The weights that an event's pixels have in the loss of a training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hepcnn.config.pixel_weights import PixelWeights
from hepcnn.learning.heads.pixel_weights import pixel_weights
from hepcnn.learning.heads.site_truth import Points
from hepcnn.learning.pixel_tables import sites_of
from hepcnn.store.findings import Findings
from hepcnn.store.header import Header
from hepcnn.store.points import true_points
from hepcnn.store.shard import Images


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
    view = pixels["view"].astype(np.int64)
    sites, truth = sites_of(pixels, view, len(findings.views), findings.shape)
    points = None
    if settings.points != 1:
        found = true_points(one, header).columns
        number = {header.views.index(view): v for v, view in enumerate(findings.views)}
        own = np.isin(found["view"], list(number))
        image = np.array([number[int(v)] for v in found["view"][own]], np.int64)
        points = Points(
            torch.from_numpy(image),
            torch.from_numpy(found["place"][own].astype(np.float32)),
            torch.from_numpy(found["kind"][own].astype(np.int64)),
        ).table(sites.images)
    return pixel_weights(sites, truth, settings, points).numpy().astype(np.float64)
