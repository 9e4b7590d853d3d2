"""Temperature scaling: one number that makes probabilities as sure as they should be."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from hepcnn.errors import InputError

#: A score below it, the smallest normal float32, counts as it where −ln P is taken: float32 makes
#: 0 of what is unlikely, not impossible, and one infinite loss would be all that a mean says.
LEAST = float(np.finfo(np.float32).tiny)
#: Lowest and highest temperature: scores without an error, or worse than none, have no minimum.
RANGE = (0.05, 20.0)


def fit_temperature(scores: NDArray[np.floating], label: NDArray[np.integer]) -> float:
    """Fit the temperature T that minimises the cross-entropy of scores^(1/T), renormalised.

    Guo et al., ICML 2017 (arXiv:1706.04599). With β = 1/T the cross-entropy is convex; its
    derivative is the mean of ⟨ln score⟩ over the classes, by the tempered probabilities, minus
    that of the true class.

    Parameters
    ----------
    scores : ndarray, (N, C)
        Probabilities of the validation split, at least `LEAST`.
    label : ndarray, (N,)
        True classes; −1 (none of them) is left out.

    Returns
    -------
    float
        T, above 1 if the scores are too sure of themselves, within `RANGE`; 1 if all scores are
        equal.

    Raises
    ------
    InputError
        If no example has a class.
    """
    known = label >= 0
    if not known.any():
        raise InputError("the validation split has no example of any class")
    log = np.log(np.maximum(scores[known], LEAST), dtype=np.float64)
    log -= log.max(axis=1, keepdims=True)
    true = float(np.take_along_axis(log, label[known, np.newaxis].astype(np.int64), axis=1).mean())

    def slope(beta: float) -> float:
        weight = np.exp(beta * log)
        return float(((weight * log).sum(axis=1) / weight.sum(axis=1)).mean()) - true

    if not log.any():
        return 1.0
    low, high = 1 / RANGE[1], 1 / RANGE[0]
    if slope(low) >= 0:
        return RANGE[1]
    if slope(high) <= 0:
        return RANGE[0]
    return float(1 / brentq(slope, low, high, xtol=1e-6))
