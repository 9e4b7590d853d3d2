"""Prediction from a checkpoint alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from hepcnn.learning.checkpoint import Checkpoint
from hepcnn.learning.cpu import keep_freed_memory
from hepcnn.learning.examples import indices, predictions
from hepcnn.learning.loading import EpochDataset, loader
from hepcnn.progress import progress
from hepcnn.provenance import record
from hepcnn.store.batches import Batches
from hepcnn.store.images import ImageSet
from hepcnn.store.predictions import write_predictions

#: Images a step; fixed, because the last bits of the scores depend on it.
BATCH_SIZE = 512


def predict(paths: Sequence[Path], checkpoint: Path, output: Path, part: str = "test") -> None:
    """Score images with a trained network.

    All that is needed is in the checkpoint: the network, its preprocessing, the fractions of the
    split. Particles of other species are scored too and keep the label −1. Computed in 32 bits,
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
    inputs = dict(zip(map(str, paths), images.ids, strict=True))
    inputs[str(checkpoint)] = trained.provenance["id"]
    write_predictions(
        output,
        predictions(
            images,
            which,
            part,
            _scores(trained, images, which, title),
            task=trained.task,
            method=trained.name,
            prior=trained.prior,
            provenance=record("predict", {"part": part}, code=__name__, inputs=inputs),
        ),
    )


def _scores(
    trained: Checkpoint, images: ImageSet, which: NDArray[np.int64], title: str
) -> NDArray[np.float32]:
    """Posterior probabilities (N, C) of some examples."""
    keep_freed_memory()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with torch.random.fork_rng():  # building draws weights, which the checkpoint's replace
        network = trained.network().to(memory_format=torch.channels_last).to(device)
    scale = trained.preprocessing.scale
    dataset = EpochDataset(Batches(images, which, BATCH_SIZE, scale=scale, memory=0))
    scores = np.empty((len(which), len(trained.prior)), np.float32)
    done = 0
    with torch.inference_mode(), progress(title, len(which), "images") as advance:
        for batch in loader(dataset):
            logits = network(batch["images"].to(device)).float()
            count = len(logits)
            scores[done : done + count] = logits.softmax(dim=1).cpu().numpy()
            done += count
            advance(count)
    return scores
