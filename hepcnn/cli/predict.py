"""`hepcnn predict`: scores of images, by a trained network or a baseline."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from hepcnn.cli.options import UserPath, lazy_config_option, output_option
from hepcnn.config import Config


@click.command()
@click.argument("shards", nargs=-1, required=True, type=UserPath(), metavar="IMAGES...")
@click.option("--checkpoint", type=UserPath(), help="A trained network; needs no --task.")
@lazy_config_option()
@click.option("--task", help="With --baseline: name of the task in the configuration.")
@click.option("--baseline", help="One of the task's baselines.")
@click.option(
    "--train",
    "train",
    multiple=True,
    type=UserPath(),
    metavar="IMAGES",
    help="With --baseline: images to fit on, if not on those to score; can be repeated.",
)
@click.option(
    "--split",
    type=click.Choice(["train", "validation", "test", "all"]),
    help="The events to score: by default test; all for events that the training has not seen.",
)
@click.option(
    "--altered",
    default="",
    metavar="SAMPLE",
    help="The shards are of this robustness sample of the task: all events are scored.",
)
@output_option("Predictions (HDF5)")
def command(
    shards: tuple[Path, ...],
    checkpoint: Path | None,
    config: Callable[[], Config],
    task: str | None,
    baseline: str | None,
    train: tuple[Path, ...],
    split: str | None,
    altered: str,
    output: Path,
) -> None:
    """Score images with a trained network, or with a baseline of a task.

    IMAGES are shards, or a folder of shards: those of its manifest.json, or without one all.

    \b
    hepcnn predict images --checkpoint lecture_cnn/checkpoint.ckpt -o predictions.h5
    hepcnn predict images --task rich_pid --baseline majority -o predictions.h5
    hepcnn predict dark --altered dark_hits_x2 --checkpoint c.ckpt -o predictions.h5
    """
    if altered and split not in (None, "all"):
        raise click.UsageError("--altered scores all events; leave --split out")
    if altered and baseline and not train:
        raise click.UsageError("--altered: what the baseline is fitted on is missing; give --train")
    split = split or ("all" if altered else "test")
    if checkpoint and not (task or baseline or train):
        from hepcnn.learning.prediction import predict

        predict(shards, checkpoint, output, split, altered)
    elif task and baseline and not checkpoint:
        from hepcnn.learning.baselines import predict_baseline

        predict_baseline(shards, config(), task, baseline, output, split, train, altered)
    else:
        raise click.UsageError("give either --checkpoint, or --task and --baseline")
