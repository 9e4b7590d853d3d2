"""Whether probabilities are what they say: reliability, calibration error, temperature.

A method is calibrated if of the tracks that it gives a probability P, a fraction P are what it
says. Two probabilities are looked at: that of the class with the greatest one (`called`), and that
of the kaon. Probabilities are posteriors in the sample's natural mixture; tracks of other species
have no true class and are left out.

**Temperature scaling** (Guo et al., ICML 2017, arXiv:1706.04599): scores to the power 1/T,
renormalised; T is fitted on the validation split, as the predictions say. It is applied to the
scores as they come, under their own prior, and moved to the sample's mixture after. These tables
alone use it: it changes no decision under that prior and no order of one method's K/π ratios, and
all other tables are of what the methods give.

**Expected calibration error**: Σ_b n_b/N · |fraction right − mean probability| over
`BINS` bins of equally many tracks; tracks of equal probability are never parted, so that a constant
probability makes one bin. A finite sample of a perfectly calibrated method does not give 0: what it
gives on average, Σ_b n_b/N · √(2 P(1 − P) / (π n_b)), stands beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hepcnn.detector.particles import SPECIES
from hepcnn.performance.columns import METHOD, percent, span
from hepcnn.performance.confusion import mixture_for, posterior
from hepcnn.performance.intervals import Floats, Proportion, clopper_pearson
from hepcnn.performance.sample import Sample
from hepcnn.performance.species import STANDARD_ERROR
from hepcnn.performance.table import Cell, Column, Number, Table
from hepcnn.performance.temperature import LEAST

#: Bins of equally many tracks (Guo et al. use 15 too, of equal width).
BINS = 15


@dataclass(frozen=True, eq=False)
class Reliability:
    """The reliability curve: B bins in rising probability, each array (B,).

    Attributes
    ----------
    low, high, mean : ndarray of float64
        Least, greatest and mean probability of the bin's tracks.
    right : Proportion
        Fraction of the tracks that are what the probability is of.
    """

    low: Floats
    high: Floats
    mean: Floats
    right: Proportion

    @property
    def error(self) -> float:
        """Expected calibration error; NaN without tracks."""
        return self._average(np.abs(self.right.value - self.mean))

    @property
    def error_if_calibrated(self) -> float:
        """What `error` would be on average if the probabilities were right."""
        n = np.maximum(self.right.n_total, 1)
        return self._average(np.sqrt(2 * self.mean * (1 - self.mean) / (np.pi * n)))

    def _average(self, values: Floats) -> float:
        n = self.right.n_total
        return float(n @ values / n.sum()) if n.sum() else float("nan")


def reliability(probability: Floats, right: NDArray[np.bool_]) -> Reliability:
    """Hold probabilities against what came true, in `BINS` bins of equally many tracks.

    Parameters
    ----------
    probability : ndarray, (N,)
        From 0 to 1.
    right : ndarray, (N,) bool
        Whether the track is what the probability is of.
    """
    n = len(probability)
    rising = np.sort(probability)
    low = np.unique(rising[np.arange(BINS) * n // BINS]) if n else rising
    place = np.searchsorted(low, probability, side="right") - 1
    count, passed, total = (
        np.bincount(place, weights, minlength=len(low)) for weights in (None, right, probability)
    )
    return Reliability(
        low=low,
        high=rising[np.cumsum(count) - 1],
        # A mean of equal numbers must not be rounded out of its bin.
        mean=np.clip(total / count, low, rising[np.cumsum(count) - 1]),
        right=clopper_pearson(passed, count),
    )


def tempered(scores: NDArray[np.floating], temperature: float) -> Floats:
    """Scores, at least `LEAST`, to the power 1/temperature, renormalised, (N, C)."""
    log = np.log(np.maximum(scores.astype(np.float64), LEAST)) / temperature
    weight = np.exp(log - log.max(axis=1, keepdims=True))
    return np.asarray(weight / weight.sum(axis=1, keepdims=True))


def _probabilities(sample: Sample, method: str) -> Iterator[tuple[str, float, Floats]]:
    """A method's posteriors in the natural mixture without temperature and with it."""
    natural = mixture_for("natural", sample.label)
    for name, temperature in (("as given", 1.0), ("tempered", sample.temperature[method])):
        scores = tempered(sample.scores[method], temperature)
        yield name, temperature, posterior(scores, sample.prior[method], natural)


def _curves(probability: Floats, label: NDArray[np.int16]) -> dict[str, Reliability]:
    """The reliability curves of the tracks of the six species."""
    kaon = SPECIES.index("kaon")
    return {
        "called": reliability(probability.max(axis=1), probability.argmax(axis=1) == label),
        "kaon": reliability(probability[:, kaon], label == kaon),
    }


def calibration_tables(sample: Sample) -> tuple[Table, Table]:
    """Tables `calibration`, a row a method without and with temperature, and `reliability`."""
    six = sample.label >= 0
    label = sample.label[six]
    errors: list[tuple[Cell, ...]] = []
    points: list[tuple[Cell, ...]] = []
    for method in sample.methods:
        for name, temperature, everything in _probabilities(sample, method):
            probability = everything[six]
            curves = _curves(probability, label)
            ece = [x for c in curves.values() for x in (c.error, c.error_if_calibrated)]
            errors.append((method, name, temperature, len(label), *ece, _loss(probability, label)))
            for what, curve in curves.items():
                columns = (curve.low, curve.high, curve.mean)
                points += [
                    (method, name, what, i + 1, *(float(c[i]) for c in columns), curve.right[i])
                    for i in range(len(curve.low))
                ]
    return _calibration(sample, errors), _reliability(sample, points)


def _loss(probability: Floats, label: NDArray[np.int16]) -> Number:
    """Cross-entropy with the standard error of the mean."""
    with np.errstate(divide="ignore"):
        losses = -np.log(probability[np.arange(len(label)), label])
    some = len(losses) > 1 and bool(np.isfinite(losses).all())
    error = float(losses.std(ddof=1) / np.sqrt(len(losses))) if some else float("nan")
    return Number(float(losses.mean()), error, error, STANDARD_ERROR)


def _calibration(sample: Sample, rows: list[tuple[Cell, ...]]) -> Table:
    columns = (
        METHOD,
        Column("scores", "scores"),
        Column("temperature", "temperature", "number", 3),
        Column("tracks", "tracks", "number"),
        percent("ece", "ECE", "number"),
        percent("ece_if_calibrated", "if calibrated", "number"),
        percent("ece_kaon", "ECE of P_K", "number"),
        percent("ece_kaon_if_calibrated", "if calibrated", "number"),
        Column("loss", "cross-entropy", "estimate", 4),
    )
    caption = (
        "Calibration: expected calibration error (ECE) of the greatest probability and of that of "
        f"the kaon, in {BINS} bins of equally many tracks, beside what it would be on average if "
        "the probabilities were right; cross-entropy; without and with the temperature fitted on "
        f"the validation split; natural mixture of the six species, {span(sample)}"
    )
    return Table("calibration", caption, columns, tuple(rows))


def _reliability(sample: Sample, rows: list[tuple[Cell, ...]]) -> Table:
    columns = (
        METHOD,
        Column("scores", "scores"),
        Column("of", "probability of"),
        Column("bin", "bin", "number"),
        percent("low", "from", "number"),
        percent("high", "to", "number"),
        percent("mean", "mean probability", "number"),
        percent("right", "fraction right", "proportion"),
    )
    caption = (
        "Reliability: mean probability of the species called, or of the kaon, and the fraction of "
        f"the tracks that are of it; natural mixture of the six species, {span(sample)}"
    )
    return Table("reliability", caption, columns, tuple(rows))
