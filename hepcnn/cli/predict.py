"""`hepcnn predict`: scores of images, by a trained network or a baseline."""

from __future__ import annotations

from pathlib import Path

import click

from hepcnn.cli.options import config_option, output_option
from hepcnn.config import Config


@click.command()
@click.argument(
    "shards", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="SHARD.h5..."
)
@click.option(
    "--checkpoint", type=click.Path(path_type=Path), help="A trained network; needs no --task."
)
@config_option()
@click.option("--task", help="With --baseline: name of the task in the configuration.")
@click.option("--baseline", help="One of the task's baselines.")
@click.option(
    "--split",
    default="test",
    show_default=True,
    type=click.Choice(["train", "validation", "test", "all"]),
    help="The events to score; all for events that the training has not seen.",
)
@output_option("Predictions (HDF5)")
def command(
    shards: tuple[Path, ...],
    checkpoint: Path | None,
    config: Config,
    task: str | None,
    baseline: str | None,
    split: str,
    output: Path,
) -> None:
    """Score image shards with a trained network, or with a baseline of a task.

    \b
    hepcnn predict images/*.h5 --checkpoint lecture_cnn/checkpoint.ckpt -o predictions.h5
    hepcnn predict images/*.h5 --task rich_pid --baseline majority -o predictions.h5
    """
    if checkpoint and not (task or baseline):
        from hepcnn.learning.prediction import predict

        predict(shards, checkpoint, output, split)
    elif task and baseline and not checkpoint:
        from hepcnn.learning.baselines import predict_baseline

        predict_baseline(shards, config, task, baseline, output, split)
    else:
        raise click.UsageError("give either --checkpoint, or --task and --baseline")
