"""The lecture's per-species numbers: particles, accuracy, loss."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hepcnn.detector.particles import SPECIES
from hepcnn.performance.intervals import Floats

STANDARD_ERROR = "standard error of the mean"


class Mean(NamedTuple):
    """Means with their standard errors, and the tracks they are over."""

    value: Floats
    error: Floats
    n: NDArray[np.int64]

    def together(self, weights: Floats) -> tuple[float, float]:
        """Mean and error over all species' tracks, each with its species' weight, (6,).

        The error is √(Σw²(l − m)²)/Σw over the tracks' losses l with the mean m, as that of the
        accuracy (`hepcnn.performance.intervals.weighted_proportion`): the species differ too.
        NaN with less than two tracks.
        """
        some = self.n * weights > 0
        n, w, value = self.n[some], weights[some], self.value[some]
        mean = n * w @ value / (n @ w)
        with np.errstate(invalid="ignore"):  # infinite losses have no error
            # A single track does not differ from its species' mean.
            within = np.where(n > 1, n * (n - 1) * self.error[some] ** 2, 0.0)
            variance = w**2 @ (within + n * (value - mean) ** 2)
        error = np.sqrt(variance) / (n @ w) if n.sum() > 1 else np.nan
        return float(mean), float(error)


def loss(probability: Floats, label: NDArray[np.int16]) -> Mean:
    """Cross-entropy of each species: the mean of −ln P(true species).

    Parameters
    ----------
    probability : ndarray, (N, 6)
        Posterior probabilities.
    label : ndarray, (N,) int16
        True species; others (−1) are left out.

    Returns
    -------
    Mean
        Arrays (6,); NaN for a species without tracks, infinite where a true species was given
        probability 0, as one that was never taught is; the error needs two tracks.
    """
    value, error = np.full(len(SPECIES), np.nan), np.full(len(SPECIES), np.nan)
    n = np.zeros(len(SPECIES), dtype=np.int64)
    for species in range(len(SPECIES)):
        own = probability[label == species, species]
        n[species] = len(own)
        if len(own):
            with np.errstate(divide="ignore"):
                losses = -np.log(own)
            value[species] = losses.mean()
            if len(own) > 1 and np.isfinite(losses).all():
                error[species] = losses.std(ddof=1) / np.sqrt(len(own))
    return Mean(value, error, n)
