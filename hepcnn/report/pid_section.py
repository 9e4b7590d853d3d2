"""The part of the page on one identification: comparison, robustness, matrices, curves, tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from hepcnn.config import PidTask
from hepcnn.detector.particles import SPECIES
from hepcnn.performance.columns import reference
from hepcnn.performance.pid.tables import MISID_FROM
from hepcnn.report import curves, kaon_figures, merit_figures, pid_merits, task_figures
from hepcnn.report.blocks import Grid, Picture, Studio, from_file
from hepcnn.report.merit_figures import Headline
from hepcnn.report.records import Records, distinct, of, points
from hepcnn.report.results import PidResults
from hepcnn.report.style import SYMBOL, Look, looks

#: What the reliability curves are of.
_PROBABILITIES = {"called": "greatest probability", "kaon": "$P_K$"}


@dataclass(frozen=True)
class PidSection:
    """All that the page shows of one identification of tracks.

    `tables` are whole; `kaons_whole` and `efficiency_whole` are the rows of all momenta (and, of
    the efficiencies, of the task's mixture) of theirs.
    """

    template: ClassVar[str] = "pid_task.html"
    summarised: ClassVar[str] = "pid_summary.html"
    unit: ClassVar[str] = "track"

    name: str
    settings: PidTask
    tracks: int
    events: int
    networks: Sequence[str]
    controls: Sequence[str]
    misid: str
    headline: Headline
    summary: Sequence[Picture]
    comparison: Sequence[Picture]
    ablation: Sequence[Picture]
    robustness: Sequence[Picture]
    calibration: Sequence[Picture]
    training: Picture
    confusions: Sequence[Picture]
    kaons: Sequence[Picture]
    differential: Sequence[Picture]
    pairs: Sequence[Picture]
    species: Sequence[Picture]
    printouts: Mapping[str, str]
    tables: Mapping[str, Grid]
    kaons_whole: Grid
    efficiency_whole: Grid

    @property
    def question(self) -> str:
        """What is asked."""
        return f"the {self.settings.target} of each track"

    @property
    def contents(self) -> dict[str, str]:
        """Titles of the subsections by their anchors."""
        found = {"comparison": "Comparison"}
        found |= {"ablation": "Ablation"} if self.ablation else {}
        found |= {"robustness": "Robustness"} if self.robustness else {}
        return found | {
            "kaons": "Kaons and pions",
            "pairs": "Pairs of species",
            "species": "All species",
            "calibration": "Calibration",
            "training": "Training",
            "printout": "PID printout",
            "confusion": "Confusion",
            "population": "Population",
        }

    @property
    def run(self) -> str:
        """Of what the tables are."""
        tables = self.settings.tables
        low, high = tables.momentum_range
        mixture = tables.mixture if isinstance(tables.mixture, str) else "stated"
        return f"{low / 1000:g}–{high / 1000:g} GeV/c, {mixture} mixture of species"


def pid_section(task: PidResults, studio: Studio) -> PidSection:
    """Draw and describe one task.

    Parameters
    ----------
    task : PidResults
        What there is of it.
    studio : Studio
        Where the figures go.
    """
    sample, tables, misid = task.sample, task.tables, task.settings.tables.misid
    analytic = [m for m in sample.methods if m not in (*sample.networks, *sample.controls)]
    look = looks(sample.networks, analytic, sample.controls)
    mixture = sample.mixture.name
    shown = [m for m in sample.methods if m in (*sample.networks, kaon_figures.GLOBAL)]
    return PidSection(
        name=task.name,
        settings=task.settings,
        tracks=len(sample),
        events=sample.n_events,
        networks=sample.networks,
        controls=sample.controls,
        misid=f"{100 * reference(misid):g}",
        headline=pid_merits.headline(task),
        summary=merit_figures.summary(tables["comparison"], look, studio),
        comparison=[
            kaon_figures.separation(task, look, studio),
            *merit_figures.differences(
                tables["comparison"], sample.methods, pid_merits.figure(reference(misid)), studio
            ),
        ],
        ablation=[pid_merits.ablation(tables["ablation"], misid, studio)]
        if "ablation" in tables
        else [],
        robustness=pid_merits.robustness(tables["robustness"], misid, look, studio)
        if "robustness" in tables
        else [],
        calibration=[
            merit_figures.reliability(tables["reliability"], look, _PROBABILITIES, studio)
        ],
        training=task_figures.training(task.histories, look, studio),
        confusions=task_figures.confusions(task, studio),
        kaons=[
            kaon_figures.fixed(task, look, studio),
            *(
                draw(task, m, studio)
                for m in shown
                for draw in (kaon_figures.scores, kaon_figures.cuts)
            ),
        ],
        differential=kaon_figures.differential(task, look, studio),
        pairs=[kaon_figures.pairs(task, look, studio)],
        species=_species(of(tables["efficiency"].records, mixture=mixture), look, studio),
        printouts=task.printouts,
        tables={name: from_file(table) for name, table in tables.items()},
        kaons_whole=from_file(
            tables["kaon_efficiency"],
            lambda r: r["bin"] == "all",
            ("bin", "p_low", "p_high"),
        ),
        efficiency_whole=from_file(
            tables["efficiency"],
            lambda r: r["bin"] == "all" and r["mixture"] == mixture,
            ("bin", "p_low", "p_high", "mixture"),
        ),
    )


def _species(records: Records, look: Mapping[str, Look], studio: Studio) -> list[Picture]:
    texts = {
        "efficiency": "Efficiency: the fraction of each true species that is called so.",
        "purity": "Purity: the fraction of tracks called a species that are of it.",
        "misid": "MisID: the fraction of one true species that is called another.",
    }
    found = []
    for quantity, text in texts.items():
        series = {}
        for name in SPECIES:
            title = SYMBOL[name]
            if quantity == "misid":
                title = rf"{SYMBOL[MISID_FROM[name]]} $\to$ {title}"
            rows = of(records, species=name)
            series[title] = {
                m: points(of(rows, method=m), quantity) for m in distinct(rows, "method")
            }
        label = "misID" if quantity == "misid" else quantity
        found.append(
            studio.picture(
                curves.panels(series, look, label, whole=quantity != "misid"),
                f"{quantity}_momentum",
                alt=f"{label.capitalize()} of every species against momentum, by method",
                caption=text,
                wide=True,
            )
        )
    return found
