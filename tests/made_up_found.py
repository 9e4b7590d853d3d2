"""A results folder of tasks that ask what is where in the images of `made_up_planes`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from made_up_planes import TICKS, VIEWS, write_planes

from hepcnn.config import (
    Config,
    InstanceTask,
    LArTPCSample,
    LArTPCSimulation,
    Network,
    PlaneImages,
    PointTask,
    SegmentTask,
    SegmentTrain,
    VertexTask,
)
from hepcnn.config.pixel_weights import PixelWeights
from hepcnn.detector.labels import PIXEL_CLASSES, POINTS
from hepcnn.imaging.lengths import pixel_size
from hepcnn.performance.evaluate import evaluate_files
from hepcnn.store.findings import Findings
from hepcnn.store.findings_file import write_findings
from hepcnn.store.images import ImageSet
from hepcnn.store.shard import Rows

SHAPE = (64, 72)
_NETWORKS = {"net": Network(architecture="sparse_uresnet")}
_WEIGHTS = PixelWeights(by="class", boundary=2, points=3)
TASKS: dict[str, Any] = {
    "ssnet": SegmentTask(
        images="planes",
        target="semantic",
        networks=_NETWORKS,
        train=SegmentTrain(weights=_WEIGHTS),
    ),
    "instance": InstanceTask(images="planes", target="instance", networks=_NETWORKS),
    "vertex": VertexTask(
        images="planes", target="vertex", networks=_NETWORKS, baselines=["upstream_end"]
    ),
    "points": PointTask(images="planes", target="points", networks=_NETWORKS),
}
_HISTORY = """\
epoch,learning_rate,train_loss,validation_loss,validation_accuracy,validation_distance
1,0.001,0.9,0.8,0.52,4
2,0.001,0.7,0.6,0.67,3
"""


def made_up_findings(
    images: ImageSet, task: str, target: str, method: str, noise: float
) -> Findings:
    """What is true, but for a fraction `noise`; or that many pixels beside it."""
    rng = np.random.default_rng([*method.encode()])
    one, n, views = images.read(0, len(images)), len(images), len(VIEWS)
    own = [one.views[view] for view in VIEWS]
    image = np.concatenate(
        [np.repeat(views * np.arange(n) + v, np.diff(s.offsets)) for v, s in enumerate(own)]
    )
    order = np.argsort(image, kind="stable")
    image = image[order]
    pixels = {"view": (image % views).astype(np.uint8)}
    pixels["pixel"] = np.concatenate([s.pixel for s in own])[order].astype(np.uint32)
    pixels["value"] = np.concatenate([s.value[:, 0] for s in own])[order]
    for name in ("semantic", "instance"):
        pixels[name] = np.concatenate([s.truth[name] for s in own])[order]
    size = len(image)
    wrong = rng.random(size) < noise
    rows = {}
    columns = {"energy": one.truth["energy"], "n_hits": one.features["n_hits"]}
    vertex = one.truth["vertex_pixel"]
    if target == "semantic":
        scores = np.full((size, 5), 0.1)
        called = np.where(wrong, rng.integers(0, 5, size), np.minimum(pixels["semantic"], 4))
        scores[np.arange(size), called] = 0.6
        more = {"boundary": np.arange(size) % 5 == 0, "scores": scores.astype(np.float16)}
        rows["pixels"] = _rows(image // views, pixels | more, n)
    elif target == "instance":
        found = np.where(wrong, -1, pixels["instance"]).astype(np.int32)
        rows["pixels"] = _rows(image // views, pixels | {"found": found}, n)
        places, cluster = np.unique(np.stack([image, found])[:, found >= 0], axis=1)
        clusters = {"view": (places % views).astype(np.uint8), "cluster": cluster.astype(np.int32)}
        clusters["score"] = rng.random(len(places)).astype(np.float32)
        rows["clusters"] = _rows(places // views, clusters, n)
    else:
        seen = np.isfinite(vertex[:, 0])
        event, view = np.repeat(np.flatnonzero(seen), views), np.tile(range(views), seen.sum())
        place = vertex[seen].reshape(-1, 2)
        beside = (place + rng.normal(0, 20 * noise, place.shape)).astype(np.float32)
        near = {"view": view.astype(np.int8), "row": beside[:, 0], "column": beside[:, 1]}
        near["score"] = rng.uniform(0.4, 1, len(event)).astype(np.float32)
        if target == "points":
            kind = {"kind": np.zeros(len(event), np.uint8)}
            true = {"view": view.astype(np.int8), "row": place[:, 0], "column": place[:, 1]}
            rows["points"] = _rows(event, true | kind, n)
            rows["candidates"] = _rows(event, near | kind, n)
        else:
            box = np.concatenate([place - 5, place + 5], axis=1).astype(np.float32)
            rows["candidates"] = _rows(event, near | {"box": box + 1}, n)
            known = np.where(seen[:, None], one.truth["vertex"], np.nan).astype(np.float32)
            boxes = np.full((n, 4 * views), np.nan, np.float32)
            boxes[seen] = box.reshape(-1, 4 * views)
            columns |= {"vertex_pixel": vertex, "vertex": known, "box": boxes}
            columns["interaction"] = one.truth["interaction"]
            far = rng.normal(0, 20 * noise, known.shape).astype(np.float32)
            columns |= {"found": known + far, "found_score": rng.random(n).astype(np.float32)}
    classes = {"semantic": PIXEL_CLASSES[:-1], "points": POINTS}.get(target, ())
    made_of = dict(zip(map(str, images.paths), images.ids, strict=True))
    return Findings(
        task=task, method=method, target=target, classes=classes, views=VIEWS,
        pixel_mm=pixel_size(images.header, "u"), shape=SHAPE, key=images.key,
        columns=columns, tables=rows,
        cutflow=(("events read", n), ("scored", n)),
        provenance={"id": f"{task}-{method}", "inputs": made_of},
    )  # fmt: skip


def _rows(event: np.ndarray, columns: dict[str, np.ndarray], n: int) -> Rows:
    return Rows(np.searchsorted(event, np.arange(n + 1)).astype(np.int64), columns)


def write_found(output: Path, tasks: dict[str, Any], n: int = 12) -> Config:
    """Write all results of the tasks; their checkpoints are empty files."""
    config = Config(
        output=str(output),
        samples={"beam": LArTPCSample(detector="lartpc", simulate=LArTPCSimulation(events=n))},
        images={
            "planes": PlaneImages(sample="beam", maker="planes", ticks_per_pixel=TICKS, shape=SHAPE)
        },
        tasks=tasks,
    )
    folder = output / "images" / "planes"
    folder.mkdir(parents=True)
    images = ImageSet(write_planes(folder / "0000.h5", n, SHAPE))
    for name, task in tasks.items():
        paths = []
        for noise, method in zip((0.1, 0.4), task.methods, strict=False):
            place = output / "tasks" / name / method
            paths.append(place / "predictions.h5")
            write_findings(paths[-1], [made_up_findings(images, name, task.target, method, noise)])
            if method in task.networks:
                (place / "history.csv").write_text(_HISTORY)
                (place / "checkpoint.ckpt").touch()
        evaluate_files(paths, config, name, output / "tasks" / name / "tables")
    return config
