"""Prediction with the methods that see no image; they are fitted here, on the training split."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hepcnn.config import Config, entry
from hepcnn.errors import InputError, nearest
from hepcnn.learning.examples import indices, predictions
from hepcnn.provenance import record
from hepcnn.reconstruction.controls import control_scores, frequencies
from hepcnn.store.images import ImageSet
from hepcnn.store.predictions import write_predictions


def predict_baseline(
    paths: Sequence[Path],
    config: Config,
    task_name: str,
    name: str,
    output: Path,
    part: str = "test",
) -> None:
    """Fit a baseline on the training split and write its scores of another part.

    Parameters
    ----------
    paths : sequence of paths
        Image shards.
    config : Config
        The configuration: the task and the split count.
    task_name, name : str
        Names of the task and of one of its baselines.
    output : Path
        Predictions (HDF5).
    part : str
        The part to score: train, validation, test or all.

    Raises
    ------
    InputError
        If the task has no such baseline, or a part has no example.
    """
    task, split = entry(config.tasks, task_name, "task"), config.split
    if name not in task.baselines:
        raise InputError(
            f"task '{task_name}': no baseline '{name}'; {nearest(name, task.baselines)}"
        )
    images = ImageSet(paths)
    labels, momentum = images.labels, images.features("p")
    train, chosen = indices(images, split, "train"), indices(images, split, part)
    classes = len(images.header.classes)
    scores = control_scores(name, labels[train], momentum[train], momentum[chosen], classes)
    settings = {"task": task_name, "baseline": name, "split": split.model_dump(), "part": part}
    inputs = dict(zip(map(str, paths), images.ids, strict=True))
    write_predictions(
        output,
        predictions(
            images,
            chosen,
            part,
            scores,
            task=task_name,
            method=name,
            prior=frequencies(labels[train], classes),
            provenance=record("predict", settings, code=__name__, inputs=inputs),
        ),
    )
