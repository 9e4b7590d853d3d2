"""What networks find in images: pixels' classes and particles, points and the vertex."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
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
from hepcnn.learning.vertices import vertex_columns, vertex_truth
from hepcnn.networks.inputs import SparseViews
from hepcnn.store.blocks import Transform
from hepcnn.store.findings import PLACE, Findings
from hepcnn.store.header import Header
from hepcnn.store.images import ImageSet
from hepcnn.store.shard import Rows

#: Examples a step, if they are no more than so many pixels.
BATCH_SIZE, BATCH_PIXELS = 64, 1 << 22

Columns = dict[str, NDArray[Any]]
#: The example of each row of a table, and the table's columns.
Tabulated = tuple[NDArray[np.int64], Columns]
#: Indices of some examples and, in their order, the tables that `Findings` of them have.
Part = tuple[NDArray[np.int64], dict[str, Rows]]


def find(
    trained: Checkpoint, images: ImageSet, which: NDArray[np.int64], title: str
) -> Iterator[Part]:
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
    iterator of (indices, tables)
        Of the examples of each batch.
    """
    seen = trained.preprocessing
    header = seen.header_of(images)
    head = head_for(trained.target, trained.architecture, trained.train, header)
    batches = batching(trained, BATCH_SIZE, BATCH_PIXELS)
    points = trained.target == "points"
    dataset = seen.dataset(
        images, which, **batches, target=None, truth=head.truth, points=points, memory=0
    )

    def tables(network: nn.Module, batch: dict[str, Tensor], device: torch.device) -> Part:
        found = head.predict(network, on_device(batch, device))
        # A copy: a batch is overwritten by a later one.
        index = batch["index"].numpy().copy()
        own = _tables(trained.target, found, batch, seen, header)
        return index, {
            name: Rows.grouped(rows, columns, len(index)) for name, (rows, columns) in own.items()
        }

    return infer(trained, dataset, title, tables)


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
    parts: Iterable[Part],
    images: ImageSet,
    which: NDArray[np.int64],
    part: str,
    transform: Transform | None,
    views: tuple[str, ...],
    box: float,
    **described: Any,
) -> Iterator[Findings]:
    """Make findings of what is found in some examples after others, each sorted by key.

    Parameters
    ----------
    parts : iterable of (indices, tables)
        What is found, in all examples together.
    images : ImageSet
        The images.
    which : int array (N,)
        Indices of all the examples, strictly increasing.
    part : str
        The part of the split that they are.
    transform : Transform, optional
        What was done to the images before.
    views : tuple of str
        Those looked at.
    box : float
        Sides of the true boxes about a vertex (mm), where one is looked for.
    **described
        Task, method, target, provenance and altered, as of `Findings`.
    """
    target = described["target"]
    header = images.header if transform is None else transform.header
    classes = {"semantic": SegmentationHead.classes, "points": POINTS}
    selected = [] if part == "all" else [(f"in {part} split", len(which))]
    # One number or few of an example: not much of all of them.
    columns = {name: known(images, name)[which] for name in ("energy", "n_hits")}
    truth = vertex_truth(images, which, transform) if target == "vertex" else {}
    for index, tables in parts:
        order = np.argsort(images.key[index], order=images.key.dtype.names)
        tables = {name: rows.take(order) for name, rows in tables.items()}
        index = index[order]
        place = np.searchsorted(which, index)
        own = {name: column[place] for name, column in columns.items()}
        if target == "vertex":
            true = {name: column[place] for name, column in truth.items()}
            own |= vertex_columns(tables["candidates"], true, header, views, box)
        yield Findings(
            classes=classes.get(target, ()),
            views=views,
            pixel_mm=pixel_size(header, views[0]),
            shape=header.shape,
            key=images.key[index],
            columns=own,
            tables=tables,
            cutflow=(*images.cutflow.items(), *selected, ("scored", len(index))),
            **described,
        )
