"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from hepcnn.config import Config, load

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def _load(ctx: click.Context, param: click.Parameter, value: Path | None) -> Config:
    if value is None:
        default = Path("config.yaml")
        return load(default) if default.exists() else Config()
    return load(value)


def config_option() -> Decorator:
    """`--config FILE`: gives the command a checked `config: Config`."""
    return click.option(
        "--config",
        type=click.Path(path_type=Path, allow_dash=True),
        callback=_load,
        help="Configuration file, - for standard input; by default config.yaml here if there is"
        " one, else all defaults.",
    )


def output_option(what: str) -> Decorator:
    """`-o/--output PATH`: gives the command `output: Path`."""
    return click.option(
        "-o",
        "--output",
        type=click.Path(path_type=Path),
        required=True,
        help=f"{what}; written whole or not at all.",
    )
