"""Figures of a classification task: energies, selections, probabilities, pairs, robustness."""

from __future__ import annotations

from collections.abc import Mapping

from hepcnn.performance.classes.merits import column, merit_names
from hepcnn.performance.curves import roc
from hepcnn.report import class_curves, comparisons, curves
from hepcnn.report.blocks import Picture, Studio
from hepcnn.report.class_curves import Selection
from hepcnn.report.reading import TableFile
from hepcnn.report.records import Estimate, columns, distinct, estimate, of, points
from hepcnn.report.results import ClassResults
from hepcnn.report.style import SYMBOL, Look

#: Pairs of classes whose curves are drawn where a task has them: what is hardest to tell apart.
PAIRS = (
    ("electron", "photon"),
    ("muon", "pion"),
    ("nue_cc", "nc"),
    ("numu_cc", "nc"),
    ("numu_cc", "cosmic"),
)


def energies(task: ClassResults, look: Mapping[str, Look], studio: Studio) -> list[Picture]:
    """Efficiency and purity of every class of all methods against true energy."""
    records = task.tables["energy"].records
    edges = ("energy_low", "energy_high")
    found = []
    for quantity, text in (
        ("efficiency", "Efficiency: the fraction of each true class that is called so."),
        ("purity", "Purity: the fraction of events called a class that are of it."),
    ):
        series = {}
        for name in task.sample.classes:
            rows = [r for r in of(records, **{"class": name}) if r["bin"] != "all"]
            series[SYMBOL.get(name, name)] = {
                m: points(of(rows, method=m), quantity, edges) for m in distinct(rows, "method")
            }
        found.append(
            studio.picture(
                curves.panels(series, look, quantity, along="true energy [GeV]"),
                f"{quantity}_energy",
                alt=f"{quantity.capitalize()} of every class against true energy, by method",
                caption=f"{text} Events without a true energy are in no bin.",
                wide=True,
            )
        )
    return found


def selections(task: ClassResults, look: Mapping[str, Look], studio: Studio) -> Picture:
    """Purity against efficiency of the selection of every class by a cut on its probability."""
    found: dict[str, dict[str, Selection]] = {}
    for name in task.sample.classes:
        rows = of(task.tables["selection"].records, **{"class": name})
        for method in distinct(rows, "method"):
            own = of(rows, method=method)
            best = [i for i, r in enumerate(own) if r["best"]]
            efficiency, purity = columns(own, "efficiency", "purity")
            found.setdefault(name, {})[method] = Selection(efficiency, purity, best)
    return studio.picture(
        class_curves.selections(found, look),
        "selection",
        alt="Purity against efficiency for cuts on the probability of each class, by method",
        caption="Selecting each class by a cut on its probability; further up and right is better. "
        "The marker is the cut of the best efficiency × purity, which is 10, 30, 50, 70 and 90 % "
        "along the thin lines.",
        wide=True,
    )


def probabilities(task: ClassResults, studio: Studio) -> list[Picture]:
    """Distribution of each network's probabilities."""
    sample = task.sample
    return [
        studio.picture(
            class_curves.probabilities(sample.posterior(m), sample.label, sample.classes),
            f"probability_{m}",
            alt=f"Distribution of the probability of each class by {m}, by true class",
            caption=f"{m}: the probability of each class, for each true class normalised to 1; "
            "filled is the class itself.",
            wide=True,
        )
        for m in sample.networks
    ]


def separations(task: ClassResults, look: Mapping[str, Look], studio: Studio) -> list[Picture]:
    """Efficiency against misID of the pairs that are hardest to tell apart."""
    sample = task.sample
    found = []
    for pair in (p for p in PAIRS if set(p) <= set(sample.classes)):
        one, other = (sample.true(name) for name in pair)
        scores = {m: sample.log_ratio(m, *pair) for m in sample.methods}
        rocs = {m: roc(score[one], score[other]) for m, score in scores.items()}
        signs = (SYMBOL.get(pair[0], pair[0]), SYMBOL.get(pair[1], pair[1]))
        counts = f"{one.sum():,} {signs[0]}, {other.sum():,} {signs[1]}"
        box = ["test split", counts]
        misid = task.settings.tables.misid
        found.append(
            studio.picture(
                comparisons.separation(rocs, look, misid, box, signs=signs),
                f"separation_{pair[0]}_{pair[1]}",
                alt=f"Fraction of {pair[1]} that passes against that of {pair[0]}, by method",
                caption=f"What a cut on the ratio of probabilities of {pair[0]} and {pair[1]} "
                "keeps of the one and lets through of the other. Lower and further right is "
                "better.",
            )
        )
    return found


def areas(task: ClassResults, look: Mapping[str, Look], studio: Studio) -> Picture:
    """Area under the curve of every pair of classes, of all methods."""
    classes, values = task.sample.classes, dict[str, dict[str, Estimate]]()
    for r in task.tables["pairs"].records:
        if classes.index(r["class"]) < classes.index(r["misid_from"]):
            row = f"{r['class']} / {r['misid_from']}"
            values.setdefault(row, {})[r["method"]] = estimate(r, "area")
    return studio.picture(
        comparisons.merits(values, look, "area under the curve", whole=False),
        "areas",
        alt="Area under the curve of every pair of classes, by method",
        caption="How well any two classes are told apart: the chance that an event of the one "
        "has the higher ratio of probabilities. 50 % knows nothing.",
        wide=True,
    )


def robustness(
    task: ClassResults, table: TableFile, look: Mapping[str, Look], studio: Studio
) -> list[Picture]:
    """Figures of merit of all methods on each sample."""
    found = []
    for figure in merit_names(task.sample):
        values = {
            s: {r["method"]: estimate(r, column(figure)) for r in of(table.records, sample=s)}
            for s in distinct(table.records, "sample")
        }
        found.append(
            studio.picture(
                comparisons.merits(values, look, figure),
                f"robustness_{column(figure)}",
                alt=f"{figure} of every method on the nominal and the altered samples",
                caption=f"Altered samples: {figure}. Methods as they are, none trained on them.",
                wide=True,
            )
        )
    return found
