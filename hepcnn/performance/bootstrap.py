"""Figures of merit of all methods in the same bootstrap samples of events.

None of the figures rewards a method for how its classes were balanced in training:

- accuracy, with decisions for the tables' mixture;
- balanced accuracy, the mean efficiency of the classes, with decisions for the flat mixture, in
  which always calling the same of C classes is worth 1/C;
- what each kind of task adds, at cuts of its own.

Errors are standard deviations over bootstrap samples of whole *events*: tracks of an event share
hits and are not independent. In each sample a cut is found anew, so that the error knows that the
examples which fix it fluctuate too. All methods are evaluated in the same samples, once; the error
of a difference is that of the differences of two methods' draws, which knows that the examples are
the same.

**Trainings.** The figures of a network that is trained several times, with seeds of its own, are
the means over its trainings, and their errors hold the spread: the standard deviation over the
trainings, added in quadrature. It is that of one training, not of the mean: what is said of a
network is what a user gets who trains it once. (By the law of total variance: that over events of
the mean training, and that over trainings on these events.) A network that is trained once has
errors of the events alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hepcnn.config import network_of
from hepcnn.performance.intervals import Floats
from hepcnn.performance.sample import Sample
from hepcnn.performance.table import Number

#: Bootstrap samples: an error is then known to about 3 %.
REPLICATES = 500
BOOTSTRAP = f"bootstrap of events, {REPLICATES} samples, 1 sigma"
_AND_SPREAD = f"{BOOTSTRAP}, and the spread of trainings"


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
    spread : ndarray of float64
        Standard deviation over trainings, of the shape of `value` or a scalar; 0 of what was not
        trained several times.
    """

    value: Floats
    draws: Floats
    spread: Floats = field(default_factory=lambda: np.zeros(()))

    def __sub__(self, other: Merits) -> Merits:
        spread = np.hypot(self.spread, other.spread)
        return Merits(self.value - other.value, self.draws - other.draws, spread)

    def __truediv__(self, other: Merits) -> Merits:
        with np.errstate(divide="ignore", invalid="ignore"):  # infinite or NaN: unknown
            ratio = self.value / other.value
            spread = np.hypot(self.spread, ratio * other.spread) / np.abs(other.value)
            return Merits(ratio, self.draws / other.draws, spread)

    def __getitem__(self, index: int) -> Merits:
        spread = np.broadcast_to(self.spread, self.value.shape)[index]
        return Merits(np.asarray(self.value[index]), self.draws[:, index], np.asarray(spread))

    def with_spread(self, more: float) -> Merits:
        """The same with more spread, in quadrature."""
        return replace(self, spread=np.hypot(self.spread, more))

    @property
    def error(self) -> Floats:
        """Error of the events, and the spread of trainings in quadrature."""
        return np.hypot(self.of_events, self.spread)

    @property
    def of_events(self) -> Floats:
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
        spread = np.broadcast_to(self.spread, self.value.shape)
        cells = zip(*map(np.ravel, (self.value, self.error, spread)), strict=True)
        return [
            Number(float(v), float(e), float(e), _AND_SPREAD if s > 0 else BOOTSTRAP)
            for v, e, s in cells
        ]


def draw(n_events: int, generator: np.random.Generator) -> NDArray[np.int16]:
    """How often each event is in each sample, (1 + samples, events): first the events as they are.

    Parameters
    ----------
    n_events : int
        Events of the sample.
    generator : numpy.random.Generator
        Draws the bootstrap samples.
    """
    times = np.ones((1 + REPLICATES, n_events), dtype=np.int16)
    for row in times[1:] if n_events else ():
        row[:] = generator.multinomial(n_events, np.full(n_events, 1 / n_events))
    return times


def merits(found: Floats, n_events: int) -> Merits:
    """Part a figure of the sample itself from that of bootstrap samples, (1 + samples, ...)."""
    return Merits(found[0], found[1:] if n_events > 1 else np.full_like(found[1:], np.nan))


def ratio(times: NDArray[np.int16], top: ArrayLike, bottom: ArrayLike) -> Merits:
    """Ratio of two sums over events.

    Parameters
    ----------
    times : ndarray, (1 + samples, events)
        See `draw`.
    top, bottom : array_like, (events, ...)
        What is summed; the shapes broadcast. A sum of 0 in the denominator gives NaN.
    """
    above, below = (np.tensordot(times, np.asarray(a, dtype=np.float64), 1) for a in (top, bottom))
    above, below = np.broadcast_arrays(above, below)
    found = np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)
    return merits(found, times.shape[1])


def quantiles(
    times: NDArray[np.int16], values: Floats, event: NDArray[np.integer], levels: Sequence[float]
) -> Merits:
    """Quantiles of values of which each event has any number.

    A quantile is the smallest value that at least such a fraction of all values does not exceed.

    Parameters
    ----------
    times : ndarray, (1 + samples, events)
        See `draw`.
    values, event : ndarray, (n,)
        The values, infinite ones too, and the number of the event of each.
    levels : sequence of float
        L fractions, above 0 and at most 1.

    Returns
    -------
    Merits, (L,)
        NaN without values. Where one of the samples has an infinite quantile, there is no error.
    """
    found = np.full((len(times), len(levels)), np.nan)
    order = np.argsort(values)
    ordered, event = values[order], event[order]
    for s, row in enumerate(times):
        up_to = np.cumsum(row[event], dtype=np.int64)
        if len(up_to) and up_to[-1]:
            # Rounding must not ask for one value more.
            asked = np.asarray(levels) * up_to[-1] * (1 - 1e-12)
            found[s] = ordered[np.searchsorted(up_to, asked)]
    found[1:, np.isinf(found[1:]).any(axis=0)] = np.nan
    return merits(found, times.shape[1])


def joined(parts: Sequence[Merits]) -> Merits:
    """Figures of merit of any shapes, one after another, (F,)."""
    values = [np.ravel(p.value) for p in parts]
    draws = [p.draws.reshape(len(p.draws), -1) for p in parts]
    spread = [np.ravel(np.broadcast_to(p.spread, p.value.shape)) for p in parts]
    return Merits(np.concatenate(values), np.concatenate(draws, axis=1), np.concatenate(spread))


def by_method(merits: Mapping[str, Merits]) -> dict[str, Merits]:
    """Figures of merit of methods, from those of all trainings and baselines: the means.

    Parameters
    ----------
    merits : mapping of str to Merits
        By training (see `hepcnn.config.trainings`) or baseline, all of one shape.
    """
    groups: dict[str, list[Merits]] = {}
    for name, own in merits.items():
        groups.setdefault(network_of(name), []).append(own)
    return {method: _mean(group) for method, group in groups.items()}


def _mean(trainings: Sequence[Merits]) -> Merits:
    """The mean training, with the standard deviation over the trainings."""
    if len(trainings) == 1:
        return trainings[0]
    values = np.stack([t.value for t in trainings])
    draws = np.mean([t.draws for t in trainings], axis=0)
    return Merits(values.mean(axis=0), draws, values.std(axis=0, ddof=1))


def accuracies(sample: Sample, method: str, times: NDArray[np.int16]) -> Floats:
    """Accuracy and balanced accuracy in each sample of events, (samples, 2)."""
    flat = sample.called(method, sample.mixture_of("flat"))
    masks = (sample.label >= 0, sample.called(method) == sample.label, flat == sample.label)
    total, right, right_flat = (
        np.array([row @ counts for row in times])
        for counts in (_by_event(sample, mask) for mask in masks)
    )
    # The mean is over the classes that there are: a bootstrap sample can miss a rare one.
    found = total > 0
    # A stated mixture's abundances are given: they do not vary from sample to sample.
    share = total if sample.mixture.natural else sample.mixture.abundances * found
    with np.errstate(invalid="ignore"):  # none at all: NaN
        efficiency, balanced = (np.where(found, n / total, 0.0) for n in (right, right_flat))
        accuracy = (efficiency * share).sum(axis=1) / share.sum(axis=1)
        return np.column_stack([accuracy, balanced.sum(axis=1) / found.sum(axis=1)])


def _by_event(sample: Sample, which: NDArray[np.bool_]) -> Floats:
    """Examples that satisfy a condition, or their weights, by event and class, (events, C)."""
    own, c = which & (sample.label >= 0), len(sample.classes)
    cell = sample.event[own] * c + sample.label[own]
    counts = np.bincount(cell, sample.weights(own), minlength=sample.n_events * c)
    return counts.reshape(sample.n_events, c).astype(np.float64)
