"""The boosted tree: what the numbers of the windows tell without an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hepcnn.errors import InputError
from hepcnn.reconstruction.controls import frequencies

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingClassifier

#: Trees a class, at most; it stops when `PATIENCE` more have not lowered the validation loss.
MAX_TREES = 300
PATIENCE = 10


@dataclass(frozen=True, eq=False)
class BoostedTree:
    """A gradient-boosted tree, and the abundances of its training split, (C,)."""

    model: HistGradientBoostingClassifier
    abundances: NDArray[np.float64]


def fit(
    features: NDArray[np.float32],
    labels: NDArray[np.integer],
    validation_features: NDArray[np.float32],
    validation_labels: NDArray[np.integer],
    n_classes: int,
    seed: int,
) -> BoostedTree:
    """Fit scikit-learn's histogram-based gradient boosting (Friedman 2001, as LightGBM).

    Parameters
    ----------
    features, validation_features : ndarray, (N, F) and (M, F) float32
        NaN where there is no value.
    labels, validation_labels : ndarray, (N,) and (M,) int
        Classes; −1 (none of them) is left out. The validation split says when to stop.
    n_classes : int
        Number C of classes.
    seed : int
        For the choice of the examples that the bins are made from, where there are many.

    Raises
    ------
    InputError
        If the training examples are not of two classes or more.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier  # its import takes a second

    abundances = frequencies(labels, n_classes)
    known = labels >= 0
    if len(np.unique(labels[known])) < 2:
        raise InputError("the training split has one class only; a boosted tree needs two")
    judging = np.isin(validation_labels, labels[known])
    model = HistGradientBoostingClassifier(
        max_iter=MAX_TREES,
        early_stopping=bool(judging.any()),
        n_iter_no_change=PATIENCE,
        random_state=seed % (1 << 32),  # scikit-learn takes none above
    )
    validation = (validation_features[judging], validation_labels[judging])
    x_val, y_val = validation if judging.any() else (None, None)
    model.fit(features[known], labels[known], X_val=x_val, y_val=y_val)
    return BoostedTree(model, abundances)


def scores(tree: BoostedTree, features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities of all classes, (N, C) float32; each row sums to 1.

    A class that the training split lacks has its abundance there, which pseudo-counts keep above
    0, for every example.
    """
    found = np.tile(tree.abundances, (len(features), 1))
    seen = tree.model.classes_
    if len(features):
        found[:, seen] = tree.model.predict_proba(features) * tree.abundances[seen].sum()
    return found.astype(np.float32)
