"""The part of the page on one task: training, printouts, matrices, curves, tables, comparison."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hepcnn.config import Task
from hepcnn.detector.particles import SPECIES
from hepcnn.performance.confusion import MISID_FROM
from hepcnn.performance.curves import Ranking
from hepcnn.report import curves, matrices
from hepcnn.report.blocks import Grid, Picture, Studio, from_file
from hepcnn.report.curves import Points
from hepcnn.report.results import TableFile, TaskResults
from hepcnn.report.style import SYMBOL, Look, looks, plain

Records = Iterable[Mapping[str, Any]]


@dataclass(frozen=True)
class Merit:
    """One figure of merit of the first network and the controls, as text in %."""

    name: str
    network: str
    controls: Mapping[str, str]
    apart: bool


@dataclass(frozen=True)
class TaskSection:
    """All that the page shows of one task."""

    name: str
    settings: Task
    tracks: int
    events: int
    networks: Sequence[str]
    controls: Sequence[str]
    merits: Sequence[Merit]
    summary: Sequence[Picture]
    training: Picture
    confusions: Sequence[Picture]
    separation: Picture
    kaons: Sequence[Picture]
    species: Sequence[Picture]
    fixed: Sequence[Picture]
    printouts: Mapping[str, str]
    tables: Mapping[str, Grid]


def task_section(task: TaskResults, studio: Studio) -> TaskSection:
    """Draw and describe one task.

    Parameters
    ----------
    task : TaskResults
        What there is of it.
    studio : Studio
        Where the figures go.
    """
    sample, tables = task.sample, task.tables
    look = looks(sample.networks, sample.controls)
    return TaskSection(
        name=task.name,
        settings=task.settings,
        tracks=len(sample),
        events=sample.n_events,
        networks=sample.networks,
        controls=sample.controls,
        merits=merits(tables["comparison"].records, sample.networks[0]),
        summary=_summary(tables["comparison"], look, studio),
        training=studio.picture(
            curves.training(task.histories, look),
            "training",
            alt="Loss and accuracy of training and validation by epoch, for each network",
            caption="Loss and accuracy by epoch, in training (dotted) and on the validation split "
            "(full). The ring marks the epoch with the lowest validation loss, whose weights are "
            "used.",
            wide=True,
        ),
        confusions=[_confusion(m, tables[f"confusion_{m}"], studio) for m in sample.methods],
        separation=_separation(task, look, studio),
        kaons=[draw(task, m, studio) for m in sample.networks for draw in (_scores, _cuts)],
        species=_species(tables["efficiency"].records, look, studio),
        fixed=_fixed(task, look, studio),
        printouts=task.printouts,
        tables={name: from_file(table) for name, table in tables.items()},
    )


def merits(records: Records, network: str) -> list[Merit]:
    """The figures of merit of one network beside the controls, from the comparison's records."""
    own = [r for r in records if r["network"] == network]
    result = []
    for name in dict.fromkeys(r["figure"] for r in own):
        rows = [r for r in own if r["figure"] == name]
        result.append(
            Merit(
                name=_title(name),
                network=_shown(rows[0], "network_value"),
                controls={r["control"]: _shown(r, "control_value") for r in rows},
                apart=all(r["apart"] == "yes" for r in rows),
            )
        )
    return result


def _title(figure: str) -> str:
    return figure.replace(" pi ", " π ")


def _shown(record: Mapping[str, Any], column: str) -> str:
    value, error = number(record[column]), number(record[f"{column}_err_high"])
    if np.isnan(value):
        return "n/a"
    return f"{100 * value:.1f}" + ("" if np.isnan(error) else f" ± {100 * error:.1f}")


def number(value: float | str | None) -> float:
    """A number of a table's records: null is not known, ``inf`` is text."""
    return float("nan") if value is None else float(value)


def points(records: Records, column: str) -> Points:
    """A proportion's records by momentum bin, without the row of the whole range."""
    rows = [r for r in records if r["bin"] != "all"]

    def values(name: str) -> np.ndarray:
        return np.array([number(r[name]) for r in rows], dtype=np.float64)

    return Points(
        low=values("p_low"),
        high=values("p_high"),
        value=values(column),
        err_low=values(f"{column}_err_low"),
        err_high=values(f"{column}_err_high"),
    )


def _of(records: Records, **wanted: str) -> list[Mapping[str, Any]]:
    return [r for r in records if all(r[name] == value for name, value in wanted.items())]


def _distinct(records: Records, column: str) -> list[str]:
    return list(dict.fromkeys(r[column] for r in records))


def _momentum_range(task: TaskResults) -> str:
    low, high = task.sample.momentum_range
    return rf"${low / 1000:g} \leq p < {high / 1000:g}$ GeV/$c$"


def _counts(task: TaskResults) -> str:
    kaons, pions = (int(task.sample.true(name).sum()) for name in ("kaon", "pion"))
    return rf"{kaons:,} K, {pions:,} $\pi$"


def _summary(table: TableFile, look: Mapping[str, Look], studio: Studio) -> list[Picture]:
    values: dict[str, dict[str, tuple[float, float]]] = {}
    for row in table.records:
        for role in ("network", "control"):
            value, error = (number(row[f"{role}_value{part}"]) for part in ("", "_err_high"))
            values.setdefault(_title(row["figure"]), {})[row[role]] = (value, error)
    if not values:
        return []
    return [
        studio.picture(
            curves.merits(values, look),
            "summary",
            alt="Accuracy and kaon efficiencies of every network and control, with errors",
            caption="Every method at a glance: networks in colour, controls in grey.",
            wide=True,
        )
    ]


def _confusion(method: str, table: TableFile, studio: Studio) -> Picture:
    true, called = _distinct(table.records, "true"), _distinct(table.records, "called")
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


def _separation(task: TaskResults, look: Mapping[str, Look], studio: Studio) -> Picture:
    kaon, pion = (task.sample.true(name) for name in ("kaon", "pion"))
    rocs = {}
    for method in task.sample.methods:
        score = task.sample.nndllk(method)
        rocs[method] = Ranking(score[kaon], score[pion]).roc()
    box = ["NNDLLK > cut, test split", _momentum_range(task), _counts(task)]
    return studio.picture(
        curves.separation(rocs, look, task.settings.tables.misid, box),
        "kaon_pion",
        alt="Pion misidentification, on a logarithmic scale, against kaon efficiency, by method",
        caption="What a kaon cut keeps and what it lets through, for every cut on NNDLLK. Lower "
        "and further right is better. Thin lines: the misIDs of the working points.",
        wide=True,
    )


def _scores(task: TaskResults, method: str, studio: Studio) -> Picture:
    score = task.sample.nndllk(method)
    kaon, pion = (score[task.sample.true(name)] for name in ("kaon", "pion"))
    return studio.picture(
        curves.scores(kaon, pion, [plain(method), _momentum_range(task)]),
        f"nndllk_{method}",
        alt=f"Distribution of NNDLLK of {method} for true kaons and true pions",
        caption=f"{method}: NNDLLK of true kaons and pions, each normalised to 1. What lies beyond "
        "the axis is in its outermost bins.",
    )


def _cuts(task: TaskResults, method: str, studio: Studio) -> Picture:
    records = [
        r
        for r in _of(task.tables["working_points"].records, method=method)
        if r["asked"].startswith("NNDLLK")
    ]
    pairs = {}
    for cut in _distinct(records, "asked"):
        rows = _of(records, asked=cut)
        pairs[cut] = (points(rows, "efficiency"), points(rows, "misid"))
    return studio.picture(
        curves.cuts(pairs, f"{plain(method)},  {_counts(task)}"),
        f"cuts_{method}",
        alt=f"Kaon efficiency and pion misID of {method} against momentum for stated cuts",
        caption=f"{method}: kaons kept (K → K) and pions let through (π → K) at stated cuts.",
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
            rows = _of(records, species=name)
            series[title] = {
                m: points(_of(rows, method=m), quantity) for m in _distinct(rows, "method")
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


def _fixed(task: TaskResults, look: Mapping[str, Look], studio: Studio) -> list[Picture]:
    records = [
        r for r in task.tables["working_points"].records if not r["asked"].startswith("NNDLLK")
    ]
    series = {
        rf"$\pi \to$ K {asked}": {
            m: points(_of(records, asked=asked, method=m), "efficiency")
            for m in _distinct(records, "method")
        }
        for asked in _distinct(records, "asked")
    }
    if not series:
        return []
    return [
        studio.picture(
            curves.panels(series, look, r"K $\to$ K efficiency"),
            "fixed_misid",
            alt="Kaon efficiency of every method against momentum, at fixed pion misIDs",
            caption="Kaon efficiency with the cut, found in each bin, that lets at most a fixed "
            "fraction of pions through. No point: no cut does.",
            wide=True,
        )
    ]
