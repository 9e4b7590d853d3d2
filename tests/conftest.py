"""Fixtures that several parts share: made-up predictions and made-up images."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings

from hepcnn.config import Config, PidTask, PolarImages, RichSample, RichSimulation
from hepcnn.detector.particles import SPECIES
from hepcnn.performance.evaluate import evaluate_files
from hepcnn.store.images import ImageSet
from hepcnn.store.predictions import Predictions, write_predictions
from hepcnn.store.rich import FEATURES, TRUTH, analytic_features
from hepcnn.store.shard import KEY, Axis, Header, Images, ShardWriter, Sparse

# Without a GPU Triton's kernels are interpreted. It must know before anything imports it.
if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")

# A busy machine is no fault of the code.
settings.register_profile("any speed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any speed")


#: Files of few but long tests: the first, so that no worker is left alone with one at the end.
_LONG = (
    "test_package.py", "test_workflow.py", "test_benchmarks.py", "test_finding_chain.py",
    "test_memory_of_findings.py", "test_resume.py", "test_files.py", "test_class_page.py",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put long files first."""
    place = {name: number for number, name in enumerate(_LONG)}
    items.sort(key=lambda item: place.get(item.path.name, len(_LONG)))


@pytest.fixture(params=["cpu", "cuda"])
def device(request: pytest.FixtureRequest) -> torch.device:
    """Where a test computes: on the CPU, and on a GPU if there is one."""
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("this machine has no GPU")
    return torch.device(request.param)


_ABUNDANCE = np.array([0.025, 0.008, 0.776, 0.12, 0.07, 0.001])


@pytest.fixture(scope="session")
def make_predictions() -> Callable[..., Predictions]:
    """Predictions by name of the method, always on the same tracks for the same seed.

    A network's log likelihoods are the true species' plus noise of width 1/`power`; its scores
    are the posteriors under `prior`. The controls are what their names say. `likelihood_local` and
    `likelihood_global` give their log likelihoods too.
    """

    def maker(
        method: str = "lecture_cnn",
        n: int = 4000,
        seed: int = 1,
        power: float = 3.0,
        prior: np.ndarray = _ABUNDANCE,
        other: float = 0.01,
        temperature: float = 1.0,
        altered: str = "",
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
        relative = (likelihood - likelihood[:, 2:3]).astype(np.float32)
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
                "charge": np.where(np.arange(n) % 2, 1, -1).astype(np.float32),
                "ghost": np.zeros(n, np.float32),
            },
            cutflow=(("events read", n), ("scored", n)),
            provenance={"id": f"{method}{seed}{altered}"},
            temperature=temperature,
            log_likelihood=np.pad(relative, ((0, 0), (0, 1)))
            if method.startswith("likelihood_")
            else None,
            altered=altered,
        )

    return maker


@pytest.fixture(scope="session")
def make_shards() -> Callable[..., list[Path]]:
    """Image shards of a toy: a ring of random pixels in the row of the class, and one of noise.

    Tracks come four an event; every 20th is none of the classes. With `analytic` the rows are
    angles to 64 mrad and there are the features of the analytic reconstruction, drawn at random
    but for the angles: those of the middle of a class's row, and none for the first class.
    """

    def maker(
        folder: Path,
        events: int = 100,
        shards: int = 2,
        classes: tuple[str, ...] = ("pion", "kaon", "proton"),
        abundance: tuple[float, ...] | None = None,
        views: tuple[str, ...] = ("rich1",),
        channels: tuple[str, ...] = ("hits",),
        shape: tuple[int, int] = (8, 8),
        seed: int = 1,
        analytic: bool = False,
    ) -> list[Path]:
        rng = np.random.default_rng(seed)
        rows = (
            Axis("theta", "mrad", 0, 64, shape[0])
            if analytic
            else Axis("r", "mm", 0, 130, shape[0])
        )
        axes = {v: (rows, Axis("phi", "rad", -3, 3, shape[1])) for v in views}
        widths = dict.fromkeys(FEATURES) | (analytic_features(views) if analytic else {})
        header = Header(
            detector="rich",
            views=views,
            shape=shape,
            channels=channels,
            axes=axes,
            classes={"species": classes},
            maker={"maker": "polar"},
            features=widths,
            truth=dict(TRUTH),
        )
        paths = []
        for shard in range(shards):
            n = 4 * (events // shards)
            key = np.zeros(n, KEY)
            key["run"], key["subrun"] = 1, shard
            key["event"], key["object"] = np.divmod(np.arange(n), 4)
            label = rng.choice(len(classes), n, p=abundance).astype(np.int16)
            sparse = {}
            for view in views:
                dense = rng.random((n, *shape)) < 0.02
                dense[np.arange(n), 1 + label] |= rng.random((n, shape[1])) < 0.7
                where, pixel = np.nonzero(dense.reshape(n, -1))
                offsets = np.concatenate([[0], np.cumsum(np.bincount(where, minlength=n))])
                value = rng.integers(1, 4, (len(pixel), len(channels))).astype(np.uint16)
                sparse[view] = Sparse(offsets, pixel.astype(np.uint16), value)
            label[::20] = -1
            pdg = np.where(label < 0, 3112, 211).astype(np.int32)
            momentum = rng.uniform(2000, 100000, n).astype(np.float32)
            features = dict.fromkeys(FEATURES, np.full(n, 4, np.float32)) | {"p": momentum}
            for name in list(widths)[len(FEATURES) :]:
                features[name] = rng.random((n, widths[name] or 1)).astype(np.float32)
                if widths[name] is None:
                    features[name] = features[name][:, 0]
            for view in views if analytic else ():
                angle = 0.064 / shape[0] * (1.5 + np.arange(len(SPECIES)))
                features[f"angle_{view}"][:] = np.where(np.arange(len(SPECIES)) > 0, angle, 0)
            paths.append(folder / f"{shard:04d}.h5")
            with ShardWriter(paths[-1], header) as writer:
                writer.append(Images(key, sparse, {"species": label, "pdg": pdg}, features))
                writer.describe({"id": f"toy{seed}-{shard}"}, {"events read": n // 4, "kept": n})
        return paths

    return maker


@pytest.fixture(scope="session")
def make_results(
    make_shards: Callable[..., list[Path]], make_predictions: Callable[..., Predictions]
) -> Callable[..., Config]:
    """A whole results folder of toys, as the stages before the report leave it.

    Gives its configuration; `tasks` maps names of tasks to their settings.
    """

    def maker(
        output: Path, tasks: dict[str, PidTask] | None = None, tracks: int = 1000, **shards: Any
    ) -> Config:
        if tasks is None:
            tasks = {"rich_pid": PidTask(images="rich_polar")}
        names = {t.images_of(m) for t in tasks.values() for m in t.methods} or {"rich_polar"}
        altered = {name for t in tasks.values() for name in t.robustness}
        config = Config(
            output=str(output),
            samples=dict.fromkeys(
                ["rich", *sorted(altered)], RichSample(simulate=RichSimulation())
            ),
            images={name: PolarImages(sample="rich") for name in sorted(names)},
            tasks=tasks,
        )
        inputs = {}
        for seed, name in enumerate(config.images):
            folder = output / "images" / name
            folder.mkdir(parents=True)
            made = make_shards(folder, **({"classes": SPECIES, "seed": seed} | shards))
            inputs[name] = dict(zip(map(str, made), ImageSet(made).ids, strict=True))
        for name, task in tasks.items():
            folder = output / "tasks" / name
            paths = []
            for method in task.predictors:
                origin = {"inputs": inputs[task.images_of(method)]}
                for sample in ("", *task.robustness):
                    made_up = make_predictions(method, n=tracks, altered=sample)
                    made = origin | {"id": f"{name}-{method}{sample}"}
                    file = f"predictions@{sample}.h5" if sample else "predictions.h5"
                    paths.append(folder / method / file)
                    write_predictions(paths[-1], replace(made_up, task=name, provenance=made))
                if method in task.trainings:
                    (folder / method / "history.csv").write_text(_HISTORY)
            evaluate_files(paths, config, name, folder / "tables")
        return config

    return maker


_HISTORY = """\
epoch,learning_rate,train_loss,train_accuracy,validation_loss,validation_accuracy
1,0.001,0.9,0.70,0.8,0.72
2,0.001,0.7,0.75,0.6,0.77
3,0.001,0.5,0.80,0.7,0.76
"""
