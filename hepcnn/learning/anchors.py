"""Anchors of a network of regions, fitted to what it is trained to find."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from hepcnn.learning.heads.detection import DetectorHead
from hepcnn.learning.training_data import TrainingData
from hepcnn.networks import registry
from hepcnn.networks.detectors.anchors import fit_anchors
from hepcnn.progress import note

#: Training examples whose boxes are looked at, at most.
EXAMPLES = 512
#: Sizes and ratios fitted, at most: as many sizes as the levels of the usual pyramid.
SIZES, RATIOS = 4, 3
_NAMES = ("anchors", "ratios")


def with_anchors(
    data: TrainingData, architecture: str, options: Mapping[str, Any]
) -> dict[str, Any]:
    """Add to a network's options the anchors that it takes and that were not chosen.

    Parameters
    ----------
    data : TrainingData
        The examples; their true boxes are those of the head.
    architecture : str
        Name of the network.
    options : mapping
        Those chosen.

    Returns
    -------
    dict
        All options. Where the training examples have no box, the network's own anchors stand.
    """
    head = data.heads[0]
    open_to = registry.options(architecture)
    missing = [name for name in _NAMES if name in open_to and name not in options]
    if not isinstance(head, DetectorHead) or not missing:
        return dict(options)
    some = data.train[np.linspace(0, len(data.train), EXAMPLES, endpoint=False, dtype=np.int64)]
    batches = data.preprocessing.dataset(
        data.images, np.unique(some), 16, target=None, truth=head.truth, points=head.wants_points,
        memory=0,
    )  # fmt: skip
    boxes = torch.cat([own["boxes"] for batch in batches for own in head.targets(batch)])
    if not len(boxes):
        return dict(options)
    fitted = dict(zip(_NAMES, map(list, fit_anchors(boxes, SIZES, RATIOS)), strict=True))
    chosen = {name: fitted[name] for name in missing}
    words = (f"{name} {', '.join(f'{n:.3g}' for n in own)}" for name, own in chosen.items())
    note(f"fitted to {len(boxes)} boxes: {'; '.join(words)}")
    return chosen | dict(options)
