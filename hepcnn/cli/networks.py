"""`hepcnn networks`: what networks there are and what they are made of."""

from __future__ import annotations

import re

import click

#: Numbers of an image, as many pixels as a shard's images can have, and classes.
_LARGEST, _CLASSES = 2**31, 2**15


class ImageShape(click.ParamType):
    """Channels, height and width as ``C,H,W``."""

    name = "C,H,W"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int, int]:
        parts = str(value).split(",")
        if len(parts) != 3 or not all(re.fullmatch(r"\s*0*[1-9]\d{0,9}\s*", p) for p in parts):
            self.fail(f"'{value}' must be three whole numbers above 0, such as 1,32,32", param, ctx)
        channels, height, width = (int(p) for p in parts)
        if channels * height * width > _LARGEST:
            self.fail(f"'{value}' are more than {_LARGEST} numbers an image", param, ctx)
        return channels, height, width


@click.command()
@click.argument("name", required=False)
@click.option("--shape", type=ImageShape(), help="Image to build for; default: the original.")
@click.option("--classes", type=click.IntRange(1, _CLASSES), help="Classes; default: the original.")
def command(name: str | None, shape: tuple[int, int, int] | None, classes: int | None) -> None:
    """List the networks, or the layers, output shapes and parameters of one.

    Shapes are in torch's order: channels, height, width.

    \b
    hepcnn networks
    hepcnn networks lecture_cnn
    hepcnn networks lecture_cnn --shape 2,64,32 --classes 2
    """
    from rich.console import Console

    from hepcnn.networks.registry import require

    if name is None and (shape or classes):
        raise click.UsageError("--shape and --classes need the NAME of a network")
    if name is not None:
        require(name)  # before the slow import of torch
    from hepcnn.networks.summary import description, listing

    page = listing() if name is None else description(name, shape, classes)
    # A pipe has no width; rich would fold the lines at 80 columns.
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 120
    console.print(page)
