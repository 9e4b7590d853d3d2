"""Controls that see no image: what the abundances alone, or with the momentum, can tell.

A network that does not beat them has learnt nothing from its images.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hepcnn.errors import InputError

#: Bins in ln p of `momentum_prior`: 10 % in momentum for 2 to 100 GeV.
MOMENTUM_BINS = 40
#: Pseudo-count of each class: Jeffreys' prior for a multinomial. It keeps every score above 0.
PSEUDO_COUNT = 0.5


@dataclass(frozen=True, eq=False)
class BinnedPrior:
    """p(class | momentum), constant in each of B bins of ln p.

    Attributes
    ----------
    edges : ndarray, (B − 1,) float64
        Edges between the bins in ln(p / MeV); the first and the last bin are open.
    probabilities : ndarray, (B, C) float64
        Each row sums to 1; all are above 0.
    """

    edges: NDArray[np.float64]
    probabilities: NDArray[np.float64]


def frequencies(labels: ArrayLike, n_classes: int) -> NDArray[np.float64]:
    """Relative frequency of each class, with Jeffreys' pseudo-counts.

    As every example's scores they are the control `majority`: the most frequent class wins.

    Parameters
    ----------
    labels : array_like, (N,) int
        Classes; −1 (none of them) is left out.
    n_classes : int
        Number C of classes.

    Returns
    -------
    ndarray, (C,) float64
        (n_c + 1/2) / (N + C/2), so that a class without an example is not impossible.

    Raises
    ------
    InputError
        If no example has a class, or a label is out of range.
    """
    labels = np.asarray(labels)
    if labels.size and not (labels.min() >= -1 and labels.max() < n_classes):
        raise InputError(
            f"labels from {labels.min()} to {labels.max()} must be −1 to {n_classes - 1}"
        )
    counts = np.bincount(labels[labels >= 0], minlength=n_classes)
    if not counts.any():
        raise InputError("the training split has no example of any class")
    return (counts + PSEUDO_COUNT) / (counts.sum() + PSEUDO_COUNT * n_classes)


def momentum_prior(labels: ArrayLike, momentum: ArrayLike, n_classes: int) -> BinnedPrior:
    """Fit the class frequencies in bins of ln p, equal between the lowest and the highest.

    A bin with few examples leans on the frequencies f of the whole sample: with n examples of
    class c among N in the bin, p(c) = (n + C/2 · f_c) / (N + C/2), the mean of the posterior of a
    multinomial under a Dirichlet prior with mean f and the weight of Jeffreys' prior.

    Parameters
    ----------
    labels : array_like, (N,) int
        Classes of the training examples; −1 (none of them) is left out.
    momentum : array_like, (N,)
        Their momenta (MeV).
    n_classes : int
        Number C of classes; one without an example gets a small score.

    Raises
    ------
    InputError
        If no example has a class, a label is out of range, or a momentum is not above 0.
    """
    labels = np.asarray(labels)
    whole = frequencies(labels, n_classes)
    log_p = _log(momentum)[labels >= 0]
    edges = np.linspace(log_p.min(), log_p.max(), MOMENTUM_BINS + 1)[1:-1]
    cell = np.digitize(log_p, edges) * n_classes + labels[labels >= 0]
    counts = np.bincount(cell, minlength=MOMENTUM_BINS * n_classes).reshape(-1, n_classes)
    weight = PSEUDO_COUNT * n_classes
    probabilities = (counts + weight * whole) / (counts.sum(axis=1, keepdims=True) + weight)
    return BinnedPrior(edges, probabilities)


def scores(model: BinnedPrior, momentum: ArrayLike) -> NDArray[np.float32]:
    """Look the probabilities of the classes up.

    Parameters
    ----------
    model : BinnedPrior
        Fitted by `momentum_prior`.
    momentum : array_like, (N,)
        Momenta (MeV). Below or above all of the training, the first or the last bin counts.

    Returns
    -------
    ndarray, (N, C) float32
        Each row sums to 1; none is 0.

    Raises
    ------
    InputError
        If a momentum is not above 0.
    """
    return model.probabilities.astype(np.float32)[np.digitize(_log(momentum), model.edges)]


def _log(momentum: ArrayLike) -> NDArray[np.float64]:
    p = np.asarray(momentum, dtype=np.float64)
    if bad := int(np.count_nonzero(~(np.isfinite(p) & (p > 0)))):
        raise InputError(f"p: {bad} of {p.size} momenta are not above 0 and finite")
    return np.log(p)
