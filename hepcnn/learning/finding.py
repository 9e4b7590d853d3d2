"""What networks find in images: pixels' classes and particles, points and the vertex."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hepcnn.detector.labels import POINTS
from hepcnn.imaging.lengths import pixel_size
from hepcnn.learning.checkpoint import Checkpoint
from hepcnn.learning.examples import known
from hepcnn.learning.heads.choosing import head_for
from hepcnn.learning.heads.segmentation import SegmentationHead
from hepcnn.learning.inference import batching, infer
from hepcnn.learning.loading import on_device
from hepcnn.learning.preprocessing import Preprocessing
from hepcnn.learning.vertices import vertex_columns
from hepcnn.networks.inputs import SparseViews
from hepcnn.store.findings import PLACE, Findings
from hepcnn.store.header import Header
from hepcnn.store.images import ImageSet
from hepcnn.store.shard import Rows

#: Examples a step, if they are no more than so many pixels.
BATCH_SIZE, BATCH_PIXELS = 64, 1 << 22

Columns = dict[str, NDArray[Any]]
#: The example of each row of a table, and the table's columns.
Tabulated = tuple[NDArray[np.int64], Columns]


def find(
    trained: Checkpoint, images: ImageSet, which: NDArray[np.int64], title: str
) -> tuple[Columns, dict[str, Rows]]:
    """Let a network find what it is asked for.

    Parameters
    ----------
    trained : Checkpoint
        The network; the images must be such as it is for.
    images : ImageSet
        The images.
    which : int array (N,)
        Indices of the examples, strictly increasing.
    title : str
        Of the progress shown.

    Returns
    -------
    columns, tables
        As of `Findings`, in the order of the examples.
    """
    seen = trained.preprocessing
    header = seen.header_of(images)
    head = head_for(trained.target, trained.architecture, trained.train, header)
    batches = batching(trained, BATCH_SIZE, BATCH_PIXELS)
    points = trained.target == "points"
    dataset = seen.dataset(
        images, which, **batches, target=None, truth=head.truth, points=points, memory=0
    )

    def tables(
        network: nn.Module, batch: dict[str, Tensor], device: torch.device
    ) -> dict[str, Tabulated]:
        found = head.predict(network, on_device(batch, device))
        example = np.searchsorted(which, batch["index"].numpy())
        own = _tables(trained.target, found, batch, seen, header)
        return {name: (example[rows], columns) for name, (rows, columns) in own.items()}

    parts = infer(trained, dataset, title, tables)
    made = {name: _joined([part[name] for part in parts], len(which)) for name in parts[0]}
    columns = {name: known(images, name)[which] for name in ("energy", "n_hits")}
    if trained.target == "vertex":
        columns |= vertex_columns(
            made["candidates"], images, which, header.views, seen.transform(images),
            trained.train["box"],
        )  # fmt: skip
    return columns, made


def _joined(parts: Sequence[Tabulated], examples: int) -> Rows:
    """One table of all batches."""
    columns = {n: np.concatenate([own[n] for _, own in parts]) for n in parts[0][1]}
    return Rows.grouped(np.concatenate([example for example, _ in parts]), columns, examples)


def _tables(
    target: str,
    found: Mapping[str, NDArray[Any]],
    batch: Mapping[str, Tensor],
    seen: Preprocessing,
    header: Header,
) -> dict[str, Tabulated]:
    """The tables of a batch."""
    views = len(seen.views)
    if target in ("semantic", "instance"):
        image, place = found["image"], found["place"]
        example, view = image // views, (image % views).astype(np.uint8)
        value = first_channel(batch["images"], image, place) / seen.scale[view, 0]
        pixels: Columns = {
            "view": view,
            "pixel": np.ravel_multi_index(tuple(place.T), header.shape).astype(np.uint32),
            "value": value.astype(np.float32),
            "semantic": found["semantic"],
            "instance": found["instance"],
        }
        if target == "semantic":
            pixels |= {"boundary": found["boundary"], "scores": found["scores"].astype(np.float16)}
            return {"pixels": (example, pixels)}
        own, cluster_view = np.divmod(found["cluster_image"], views)
        clusters: Columns = {
            "view": cluster_view.astype(np.uint8),
            "cluster": found["cluster"],
            "score": found["cluster_score"],
        }
        return {
            "pixels": (example, pixels | {"found": found["found"]}),
            "clusters": (own, clusters),
        }
    example, view = np.divmod(found["image"], views)
    axes = PLACE[: len(header.shape)]
    if target == "vertex":
        # Of all planes, whichever the network sees: methods that see one stand beside others.
        view = np.array([header.views.index(name) for name in seen.views])[view]
    candidates: Columns = {"view": view.astype(np.int8), "score": found["score"].astype(np.float32)}
    candidates |= dict(zip(axes, found["place"].T.astype(np.float32), strict=True))
    if target == "vertex":
        none = np.full((len(view), 2 * len(axes)), np.nan, np.float32)
        candidates["box"] = found.get("box", none).astype(np.float32)
        return {"candidates": (example, candidates)}
    true = batch["points"].numpy()
    points: Columns = {"view": true[:, 1].astype(np.int8), "kind": true[:, -1].astype(np.uint8)}
    points |= dict(zip(axes, true[:, 2:-1].T, strict=True))
    return {
        "candidates": (example, candidates | {"kind": found["kind"]}),
        "points": (true[:, 0].astype(np.int64), points),
    }


def first_channel(
    images: Any, image: NDArray[np.int64], place: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Values of the first channel of images at all their sites."""
    if isinstance(images, SparseViews):
        return images.value[:, 0].numpy()  # which are in this order
    views = images.shape[1]
    return images.numpy()[image // views, image % views, 0, *place.T]


def findings(
    found: tuple[Columns, dict[str, Rows]],
    images: ImageSet,
    which: NDArray[np.int64],
    part: str,
    header: Header,
    views: tuple[str, ...],
    **described: Any,
) -> Findings:
    """Put what is found in some examples together, sorted by key.

    Parameters
    ----------
    found : columns and tables
        In the order of the examples.
    images : ImageSet
        The images.
    which : int array (N,)
        Indices of the examples.
    part : str
        The part of the split that they are.
    header : Header
        Of the images as they were looked at.
    views : tuple of str
        Those looked at.
    **described
        Task, method, target, provenance and altered, as of `Findings`.
    """
    columns, tables = found
    key = images.key[which]
    order = np.argsort(key, order=key.dtype.names)
    classes = {"semantic": SegmentationHead.classes, "points": POINTS}
    selected = [] if part == "all" else [(f"in {part} split", len(which))]
    return Findings(
        classes=classes.get(described["target"], ()),
        views=views,
        pixel_mm=pixel_size(header, views[0]),
        shape=header.shape,
        key=key[order],
        columns={name: own[order] for name, own in columns.items()},
        tables={name: rows.take(order) for name, rows in tables.items()},
        cutflow=(*images.cutflow.items(), *selected, ("scored", len(which))),
        **described,
    )
