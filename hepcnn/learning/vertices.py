"""The vertex in space from what is found in the planes, beside the true one."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hepcnn.detector.tpc import CM
from hepcnn.imaging.lengths import pixel_size, tpc_of
from hepcnn.networks.detectors.boxes import around, transposed
from hepcnn.reconstruction.vertex_finders import combine
from hepcnn.store.blocks import Transform, read_whole
from hepcnn.store.header import Header
from hepcnn.store.images import ImageSet
from hepcnn.store.shard import Rows

#: Columns of examples, by name.
Truth = dict[str, NDArray[Any]]

#: Candidates of a plane that are combined with those of the others, at most: the best ones.
MOST = 8


def vertex_columns(
    candidates: Rows,
    known: Truth,
    header: Header,
    views: tuple[str, ...],
    box: float,
) -> dict[str, NDArray[Any]]:
    """Combine the planes' candidates to a point in space, and put the truth beside it.

    Parameters
    ----------
    candidates : Rows
        Of each of N examples ``view``, ``row``, ``column``, ``score``.
    known : dict of str to ndarray
        Of `vertex_truth`, of these examples.
    header : Header
        Of the images that were looked at.
    views : tuple of str
        Of the candidates, by their number.
    box : float
        Sides of the true boxes about the vertex (mm).

    Returns
    -------
    dict of str to ndarray
        The columns that `Findings` of a vertex have.

    Notes
    -----
    In a detector of several drift volumes no point in space follows from the planes, and none is
    found.
    """
    n = len(candidates)
    kept = [header.views.index(view) for view in views]
    pixel = known["vertex_pixel"].reshape(n, len(header.views), 2)[:, kept]
    found, score = _found(candidates, known["corner"], header, views)
    return {
        "vertex_pixel": pixel.reshape(n, 2 * len(views)),
        "vertex": known["vertex"],
        "interaction": known["interaction"],
        "box": _boxes(pixel, header, box),
        "found": found,
        "found_score": score,
    }


def vertex_truth(images: ImageSet, which: NDArray[np.int64], transform: Transform | None) -> Truth:
    """Read what is true of vertices, and the images' corners, as those looked at have them.

    Parameters
    ----------
    images : ImageSet
        The images.
    which : int array (N,)
        Indices of the examples, strictly increasing.
    transform : Transform, optional
        What was done to the images before.
    """
    names = ("vertex_pixel", "vertex", "corner", "interaction")
    if transform is None:
        return {name: images.truth(name)[which] for name in names}
    blocks = [made.truth for _, made in read_whole(images, which, transform)]
    return {name: np.concatenate([truth[name] for truth in blocks]) for name in names}


def _found(
    candidates: Rows, corner: NDArray[np.float32], header: Header, views: tuple[str, ...]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The best point in space (cm) of each example, NaN without one, and its score."""
    n = len(candidates)
    found, score = np.full((n, 3), np.nan, np.float32), np.zeros(n, np.float32)
    tpc = tpc_of(header)
    if tpc.drift_volumes > 1:
        return found, score
    columns = candidates.columns
    points = np.column_stack([columns[name] for name in ("row", "column", "score")]).astype(float)
    for i in range(n):
        own = slice(candidates.offsets[i], candidates.offsets[i + 1])
        seen = {}
        for v, view in enumerate(views):
            here = points[own][columns["view"][own] == v]
            seen[view] = here[np.argsort(-here[:, 2], kind="stable")[:MOST]]
        best = combine(seen, corner[i], header, tpc)
        if len(best.score):
            found[i], score[i] = best.position[0] / CM, best.score[0]
    return found, score


def _boxes(pixel: NDArray[np.float32], header: Header, side: float) -> NDArray[np.float32]:
    """Boxes (N, 4V) about points (N, V, 2) inside the image: low corner, high corner; else NaN."""
    half = [side / 2 / length for length in pixel_size(header, header.views[0])]
    boxes = transposed(around(torch.from_numpy(pixel.astype(np.float64)), half, header.shape))
    inside = ((pixel >= 0) & (pixel < header.shape)).all(axis=2, keepdims=True)
    box = np.where(inside, boxes.numpy(), np.nan)
    return box.reshape(len(pixel), 4 * pixel.shape[1]).astype(np.float32)
