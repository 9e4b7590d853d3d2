"""`hepcnn simulate`: make events."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from hepcnn.cli.options import Decorator, config_option, output_option
from hepcnn.config import Config, entry
from hepcnn.errors import InputError


@click.group()
def command() -> None:
    """Make events in the native ROOT layout."""


def _shard_options(**sample: Any) -> Decorator:
    """The options of a command that writes one shard of a sample."""
    options = (
        config_option(),
        click.option("--sample", help="Sample of the configuration.", **sample),
        click.option(
            "--shard", type=click.IntRange(0), default=0, show_default=True, help="Which file."
        ),
        click.option(
            "--events", type=click.IntRange(1), help="So many events, not the shard's part."
        ),
        click.option("--seed", type=click.IntRange(0), help="Instead of the configuration's seed."),
        output_option("ROOT file"),
    )

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def _sample(config: Config, name: str, detector: str) -> Any:
    """A sample by name; it must be of the command's detector."""
    sample = entry(config.samples, name, "sample")
    if sample.detector != detector:
        raise InputError(
            f"sample '{name}' is of the detector '{sample.detector}': "
            f"hepcnn simulate {sample.detector}"
        )
    return sample


@command.command()
@_shard_options(default="rich", show_default=True)
def rich(
    config: Config, sample: str, shard: int, events: int | None, seed: int | None, output: Path
) -> None:
    """Simulate RICH events: one shard of a sample.

    \b
    Example:
      hepcnn simulate rich --events 100 -o events.root
    """
    from hepcnn.simulation.rich.generate import write_sample_shard

    seed = config.seed if seed is None else seed
    write_sample_shard(sample, _sample(config, sample, "rich"), seed, shard, output, events)


@command.command()
@_shard_options(required=True)
def lartpc(
    config: Config, sample: str, shard: int, events: int | None, seed: int | None, output: Path
) -> None:
    """Simulate events of a liquid-argon TPC: one shard of a sample.

    \b
    Example, for a configuration with the sample `argon: {detector: lartpc, simulate: {}}`:
      hepcnn simulate lartpc --config argon.yaml --sample argon --events 100 -o argon.root
    """
    from hepcnn.simulation.lartpc.generate import write_sample_shard

    seed = config.seed if seed is None else seed
    write_sample_shard(sample, _sample(config, sample, "lartpc"), seed, shard, output, events)
