"""`hepcnn config`: the configuration, resolved and checked."""

from __future__ import annotations

import json
from collections.abc import Callable

import click
import yaml

from hepcnn.cli.options import HERE, config_here, lazy_config_option
from hepcnn.config import Config


@click.command()
@lazy_config_option()
@click.option("--schema", is_flag=True, help="Print the JSON schema instead.")
@click.option(
    "--check",
    is_flag=True,
    help="Instead, build every network for its images, and make images of the first events of the"
    " user's files: what would stop a later stage is said now.",
)
@click.argument("files", nargs=-1)
def command(
    config: Callable[[], Config], schema: bool, check: bool, files: tuple[str, ...]
) -> None:
    """Print the whole configuration with all its defaults, checked.

    With --check, FILES are looked into in the place of the sample's own.

    \b
    Example:
      hepcnn config --config config.yaml
      hepcnn config --config config.yaml --check
      hepcnn config --schema > schema.json
    """
    if files and not check:
        raise click.UsageError("FILES are for --check")
    if check:
        from hepcnn.learning import checking

        checking.check(config(), files)
        click.echo("Nothing wrong was found.")
        if config is config_here and not HERE.exists():
            click.echo(f"There is no {HERE} here: all defaults were looked at.", err=True)
    elif schema:
        click.echo(json.dumps(Config.model_json_schema(), indent=2))
    else:
        click.echo(yaml.safe_dump(config().model_dump(mode="json"), sort_keys=False), nl=False)
