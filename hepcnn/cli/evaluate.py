"""`hepcnn evaluate`: the tables of a task."""

from __future__ import annotations

from pathlib import Path

import click

from hepcnn.cli.options import UserPath, config_option, output_option
from hepcnn.config import Config


@click.command()
@click.argument("predictions", nargs=-1, required=True, type=UserPath(), metavar="FILE.h5...")
@config_option()
@click.option("--task", required=True, help="Name of the task in the configuration.")
@output_option("Folder of the tables, each")
def command(predictions: tuple[Path, ...], config: Config, task: str, output: Path) -> None:
    """Make performance tables from the predictions of a task's networks and baselines.

    If the task names samples in `robustness`, the predictions of every method on each of them
    belong to it. Writes efficiencies, purities, misIDs, working points, comparisons, calibration
    and more as JSON, CSV, Markdown and LaTeX. Prints the PID printout of the task's first method;
    of the classification of events, the efficiencies and purities of all methods.

    \b
    hepcnn evaluate results/tasks/rich_pid/*/predictions*.h5 --task rich_pid -o tables
    """
    from hepcnn.performance.evaluate import evaluate_files

    result = evaluate_files(predictions, config, task, output)
    click.echo(result.summary, nl=False)
