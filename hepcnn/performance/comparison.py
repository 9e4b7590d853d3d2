"""Any two methods, paired on the same examples.

**Significance.** A table has many comparisons, and of 100 of equal methods about 5 are 2 errors
apart. Each difference over its error z has the two-sided Gaussian p-value erfc(|z|/√2); Holm's
step-down corrects them for their number m: in rising order p_(1) ≤ … ≤ p_(m), the corrected one of
rank k is max over j ≤ k of min(1, (m − j + 1) p_(j)). A difference is called significant if its
corrected p-value is at most that of `SIGNIFICANT` errors. So the chance that a table has any false
claim is at most that, however its comparisons depend on one another.

References
----------
S. Holm, Scandinavian Journal of Statistics 6 (1979) 65.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from scipy.special import erfc

from hepcnn.performance.bootstrap import Merits
from hepcnn.performance.columns import METHOD, percent
from hepcnn.performance.intervals import Floats
from hepcnn.performance.table import Cell, Column, Table

#: A table's claims are as sure together as one alone of so many errors.
SIGNIFICANT = 2.0
#: The same for captions.
SIGNIFICANCE = (
    "significant: a p-value, corrected for the number of comparisons here (Holm), of at most "
    f"{100 * erfc(SIGNIFICANT / np.sqrt(2)):.3g} %, that of {SIGNIFICANT:g} errors"
)
COLUMNS = (
    Column("figure", "figure of merit"),
    METHOD,
    Column("other", "other"),
    percent("value", "method", "estimate"),
    percent("other_value", "other", "estimate"),
    percent("difference", "difference", "estimate"),
    Column("sigma", "difference / its error", "number", 1),
    Column("p_value", "corrected p-value", "number", 4),
    Column("better", "significantly better"),
)


class Compared(NamedTuple):
    """Tables of a task, and what its methods are compared by.

    Attributes
    ----------
    tables : tuple of Table
    figures : sequence of str
        Names of the F figures of merit, for all of which more is better.
    merits : mapping of str to Merits, (F,)
        By training or baseline, from the same bootstrap samples.
    altered : mapping of str to mapping of str to Merits
        The same on altered samples, by their names.
    weighted : bool
        Whether the examples have weights.
    """

    tables: tuple[Table, ...]
    figures: Sequence[str]
    merits: Mapping[str, Merits]
    altered: Mapping[str, Mapping[str, Merits]] = MappingProxyType({})
    weighted: bool = False


def compared(figures: Sequence[str], merits: Mapping[str, Merits]) -> list[tuple[Cell, ...]]:
    """Any two methods: both, the difference, and whether it is significant; rows of `COLUMNS`.

    Parameters
    ----------
    figures : sequence of str
        Names of the F figures of merit.
    merits : mapping of str to Merits, (F,)
        By method, in the order of the tables.
    """
    pairs = [
        row
        for method, other in combinations(merits, 2)
        for row in _differences(figures, merits, method, other)
    ]
    return _judged(pairs)


def against_first(figures: Sequence[str], merits: Mapping[str, Merits]) -> list[tuple[Cell, ...]]:
    """Each method and the first: as `compared`."""
    first, *others = merits
    pairs = [row for method in others for row in _differences(figures, merits, method, first)]
    return _judged(pairs)


def corrected(sigma: Floats) -> Floats:
    """Holm's p-values of comparisons: see the module's text.

    Parameters
    ----------
    sigma : ndarray, (m,)
        Differences over their errors; NaN is no comparison, and does not count as one.

    Returns
    -------
    ndarray, (m,)
        NaN of those.
    """
    p = erfc(np.abs(sigma) / np.sqrt(2))
    known = np.flatnonzero(~np.isnan(p))
    rising = known[np.argsort(p[known], kind="stable")]
    found = np.full(len(p), np.nan)
    left = np.arange(len(rising), 0, -1)
    found[rising] = np.maximum.accumulate(np.minimum(left * p[rising], 1.0))
    return found


def _differences(
    figures: Sequence[str], merits: Mapping[str, Merits], method: str, other: str
) -> Iterator[tuple[Cell, ...]]:
    """The cells of rows up to the p-value."""
    for i, figure in enumerate(figures):
        a, b = merits[method][i], merits[other][i]
        difference = (a - b).number
        sigma = over_error(difference.value, difference.err_low)
        yield figure, method, other, a.number, b.number, difference, sigma


def _judged(rows: Sequence[tuple[Cell, ...]]) -> list[tuple[Cell, ...]]:
    """Add the p-values and what is better."""
    sigma = np.array([row[-1] for row in rows], dtype=np.float64)
    p_values = corrected(sigma)
    enough = p_values <= erfc(SIGNIFICANT / np.sqrt(2))
    return [
        (*row, float(p), (row[1] if z > 0 else row[2]) if sure else "–")
        for row, z, p, sure in zip(rows, sigma, p_values, enough, strict=True)
    ]


def over_error(value: float, error: float) -> float:
    """Value over error; no difference without an error is none of significance."""
    if error:
        return value / error
    return float(np.copysign(np.inf, value)) if value else 0.0
