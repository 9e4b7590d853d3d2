"""`hepcnn choose`: the best trial of each network that is searched."""

from __future__ import annotations

from pathlib import Path

import click

from hepcnn.cli.options import UserPath, config_option
from hepcnn.config import Config


@click.command()
@click.argument("folder", type=UserPath(), metavar="FOLDER")
@config_option()
@click.option("--task", required=True, help="Name of the task in the configuration.")
def command(folder: Path, config: Config, task: str) -> None:
    """Choose the best trial of each network whose settings are searched, by validation.

    FOLDER is the task's: it has a folder of each training of each trial, as the workflow makes
    them. Those of the chosen trial are copied into the place of the network's, and the table of all
    trials is written to FOLDER/tables and printed.

    \b
    hepcnn choose results/tasks/rich_pid --task rich_pid
    """
    from hepcnn.performance.search import choose_files

    click.echo(choose_files(config, task, folder).markdown(), nl=False)
