"""Whether probabilities are what they say: reliability, calibration error, temperature.

A method is calibrated if of the examples that it gives a probability P, a fraction P are what it
says. Looked at are the probability of the class with the greatest one (`called`), and those of some
classes by name. Probabilities are posteriors in the sample's natural mixture; examples of other
classes are left out.

**Temperature scaling** (Guo et al., ICML 2017, arXiv:1706.04599): scores to the power 1/T,
renormalised; T is fitted on the validation split, as the predictions say. It is applied to the
scores as they come, under their own prior, and moved to the sample's mixture after. These tables
alone use it: it changes no decision under that prior and no order of one method's K/π ratios, and
all other tables are of what the methods give.

**Expected calibration error**: Σ_b n_b/N · |fraction right − mean probability| over
`BINS` bins of equally many examples, those of equal probability never parted, so that a constant
probability makes one bin. A finite sample of a perfectly calibrated method does not give 0: what it
gives on average, Σ_b n_b/N · √(2 P(1 − P) / (π n_b)), stands beside it. Of examples with weights
n_b/N is the bin's share of Σw, and n_b in the root the effective number (Σw)²/Σw²; a bin whose
weights do not sum to more than 0 is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hepcnn.performance.columns import METHOD, percent
from hepcnn.performance.confusion import posterior
from hepcnn.performance.intervals import Floats, Proportion
from hepcnn.performance.loss import STANDARD_ERROR, loss
from hepcnn.performance.sample import Sample
from hepcnn.performance.table import Cell, Column, Number, Table
from hepcnn.performance.tally import Tally, fraction
from hepcnn.performance.temperature import LEAST

#: Bins of equally many examples (Guo et al. use 15 too, of equal width).
BINS = 15


@dataclass(frozen=True, eq=False)
class Reliability:
    """The reliability curve: B bins in rising probability, each array (B,).

    Attributes
    ----------
    low, high, mean : ndarray of float64
        Least, greatest and mean probability of the bin's examples.
    right : Proportion
        Fraction of the examples that are what the probability is of.
    """

    low: Floats
    high: Floats
    mean: Floats
    right: Proportion

    @property
    def error(self) -> float:
        """Expected calibration error; NaN without examples."""
        return self._average(np.abs(self.right.value - self.mean))

    @property
    def error_if_calibrated(self) -> float:
        """What `error` would be on average if the probabilities were right."""
        n = np.maximum(self.right.n_eff, 1)
        mean = np.clip(self.mean, 0.0, 1.0)
        return self._average(np.sqrt(2 * mean * (1 - mean) / (np.pi * n)))

    def _average(self, values: Floats) -> float:
        some = self.right.sumw > 0
        n = self.right.sumw[some]
        return float(n @ values[some] / n.sum()) if some.any() else float("nan")


def reliability(
    probability: Floats, right: NDArray[np.bool_], weight: Floats | None = None
) -> Reliability:
    """Hold probabilities against what came true, in `BINS` bins of equally many examples.

    Parameters
    ----------
    probability : ndarray, (N,)
        From 0 to 1.
    right : ndarray, (N,) bool
        Whether the example is what the probability is of.
    weight : ndarray, (N,), optional
        Of the examples.
    """
    n = len(probability)
    rising = np.sort(probability)
    low = np.unique(rising[np.arange(BINS) * n // BINS]) if n else rising
    place = np.searchsorted(low, probability, side="right") - 1
    every = Tally.binned(place, len(low), weight)
    passed = Tally.binned(place[right], len(low), None if weight is None else weight[right])
    total = np.bincount(place, probability if weight is None else weight * probability, len(low))
    high = rising[np.cumsum(every.n) - 1]
    with np.errstate(divide="ignore", invalid="ignore"):  # weights that sum to 0
        mean = total / every.w
    if weight is None:  # a mean of equal numbers must not be rounded out of its bin
        mean = np.clip(mean, low, high)
    return Reliability(low=low, high=high, mean=mean, right=fraction(passed, every))


def tempered(scores: NDArray[np.floating], temperature: float) -> Floats:
    """Scores, at least `LEAST`, to the power 1/temperature, renormalised, (N, C)."""
    log = np.log(np.maximum(scores.astype(np.float64), LEAST)) / temperature
    weight = np.exp(log - log.max(axis=1, keepdims=True))
    return np.asarray(weight / weight.sum(axis=1, keepdims=True))


def _probabilities(sample: Sample, method: str) -> Iterator[tuple[str, float, Floats]]:
    """A method's posteriors in the natural mixture without temperature and with it."""
    natural = sample.mixture_of("natural")
    for name, temperature in (("as given", 1.0), ("tempered", sample.temperature[method])):
        scores = tempered(sample.scores[method], temperature)
        yield name, temperature, posterior(scores, sample.prior[method], natural)


def _curves(
    sample: Sample,
    probability: Floats,
    label: NDArray[np.int16],
    named: Sequence[str],
    weight: Floats | None,
) -> dict[str, Reliability]:
    """The reliability curves of the class called and of the named classes."""
    called = reliability(probability.max(axis=1), probability.argmax(axis=1) == label, weight)
    indices = {name: sample.mixture.index(name) for name in named}
    return {"called": called} | {
        name: reliability(probability[:, i], label == i, weight) for name, i in indices.items()
    }


def calibration_tables(sample: Sample, named: Mapping[str, str], whose: str) -> tuple[Table, Table]:
    """Tables `calibration`, a row a method without and with temperature, and `reliability`.

    Parameters
    ----------
    sample : Sample
        The examples; those of other classes are left out.
    named : mapping of str to str
        The classes whose probabilities are looked at, and their symbols.
    whose : str
        What they are together, for captions.
    """
    known = sample.label >= 0
    label, weight = sample.label[known], sample.weights(known)
    errors: list[tuple[Cell, ...]] = []
    points: list[tuple[Cell, ...]] = []
    for method in sample.methods:
        for name, temperature, everything in _probabilities(sample, method):
            probability = everything[known]
            curves = _curves(sample, probability, label, list(named), weight)
            ece = [x for c in curves.values() for x in (c.error, c.error_if_calibrated)]
            entropy = _loss(probability, label, weight)
            errors.append((method, name, temperature, len(label), *ece, entropy))
            for what, curve in curves.items():
                columns = (curve.low, curve.high, curve.mean)
                points += [
                    (method, name, what, i + 1, *(float(c[i]) for c in columns), curve.right[i])
                    for i in range(len(curve.low))
                ]
    return _calibration(sample, named, whose, errors), _reliability(sample, whose, points)


def _loss(probability: Floats, label: NDArray[np.int16], weight: Floats | None) -> Number:
    """Cross-entropy with the standard error of the mean."""
    if weight is not None:
        value, error = loss(probability, label, weight).together(np.ones(probability.shape[1]))
        return Number(value, error, error, STANDARD_ERROR)
    with np.errstate(divide="ignore"):
        losses = -np.log(probability[np.arange(len(label)), label])
    some = len(losses) > 1 and bool(np.isfinite(losses).all())
    error = float(losses.std(ddof=1) / np.sqrt(len(losses))) if some else float("nan")
    return Number(float(losses.mean()), error, error, STANDARD_ERROR)


def _calibration(
    sample: Sample, named: Mapping[str, str], whose: str, rows: list[tuple[Cell, ...]]
) -> Table:
    errors = {"ece": "ECE"} | {f"ece_{name}": f"ECE of {sign}" for name, sign in named.items()}
    columns = (
        METHOD,
        Column("scores", "scores"),
        Column("temperature", "temperature", "number", 3),
        Column(f"{sample.unit}s", f"{sample.unit}s", "number"),
        *(
            percent(f"{name}{part}", title if not part else "if calibrated", "number")
            for name, title in errors.items()
            for part in ("", "_if_calibrated")
        ),
        Column("loss", "cross-entropy", "estimate", 4),
    )
    caption = (
        "Calibration: expected calibration error (ECE) of the greatest probability and of that of "
        f"{whose}, in {BINS} bins of equally many {sample.unit}s, beside what it would be on "
        "average if the probabilities were right; cross-entropy; without and with the temperature "
        f"fitted on the validation split; natural mixture of the {sample.described}"
    )
    return Table("calibration", caption, columns, tuple(rows))


def _reliability(sample: Sample, whose: str, rows: list[tuple[Cell, ...]]) -> Table:
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
        f"Reliability: mean probability of the {sample.kind} called, or of {whose}, and the "
        f"fraction of the {sample.unit}s that are of it; natural mixture of the {sample.described}"
    )
    return Table("reliability", caption, columns, tuple(rows))
