"""`hepcnn validate`: is the simulation right, and the reconstruction?"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hepcnn.cli.options import config_option, output_option
from hepcnn.config import Config

if TYPE_CHECKING:
    from hepcnn.performance.table import Table

#: Status of a failed check; an error has 1. The workflow keeps the one and stops at the other.
FAILED = 3


@click.group()
def command() -> None:
    """Check simulation and reconstruction against published figures."""


def _options(function: Callable[..., None]) -> Callable[..., None]:
    """The options of a command that runs a detector's checks."""
    for option in (
        output_option("Folder of the table and the figures, each"),
        click.option("--sample", help="Whose settings; by default the first that is simulated."),
        config_option(),
    ):
        function = option(function)
    return function


def _show(table: Table, passed: bool) -> None:
    """Print the checks; the status says whether all of them passed."""
    from hepcnn.validation.checks import show

    show(table)
    if not passed:
        sys.exit(FAILED)


@command.command()
@_options
def rich(config: Config, sample: str | None, output: Path) -> None:
    """Check the RICH simulation through the project's own reconstruction.

    Prints each quantity with the band that it must lie in; writes them as JSON, CSV, Markdown and
    LaTeX, with a figure for each check. The status is 3 if one is out of its band.

    \b
    Example:
      hepcnn validate rich -o results/validation/rich
    """
    from hepcnn.validation.rich.run import validate_rich

    _show(*validate_rich(config, sample, output))


@command.command()
@_options
def lartpc(config: Config, sample: str | None, output: Path) -> None:
    """Check the simulation of a liquid-argon TPC: tracks, showers, and what the wires see.

    Prints each quantity with the band that it must lie in; writes them as JSON, CSV, Markdown and
    LaTeX, with a figure for each check. The status is 3 if one is out of its band.

    \b
    Example:
      hepcnn validate lartpc -o results/validation/lartpc
    """
    from hepcnn.validation.lartpc.run import validate_lartpc

    _show(*validate_lartpc(config, sample, output))
