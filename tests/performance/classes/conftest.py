"""Made-up predictions of a classification task."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from hepcnn.config import ClassTask
from hepcnn.store.predictions import Predictions
from hepcnn.store.shard import KEY


@pytest.fixture(scope="session")
def classified() -> Callable[..., Predictions]:
    """Predictions of the events with these true classes, whose scores are given or made up.

    Made-up scores are posteriors at equal abundances of log likelihoods with noise of width
    1/`power`, drawn for each method by itself.
    """

    def maker(
        task: ClassTask,
        method: str,
        label: np.ndarray,
        scores: np.ndarray | None = None,
        power: float = 2.0,
        energy: np.ndarray | None = None,
        altered: str = "",
    ) -> Predictions:
        n, c = len(label), len(task.classes)
        if scores is None:
            seed = [*method.encode()]
            scores = np.random.default_rng(seed).normal(0, 1, (n, c))
            scores[np.arange(n)[label >= 0], label[label >= 0]] += power
            scores = np.exp(scores)
        scores = np.asarray(scores, dtype=np.float64)
        key = np.zeros(n, dtype=KEY)
        key["run"], key["event"] = 1, np.arange(n)
        if energy is None:
            energy = np.linspace(0, 2999, n)
        return Predictions(
            task="lartpc",
            method=method,
            classes=task.classes,
            prior=np.full(c, 1 / c),
            key=key,
            scores=(scores / scores.sum(axis=1, keepdims=True)).astype(np.float32),
            label=np.asarray(label, dtype=np.int16),
            features={
                "energy": np.asarray(energy, dtype=np.float32),
                "n_hits": np.full(n, 7, dtype=np.float32),
            },
            cutflow=(("events read", n), ("scored", n)),
            provenance={"id": f"{method}{altered}"},
            altered=altered,
        )

    return maker
