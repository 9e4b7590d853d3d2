"""`hepcnn report`: the page that shows everything."""

from __future__ import annotations

from pathlib import Path

import click

from hepcnn.cli.options import UserPath, config_option
from hepcnn.config import Config
from hepcnn.threads import available


@click.command()
@config_option()
@click.option(
    "-o",
    "--output",
    type=UserPath(),
    help="The page; by default report.html in the results folder. Written whole or not at all.",
)
def command(config: Config, output: Path | None) -> None:
    """Show all results of a configuration in one HTML page that works offline.

    The figures are also put into the results folder, as PDF and PNG. Sections are drawn side by
    side, one on each core that there is; OMP_NUM_THREADS sets how many.

    \b
    hepcnn report --config config.yaml
    hepcnn report -o results/report.html
    """
    from hepcnn.report.page import build_report

    build_report(config, output or Path(config.output) / "report.html", available())
