"""`hepcnn train`: one network of a task."""

from __future__ import annotations

from pathlib import Path

import click

from hepcnn.cli.options import UserPath, config_option, output_option
from hepcnn.config import Config


@click.command()
@click.argument("shards", nargs=-1, required=True, type=UserPath(), metavar="IMAGES...")
@config_option()
@click.option("--task", required=True, help="Name of the task in the configuration.")
@click.option(
    "--network",
    required=True,
    help="Name of one of the task's networks; NETWORK@2 to NETWORK@N of one with N seeds.",
)
@output_option("Folder of checkpoint.ckpt and history.csv, each")
def command(
    shards: tuple[Path, ...], config: Config, task: str, network: str, output: Path
) -> None:
    """Train a network on images.

    IMAGES are shards, or a folder of shards: those of its manifest.json, or without one all.
    A killed training goes on after its last whole epoch when the same command is run again; the
    result is that of an uninterrupted one.

    \b
    hepcnn train images --task rich_pid --network lecture_cnn -o lecture_cnn
    """
    from hepcnn.learning.training import train

    train(shards, config, task, network, output)
