"""Tracks counted, with weights or without, and the fractions of them that pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepcnn.performance.intervals import (
    Floats,
    Proportion,
    clopper_pearson,
    weighted_fraction,
    weighted_proportion,
)


@dataclass(frozen=True, eq=False)
class Tally:
    """Numbers of tracks and, of tracks with weights, the sums of these; all of one shape.

    Attributes
    ----------
    n : ndarray of int64
        How many.
    sums : (ndarray, ndarray) of float64, optional
        Sums of their weights, which may be negative, and of the squares; None: without weights.
    """

    n: NDArray[np.int64]
    sums: tuple[Floats, Floats] | None = None

    @classmethod
    def binned(cls, place: NDArray[np.integer], size: int, weight: Floats | None = None) -> Tally:
        """Count tracks by their bin, 0 to size − 1; each has a weight if any has."""
        n = np.bincount(place, minlength=size)
        if weight is None:
            return cls(n)
        # Of no tracks bincount gives whole numbers, with weights too.
        sumw, sumw2 = (np.bincount(place, w, size).astype(float) for w in (weight, weight**2))
        return cls(n, (sumw, sumw2))

    @classmethod
    def of(cls, which: NDArray[np.bool_], weight: Floats | None = None) -> Tally:
        """Count those of some tracks that are chosen: scalars."""
        n = np.asarray(np.count_nonzero(which))
        if weight is None:
            return cls(n)
        chosen = weight[which]
        return cls(n, (np.asarray(chosen.sum()), np.asarray((chosen**2).sum())))

    @classmethod
    def stacked(cls, tallies: Sequence[Tally]) -> Tally:
        """Tallies of one shape along a new first axis."""
        n = np.stack([t.n for t in tallies])
        sums = [t.sums for t in tallies if t.sums is not None]
        if not sums:
            return cls(n)
        return cls(n, (np.stack([w for w, _ in sums]), np.stack([w2 for _, w2 in sums])))

    @property
    def w(self) -> NDArray[Any]:
        """Sums of the weights; without weights the numbers."""
        return self.n if self.sums is None else self.sums[0]

    @property
    def w2(self) -> NDArray[Any]:
        """Sums of the squared weights; without weights the numbers."""
        return self.n if self.sums is None else self.sums[1]

    def __getitem__(self, index: Any) -> Tally:
        return self.each(lambda a: a[index])

    def sum(self, axis: int | None = None, keepdims: bool = False) -> Tally:
        """Summed over an axis, or over everything."""
        return self.each(lambda a: a.sum(axis=axis, keepdims=keepdims))

    def each(self, change: Callable[[NDArray[Any]], Any]) -> Tally:
        """The same change of each of the arrays."""
        n = np.asarray(change(self.n))
        if self.sums is None:
            return Tally(n)
        sumw, sumw2 = self.sums
        return Tally(n, (np.asarray(change(sumw)), np.asarray(change(sumw2))))


def fraction(passed: Tally, total: Tally) -> Proportion:
    """Fractions of tracks that pass; shapes broadcast.

    Without weights with Clopper and Pearson's interval, with weights with the error of
    `hepcnn.performance.intervals.weighted_fraction`.
    """
    if total.sums is None:
        return clopper_pearson(passed.n, total.n)
    return weighted_fraction((passed.n, passed.w, passed.w2), (total.n, total.w, total.w2))


def mixed_fraction(tally: Tally, weights: Floats, passing: NDArray[np.bool_]) -> Proportion:
    """As `weighted_proportion`, of groups of tracks that may have weights of their own too."""
    return weighted_proportion(tally.n, weights, passing, sums=tally.sums)
