"""`hepcnn config`: the configuration, resolved and checked."""

from __future__ import annotations

import json

import click
import yaml

from hepcnn.cli.options import config_option
from hepcnn.config import Config


@click.command()
@config_option()
@click.option("--schema", is_flag=True, help="Print the JSON schema instead.")
def command(config: Config, schema: bool) -> None:
    """Print the whole configuration with all its defaults, checked.

    \b
    hepcnn config --config config.yaml
    hepcnn config --schema > schema.json
    """
    if schema:
        click.echo(json.dumps(Config.model_json_schema(), indent=2))
    else:
        click.echo(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False), nl=False)
