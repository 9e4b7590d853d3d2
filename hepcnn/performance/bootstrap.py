"""Figures of merit of all methods in the same bootstrap samples of events.

None of the figures rewards a method for how its classes were balanced in training:

- accuracy, with decisions for the tables' mixture;
- balanced accuracy, the mean efficiency of the species, with decisions for the flat mixture, in
  which always calling the same species is worth 1/6;
- K efficiency at each fixed π misID, whole and by momentum, tied tracks accepted at random (see
  `hepcnn.performance.curves`): what is worth nothing has the misID as its efficiency.

Errors are standard deviations over bootstrap samples of whole *events*: tracks of an event share
hits and are not independent. In each sample the cut is found anew, so that the error knows that
the pions which fix it fluctuate too. All methods are evaluated in the same samples, once; the error
of a difference is that of the differences of two methods' draws, which knows that the tracks are
the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hepcnn.performance.confusion import X, mixture_for
from hepcnn.performance.intervals import Floats
from hepcnn.performance.sample import Sample
from hepcnn.performance.table import Number

#: Bootstrap samples: an error is then known to about 3 %.
REPLICATES = 500
BOOTSTRAP = f"bootstrap of events, {REPLICATES} samples, 1 sigma"


@dataclass(frozen=True, eq=False)
class Merits:
    """Figures of merit: as measured, and in each bootstrap sample.

    Attributes
    ----------
    value : ndarray of float64
        Any shape; NaN where there is nothing to measure.
    draws : ndarray of float64, (samples, *value.shape)
        All NaN with fewer than two events: one drawn again and again would look as if it were
        known exactly.
    """

    value: Floats
    draws: Floats

    def __sub__(self, other: Merits) -> Merits:
        return Merits(self.value - other.value, self.draws - other.draws)

    def __getitem__(self, index: int) -> Merits:
        return Merits(np.asarray(self.value[index]), self.draws[:, index])

    @property
    def error(self) -> Floats:
        """Standard deviation over the samples that have a value; NaN with fewer than two."""
        known = np.isfinite(self.draws)
        n = known.sum(axis=0)
        some = np.maximum(n, 1)
        mean = np.where(known, self.draws, 0.0).sum(axis=0) / some
        squares = np.where(known, self.draws - mean, 0.0) ** 2
        error = np.sqrt(squares.sum(axis=0) / np.maximum(n - 1, 1))
        return np.where((n > 1) & np.isfinite(self.value), error, np.nan)

    @property
    def number(self) -> Number:
        """The cell of a table, of a scalar."""
        return self.numbers[0]

    @property
    def numbers(self) -> list[Number]:
        """The cells of a table, of all values in order."""
        pairs = zip(np.ravel(self.value), np.ravel(self.error), strict=True)
        return [Number(float(v), float(e), float(e), BOOTSTRAP) for v, e in pairs]


@dataclass(frozen=True, eq=False)
class MethodMerits:
    """Figures of merit of one method.

    Attributes
    ----------
    accuracy : Merits, (2,)
        Accuracy, and balanced accuracy.
    kaon : Merits, (1 + bins, misIDs)
        K efficiency of all tracks, then of each momentum bin.
    """

    accuracy: Merits
    kaon: Merits

    @property
    def overall(self) -> Merits:
        """Those of all tracks, as `merit_names` names them."""
        return Merits(
            np.concatenate([self.accuracy.value, self.kaon.value[0]]),
            np.concatenate([self.accuracy.draws, self.kaon.draws[:, 0]], axis=1),
        )


def merit_names(misid: Sequence[float]) -> list[str]:
    """Names of the figures of merit of all tracks."""
    fixed = [f"K efficiency at {100 * m:g} % pi misID" for m in misid]
    return ["accuracy", "balanced accuracy", *fixed]


def bootstrap(
    sample: Sample,
    misid: Sequence[float],
    edges: Sequence[float],
    generator: np.random.Generator,
) -> dict[str, MethodMerits]:
    """Find the figures of merit of every method, in the sample and in bootstrap samples of it.

    Parameters
    ----------
    sample : Sample
        Methods on the same tracks.
    misid : sequence of float
        Fractions of pions at which kaon efficiencies are found.
    edges : sequence of float
        Edges of the momentum bins (MeV).
    generator : numpy.random.Generator
        Draws the bootstrap samples.
    """
    n = sample.n_events
    # The first row is the sample itself.
    times = np.ones((1 + REPLICATES, n), dtype=np.int16)
    for row in times[1:]:
        row[:] = generator.multinomial(n, np.full(n, 1 / n))
    place = sample.place("p", edges)
    parts = [np.ones(len(sample), dtype=bool), *(place == k for k in range(len(edges) - 1))]
    return {
        m: MethodMerits(
            _merits(_accuracies(sample, m, times), n),
            _merits(_kaons(sample, m, parts, misid, times), n),
        )
        for m in sample.methods
    }


def _merits(found: Floats, n_events: int) -> Merits:
    """Part the sample itself from the bootstrap samples, (1 + samples, ...)."""
    return Merits(found[0], found[1:] if n_events > 1 else np.full_like(found[1:], np.nan))


def _accuracies(sample: Sample, method: str, times: NDArray[np.int16]) -> Floats:
    """Accuracy and balanced accuracy in each sample of events, (samples, 2)."""
    flat = sample.called(method, mixture_for("flat", sample.label))
    masks = (sample.label >= 0, sample.called(method) == sample.label, flat == sample.label)
    tracks, right, right_flat = (
        np.array([row @ counts for row in times])
        for counts in (_by_event(sample, mask) for mask in masks)
    )
    # The mean is over the species that there are: a bootstrap sample can miss a rare one.
    found = tracks > 0
    # A stated mixture's abundances are given: they do not vary from sample to sample.
    share = tracks if sample.mixture.natural else sample.mixture.abundances * found
    with np.errstate(invalid="ignore"):  # none at all: NaN
        efficiency, balanced = (np.where(found, n / tracks, 0.0) for n in (right, right_flat))
        accuracy = (efficiency * share).sum(axis=1) / share.sum(axis=1)
        return np.column_stack([accuracy, balanced.sum(axis=1) / found.sum(axis=1)])


def _by_event(sample: Sample, which: NDArray[np.bool_]) -> Floats:
    """Count the tracks that satisfy a condition by event and true species, (events, 6)."""
    own = which & (sample.label >= 0)
    cell = sample.event[own] * X + sample.label[own]
    counts = np.bincount(cell, minlength=sample.n_events * X)
    return counts.reshape(sample.n_events, X).astype(np.float64)


def _kaons(
    sample: Sample,
    method: str,
    parts: Sequence[NDArray[np.bool_]],
    misid: Sequence[float],
    times: NDArray[np.int16],
) -> Floats:
    """K efficiencies of parts of the tracks in each sample of events, (samples, parts, misIDs)."""
    kaon = sample.true("kaon")
    either = np.flatnonzero(kaon | sample.true("pion"))
    score = sample.log_ratio(method)[either]
    falling = np.argsort(-score, kind="stable")
    either, score = either[falling], score[falling]
    found = []
    for part in parts:
        own = part[either]
        chosen = either[own]
        found.append(
            efficiencies(score[own], kaon[chosen], sample.event[chosen], times, np.asarray(misid))
        )
    return np.stack(found, axis=1)


def efficiencies(
    score: Floats,
    kaon: NDArray[np.bool_],
    event: NDArray[np.int64],
    times: NDArray[np.int16],
    misid: Floats,
) -> Floats:
    """K efficiency at fixed π misIDs, tied tracks accepted at random, in samples of events.

    Parameters
    ----------
    score : ndarray, (N,)
        Of kaons and pions, falling.
    kaon : ndarray, (N,) bool
        Which of them are kaons.
    event : ndarray, (N,) int64
        Their events.
    times : ndarray, (samples, events) int16
        How often each event is in each sample.
    misid : ndarray, (M,)
        Fractions of pions.

    Returns
    -------
    ndarray, (samples, M)
        As `hepcnn.performance.curves.Roc.efficiency_at` of the repeated tracks; NaN in a sample
        without kaons or without pions.
    """
    last = np.ones(len(score), dtype=bool)
    last[:-1] = score[1:] != score[:-1]
    result = np.empty((len(times), len(misid)))
    order = np.argsort(misid, kind="stable")
    result[:, order] = _efficiencies(kaon, event, last, times, misid[order])
    return result


@njit(cache=True)
def _efficiencies(
    kaon: NDArray[np.bool_],
    event: NDArray[np.int64],
    last: NDArray[np.bool_],
    times: NDArray[np.int16],
    misid: Floats,
) -> Floats:
    """`efficiencies` for rising misIDs: down the ROC curve until the last of them is passed."""
    result = np.full((len(times), len(misid)), np.nan)
    for r in range(len(times)):
        kaons = tracks = 0
        for i in range(len(event)):
            tracks += times[r, event[i]]
            kaons += times[r, event[i]] * kaon[i]
        pions = tracks - kaons
        if kaons == 0 or pions == 0:
            continue
        done = 0
        x0 = y0 = 0.0
        k = n = 0
        for i in range(len(event)):
            n += times[r, event[i]]
            k += times[r, event[i]] * kaon[i]
            if not last[i]:
                continue
            x1, y1 = (n - k) / pions, k / kaons
            while done < len(misid) and x1 > misid[done]:
                result[r, done] = y0 + (y1 - y0) * (misid[done] - x0) / (x1 - x0)
                done += 1
            if done == len(misid):
                break
            x0, y0 = x1, y1
        result[r, done:] = 1.0
    return result
