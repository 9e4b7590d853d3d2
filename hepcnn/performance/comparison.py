"""Tables of figures of merit with errors from the bootstrap: methods side by side and paired."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from hepcnn.errors import InputError
from hepcnn.performance.bootstrap import BOOTSTRAP, MethodMerits, merit_names
from hepcnn.performance.columns import (
    BIN,
    METHOD,
    bins,
    kaon_columns,
    percent,
    population,
    reference,
    span,
)
from hepcnn.performance.confusion import X
from hepcnn.performance.intervals import clopper_pearson
from hepcnn.performance.sample import Sample
from hepcnn.performance.species import STANDARD_ERROR, loss
from hepcnn.performance.table import Cell, Column, Number, Table

#: Differences above so many of their errors are called significant.
SIGNIFICANT = 2.0

#: The first step has no gain.
_UNKNOWN = Number(np.nan, np.nan, np.nan, BOOTSTRAP)
_TIES = "tied tracks accepted at random"


def kaon_efficiency(
    sample: Sample,
    merits: Mapping[str, MethodMerits],
    edges: Sequence[float],
    misid: Sequence[float],
) -> Table:
    """K→K at fixed π→K of every method, side by side: of all tracks, then by momentum.

    Where all kaons pass, or none, no bootstrap sample differs, which is not to know it exactly:
    there the interval is Clopper and Pearson's.
    """
    columns = (
        *BIN,
        METHOD,
        Column("kaons", "# K", "number"),
        Column("pions", "# π", "number"),
        *kaon_columns(misid),
    )
    rows: list[tuple[Cell, ...]] = []
    for k, (cells, tracks) in enumerate(bins(sample, edges)):
        n = [int(np.count_nonzero(tracks & sample.true(name))) for name in ("kaon", "pion")]
        rows += [
            (*cells, method, *n, *(_sure(e, n[0]) for e in merits[method].kaon[k].numbers))
            for method in sample.methods
        ]
    caption = (
        "K→K at fixed π→K: the cut for a misID is found in each bin of its own, "
        f"{_TIES}; the errors are from a {BOOTSTRAP}, in each of which the cut is found anew "
        f"(Clopper-Pearson where all kaons pass, or none); natural mixture, {span(sample)}"
    )
    return Table("kaon_efficiency", caption, columns, tuple(rows))


def _sure(estimate: Number, kaons: int) -> Number:
    if estimate.value not in (0.0, 1.0):
        return estimate
    known = clopper_pearson(kaons if estimate.value else 0, kaons)
    return Number(estimate.value, float(known.err_low), float(known.err_high), known.method)


def comparison(sample: Sample, merits: Mapping[str, MethodMerits], misid: Sequence[float]) -> Table:
    """Any two methods: both, the difference, and whether it is significant."""
    columns = (
        Column("figure", "figure of merit"),
        METHOD,
        Column("other", "other"),
        percent("value", "method", "estimate"),
        percent("other_value", "other", "estimate"),
        percent("difference", "difference", "estimate"),
        Column("sigma", "difference / its error", "number", 1),
        Column("better", "significantly better"),
    )
    rows: list[tuple[Cell, ...]] = []
    for method, other in combinations(sample.methods, 2):
        both = merits[method].overall, merits[other].overall
        for i, figure in enumerate(merit_names(misid)):
            a, b = both[0][i], both[1][i]
            difference = (a - b).number
            sigma = _over(difference.value, difference.err_low)
            better = method if sigma >= SIGNIFICANT else other if sigma <= -SIGNIFICANT else "–"
            rows.append((figure, method, other, a.number, b.number, difference, sigma, better))
    caption = (
        f"Any two methods on the same {len(sample)} tracks of {sample.n_events} events; the errors "
        f"are from a paired {BOOTSTRAP}; accuracy for the {sample.mixture.name} mixture, balanced "
        f"accuracy (mean efficiency of the species) decided for the flat one; {_TIES}; "
        f"significant: {SIGNIFICANT:g} errors or more; {span(sample)}"
    )
    return Table("comparison", caption, columns, tuple(rows))


def _over(value: float, error: float) -> float:
    """Value over error; no difference without an error is none of significance."""
    if error:
        return value / error
    return float(np.copysign(np.inf, value)) if value else 0.0


def ablation(
    sample: Sample,
    merits: Mapping[str, MethodMerits],
    steps: Sequence[str],
    misid: Sequence[float],
) -> Table:
    """What each step is worth: a method beside the one before it.

    Raises
    ------
    InputError
        If a step has no predictions.
    """
    if missing := [method for method in steps if method not in merits]:
        raise InputError(f"tables.ablation: no predictions of {', '.join(missing)}")
    asked = reference(misid)
    kaon = list(misid).index(asked)
    columns = (
        Column("step", "step", "number"),
        METHOD,
        *kaon_columns(misid),
        percent("accuracy", "accuracy", "estimate"),
        Column("loss", "loss", "estimate", 4),
        percent("kaon_gain", f"K→K at {100 * asked:g} % π→K, gain", "estimate"),
        percent("accuracy_gain", "accuracy, gain", "estimate"),
    )
    rows: list[tuple[Cell, ...]] = []
    for i, method in enumerate(steps):
        own = merits[method]
        figures = own.kaon[0][kaon], own.accuracy[0]
        gains = [_UNKNOWN, _UNKNOWN]
        if i:
            before = merits[steps[i - 1]]
            found = zip(figures, (before.kaon[0][kaon], before.accuracy[0]), strict=True)
            gains = [(new - old).number for new, old in found]
        confusion = sample.confusion(method)
        mean = loss(sample.posterior(method), sample.label).together(confusion.weights[:X])
        cells = (*own.kaon[0].numbers, own.accuracy[0].number)
        rows.append((i + 1, method, *cells, Number(*mean, mean[1], STANDARD_ERROR), *gains))
    caption = (
        "What each step is worth: its gain over the one before, on the same tracks, with the error "
        f"of a paired {BOOTSTRAP}; {_TIES}; {population(sample)}"
    )
    return Table("ablation", caption, columns, tuple(rows))
