"""`hepcnn display`: one example's images, with truth, scores and what a network sees."""

from __future__ import annotations

import re
from pathlib import Path

import click

from hepcnn.cli.options import UserPath, output_option


class EventName(click.ParamType):
    """Run, subrun, event and perhaps object, as ``R:S:E`` or ``R:S:E:O``."""

    name = "RUN:SUBRUN:EVENT[:OBJECT]"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        parts = str(value).split(":")
        if len(parts) not in (3, 4) or not all(re.fullmatch(r"\s*-?\d{1,19}\s*", p) for p in parts):
            self.fail(f"'{value}' must be whole numbers, such as 1:0:17 or 1:0:17:3", param, ctx)
        if any(abs(int(p)) >= 2**63 for p in parts):
            self.fail(f"'{value}' has a number beyond 64 bits, which no event has", param, ctx)
        return tuple(int(p) for p in parts)


@click.command()
@click.argument("shards", nargs=-1, required=True, type=UserPath(), metavar="IMAGES...")
@click.option(
    "--event",
    required=True,
    type=EventName(),
    help="Which example; where an event has several, OBJECT is the track's number in the event.",
)
@click.option(
    "--truth",
    type=click.Choice(["semantic", "instance", "none"]),
    default="none",
    help="Draw each pixel's class or particle too, with vertex, ends of particles and boxes.",
)
@click.option(
    "--predictions",
    multiple=True,
    type=UserPath(),
    metavar="P.h5",
    help="Draw the scores in these predictions; can be repeated. Or draw what was found in the "
    "images: pixels, particles, vertex or points, from one file.",
)
@click.option(
    "--checkpoint",
    type=UserPath(),
    help="A trained network: draw the images as it sees them, and its scores.",
)
@click.option(
    "--layer", multiple=True, help="With --checkpoint: draw a layer's feature maps; repeatable."
)
@click.option("--filters", is_flag=True, help="With --checkpoint: draw its first filters.")
@output_option("The figure, .png or .pdf")
def command(
    shards: tuple[Path, ...],
    event: tuple[int, ...],
    truth: str,
    predictions: tuple[Path, ...],
    checkpoint: Path | None,
    layer: tuple[str, ...],
    filters: bool,
    output: Path,
) -> None:
    """Draw all views of one example side by side.

    IMAGES are shards, or a folder of shards: those of its manifest.json, or without one all.

    \b
    hepcnn display planes --event 1:0:17 --truth semantic -o event.png
    hepcnn display planes --event 1:0:17 --checkpoint tower/checkpoint.ckpt \\
        --layer towers.0.stage2 --filters -o seen.pdf
    hepcnn display rich --event 1:0:17:3 --predictions predictions.h5 -o track.png
    """
    if (layer or filters) and checkpoint is None:
        raise click.UsageError("--layer and --filters need the --checkpoint of a network")
    from hepcnn.report.display import display

    display(
        shards,
        event,
        output,
        truth_of=None if truth == "none" else truth,
        predictions=predictions,
        checkpoint=checkpoint,
        layers=layer,
        with_filters=filters,
    )
