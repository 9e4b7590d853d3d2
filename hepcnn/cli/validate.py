"""`hepcnn validate`: is the simulation right, and the reconstruction?"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from hepcnn.cli.options import config_option, output_option
from hepcnn.config import Config

#: Status of a failed check; an error has 1. The workflow keeps the one and stops at the other.
FAILED = 3


@click.group()
def command() -> None:
    """Check simulation and reconstruction against published figures."""


@command.command()
@config_option()
@click.option("--sample", help="Whose settings; by default the first that is simulated.")
@output_option("Folder of the table and the figures, each")
def rich(config: Config, sample: str | None, output: Path) -> None:
    """Check the RICH simulation through the project's own reconstruction.

    Prints each quantity with the band that it must lie in; writes them as JSON, CSV, Markdown and
    LaTeX, with a figure for each check. The status is 3 if one is out of its band.

    \b
    Example:
      hepcnn validate rich -o results/validation/rich
    """
    from hepcnn.validation.checks import show
    from hepcnn.validation.rich.run import validate_rich

    table, passed = validate_rich(config, sample, output)
    show(table)
    if not passed:
        sys.exit(FAILED)
