"""Pictures of single events for the page: of each class, and of what a network makes of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hepcnn.learning.examples import known
from hepcnn.report.bands import Scores, stacked
from hepcnn.report.blocks import Picture, Studio
from hepcnn.report.display import (
    TRUTHS,
    example_bands,
    filter_band,
    headline,
    network_bands,
)
from hepcnn.report.example import Example, find, read_example
from hepcnn.store.images import ImageSet
from hepcnn.store.predictions import Predictions


def class_pictures(images: ImageSet, target: str, studio: Studio) -> list[Picture]:
    """Draw an example of each class, with the pixels' truth: that with the median number of hits.

    Parameters
    ----------
    images : ImageSet
        Wire planes, or voxels.
    target : str
        Whose classes.
    studio : Studio
        Where the figures go.
    """
    labels, hits = images.labels(target), known(images, "n_hits")
    pictures = []
    for label, name in enumerate(images.header.classes[target]):
        own = np.flatnonzero(labels == label)
        if len(own):
            order = own[np.argsort(hits[own], kind="stable")]
            example = read_example(images, int(order[len(order) // 2]))
            caption = (
                f"{name}: {example.name}. Of all such events it has the median number of hits. "
                "Above the charge, below the true class of each pixel, with the interaction's "
                "vertex and the starts, ends and boxes of the particles with the most charge."
            )
            figure = stacked(
                headline(example), len(example.panels), example_bands(example, _truth(example))
            )
            alt = f"Charge and true classes of the pixels of an event of the class {name}"
            pictures.append(
                studio.picture(figure, f"event_{name}", alt=alt, caption=caption, wide=True)
            )
    return pictures


def network_pictures(
    checkpoint: Path, images: ImageSet, predictions: Predictions, studio: Studio
) -> list[Picture]:
    """Draw an event that a network gets right, one that it gets wrong, and its first filters.

    Parameters
    ----------
    checkpoint : Path
        The network.
    images : ImageSet
        Those that it scored.
    predictions : Predictions
        Its scores.
    studio : Studio
        Where the figures go.
    """
    from hepcnn.learning.checkpoint import Checkpoint
    from hepcnn.learning.feature_maps import convolutions

    trained = Checkpoint.load(checkpoint)
    layers = convolutions(trained)
    shown = list(dict.fromkeys([layers[0], layers[-1]])) if layers else []
    pictures = []
    for outcome, at in _right_and_wrong(predictions).items():
        example = read_example(images, find(images, predictions.key[at].tolist()))
        scores = Scores(predictions.method, predictions.classes, predictions.scores[at])
        bands = example_bands(example, _truth(example), [scores])
        bands += network_bands(trained, images, example, shown)
        true = predictions.classes[predictions.label[at]]
        called = predictions.classes[int(predictions.scores[at].argmax())]
        which = (
            "the median score of all that it gets right"
            if outcome == "right"
            else "the highest score of all that it gets wrong"
        )
        caption = (
            f"{true}, which {trained.name} calls {called}: {example.name}, with {which}. From "
            "above: charge, true classes, the images as the network sees them, and feature maps "
            f"of {' and '.join(shown)}, red above 0 and blue below."
        )
        figure = stacked(headline(example), len(example.panels), bands)
        alt = f"An event that {trained.name} gets {outcome}, with scores and feature maps"
        name = f"event_{outcome}_{trained.name}"
        pictures.append(studio.picture(figure, name, alt=alt, caption=caption, wide=True))
    if layers:
        pictures.append(
            studio.picture(
                stacked(trained.name, len(images.header.views), [filter_band(trained)]),
                f"filters_{trained.name}",
                alt=f"Filters of the first convolution of {trained.name}",
                caption=f"Filters of the first convolution of {trained.name}, red above 0 and blue "
                "below, in one scale for each tower.",
                wide=True,
            )
        )
    return pictures


def _truth(example: Example) -> str | None:
    return TRUTHS[0] if TRUTHS[0] in example.panels[0].truth else None


def _right_and_wrong(predictions: Predictions) -> dict[str, int]:
    """Rows of the two that are shown, where there are such."""
    known = np.flatnonzero(predictions.label >= 0)
    scores = predictions.scores[known]
    order = np.argsort(scores.max(axis=1), kind="stable")
    ranked = known[order]
    good = scores.argmax(axis=1)[order] == predictions.label[ranked]
    right, wrong = ranked[good], ranked[~good]
    found = {"right": int(right[len(right) // 2])} if len(right) else {}
    return found | ({"wrong": int(wrong[-1])} if len(wrong) else {})
