"""The part of the page on one classification: comparison, classes, energies, selections, tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from hepcnn.config import ClassTask
from hepcnn.performance.classes.merits import merit_names
from hepcnn.report import class_figures, merit_figures, task_figures
from hepcnn.report.blocks import Grid, Picture, Studio, from_file
from hepcnn.report.event_pictures import network_pictures
from hepcnn.report.merit_figures import Headline
from hepcnn.report.records import estimate
from hepcnn.report.results import ClassResults
from hepcnn.report.style import looks
from hepcnn.store.images import ImageSet

#: What the headline is about.
_ASKED = "accuracy"


@dataclass(frozen=True)
class ClassSection:
    """All that the page shows of one classification of events.

    `tables` are whole; `beside_first` is the comparison with the first method alone, of McNemar's
    test the chance only.
    """

    template: ClassVar[str] = "class_task.html"
    summarised: ClassVar[str] = "class_summary.html"
    unit: ClassVar[str] = "event"

    name: str
    settings: ClassTask
    events: int
    networks: Sequence[str]
    headline: Headline
    summary: Sequence[Picture]
    differences: Sequence[Picture]
    energies: Sequence[Picture]
    selections: Picture
    probabilities: Sequence[Picture]
    events_shown: Sequence[Picture]
    pairs: Sequence[Picture]
    robustness: Sequence[Picture]
    calibration: Sequence[Picture]
    training: Picture
    confusions: Sequence[Picture]
    tables: Mapping[str, Grid]
    beside_first: Grid

    @property
    def question(self) -> str:
        """What is asked."""
        return f"the {self.settings.target} of each event"

    @property
    def contents(self) -> dict[str, str]:
        """Titles of the subsections by their anchors."""
        found = {"comparison": "Comparison", "confusion": "Confusion", "energy": "Energy"}
        found |= {"selection": "Selection", "pairs": "Pairs of classes"}
        found |= {"robustness": "Robustness"} if self.robustness else {}
        return found | {
            "events": "What a network sees",
            "calibration": "Calibration",
            "training": "Training",
            "population": "Population",
        }

    @property
    def run(self) -> str:
        """Of what the tables are."""
        mixture = self.settings.tables.mixture
        return f"{mixture if isinstance(mixture, str) else 'stated'} mixture of classes"


def class_section(task: ClassResults, images: ImageSet, studio: Studio) -> ClassSection:
    """Draw and describe one task.

    Parameters
    ----------
    task : ClassResults
        What there is of it.
    images : ImageSet
        What its first network sees.
    studio : Studio
        Where the figures go.
    """
    sample, tables = task.sample, task.tables
    others = [m for m in sample.methods if m not in (*sample.networks, *sample.controls)]
    look = looks(sample.networks, others, sample.controls)
    compared, first = tables["comparison"], sample.methods[0]
    probabilities = {"called": "greatest probability"}
    return ClassSection(
        name=task.name,
        settings=task.settings,
        events=len(sample),
        networks=sample.networks,
        headline=_headline(task),
        summary=merit_figures.summary(compared, look, studio),
        differences=[
            picture
            for i, figure in enumerate(merit_names(sample))
            for picture in merit_figures.differences(
                compared, sample.methods, figure, studio, f"differences_{i}"
            )
        ],
        energies=class_figures.energies(task, look, studio),
        selections=class_figures.selections(task, look, studio),
        probabilities=class_figures.probabilities(task, studio),
        events_shown=network_pictures(task.checkpoint, images, task.predictions, studio),
        pairs=[
            *class_figures.separations(task, look, studio),
            class_figures.areas(task, look, studio),
        ],
        robustness=class_figures.robustness(task, tables["robustness"], look, studio)
        if "robustness" in tables
        else [],
        calibration=[merit_figures.reliability(tables["reliability"], look, probabilities, studio)],
        training=task_figures.training(task.histories, look, studio),
        confusions=task_figures.confusions(task, studio),
        tables={name: from_file(table) for name, table in tables.items()},
        beside_first=from_file(
            compared, lambda r: r["method"] == first, drop=("only_method", "only_other")
        ),
    )


def _headline(task: ClassResults) -> Headline:
    """The accuracy of the network that the validation chooses, beside the baselines."""
    sample, records = task.sample, task.tables["comparison"].records
    values = merit_figures.merits(records)
    if not values:  # one method alone
        (own,) = (r for r in task.tables["classes"].records if r["class"] == _ASKED)
        values = {_ASKED: {own["method"]: estimate(own, "efficiency")}}
    baselines = [m for m in sample.methods if m not in sample.networks]
    titles = {figure: figure for figure in values}
    return merit_figures.headline(task, values, titles, _ASKED, baselines)
