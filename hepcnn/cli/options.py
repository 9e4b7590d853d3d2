"""Options that several commands share."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click

from hepcnn.config import Config, load, read_mapping, validate
from hepcnn.files import expanded

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class UserPath(click.Path):
    """A path in which ``~`` and variables are in their places."""

    def __init__(self, *, allow_dash: bool = False) -> None:
        super().__init__(path_type=Path, allow_dash=allow_dash)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        return Path(expanded(os.fspath(value)))


#: A folder's own configuration.
HERE = Path("config.yaml")
_HELP = (
    "Configuration file, - for standard input; by default config.yaml here if there is one, else"
    " all defaults."
)


def config_here() -> Config:
    """The configuration of this folder, or all defaults."""
    if not HERE.exists():
        return Config()
    data = read_mapping(HERE)
    if data and not set(data) & set(Config.model_fields):
        click.echo(
            f"{HERE} here has none of the keys of a configuration of hepcnn: it is left alone, and"
            " all is by default",
            err=True,
        )
        return Config()
    return validate(data, str(HERE))


def config_option() -> Decorator:
    """`--config FILE`: gives the command a checked `config: Config`."""
    return _option(lambda ctx, param, value: config_here() if value is None else load(value))


def lazy_config_option() -> Decorator:
    """`--config FILE` of commands that may need none: gives a function `config()` that reads it."""
    return _option(lambda ctx, param, value: config_here if value is None else partial(load, value))


def _option(callback: Callable[[click.Context, click.Parameter, Path | None], Any]) -> Decorator:
    path = UserPath(allow_dash=True)
    return click.option("--config", type=path, callback=callback, help=_HELP)


def output_option(what: str) -> Decorator:
    """`-o/--output PATH`: gives the command `output: Path`."""
    return click.option(
        "-o",
        "--output",
        type=UserPath(),
        required=True,
        help=f"{what}; written whole or not at all.",
    )
