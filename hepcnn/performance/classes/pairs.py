"""Any two classes told apart by the ratio of their scores."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from hepcnn.performance.columns import METHOD, percent
from hepcnn.performance.curves import at_misid
from hepcnn.performance.intervals import Floats
from hepcnn.performance.sample import Sample
from hepcnn.performance.table import Cell, Column, Number, Table

AUC_INTERVAL = "Newcombe's method 5, 1 sigma"
#: Far below any standard error.
_LEAST = 1e-12


def areas(
    one: Floats, other: Floats, one_times: NDArray[np.int16], other_times: NDArray[np.int16]
) -> Floats:
    """Area under the ROC curve: the chance that one scores higher than the other, ties half.

    Parameters
    ----------
    one, other : ndarray, (N,) and (M,)
        Scores of the two classes' events.
    one_times, other_times : ndarray, (S, N) and (S, M)
        How often each event is in each of S samples.

    Returns
    -------
    ndarray, (S,)
        NaN in a sample without one of the two.
    """
    values, rank = np.unique(np.concatenate([one, other]), return_inverse=True)
    found = np.full(len(one_times), np.nan)
    for s, (n_one, n_other) in enumerate(zip(one_times, other_times, strict=True)):
        ones = np.bincount(rank[: len(one)], n_one, len(values))
        others = np.bincount(rank[len(one) :], n_other, len(values))
        if ones.any() and others.any():
            below = np.cumsum(others) - others / 2
            found[s] = ones @ below / (ones.sum() * others.sum())
    return found


def area(one: Floats, other: Floats) -> Number:
    """Area under the ROC curve with its interval.

    The interval is Newcombe's: all areas θ of which the measured one is at most a standard error
    away, where the squared standard error is that of Hanley and McNeil at θ itself, with the mean
    number N of the two classes in the place of each: θ(1 − θ)(1 + (N − 1)((1 − θ)/(2 − θ) +
    θ/(1 + θ)))/(mn). It has a width at an area of 1 too.

    References
    ----------
    R. G. Newcombe, Statistics in Medicine 25 (2006) 559; J. A. Hanley and B. J. McNeil, Radiology
    143 (1982) 29.
    """
    m, n = len(one), len(other)
    if not m or not n:
        return Number(np.nan, np.nan, np.nan, AUC_INTERVAL)
    once = (np.ones((1, k), dtype=np.int16) for k in (m, n))
    value = float(areas(one, other, *once)[0])

    def excess(theta: float) -> float:
        """(θ − measured)² less the squared standard error at θ."""
        shape = (1 - theta) / (2 - theta) + theta / (1 + theta)
        mean = (m + n) / 2
        return (theta - value) ** 2 - theta * (1 - theta) * (1 + (mean - 1) * shape) / (m * n)

    # The excess is 0 at a measured 0 or 1 itself, and below 0 beside it.
    low = brentq(excess, 0, min(value, 1 - _LEAST)) if value > 0 else 0.0
    high = brentq(excess, max(value, _LEAST), 1) if value < 1 else 1.0
    return Number(value, value - low, high - value, AUC_INTERVAL)


def pairs(sample: Sample, misid: Sequence[float]) -> Table:
    """Efficiency of every class at fixed misIDs of every other, and the area under the curve."""
    columns = (
        METHOD,
        Column("class", "class"),
        Column("misid_from", "misID of"),
        percent("area", "area under the curve", "estimate"),
        Column("asked", "misID asked (%)", "number", 1, 100.0),
        Column("cut", "cut >", "number", 3),
        percent("efficiency", "efficiency", "proportion"),
        percent("misid", "misID", "proportion"),
        Column("note", "note"),
    )
    rows: list[tuple[Cell, ...]] = []
    for method in sample.methods:
        for first, second in permutations(sample.classes, 2):
            score = sample.log_ratio(method, first, second)
            own, other = score[sample.true(first)], score[sample.true(second)]
            under = area(own, other)
            names = f"{first} event", f"{second} event"
            points = [(m, at_misid(own, other, m, names)) for m in misid]
            rows += [
                (method, first, second, under, m, p.cut, p.efficiency, p.misid, p.note)
                for m, p in points
            ]
    caption = (
        "Pairs of classes told apart by ln(P_one / P_other) at equal abundances: area under the "
        "curve (50 % knows nothing), efficiency of the one and misID of the other; the loosest cut "
        "that does not exceed a fixed misID, rounded before it is evaluated"
    )
    return Table("pairs", caption, columns, tuple(rows))
