"""What the page says of every image set: events lost and kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from hepcnn.config import AnyImages
from hepcnn.report.blocks import Grid, grid
from hepcnn.report.results import ShownImages


@dataclass(frozen=True)
class ImageSection:
    """What the page shows of any image set.

    Attributes
    ----------
    name : str
    settings : AnyImages
    shards, ignored : int
        Those that are shown, and others in the folder.
    examples : int
        Images of all views together count once.
    cutflow, skipped, warnings : Grid
        Counts by step; files left out; what looked wrong when the images were made.
    lost : str
        The events in those files, in words.
    """

    template: ClassVar[str]
    #: What an example is.
    unit: ClassVar[str] = "event"

    name: str
    settings: AnyImages
    shards: int
    ignored: int
    examples: int
    cutflow: Grid
    skipped: Grid
    warnings: Grid
    lost: str

    @property
    def contents(self) -> dict[str, str]:
        """Titles of the subsections by their anchors."""
        return {"cutflow": "Cutflow", "examples": "Examples"}


def common(name: str, settings: AnyImages, shown: ShownImages) -> dict[str, Any]:
    """The attributes that every `ImageSection` has."""
    images = shown.images
    lost = [row.events for row in images.skipped]
    return {
        "name": name,
        "settings": settings,
        "shards": len(images.paths),
        "ignored": shown.ignored,
        "examples": len(images),
        "cutflow": grid(
            f"Cutflow of {name}, summed over {len(images.paths)} shards",
            ("step", "count"),
            list(images.cutflow.items()),
        ),
        "skipped": grid(
            "Files left out",
            ("file", "reason", "events lost"),
            [(s.file, s.reason, s.events if s.events >= 0 else "unknown") for s in images.skipped],
        ),
        "warnings": grid(
            "What looks wrong in the images",
            ("shard", "warning"),
            [(path.name, text) for path, text in images.warnings],
        ),
        "lost": f"{sum(e for e in lost if e >= 0):,} events"
        + (" and an unknown number more" if any(e < 0 for e in lost) else ""),
    }
