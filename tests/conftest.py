"""Fixtures that several parts share: predictions of made-up methods on made-up tracks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from hepcnn.detector.particles import SPECIES
from hepcnn.store.predictions import Predictions
from hepcnn.store.shard import KEY

_ABUNDANCE = np.array([0.025, 0.008, 0.776, 0.12, 0.07, 0.001])


@pytest.fixture
def make_predictions() -> Callable[..., Predictions]:
    """Predictions by name of the method, always on the same tracks for the same seed.

    A network's log likelihoods are the true species' plus noise of width 1/`power`; its scores
    are the posteriors under `prior`. The controls are what their names say.
    """

    def maker(
        method: str = "lecture_cnn",
        n: int = 4000,
        seed: int = 1,
        power: float = 3.0,
        prior: np.ndarray = _ABUNDANCE,
        other: float = 0.01,
    ) -> Predictions:
        rng = np.random.default_rng(seed)
        label = rng.choice(6, size=n, p=_ABUNDANCE).astype(np.int16)
        label[rng.random(n) < other] = -1
        p = np.clip(rng.lognormal(np.log(7500), 0.95, n), 1500, 120000).astype(np.float32)
        key = np.zeros(n, dtype=KEY)
        key["run"], key["event"], key["object"] = 7, np.arange(n) // 40, np.arange(n) % 40
        likelihood = rng.normal(0, 1, (n, 6))
        likelihood[np.arange(n)[label >= 0], label[label >= 0]] += power
        if method == "majority":
            likelihood[:] = 0
        elif method == "momentum_prior":
            likelihood = np.digitize(p, [5000, 20000])[:, None] * np.array([0, 0, 0, 0.3, 0.6, 0])
        scores = np.exp(likelihood) * prior
        scores = (scores / scores.sum(axis=1, keepdims=True)).astype(np.float32)
        return Predictions(
            task="rich_pid",
            method=method,
            classes=SPECIES,
            prior=np.asarray(prior, dtype=np.float64),
            key=key,
            scores=scores,
            label=label,
            features={
                "p": p,
                "eta": np.full(n, 3, np.float32),
                "n_tracks": np.full(n, 40, np.float32),
            },
            cutflow=(("events read", n), ("scored", n)),
            provenance={"id": f"{method}{seed}"},
        )

    return maker
