"""Prediction from a checkpoint alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hepcnn.learning.checkpoint import Checkpoint
from hepcnn.learning.examples import indices, predictions
from hepcnn.learning.finding import find, findings
from hepcnn.learning.image_statistics import image_statistics, say_likeness
from hepcnn.learning.inference import batching, infer
from hepcnn.learning.loading import on_device
from hepcnn.networks.inputs import Inputs
from hepcnn.provenance import record
from hepcnn.store.findings import TARGETS
from hepcnn.store.findings_file import write_findings
from hepcnn.store.images import ImageSet
from hepcnn.store.predictions import write_predictions

#: Examples a step, if they are no more than so many pixels; nothing else decides, because the last
#: bits of the scores depend on it.
BATCH_SIZE, BATCH_PIXELS = 512, 1 << 23


def predict(
    paths: Sequence[Path], checkpoint: Path, output: Path, part: str = "test", altered: str = ""
) -> None:
    """Score images with a trained network.

    All that is needed is in the checkpoint: the network, its preprocessing, the fractions of the
    split. What is of none of the classes is scored too and keeps the label −1. Computed in 32 bits,
    whatever the training was.

    Parameters
    ----------
    paths : sequence of Path
        Image shards.
    checkpoint : Path
        Made by `hepcnn.learning.training.train`.
    output : Path
        Predictions (HDF5).
    part : str
        The part of the split to score: train, validation, test or all.
    altered : str
        The sample of the images, where it is a robustness sample of the task.

    Raises
    ------
    InputError
        If the checkpoint is none, or is for other images, or the part has no example.
    """
    trained = Checkpoint.load(checkpoint)
    images = ImageSet(paths)
    trained.preprocessing.check(images)
    which = indices(images, trained.split, part)
    title = f"{trained.task}/{trained.name}: predict"
    say_likeness(trained.image_statistics, image_statistics(images, which))
    inputs = dict(zip(map(str, images.paths), images.ids, strict=True))
    inputs[str(checkpoint)] = trained.provenance["id"]
    made = record("predict", {"part": part, "altered": altered}, code=__name__, inputs=inputs)
    if trained.target in TARGETS:
        seen = trained.preprocessing
        write_findings(
            output,
            findings(
                find(trained, images, which, title),
                images,
                which,
                part,
                seen.transform(images),
                images.header.views if trained.target == "vertex" else seen.views,
                trained.train.get("box", 0.0),
                task=trained.task,
                method=trained.name,
                target=trained.target,
                provenance=made,
                altered=altered,
            ),
        )
        return
    write_predictions(
        output,
        predictions(
            images,
            which,
            part,
            posteriors(trained, images, which, title),
            task=trained.task,
            target=trained.target,
            method=trained.name,
            prior=trained.prior,
            provenance=made,
            altered=altered,
            temperature=trained.temperature,
        ),
    )


def posteriors(
    trained: Checkpoint, images: ImageSet, which: NDArray[np.int64], title: str
) -> NDArray[np.float32]:
    """Compute the posterior probabilities of some examples, in 32 bits.

    Parameters
    ----------
    trained : Checkpoint
        The network; the images must be such as it is for.
    images : ImageSet
        The images.
    which : int array (N,)
        Indices of the examples, strictly increasing.
    title : str
        Of the progress shown.

    Returns
    -------
    ndarray (N, C) float32
        Not tempered; under the checkpoint's prior.
    """
    batches = batching(trained, BATCH_SIZE, BATCH_PIXELS)
    dataset = trained.preprocessing.dataset(
        images, which, **batches, target=trained.target, memory=0
    )

    def scores(
        network: nn.Module, batch: dict[str, Tensor], device: torch.device
    ) -> NDArray[np.float32]:
        found: Tensor = network(Inputs.of(on_device(batch, device))).float().softmax(dim=1)
        return found.cpu().numpy()

    return np.concatenate(list(infer(trained, dataset, title, scores)))
