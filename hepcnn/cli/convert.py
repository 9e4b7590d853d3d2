"""`hepcnn convert`: events into images."""

from __future__ import annotations

from pathlib import Path

import click

from hepcnn.cli.options import config_option, output_option
from hepcnn.config import Config, entry


@click.command()
@click.argument("files", nargs=-1, required=True)
@config_option()
@click.option("--images", help="Image set of the configuration; by default its only one.")
@output_option("Image shard (HDF5)")
def command(files: tuple[str, ...], config: Config, images: str | None, output: Path) -> None:
    """Make an image shard of ROOT files.

    FILES are paths, globs or root:// addresses; FILE.root:TREE names the tree too. How they are
    read follows from the sample of the image set.

    \b
    Example:
      hepcnn convert events.root -o images.h5
      hepcnn convert 'data/*.root' --config config.yaml --images rich_polar -o images.h5
    """
    from hepcnn.imaging.convert import convert

    settings = entry(config.images, images, "image set")
    convert(files, entry(config.samples, settings.sample, "sample"), settings, output)
