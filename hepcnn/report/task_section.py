"""The part of the page on one task: comparison, ablation, robustness, matrices, curves, tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hepcnn.config import PidTask
from hepcnn.detector.particles import SPECIES
from hepcnn.performance.pid.tables import MISID_FROM
from hepcnn.report import curves, kaon_figures, matrices, merit_figures
from hepcnn.report.blocks import Grid, Picture, Studio, from_file
from hepcnn.report.merit_figures import Headline
from hepcnn.report.records import Records, distinct, number, of, points
from hepcnn.report.results import TableFile, TaskResults
from hepcnn.report.style import SYMBOL, Look, looks


@dataclass(frozen=True)
class TaskSection:
    """All that the page shows of one task.

    `tables` are whole; `kaons_whole` and `efficiency_whole` are the rows of all momenta (and, of
    the efficiencies, of the task's mixture) of theirs.
    """

    name: str
    settings: PidTask
    tracks: int
    events: int
    networks: Sequence[str]
    controls: Sequence[str]
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


def task_section(task: TaskResults, studio: Studio) -> TaskSection:
    """Draw and describe one task.

    Parameters
    ----------
    task : TaskResults
        What there is of it.
    studio : Studio
        Where the figures go.
    """
    sample, tables, misid = task.sample, task.tables, task.settings.tables.misid
    analytic = [m for m in sample.methods if m not in (*sample.networks, *sample.controls)]
    look = looks(sample.networks, analytic, sample.controls)
    mixture = sample.mixture.name
    shown = [m for m in sample.methods if m in (*sample.networks, kaon_figures.GLOBAL)]
    return TaskSection(
        name=task.name,
        settings=task.settings,
        tracks=len(sample),
        events=sample.n_events,
        networks=sample.networks,
        controls=sample.controls,
        headline=merit_figures.headline(task),
        summary=merit_figures.summary(tables["comparison"], look, studio),
        comparison=[
            kaon_figures.separation(task, look, studio),
            *merit_figures.differences(task, studio),
        ],
        ablation=[merit_figures.ablation(tables["ablation"], misid, studio)]
        if "ablation" in tables
        else [],
        robustness=merit_figures.robustness(tables["robustness"], misid, look, studio)
        if "robustness" in tables
        else [],
        calibration=[
            merit_figures.reliability(tables["reliability"], sample.methods, look, studio)
        ],
        training=_training(task, look, studio),
        confusions=[_confusion(m, tables[f"confusion_{m}"], studio) for m in sample.methods],
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


def _training(task: TaskResults, look: Mapping[str, Look], studio: Studio) -> Picture:
    return studio.picture(
        curves.training(task.histories, look),
        "training",
        alt="Loss and accuracy of training and validation by epoch, for each network",
        caption="Loss and accuracy by epoch, in training (dotted) and on the validation split "
        "(full). The ring marks the epoch with the lowest validation loss, whose weights are "
        "used.",
        wide=True,
    )


def _confusion(method: str, table: TableFile, studio: Studio) -> Picture:
    true, called = distinct(table.records, "true"), distinct(table.records, "called")
    rate = np.full((len(called), len(true)), np.nan)
    tracks = dict.fromkeys(true, 0)
    for r in table.records:
        rate[called.index(r["called"]), true.index(r["true"])] = number(r["rate"])
        tracks[r["true"]] = int(r["rate_n_total"])
    return studio.picture(
        matrices.confusion(rate, true, called, [tracks[name] for name in true]),
        f"confusion_{method}",
        alt=f"Confusion matrix of {method}: true species in columns, reconstructed in rows",
        caption=f"{method}. Each column sums to 100 %; the diagonal is the efficiency.",
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
