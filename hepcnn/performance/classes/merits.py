"""Figures of merit of classification, and the methods compared by them, paired.

Accuracies as in `hepcnn.performance.bootstrap`; the mean over the classes of the best efficiency ×
purity; and the area under the curve of the pairs of classes that the field asks for.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from hepcnn.performance.bootstrap import BOOTSTRAP, Merits, accuracies, draw, merits
from hepcnn.performance.classes.pairs import areas
from hepcnn.performance.classes.selection import best_products
from hepcnn.performance.columns import METHOD, percent
from hepcnn.performance.comparison import COLUMNS, SIGNIFICANCE, compared
from hepcnn.performance.intervals import Floats
from hepcnn.performance.sample import Sample
from hepcnn.performance.table import Cell, Column, Table

#: Pairs that are compared where a task has them: what tells a shower of one particle from that of a
#: photon, alone and in an interaction, where the photons are those of π⁰s.
SEPARATED = (("electron", "photon"), ("nue_cc", "nc"))
_ACCURACY = "accuracy"


def _separated(sample: Sample) -> list[tuple[str, str]]:
    return [pair for pair in SEPARATED if set(pair) <= set(sample.classes)]


def merit_names(sample: Sample) -> list[str]:
    """Names of the figures of merit."""
    curves = [f"area under the {one}/{other} curve" for one, other in _separated(sample)]
    return [_ACCURACY, "balanced accuracy", "mean best efficiency × purity", *curves]


def bootstrap(sample: Sample, generator: np.random.Generator) -> dict[str, Merits]:
    """Find the figures of merit of all that predicts, in the sample and in bootstrap samples of it.

    Parameters
    ----------
    sample : Sample
        Trainings and baselines on the same events.
    generator : numpy.random.Generator
        Draws the bootstrap samples.

    Returns
    -------
    dict of str to Merits, (F,)
        By training or baseline, in the order of `merit_names`.
    """
    times = draw(sample.n_events, generator)
    return {m: merits(_figures(sample, m, times), sample.n_events) for m in sample.scores}


def _figures(sample: Sample, method: str, times: NDArray[np.int16]) -> Floats:
    columns = [accuracies(sample, method, times), best_products(sample, method, times)[:, None]]
    for one, other in _separated(sample):
        score = sample.log_ratio(method, one, other)
        parts = [
            (score[own], times[:, sample.event[own]]) for own in map(sample.true, (one, other))
        ]
        (a, a_times), (b, b_times) = parts
        columns.append(areas(a, b, a_times, b_times)[:, None])
    return np.hstack(columns)


def comparison(sample: Sample, found: Mapping[str, Merits]) -> Table:
    """Any two methods: both, the difference, whether it is significant, and McNemar's test."""
    columns = (
        *COLUMNS,
        Column("only_method", "only method right", "number"),
        Column("only_other", "only other right", "number"),
        Column("mcnemar", "McNemar's p", "number", 4),
    )
    unknown = (float("nan"),) * 3
    right = {m: sample.called(m) == np.where(sample.label < 0, -2, sample.label) for m in found}
    rows: list[tuple[Cell, ...]] = []
    for row in compared(merit_names(sample), found):
        figure, method, other = str(row[0]), str(row[1]), str(row[2])
        test = mcnemar(right[method], right[other]) if figure == _ACCURACY else unknown
        rows.append((*row, *test))
    caption = (
        f"Any two methods on the same {len(sample)} events; the errors are from a paired "
        f"{BOOTSTRAP}; accuracy for the {sample.mixture.name} mixture, balanced accuracy (mean "
        "efficiency of the classes) decided for the flat one; the best cuts on the probabilities "
        f"are found in each sample anew; {SIGNIFICANCE}. McNemar's exact test, not corrected, is "
        "of the events on which just one of the two is right"
    )
    return Table("comparison", caption, columns, tuple(rows))


def mcnemar(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> tuple[int, int, float]:
    """McNemar's exact test of two methods that were right or wrong on the same events, (N,).

    Returns
    -------
    (int, int, float)
        Events on which only the one was right, only the other, and the chance that two equally
        good methods differ so much or more, 1 if they never differ.

    References
    ----------
    Q. McNemar, Psychometrika 12 (1947) 153.
    """
    only_one, only_other = (int(np.count_nonzero(a & ~b)) for a, b in ((one, other), (other, one)))
    differ = only_one + only_other
    return only_one, only_other, float(binomtest(only_one, differ).pvalue) if differ else 1.0


def robustness(samples: Mapping[str, Sample], found: Mapping[str, Mapping[str, Merits]]) -> Table:
    """Every method on altered samples beside the task's own.

    Parameters
    ----------
    samples : mapping of str to Sample
        By name; the first is the task's own.
    found : mapping of str to mapping of str to Merits
        By sample and method.
    """
    own = next(iter(samples.values()))
    columns = (
        METHOD,
        Column("sample", "sample"),
        Column("events", "events", "number"),
        *(percent(column(name), name, "estimate") for name in merit_names(own)),
    )
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (method, name, len(sample), *found[name][method].numbers)
        for method in own.methods
        for name, sample in samples.items()
    )
    caption = (
        "Altered samples, no method trained on them: figures of merit, each decision for the "
        f"sample's own mixture; errors from a {BOOTSTRAP}; {own.population}"
    )
    return Table("robustness", caption, columns, rows)


def column(figure: str) -> str:
    """The column of a figure of merit."""
    return figure.replace(" × ", "_").replace("/", "_").replace(" ", "_")
