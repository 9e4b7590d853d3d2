"""From likelihoods to probabilities."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax


def posterior(log_likelihood: ArrayLike, prior: ArrayLike) -> NDArray[np.float32]:
    """Bayes' theorem: p(class | data) ∝ prior · L.

    Parameters
    ----------
    log_likelihood : array_like, (N, C)
        ln L of each class, up to a constant of each example.
    prior : array_like, (C,)
        Abundances, all above 0.

    Returns
    -------
    ndarray, (N, C) float32
        Each row sums to 1. A class that is e^-103 times less likely has a score of 0.
    """
    weighted = np.asarray(log_likelihood, dtype=np.float64) + np.log(prior)
    return softmax(weighted, axis=1).astype(np.float32)
