"""Figures that every kind of task has: training, and confusion matrices."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hepcnn.performance.histories import History
from hepcnn.report import curves, matrices
from hepcnn.report.blocks import Picture, Studio
from hepcnn.report.reading import TableFile
from hepcnn.report.records import distinct, number
from hepcnn.report.results import ClassResults, PidResults
from hepcnn.report.style import Look


def training(histories: Mapping[str, History], look: Mapping[str, Look], studio: Studio) -> Picture:
    """Loss and accuracy of all networks by epoch; of several trainings the first."""
    return studio.picture(
        curves.training({name: h for name, h in histories.items() if name in look}, look),
        "training",
        alt="Loss and accuracy of training and validation by epoch, for each network",
        caption="Loss and accuracy by epoch, in training (dotted) and on the validation split "
        "(full). The ring marks the epoch with the lowest validation loss, whose weights are "
        "used.",
        wide=True,
    )


def confusions(task: PidResults | ClassResults, studio: Studio) -> list[Picture]:
    """The confusion matrix of each method."""
    kind, unit = task.sample.kind, task.sample.unit
    return [
        _confusion(method, task.tables[f"confusion_{method}"], kind, f"{unit}s", studio)
        for method in task.sample.methods
    ]


def _confusion(method: str, table: TableFile, kind: str, units: str, studio: Studio) -> Picture:
    true, called = distinct(table.records, "true"), distinct(table.records, "called")
    rate = np.full((len(called), len(true)), np.nan)
    counts = dict.fromkeys(true, 0)
    for r in table.records:
        rate[called.index(r["called"]), true.index(r["true"])] = number(r["rate"])
        counts[r["true"]] = int(r["rate_n_total"])
    return studio.picture(
        matrices.confusion(rate, true, called, [counts[name] for name in true], kind, units),
        f"confusion_{method}",
        alt=f"Confusion matrix of {method}: true {kind} in columns, reconstructed in rows",
        caption=f"{method}. Each column sums to 100 %; the diagonal is the efficiency.",
    )
