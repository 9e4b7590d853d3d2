"""The `hepcnn` command: one thin command a stage, each loaded only when it is called."""

from __future__ import annotations

import importlib
import io
import sys
from typing import Any

import click

import hepcnn
from hepcnn.errors import InputError, nearest
from hepcnn.threads import limit

#: Commands in the order of the data's flow; each is `command` in hepcnn/cli/NAME.py.
COMMANDS = (
    "run",
    "simulate",
    "inspect",
    "convert",
    "gather",
    "train",
    "choose",
    "predict",
    "evaluate",
    "validate",
    "report",
    "display",
    "networks",
    "config",
)


class Commands(click.Group):
    """A group that imports a command when it is needed: `--help` stays instant."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        return importlib.import_module(f"hepcnn.cli.{cmd_name}").command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            raise click.UsageError(f"no command '{args[0]}'; {nearest(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)

    def main(self, *args: Any, **kwargs: Any) -> Any:
        for stream in (sys.stdout, sys.stderr):
            # Not every terminal has every letter: a sign in its place is better than no result.
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")
        return super().main(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> object:
        try:
            limit()  # before a command loads what has threads
            return super().invoke(ctx)
        except InputError as error:
            click.echo(f"hepcnn: error: {error}", err=True)
            sys.exit(1)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(hepcnn.__version__, prog_name="hepcnn")
def main() -> None:
    """From ROOT detector hits to particle-identification tables.

    ROOT events → images (HDF5) → training → predictions → tables → report: each arrow is one
    command below and one rule of the Snakefile. Each command works alone, on explicit paths.
    """
