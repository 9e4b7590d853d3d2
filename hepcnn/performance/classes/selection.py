"""Selecting one class by a cut on its probability: efficiency, purity, and the best cut.

An analysis wants one class and takes the events whose probability of it, in the tables' mixture,
is above a cut. The cut is chosen by efficiency × purity: with S selected events of the class among
S + B it is S²/(S + B), the significance of a counting experiment squared, over a constant.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hepcnn.performance.columns import METHOD, percent
from hepcnn.performance.confusion import class_weights
from hepcnn.performance.intervals import (
    Floats,
    Proportion,
    clopper_pearson,
    weighted_proportion,
)
from hepcnn.performance.sample import Sample
from hepcnn.performance.table import Cell, Column, Number, Table

#: The cuts that are tried, rounded before anything is evaluated with them.
CUTS = np.round(np.arange(50) / 50, 2)
PRODUCT = "product of the ends of the two intervals"


@dataclass(frozen=True, eq=False)
class Scan:
    """Selections of each of C classes by each of K `CUTS`.

    Attributes
    ----------
    efficiency, purity : Proportion, (C, K)
        Of the events above the cut; the purity in the sample's mixture.
    best : ndarray, (C,) int64
        The cut of the greatest efficiency × purity, the loosest of equals.
    """

    efficiency: Proportion
    purity: Proportion
    best: NDArray[np.int64]

    def product(self, index: int, cut: int) -> Number:
        """Efficiency × purity of one class at one cut.

        The same events are in both numerators, so that both rise and fall together: the interval
        is from the product of the lower ends to that of the upper ones.
        """
        e, p = self.efficiency[index, cut], self.purity[index, cut]
        value = float(e.value * p.value)
        low = float((e.value - e.err_low) * (p.value - p.err_low))
        high = float((e.value + e.err_high) * (p.value + p.err_high))
        return Number(value, value - low, high - value, PRODUCT)


def scan(sample: Sample, method: str) -> Scan:
    """Try all cuts on a method's probability of each class."""
    once = np.ones((1, sample.n_events), dtype=np.int16)
    passed = np.stack([counts(sample, method, c, once)[0] for c in range(len(sample.classes))])
    # Classes selected, cuts, true classes.
    passed = np.moveaxis(passed[..., 1:], 1, 2).astype(np.int64)
    c = len(sample.classes)
    own = passed[range(c), :, range(c)]
    total = np.bincount(sample.label[sample.label >= 0], minlength=c)
    efficiency = clopper_pearson(own, total[:, np.newaxis])
    if sample.mixture.natural:
        purity = clopper_pearson(own, passed.sum(axis=-1))
    else:
        weights = class_weights(sample.label, sample.mixture)
        is_own = np.eye(c, c + 1, dtype=bool)[:, np.newaxis]
        purity = weighted_proportion(passed, weights, is_own)
    product = np.nan_to_num(efficiency.value * purity.value)
    return Scan(efficiency, purity, product.argmax(axis=1))


def counts(sample: Sample, method: str, index: int, times: NDArray[np.int16]) -> Floats:
    """Count by true class the events that pass each cut on the probability of one class.

    Parameters
    ----------
    sample : Sample
        The events.
    method : str
        Whose probabilities.
    index : int
        The class that is selected.
    times : ndarray, (S, events) int16
        How often each event is in each of S samples.

    Returns
    -------
    ndarray, (S, C + 1, 1 + K) float64
        The last true class is none of them; the first column is without a cut.
    """
    probability = sample.posterior(method)[:, index]
    n, steps = len(sample.classes) + 1, len(CUTS) + 1
    cuts_passed = np.searchsorted(CUTS, probability, side="left")
    # The remainder of −1 is the last class.
    cell = (sample.label.astype(np.int64) % n) * steps + cuts_passed
    found = np.stack([np.bincount(cell, row[sample.event], n * steps) for row in times])
    exactly = found.reshape(len(times), n, steps)
    return np.asarray(np.cumsum(exactly[..., ::-1], axis=-1)[..., ::-1])


def best_products(sample: Sample, method: str, times: NDArray[np.int16]) -> Floats:
    """Mean over the classes of their best efficiency × purity, in samples of events, (S,).

    The best cut is found in each sample anew; classes without events there, or without any in the
    mixture, are left out.
    """
    best = []
    for index in np.flatnonzero(sample.mixture.abundances):
        passed = counts(sample, method, int(index), times)
        total, passed = passed[..., 0], passed[..., 1:]
        weights = np.ones_like(total)
        if not sample.mixture.natural:
            weights[:] = 0
            shares = np.append(sample.mixture.abundances, 0.0)
            np.divide(shares, total, out=weights, where=total > 0)
        with np.errstate(invalid="ignore"):  # nothing passes: no purity
            purity = weights[:, index, np.newaxis] * passed[:, index]
            purity = purity / np.einsum("st,stk->sk", weights, passed)
            product = passed[:, index] / total[:, index, np.newaxis] * np.nan_to_num(purity)
        best.append(product.max(axis=1))  # NaN without events of the class
    known = np.isfinite(best)
    return np.asarray(np.where(known, best, 0.0).sum(axis=0) / known.sum(axis=0))


def selection(sample: Sample) -> Table:
    """Efficiency, purity and their product at every cut on the probability of every class."""
    columns = (
        METHOD,
        Column("class", "class"),
        Column("cut", "P >", "number", 2),
        percent("efficiency", "efficiency", "proportion"),
        percent("purity", "purity", "weighted"),
        percent("product", "efficiency × purity", "estimate"),
        Column("best", "best"),
    )
    rows: list[tuple[Cell, ...]] = []
    for method in sample.methods:
        found = scan(sample, method)
        rows += [
            (
                *(method, name, float(cut)),
                *(found.efficiency[i, k], found.purity[i, k], found.product(i, k)),
                "best" if k == found.best[i] and found.efficiency.n_total[i, k] else "",
            )
            for i, name in enumerate(sample.classes)
            for k, cut in enumerate(CUTS)
        ]
    caption = (
        "Selecting each class by a cut on its probability: efficiency, purity and their product; "
        "the best cut is chosen on these events, so that its product is a little too good; "
        f"{sample.population}"
    )
    return Table("selection", caption, columns, tuple(rows))
