"""`hepcnn inspect`."""

from __future__ import annotations

from pathlib import Path

import click

from hepcnn.cli.options import UserPath
from hepcnn.errors import InputError


@click.command()
@click.argument("file")
@click.option(
    "--detector",
    type=click.Choice(["rich", "lartpc"]),
    help="What made the events; by default, what the names of the branches are most like.",
)
@click.option(
    "--write",
    type=UserPath(),
    metavar="NEW.yaml",
    help="Write a configuration that reads the file, and check it on the first events.",
)
def command(file: str, detector: str | None, write: Path | None) -> None:
    """Show what is in FILE.root or FILE.root:TREE and how hepcnn could read it.

    Trees, branches with their types and sizes, whether they are hepcnn's native layout, and if
    not, a `branches:` block for the configuration: what is needed and what is optional, what is
    guessed, units, and the range of the first events. FILE can be a root:// address.

    \b
    Examples:
      hepcnn inspect tuple.root:DecayTree
      hepcnn inspect tuple.root --write mine.yaml
    """
    from rich.console import Console

    from hepcnn.events import proposing
    from hepcnn.events.inspecting import inspect_file, show
    from hepcnn.events.sources import FileSpec

    if write and write.exists():
        raise InputError(f"{write}: is there already; give the name of a new file")
    console = Console()
    # A pipe has no width to fit.
    console = console if console.is_terminal else Console(width=160)
    spec = FileSpec.parse(file)
    trees = inspect_file(spec)
    show(spec, trees, console)
    if not trees:
        if write:
            raise InputError(f"{spec}: there is nothing to write a configuration for")
        return
    found = proposing.propose(spec, trees, detector)
    block = proposing.block(spec, found)
    if block:
        console.print("To read it, complete these lines in the sample of your configuration:\n")
        console.print(block, soft_wrap=True, markup=False, highlight=False)
    if write:
        _write(write, proposing.configuration(spec, found, block))


def _write(path: Path, text: str) -> None:
    """Write a configuration and check it."""
    from hepcnn.config import load
    from hepcnn.files import write_text
    from hepcnn.learning.checking import check

    write_text(path, text)
    click.echo(f"\n{path}: written; now it is checked on the first events", err=True)
    try:
        check(load(path))
    except InputError as error:
        raise InputError(
            f"{error}\n{path} is written: mend this in it, then look again with "
            f"`hepcnn config --config {path} --check`"
        ) from error
    click.echo(f"Nothing wrong was found. To run it: hepcnn run --config {path}")
