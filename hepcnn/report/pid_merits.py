"""Figures of merit of an identification task: the headline, ablation and robustness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hepcnn.performance.columns import reference
from hepcnn.report import comparisons, merit_figures
from hepcnn.report.blocks import Picture, Studio
from hepcnn.report.merit_figures import Headline
from hepcnn.report.reading import TableFile
from hepcnn.report.records import distinct, estimate, of
from hepcnn.report.results import PidResults
from hepcnn.report.style import COLOURS, Look

#: The methods that a reader compares with, where the task has them; after them the controls.
REFERENCES = ("dll_tree", "likelihood_marginal", "likelihood_global", "likelihood_local")


def figure(misid: float) -> str:
    """The figure of merit of the comparison at a misID."""
    return f"K efficiency at {100 * misid:g} % pi misID"


def headline(task: PidResults) -> Headline:
    """Say how the network that the validation chooses does at the reference misID."""
    sample, misids = task.sample, task.settings.tables.misid
    rows = {r["method"]: r for r in of(task.tables["kaon_efficiency"].records, bin="all")}
    return merit_figures.headline(
        task,
        {figure(m): {n: estimate(r, f"at_{100 * m:g}") for n, r in rows.items()} for m in misids},
        {figure(m): f"K → K at {100 * m:g} % π → K" for m in misids},
        figure(reference(misids)),
        [*(m for m in REFERENCES if m in sample.methods), *sample.controls],
    )


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
