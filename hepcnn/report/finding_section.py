"""The part of the page on a task that asks what is where in images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from hepcnn.config import SegmentTrain
from hepcnn.config.pixel_weights import PixelWeights
from hepcnn.report import finding_figures, found_pictures, task_figures
from hepcnn.report.blocks import Grid, Picture, Studio, from_file
from hepcnn.report.found_display import display
from hepcnn.report.found_events import found_events
from hepcnn.report.found_ranks import ranked
from hepcnn.report.merit_figures import Headline
from hepcnn.report.results import AnyImageTask, FindingResults
from hepcnn.report.style import looks
from hepcnn.store.images import ImageSet

#: What is asked, what the best network does, and how good it is, in words.
_WORDS = {
    "semantic": ("the class of each pixel", "calls", "of the pixels rightly"),
    "instance": (
        "which pixels are of the same particle",
        "reaches",
        "adjusted Rand index (100 % is perfect, 0 % chance)",
    ),
    "vertex": (
        "where the beam's interaction is",
        "finds",
        "of the vertices within 1 cm in space",
    ),
    "points": (
        "where tracks end and showers start",
        "finds",
        "of the key points within 2 cm in the plane",
    ),
}
#: Tables that are shown whole; all others on demand.
_FIRST = {
    "semantic": ("pixels", "pixel_classes"),
    "instance": ("instances",),
    "vertex": ("vertex", "vertex_gain"),
    "points": ("points",),
}
#: Tables that have a place of their own.
_PLACED = ("comparison", "cutflow")


@dataclass(frozen=True)
class FindingSection:
    """All that the page shows of one task on what is where in images.

    `first` are the tables that are shown whole, `more` those on demand; `display` is what the
    page's script draws events from.
    """

    template: ClassVar[str] = "finding_task.html"
    summarised: ClassVar[str] = "finding_summary.html"
    unit: ClassVar[str] = "image"

    name: str
    settings: AnyImageTask
    events: int
    networks: Sequence[str]
    headline: Headline
    asked: Sequence[str]
    figures: Sequence[Picture]
    differences: Sequence[Picture]
    confusions: Sequence[Picture]
    events_shown: Sequence[Picture]
    display: Mapping[str, Any]
    training: Picture
    first: Sequence[Grid]
    more: Mapping[str, Grid]
    comparison: Grid
    cutflow: Grid

    @property
    def question(self) -> str:
        """What is asked."""
        return self.asked[0]

    @property
    def contents(self) -> dict[str, str]:
        """Titles of the subsections by their anchors."""
        found = {"results": "Results", "comparison": "Comparison"}
        found |= {"confusion": "Confusion"} if self.confusions else {}
        return found | {
            "events": "Events",
            "training": "Training",
            "population": "Population",
        }

    @property
    def run(self) -> str:
        """Of what the tables are."""
        return "bootstrap of events"


def finding_section(task: FindingResults, images: ImageSet, studio: Studio) -> FindingSection:
    """Draw and describe one task.

    Parameters
    ----------
    task : FindingResults
        What there is of it.
    images : ImageSet
        What its first network sees.
    studio : Studio
        Where the figures go.
    """
    settings, target = task.settings, task.settings.target
    look = looks(list(settings.networks), list(settings.baselines), [])
    tables = {name: from_file(table) for name, table in task.tables.items()}
    shown = _FIRST[target]
    more = {n: grid for n, grid in tables.items() if n not in (*shown, *_PLACED)}
    train = settings.train_of(task.findings.method)
    weights = train.weights if isinstance(train, SegmentTrain) else None
    if target != "semantic" or weights == PixelWeights():
        weights = None
    events = found_events(task.findings, ranked(task.findings), images, task.checkpoint, weights)
    return FindingSection(
        name=task.name,
        settings=settings,
        events=len(task.findings),
        networks=list(settings.networks),
        headline=finding_figures.headline(task),
        asked=_WORDS[target],
        figures=finding_figures.figures(task, look, studio),
        differences=finding_figures.differences(task, look, studio),
        confusions=finding_figures.confusions(task, studio),
        events_shown=found_pictures.pictures(events, studio),
        display=display(events),
        training=task_figures.training(task.histories, look, studio),
        first=[tables[name] for name in shown],
        more=more,
        comparison=tables["comparison"],
        cutflow=tables["cutflow"],
    )
