"""`hepcnn simulate`: make events."""

from __future__ import annotations

from pathlib import Path

import click

from hepcnn.cli.options import config_option, output_option
from hepcnn.config import Config, entry


@click.group()
def command() -> None:
    """Make events in the native ROOT layout."""


@command.command()
@config_option()
@click.option("--sample", default="rich", show_default=True, help="Sample of the configuration.")
@click.option("--shard", type=click.IntRange(0), default=0, show_default=True, help="Which file.")
@click.option("--events", type=click.IntRange(1), help="So many events, not the shard's part.")
@click.option("--seed", type=click.IntRange(0), help="Instead of the configuration's seed.")
@output_option("ROOT file")
def rich(
    config: Config, sample: str, shard: int, events: int | None, seed: int | None, output: Path
) -> None:
    """Simulate RICH events: one shard of a sample.

    \b
    Example:
      hepcnn simulate rich --events 100 -o events.root
    """
    from hepcnn.simulation.rich.generate import write_sample_shard

    write_sample_shard(
        sample,
        entry(config.samples, sample, "sample"),
        config.seed if seed is None else seed,
        shard,
        output,
        events,
    )
