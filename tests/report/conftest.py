"""A results folder of tasks on wire planes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_up_planes import untrained, write_planes

from hepcnn.config import ClassTask, Config, LArTPCSample, LArTPCSimulation, PlaneImages
from hepcnn.performance.evaluate import evaluate_files
from hepcnn.store.images import ImageSet
from hepcnn.store.predictions import Predictions, write_predictions

#: Of a network that is small enough for tests.
OPTIONS = {"backbone": "tower", "shared": True}
_HISTORY = """\
epoch,learning_rate,train_loss,train_accuracy,validation_loss,validation_accuracy
1,0.001,0.9,0.50,0.8,0.52
2,0.001,0.7,0.65,0.6,0.67
"""


def _predictions(images: ImageSet, task: ClassTask, name: str, method: str) -> Predictions:
    """Made up: a network is right more often than a baseline."""
    label = images.labels(task.target)
    n, c = len(label), len(task.classes)
    rng = np.random.default_rng([*method.encode()])
    scores = rng.normal(0, 1, (n, c))
    scores[np.arange(n)[label >= 0], label[label >= 0]] += 2.0 if method in task.networks else 0.5
    scores = np.exp(scores)
    return Predictions(
        task=name,
        method=method,
        classes=task.classes,
        prior=np.full(c, 1 / c),
        key=images.key,
        scores=(scores / scores.sum(axis=1, keepdims=True)).astype(np.float32),
        label=label,
        features={"energy": images.truth("energy"), "n_hits": images.features("n_hits")},
        cutflow=(("events read", n), ("scored", n)),
        provenance={
            "id": f"{name}-{method}",
            "inputs": dict(zip(map(str, images.paths), images.ids, strict=True)),
        },
    )


@pytest.fixture(scope="session")
def add_planes() -> Callable[..., Config]:
    """Add tasks on wire planes, with all their results, to a results folder.

    The network `tower` has random weights; the scores are made up.
    """

    def maker(output: Path, tasks: dict[str, ClassTask], other: Config | None = None) -> Config:
        shared = {} if other is None else other.model_dump()
        parts = {part: dict(shared.get(part, {})) for part in ("samples", "images", "tasks")}
        parts["samples"]["beam"] = LArTPCSample(
            detector="lartpc", simulate=LArTPCSimulation(events=60)
        ).model_dump()
        parts["images"]["planes"] = PlaneImages(
            sample="beam", maker="planes", shape=(64, 72)
        ).model_dump()
        parts["tasks"] |= {name: task.model_dump() for name, task in tasks.items()}
        config = Config(output=str(output), **parts)
        folder = output / "images" / "planes"
        folder.mkdir(parents=True)
        images = ImageSet(write_planes(folder / "0000.h5", n=60))
        for name, task in tasks.items():
            paths = []
            for method in task.methods:
                place = output / "tasks" / name / method
                paths.append(place / "predictions.h5")
                write_predictions(paths[-1], _predictions(images, task, name, method))
                if method in task.networks:
                    (place / "history.csv").write_text(_HISTORY)
                    trained = untrained(images, "siamese", task.target, options=OPTIONS)
                    replace(trained, name=method).save(place / "checkpoint.ckpt")
            evaluate_files(paths, config, name, output / "tasks" / name / "tables")
        return config

    return maker
