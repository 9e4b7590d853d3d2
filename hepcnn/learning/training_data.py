"""The examples of a training, and what is asked of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from hepcnn.config import Network, Split, Train
from hepcnn.detector.labels import PIXEL_CLASSES
from hepcnn.errors import InputError
from hepcnn.imaging.steps import step_header
from hepcnn.learning.examples import indices
from hepcnn.learning.heads.choosing import head_for
from hepcnn.learning.heads.classification import ClassificationHead
from hepcnn.learning.heads.head import Head
from hepcnn.learning.preprocessing import Preprocessing
from hepcnn.networks.registry import is_sparse
from hepcnn.progress import note
from hepcnn.store.batches import swapped
from hepcnn.store.findings import EVENTS, TARGETS
from hepcnn.store.images import ImageSet


@dataclass(frozen=True, eq=False)
class TrainingData:
    """Examples to train with: the images, indices into them, what is done to them and asked.

    Attributes
    ----------
    images : ImageSet
        The images.
    labels : str or None
        What the examples' classes are of, if they are of classes.
    train, validation : ndarray int64
        Indices of the examples.
    preprocessing : Preprocessing
        What is seen of them, and how.
    sparse : bool
        Whether the network takes batches of sites.
    heads : (Head, Head)
        Of the training and of the validation, each with its own sums.
    prior : ndarray (C,) float64
        The abundances of the classes that scores stand under; of no classes empty.
    """

    images: ImageSet
    labels: str | None
    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    preprocessing: Preprocessing
    sparse: bool
    heads: tuple[Head, Head]
    prior: NDArray[np.float64]


def training_data(
    images: ImageSet,
    target: str,
    architecture: str,
    split: Split,
    settings: Train,
    network: Network,
) -> TrainingData:
    """Find the examples of a training.

    Parameters
    ----------
    images : ImageSet
        All images.
    target : str
        What is asked.
    architecture : str
        Name of the network.
    split : Split
        Fractions of the events.
    settings : Train
        Of the training.
    network : Network
        What the network sees.

    Raises
    ------
    InputError
        If a part of the split has too few examples, or network and target do not fit.
    """
    if target not in TARGETS:
        parts, heads, prior = _classes(images, target, split, settings)
    else:
        parts = {
            part: _some(indices(images, split, part), part, settings)
            for part in ("train", "validation")
        }
        _check_known(images, target, parts["train"])
        header = step_header(tuple(network.steps), images.header)
        asked = target, architecture, settings.model_dump(), header
        heads = head_for(*asked), head_for(*asked)
        prior = np.empty(0)
    preprocessing = Preprocessing.fit(images, parts["train"], network)
    if "beam" in settings.augment:
        # Here, where it is not yet within a process of the training.
        swapped(preprocessing.views)
        swapped(preprocessing.features)
    return TrainingData(
        images=images,
        labels=target if len(prior) else None,
        train=parts["train"],
        validation=parts["validation"],
        preprocessing=preprocessing,
        sparse=is_sparse(architecture, network.options),
        heads=heads,
        prior=prior,
    )


def _some(which: NDArray[np.int64], part: str, settings: Train) -> NDArray[np.int64]:
    """Take as many of a part's examples as are wanted; all shards have a share in them."""
    if part != "train" or settings.examples is None or settings.examples >= len(which):
        return which
    return which[np.arange(settings.examples) * len(which) // settings.examples]


def _check_known(images: ImageSet, target: str, which: NDArray[np.int64]) -> None:
    """Refuse training examples none of which has truth of a target that is no class."""
    if target == "vertex":
        known = bool(np.isfinite(images.truth("vertex_pixel")[which]).any())
    else:
        starts = np.unique(which // EVENTS) * EVENTS
        known = any(_has_particles(images, start) for start in starts.tolist())
    if not known:
        raise InputError(
            f"none of the {len(which)} examples of the train split has truth of '{target}' to "
            "learn from: map the branches of truth (see `hepcnn inspect`), or train on other events"
        )


def _has_particles(images: ImageSet, start: int) -> bool:
    """Whether a pixel of the examples from here on is of a known class."""
    block = images.read(start, min(start + EVENTS, len(images)))
    other = PIXEL_CLASSES.index("other")
    return any((view.truth["semantic"] != other).any() for view in block.views.values())


def _classes(
    images: ImageSet, target: str, split: Split, settings: Train
) -> tuple[dict[str, NDArray[np.int64]], tuple[Head, Head], NDArray[np.float64]]:
    """Find the examples of classes and their weights, and the prior that scores stand under."""
    labels = images.labels(target)
    names = images.header.classes[target]
    parts, counts = {}, {}
    for part in ("train", "validation"):
        which = indices(images, split, part)
        # What is of none of the classes is scored, but never trained on.
        parts[part] = _some(which[labels[which] >= 0], part, settings)
        counts[part] = np.bincount(labels[parts[part]], minlength=len(names))
        present = [name for name, count in zip(names, counts[part], strict=True) if count]
        if len(present) < (2 if part == "train" else 1):
            raise InputError(
                f"the {part} split has {len(which)} examples, of these classes: "
                f"{', '.join(present) or 'none'}; training needs at least two"
            )
        for name in sorted(set(names) - set(present)):
            note(f"the {part} split has no {name}")
    frequencies = counts["train"] / counts["train"].sum()
    flat = (frequencies > 0) / np.count_nonzero(frequencies)
    one = torch.ones(len(names))
    # A class's weight is what makes its share that of a flat mixture.
    weights = torch.from_numpy(
        np.divide(flat, frequencies, out=np.zeros(len(names)), where=frequencies > 0)
    )
    heads = (
        ClassificationHead(weights if settings.balance == "class" else one),
        ClassificationHead(one if settings.balance == "none" else weights),
    )
    return parts, heads, frequencies if settings.balance == "none" else flat
