"""Tables of figures of merit with errors from the bootstrap: methods side by side and paired."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from hepcnn.config import network_of
from hepcnn.detector.particles import SPECIES
from hepcnn.errors import InputError
from hepcnn.performance.bootstrap import BOOTSTRAP
from hepcnn.performance.columns import METHOD, percent, reference
from hepcnn.performance.comparison import COLUMNS, SIGNIFICANCE, compared
from hepcnn.performance.intervals import clopper_pearson
from hepcnn.performance.loss import STANDARD_ERROR, loss
from hepcnn.performance.pid.columns import BIN, bins, kaon_columns, spread_columns
from hepcnn.performance.pid.merits import MethodMerits, merit_names
from hepcnn.performance.pid.sample import PidSample
from hepcnn.performance.table import Cell, Column, Number, Table

#: The first step has no gain.
_UNKNOWN = Number(np.nan, np.nan, np.nan, BOOTSTRAP)
_TIES = "tied tracks accepted at random"


def kaon_efficiency(
    sample: PidSample,
    merits: Mapping[str, MethodMerits],
    edges: Sequence[float],
    misid: Sequence[float],
) -> Table:
    """K→K at fixed π→K of every method, side by side: of all tracks, then by momentum.

    Where all kaons pass, or none, no bootstrap sample differs, which is not to know it exactly:
    there the interval is Clopper and Pearson's, or, of tracks with weights, not known.
    """
    weighted = sample.weight is not None
    several = {network_of(name) for name in sample.scores if name not in sample.methods}
    columns = (
        *BIN,
        METHOD,
        Column("kaons", "# K", "number"),
        Column("pions", "# π", "number"),
        *kaon_columns(misid),
        *(spread_columns(misid) if several else ()),
    )
    rows: list[tuple[Cell, ...]] = []
    for k, (cells, tracks) in enumerate(bins(sample, edges)):
        n = [int(np.count_nonzero(tracks & sample.true(name))) for name in ("kaon", "pion")]
        for method in sample.methods:
            own = merits[method].kaon[k]
            spread = own.spread if method in several else np.full(len(misid), np.nan)
            numbers = (_sure(e, n[0], weighted) for e in own.numbers)
            rows.append((*cells, method, *n, *numbers, *(spread.tolist() if several else ())))
    sure = "not known" if weighted else "Clopper-Pearson"
    caption = (
        "K→K at fixed π→K: the cut for a misID is found in each bin of its own, "
        f"{_TIES}; the errors are from a {BOOTSTRAP}, in each of which the cut is found anew "
        f"({sure} where all kaons pass, or none); natural mixture, {sample.span}"
    )
    return Table("kaon_efficiency", caption, columns, tuple(rows))


def _sure(estimate: Number, kaons: int, weighted: bool) -> Number:
    if estimate.value not in (0.0, 1.0):
        return estimate
    if weighted:
        return replace(estimate, err_low=np.nan, err_high=np.nan)
    known = clopper_pearson(kaons if estimate.value else 0, kaons)
    return Number(estimate.value, float(known.err_low), float(known.err_high), known.method)


def comparison(
    sample: PidSample, merits: Mapping[str, MethodMerits], misid: Sequence[float]
) -> Table:
    """Any two methods: both, the difference, and whether it is significant."""
    overall = {method: merits[method].overall for method in sample.methods}
    caption = (
        f"Any two methods on the same {len(sample)} tracks of {sample.n_events} events; the errors "
        f"are from a paired {BOOTSTRAP}; accuracy for the {sample.mixture.name} mixture, balanced "
        f"accuracy (mean efficiency of the species) decided for the flat one; {_TIES}; "
        f"{SIGNIFICANCE}; {sample.span}"
    )
    return Table("comparison", caption, COLUMNS, tuple(compared(merit_names(misid), overall)))


def ablation(
    sample: PidSample,
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
        mean = loss(sample.posterior(method), sample.label, sample.weight).together(
            confusion.weights[: len(SPECIES)]
        )
        cells = (*own.kaon[0].numbers, own.accuracy[0].number)
        rows.append((i + 1, method, *cells, Number(*mean, mean[1], STANDARD_ERROR), *gains))
    caption = (
        "What each step is worth: its gain over the one before, on the same tracks, with the error "
        f"of a paired {BOOTSTRAP}; {_TIES}; {sample.population}"
    )
    return Table("ablation", caption, columns, tuple(rows))
