"""Any two methods, paired on the same examples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np

from hepcnn.performance.bootstrap import Merits
from hepcnn.performance.columns import METHOD, percent
from hepcnn.performance.table import Cell, Column

#: Differences above so many of their errors are called significant.
SIGNIFICANT = 2.0
COLUMNS = (
    Column("figure", "figure of merit"),
    METHOD,
    Column("other", "other"),
    percent("value", "method", "estimate"),
    percent("other_value", "other", "estimate"),
    percent("difference", "difference", "estimate"),
    Column("sigma", "difference / its error", "number", 1),
    Column("better", "significantly better"),
)


def compared(figures: Sequence[str], merits: Mapping[str, Merits]) -> Iterator[tuple[Cell, ...]]:
    """Any two methods: both, the difference, and whether it is significant; rows of `COLUMNS`.

    Parameters
    ----------
    figures : sequence of str
        Names of the F figures of merit.
    merits : mapping of str to Merits, (F,)
        By method, in the order of the tables.
    """
    for method, other in combinations(merits, 2):
        yield from _rows(figures, merits, method, other)


def against_first(
    figures: Sequence[str], merits: Mapping[str, Merits]
) -> Iterator[tuple[Cell, ...]]:
    """Each method and the first: as `compared`."""
    first, *others = merits
    for method in others:
        yield from _rows(figures, merits, method, first)


def _rows(
    figures: Sequence[str], merits: Mapping[str, Merits], method: str, other: str
) -> Iterator[tuple[Cell, ...]]:
    for i, figure in enumerate(figures):
        a, b = merits[method][i], merits[other][i]
        difference = (a - b).number
        sigma = _over(difference.value, difference.err_low)
        better = method if sigma >= SIGNIFICANT else other if sigma <= -SIGNIFICANT else "–"
        yield figure, method, other, a.number, b.number, difference, sigma, better


def _over(value: float, error: float) -> float:
    """Value over error; no difference without an error is none of significance."""
    if error:
        return value / error
    return float(np.copysign(np.inf, value)) if value else 0.0
