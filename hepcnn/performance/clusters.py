"""Intervals of proportions of tracks that know which of them are of one event.

Tracks of an event share its hits and its multiplicity: they pass or fail together more often than
independent ones, and the binomial interval is too narrow. How much is measured by the *design
effect*, the variance of the proportion p = Σ x_i / Σ n_i over whole events over that of independent
tracks. Of the m events with tracks of the denominator, event i has n_i of them, of which x_i pass:

    D = m/(m − 1) Σ_i (x_i − p n_i)² / [n/(n − 1) Σ_tracks (pass − p)²],    Σ_tracks = n p (1 − p),

so that D is 1 where each event has one track. A Clopper–Pearson interval becomes that of n/D tracks
of which x/D pass: it stays asymmetric, and within 0 and 1. A symmetric error of weighted tracks is
multiplied by √D; x_i and n_i are then sums of weights, and the sum over tracks has their squares.
Where no track passes, or all do, or there is one event alone, D cannot be measured and is taken
as 1; below 1, where it is by chance, it is taken as 1 too, so that no interval is narrower than
that of independent tracks.

References
----------
J. N. K. Rao and A. J. Scott, Biometrics 48 (1992) 577 (design effect of clustered binary data);
E. L. Korn and B. I. Graubard, Survey Methodology 24 (1998) 193 (Clopper–Pearson of n/D).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv

from hepcnn.performance.confusion import Confusion
from hepcnn.performance.intervals import CLOPPER_PEARSON, LEVEL, WEIGHTED, Floats, Proportion

#: What intervals that know of events are called, by what they were.
_OF_EVENTS = {
    CLOPPER_PEARSON: f"{CLOPPER_PEARSON}, events as clusters",
    WEIGHTED: f"{WEIGHTED}, events as clusters",
}


def widened(found: Proportion, passing: Floats, total: Floats) -> Proportion:
    """Give proportions of independent tracks the intervals of tracks in events.

    Parameters
    ----------
    found : Proportion, (...)
        Of counts (`clopper_pearson`) or of weighted tracks.
    passing, total : ndarray, (E, ...)
        Numerators and denominators of each event: numbers of tracks, or sums of their weights. The
        shapes broadcast, to that of `found`.
    """
    design = design_effect(found, passing, total)
    if (design == 1).all():
        return found
    scale = np.sqrt(design)
    low, high = found.err_low * scale, found.err_high * scale
    if found.method == CLOPPER_PEARSON:
        tail = (1 - LEVEL) / 2
        k, n = found.n_pass / design, found.n_total / design
        # Only where D was measured: there some pass and some do not.
        wider = design > 1
        k, n = np.where(wider, k, 1.0), np.where(wider, n, 2.0)
        low = np.where(wider, found.value - betaincinv(k, n - k + 1, tail), found.err_low)
        high = np.where(wider, betaincinv(k + 1, n - k, 1 - tail) - found.value, found.err_high)
    return replace(found, err_low=low, err_high=high, method=_OF_EVENTS[found.method])


def design_effect(found: Proportion, passing: Floats, total: Floats) -> Floats:
    """Variance over events over that of independent tracks, at least 1; see the module's text.

    Parameters are those of `widened`.
    """
    passing, total = np.broadcast_arrays(passing, total)
    clusters = np.count_nonzero(total, axis=0)
    over_events = ((passing - found.value * total) ** 2).sum(axis=0)
    if found.method == CLOPPER_PEARSON:
        independent = found.n_total * found.value * (1 - found.value)
    else:
        independent = (found.error * found.sumw) ** 2
    m, n = clusters.astype(np.float64), found.n_total.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        design = over_events / independent * (m / (m - 1)) * ((n - 1) / n)
    measured = (clusters > 1) & (clusters < found.n_total) & (independent > 0)
    return np.maximum(np.where(measured, design, 1.0), 1.0)


@dataclass(frozen=True, eq=False)
class EventConfusion(Confusion):
    """A confusion matrix of tracks, whose intervals know which tracks are of one event.

    Attributes
    ----------
    by_event : ndarray, (E, C + 1, C + 1) float64
        The cells of each event.
    """

    by_event: Floats

    @classmethod
    def of_events(
        cls, event: NDArray[np.int64], label: ArrayLike, called: ArrayLike, *given: Any
    ) -> Confusion:
        """As `Confusion.of_decisions`, of tracks of these events.

        Plain where each event has one track, and of tracks with weights of their own.
        """
        plain = Confusion.of_decisions(label, called, *given)
        n = plain.n_classes + 1
        distinct, number = np.unique(event, return_inverse=True)
        events = len(distinct)
        if events == len(event) or plain.cells.sums is not None:
            return plain
        place = (number * n + np.asarray(label, np.int64) % n) * n
        place += np.asarray(called, np.int64) % n
        cells = np.bincount(place, minlength=events * n * n).reshape(events, n, n)
        return cls(**plain.__dict__, by_event=cells.astype(np.float64))

    def rate(self, true: str, called: str | tuple[str, ...]) -> Proportion:
        row = self.by_event[:, self.mixture.index(true)]
        columns = [
            self.mixture.index(c) for c in ((called,) if isinstance(called, str) else called)
        ]
        return widened(super().rate(true, called), row[:, columns].sum(axis=1), row.sum(axis=1))

    @property
    def rates(self) -> Proportion:
        return widened(super().rates, self.by_event, self.by_event.sum(axis=2, keepdims=True))

    @property
    def efficiency(self) -> Proportion:
        true = self.by_event[:, : self.n_classes]
        return widened(super().efficiency, _diagonal(true), true.sum(axis=2))

    @property
    def purity(self) -> Proportion:
        called = self._weighted[:, :, : self.n_classes]
        return widened(super().purity, _diagonal(called), called.sum(axis=1))

    def misid(self, sources: Sequence[str]) -> Proportion:
        rows = self.by_event[:, [self.mixture.index(name) for name in sources]]
        return widened(super().misid(sources), _diagonal(rows), rows.sum(axis=2))

    @property
    def shares(self) -> Proportion:
        cells = self._weighted
        return widened(super().shares, cells, cells.sum(axis=(1, 2), keepdims=True))

    @property
    def accuracy(self) -> Proportion:
        own = self._weighted[:, : self.n_classes]
        return widened(super().accuracy, _diagonal(own).sum(axis=1), own.sum(axis=(1, 2)))

    @property
    def _weighted(self) -> Floats:
        """The cells with the mixture's weights of the true classes."""
        return self.by_event * self.weights[:, np.newaxis]


def _diagonal(cells: Floats) -> Floats:
    return np.diagonal(cells, axis1=1, axis2=2)
