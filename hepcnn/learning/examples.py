"""The examples of a part of the split, and their scores as predictions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepcnn.config import Split
from hepcnn.detector.particles import GHOST_PDG
from hepcnn.errors import InputError, nearest
from hepcnn.progress import note
from hepcnn.store.images import ImageSet
from hepcnn.store.predictions import FEATURES, WEIGHT, Predictions
from hepcnn.store.split import PARTS, split_of


def indices(images: ImageSet, split: Split, part: str) -> NDArray[np.int64]:
    """Find the examples of a part of the split, or of ``all``.

    Raises
    ------
    InputError
        If there is no such part, or it has no example; it says of how many events.
    """
    if part not in (*PARTS, "all"):
        raise InputError(f"no split '{part}'; {nearest(part, (*PARTS, 'all'))}")
    key = images.key
    if part == "all":
        found = np.arange(len(key))
    else:
        found = np.flatnonzero(split_of(key, split) == PARTS.index(part))
    if not len(found):
        events = len(np.unique(key[["run", "subrun", "event"]]))
        fraction = "" if part == "all" else f" (its fraction is {getattr(split, part):g})"
        raise InputError(
            f"the {part} split is empty{fraction}: the images hold {len(key)} examples of "
            f"{events} events"
        )
    return found


def predictions(
    images: ImageSet,
    which: NDArray[np.int64],
    part: str,
    scores: NDArray[np.float32],
    *,
    task: str,
    target: str,
    method: str,
    prior: NDArray[np.float64],
    provenance: Mapping[str, Any],
    temperature: float,
    log_likelihood: NDArray[np.float32] | None = None,
    altered: str = "",
) -> Predictions:
    """Put the scores of some examples together with what the tables need of them.

    Says so if none of them is of one of the classes: scores are then all that there is.
    """
    label = images.labels(target)[which]
    if not (label >= 0).any():
        note(f"{task}/{method}: none of the {len(label)} examples is of a known {target}")
    selected = [] if part == "all" else [(f"in {part} split", len(which))]
    features = [*FEATURES[images.header.detector]]
    features += [WEIGHT] if WEIGHT in images.header.features else []
    return Predictions(
        task=task,
        method=method,
        classes=images.header.classes[target],
        prior=prior,
        key=images.key[which],
        scores=scores,
        label=label,
        features={name: known(images, name)[which] for name in features},
        cutflow=(*images.cutflow.items(), *selected, ("scored", len(scores))),
        provenance=provenance,
        temperature=temperature,
        log_likelihood=log_likelihood,
        altered=altered,
    )


def known(images: ImageSet, name: str) -> NDArray[np.float32]:
    """A feature of all examples, or what is known by the truth alone."""
    features = images.header.features
    if name == "n_hits" and name not in features:  # of voxels
        name = "n_deposits"
    if name == "ghost":
        return (images.truth("pdg") == GHOST_PDG).astype(np.float32)
    return images.features(name) if name in features else images.truth(name).astype(np.float32)
