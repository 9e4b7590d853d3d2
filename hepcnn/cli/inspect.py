"""`hepcnn inspect`."""

from __future__ import annotations

import click


@click.command()
@click.argument("file")
@click.option(
    "--detector",
    type=click.Choice(["rich", "lartpc"]),
    help="What made the events; by default, what the names of the branches are most like.",
)
def command(file: str, detector: str | None) -> None:
    """Show what is in FILE.root or FILE.root:TREE and how hepcnn could read it.

    Trees, branches with their types and sizes, whether they are hepcnn's native layout, and if
    not, a `branches:` block for the configuration. FILE can be a root:// address.

    \b
    Example:
      hepcnn inspect tuple.root:DecayTree
    """
    from rich.console import Console

    from hepcnn.events.inspecting import show
    from hepcnn.events.sources import FileSpec

    console = Console()
    # A pipe has no width to fit.
    show(FileSpec.parse(file), console if console.is_terminal else Console(width=160), detector)
