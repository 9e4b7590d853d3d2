"""The tables of the classification of events."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hepcnn.config import NOMINAL, ClassTask
from hepcnn.performance import population
from hepcnn.performance.bootstrap import by_method
from hepcnn.performance.calibration import calibration_tables
from hepcnn.performance.classes import merits, pairs, selection, tables
from hepcnn.performance.classes.sample import select, select_altered
from hepcnn.performance.comparison import Compared
from hepcnn.store.predictions import Predictions

#: Tables of all methods together that every task has.
TOGETHER = (
    *("classes", "published", "energy", "selection", "pairs", "comparison"),
    *("calibration", "reliability", "abundances", "cutflow"),
)


def table_names(task: ClassTask) -> list[str]:
    """Names of the tables of a task, in order."""
    return [
        *TOGETHER,
        *(["robustness"] if task.robustness else []),
        *(f"confusion_{method}" for method in task.methods),
    ]


def evaluate(
    predictions: Sequence[Predictions], task: ClassTask, name: str, generator: np.random.Generator
) -> Compared:
    """Make the tables of a task.

    Parameters are those of `hepcnn.performance.evaluate.evaluate`.
    """
    sample, altered = select(predictions, task, name), select_altered(predictions, task, name)
    settings = task.tables
    samples = {NOMINAL: sample} | altered
    trained = {s: merits.bootstrap(of, generator) for s, of in samples.items()}
    found = {s: by_method(own) for s, own in trained.items()}
    signs = {c: f"P({c})" for c in sample.classes}
    made = [
        tables.classes(sample),
        tables.published(sample),
        tables.energy(sample, settings.energy_bins),
        selection.selection(sample),
        pairs.pairs(sample, settings.misid),
        merits.comparison(sample, found[NOMINAL]),
        *calibration_tables(sample, signs, "each class"),
        population.abundances(sample, "events"),
        tables.cutflow(sample, settings.energy_bins),
    ]
    if task.robustness:
        made.append(merits.robustness(samples, found))
    made += [population.confusion(sample, method) for method in sample.methods]
    own = trained.pop(NOMINAL)
    return Compared(tuple(made), merits.merit_names(sample), own, trained)
