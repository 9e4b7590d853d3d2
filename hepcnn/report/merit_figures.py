"""What the page says first of a task: who is best, by how much, why, and where it breaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hepcnn.performance.columns import reference
from hepcnn.report import comparisons
from hepcnn.report.blocks import Picture, Studio
from hepcnn.report.records import Records, columns, distinct, estimate, number, of, percent
from hepcnn.report.results import TableFile, TaskResults
from hepcnn.report.style import COLOURS, Look

#: The methods that a reader compares with, where the task has them; after them the controls.
REFERENCES = ("likelihood_global", "likelihood_local")


@dataclass(frozen=True)
class Merit:
    """The K efficiency of one method at a π misID beside others', as text in %."""

    misid: str
    value: str
    others: Mapping[str, str]
    better: bool


@dataclass(frozen=True)
class Headline:
    """The network that keeps most kaons at the reference misID, and how it compares there.

    `better`, `alike` and `worse` are the methods that it is significantly better than, not told
    apart from, and significantly worse than.
    """

    network: str
    misid: str
    value: str
    better: Sequence[str]
    alike: Sequence[str]
    worse: Sequence[str]
    merits: Sequence[Merit]


def headline(task: TaskResults) -> Headline:
    """Say which network is best at the reference misID, and how it compares with all methods."""
    sample, misids = task.sample, task.settings.tables.misid
    asked = reference(misids)
    rows = {r["method"]: r for r in of(task.tables["kaon_efficiency"].records, bin="all")}
    values = {m: number(rows[m][f"at_{100 * asked:g}"]) for m in sample.networks}
    best = max(values, key=lambda m: np.nan_to_num(values[m], nan=-1.0))
    compared = task.tables["comparison"].records
    others = [*(m for m in REFERENCES if m in sample.methods), *sample.controls]
    merits = []
    for m in misids:
        sides = _sides(compared, best, m)
        shown = {name: percent(row, f"at_{100 * m:g}") for name, row in rows.items()}
        better = bool(others) and all(sides.get(other) == "better" for other in others)
        merits.append(Merit(f"{100 * m:g}", shown[best], {o: shown[o] for o in others}, better))
    sides = _sides(compared, best, asked)
    found = {side: [m for m in sides if sides[m] == side] for side in ("better", "alike", "worse")}
    value = merits[list(misids).index(asked)].value
    return Headline(best, f"{100 * asked:g}", value, **found, merits=merits)


def _sides(records: Records, method: str, misid: float) -> dict[str, str]:
    """Whether a method's K efficiency is better than, alike or worse than each other method's."""
    sides = {}
    for r in of(records, figure=f"K efficiency at {100 * misid:g} % pi misID"):
        if method in (r["method"], r["other"]):
            other = r["other"] if r["method"] == method else r["method"]
            sides[other] = {method: "better", other: "worse"}.get(r["better"], "alike")
    return sides


def _title(figure: str) -> str:
    return figure.replace(" pi ", " π ")


def summary(table: TableFile, look: Mapping[str, Look], studio: Studio) -> list[Picture]:
    """All figures of merit of all methods, from the comparison."""
    values: dict[str, dict[str, tuple[float, float]]] = {}
    for r in table.records:
        by_method = values.setdefault(_title(r["figure"]), {})
        by_method[r["method"]] = estimate(r, "value")
        by_method[r["other"]] = estimate(r, "other_value")
    if not values:
        return []
    return [
        studio.picture(
            comparisons.merits(values, look),
            "summary",
            alt="Accuracy and kaon efficiencies of every method, with errors",
            caption="Every method at a glance: networks in colour, the analytic methods in black "
            "or white, controls in grey.",
            wide=True,
        )
    ]


def differences(task: TaskResults, studio: Studio) -> list[Picture]:
    """K efficiency of every method minus every other's."""
    asked = reference(task.settings.tables.misid)
    name = f"K efficiency at {100 * asked:g} % pi misID"
    records = of(task.tables["comparison"].records, figure=name)
    if not records:
        return []
    found = {
        (r["method"], r["other"]): (*estimate(r, "difference"), r["better"] != "–") for r in records
    }
    return [
        studio.picture(
            comparisons.differences(task.sample.methods, found),
            "differences",
            alt="Difference of the kaon efficiencies of every two methods, with its error",
            caption=f"{_title(name)}: row minus column, in percentage points, paired on the same "
            "tracks. Coloured where significant, two errors or more: blue better, orange worse.",
            wide=len(task.sample.methods) > 6,
        )
    ]


def ablation(table: TableFile, misid: Sequence[float], studio: Studio) -> Picture:
    """K efficiency and accuracy of each step."""
    series = {f"at_{100 * m:g}": f"K→K at {100 * m:g} % π→K" for m in misid}
    series["accuracy"] = "accuracy"
    look = {
        title: Look(COLOURS[i % len(COLOURS)], "os^Dv<>p"[i % 8], "")
        for i, title in enumerate(series.values())
    }
    values = {
        f"{r['step']}  {r['method']}": {t: estimate(r, c) for c, t in series.items()}
        for r in table.records
    }
    return studio.picture(
        comparisons.merits(values, look),
        "ablation",
        alt="Kaon efficiencies and accuracy of each step of the ablation",
        caption="What each step is worth: from top to bottom, each adds to the one before.",
        wide=True,
    )


def robustness(
    table: TableFile, misid: Sequence[float], look: Mapping[str, Look], studio: Studio
) -> list[Picture]:
    """K efficiency on each sample, and the misID that the nominal cut has there."""
    asked = reference(misid)
    found = []
    for column, name, quantity, text in (
        (
            f"at_{100 * asked:g}",
            "robustness",
            f"K→K at {100 * asked:g} % π→K",
            "Kaon efficiency on altered samples, the cut found in each.",
        ),
        (
            "misid",
            "robustness_misid",
            "π→K at the nominal cut",
            f"Pions that pass the cut which lets {100 * asked:g} % of the nominal ones through: "
            "how far a cut is off that was not tuned on the sample.",
        ),
    ):
        values = {
            sample: {r["method"]: estimate(r, column) for r in of(table.records, sample=sample)}
            for sample in distinct(table.records, "sample")
        }
        found.append(
            studio.picture(
                comparisons.merits(values, look, quantity, whole=column != "misid"),
                name,
                alt=f"{quantity} of every method on the nominal and the altered samples",
                caption=f"{text} Methods as they are, none trained on them.",
                wide=True,
            )
        )
    return found


def reliability(
    table: TableFile, methods: Sequence[str], look: Mapping[str, Look], studio: Studio
) -> Picture:
    """Reliability curves as given and tempered."""
    what = {"called": "greatest probability", "kaon": "$P_K$"}
    names = ("mean", "right", "right_err_low", "right_err_high")
    series = {}
    for scores in distinct(table.records, "scores"):
        for of_what, title in what.items():
            own = of(table.records, scores=scores, of=of_what)
            curves = {m: columns(of(own, method=m), *names) for m in methods}
            series[f"{title}, {scores}"] = {m: (c[0], c[1], c[2], c[3]) for m, c in curves.items()}
    return studio.picture(
        comparisons.reliability(series, look),
        "reliability",
        alt="Fraction right against mean probability, as given and after temperature scaling",
        caption="Whether probabilities are what they say, in bins of equally many tracks: on the "
        "diagonal they are. Above it a method is too cautious, below it too sure.",
        wide=True,
    )
