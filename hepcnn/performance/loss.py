"""Cross-entropy of each class, with its error."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hepcnn.performance.intervals import Floats

STANDARD_ERROR = "standard error of the mean"


class Mean(NamedTuple):
    """Means with their standard errors, and the examples they are over, each (C,).

    Of examples with weights `sums` are Σw, Σwl, Σw², Σw²l and Σw²l² over the losses l of each
    class, (5, C).
    """

    value: Floats
    error: Floats
    n: NDArray[np.int64]
    sums: Floats | None = None

    def together(self, weights: Floats) -> tuple[float, float]:
        """Mean and error over all classes' examples, each with its class's weight, (C,).

        The error is √(Σw²(l − m)²)/Σw over the examples' losses l with the mean m, as that of the
        accuracy (`hepcnn.performance.intervals.weighted_proportion`): the classes differ too.
        NaN with less than two examples.
        """
        if self.sums is not None:
            factors = np.array([weights, weights, *[weights**2] * 3])
            whole, its_error = _of_sums((self.sums * factors)[:, weights > 0].sum(axis=1))
            return float(whole), float(its_error) if self.n.sum() > 1 else np.nan
        some = self.n * weights > 0
        n, w, value = self.n[some], weights[some], self.value[some]
        mean = n * w @ value / (n @ w)
        with np.errstate(invalid="ignore"):  # infinite losses have no error
            # A single example does not differ from its class's mean.
            within = np.where(n > 1, n * (n - 1) * self.error[some] ** 2, 0.0)
            variance = w**2 @ (within + n * (value - mean) ** 2)
        error = np.sqrt(variance) / (n @ w) if n.sum() > 1 else np.nan
        return float(mean), float(error)


def loss(probability: Floats, label: NDArray[np.int16], weight: Floats | None = None) -> Mean:
    """Cross-entropy of each class: the mean of −ln P(true class).

    Parameters
    ----------
    probability : ndarray, (N, C)
        Posterior probabilities.
    label : ndarray, (N,) int16
        True class; others (−1) are left out.
    weight : ndarray, (N,), optional
        Weights of the examples. The mean is then Σwl/Σw, NaN where Σw is not above 0, and its error
        √(Σw²(l − m)²)/Σw.

    Returns
    -------
    Mean
        Arrays (C,); NaN for a class without examples, infinite where a true class was given
        probability 0, as one that was never taught is; the error needs two examples.
    """
    if weight is not None:
        return _weighted(probability, label, weight)
    classes = probability.shape[1]
    value, error = np.full(classes, np.nan), np.full(classes, np.nan)
    n = np.zeros(classes, dtype=np.int64)
    for c in range(classes):
        own = probability[label == c, c]
        n[c] = len(own)
        if len(own):
            with np.errstate(divide="ignore"):
                losses = -np.log(own)
            value[c] = losses.mean()
            if len(own) > 1 and np.isfinite(losses).all():
                error[c] = losses.std(ddof=1) / np.sqrt(len(own))
    return Mean(value, error, n)


def _weighted(probability: Floats, label: NDArray[np.int16], weight: Floats) -> Mean:
    """`loss` of examples with weights."""
    classes = probability.shape[1]
    sums = np.zeros((5, classes))
    for c in range(classes):
        own = (label == c) & (weight != 0)
        w = weight[own]
        with np.errstate(divide="ignore", invalid="ignore"):
            losses = -np.log(probability[own, c])
            sums[:, c] = w.sum(), w @ losses, w @ w, w**2 @ losses, w**2 @ losses**2
    n = np.bincount(label[label >= 0], minlength=classes)
    value, error = _of_sums(sums)
    return Mean(value, np.where(n > 1, error, np.nan), n, sums)


def _of_sums(sums: Floats) -> tuple[Floats, Floats]:
    """Means and errors of the sums of `Mean`; NaN where Σw is not above 0."""
    w, wl, w2, w2l, w2l2 = sums
    with np.errstate(divide="ignore", invalid="ignore"):  # infinite losses have no error
        value = np.where(w > 0, wl / w, np.nan)
        return value, np.sqrt(np.maximum(w2l2 - 2 * value * w2l + value**2 * w2, 0.0)) / w
