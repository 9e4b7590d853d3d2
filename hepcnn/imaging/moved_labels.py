"""The labels in pixel coordinates follow the pixels.

Of an image set of wire planes these are ``truth/vertex_pixel`` and, in the table of particles,
``box``, ``start`` and ``end``; each holds, view by view, rows and columns. ``truth/corner`` holds
the tick and the wire where the images begin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from hepcnn.store.shard import Header, Images


def points(column: npt.NDArray[Any], views: int) -> npt.NDArray[Any]:
    """The point that a column holds of each view, (n, V, 2): row and column."""
    return column.reshape(len(column), views, 2)


def move_labels(
    header: Header,
    images: Images,
    scale: tuple[float, float],
    shift: npt.NDArray[Any] | float = 0.0,
) -> Images:
    """Take all points to new coordinates: row and column times `scale`, plus `shift`.

    Parameters
    ----------
    header : Header
        Of the images as they are.
    images : Images
        A block of n examples.
    scale : (float, float)
        Of rows and of columns; negative for those that are reversed.
    shift : array (n, V, 2) or what broadcasts to it
        In new pixels.
    """
    views = len(header.views)
    shifts = np.broadcast_to(shift, (len(images), views, 2))

    def moved(column: npt.NDArray[Any], by: npt.NDArray[Any]) -> npt.NDArray[Any]:
        new = points(column, views) * np.asarray(scale) + by
        return new.reshape(column.shape).astype(column.dtype)

    truth = images.truth | {"vertex_pixel": moved(images.truth["vertex_pixel"], shifts)}
    particles = images.tables["particles"]
    by = np.repeat(shifts, np.diff(particles.offsets), axis=0)
    columns = {name: moved(particles.columns[name], by) for name in ("start", "end")}
    return _with_particles(replace(images, truth=truth), columns)


def reorder_views(images: Images, order: Sequence[int]) -> Images:
    """Copy images with each view's part of the labels taken from another one."""

    def reordered(columns: dict[str, npt.NDArray[Any]], *names: str) -> dict[str, Any]:
        parts = {name: np.hsplit(columns[name], len(order)) for name in names}
        return {name: np.hstack([own[view] for view in order]) for name, own in parts.items()}

    truth = images.truth | reordered(images.truth, "vertex_pixel", "corner")
    columns = reordered(images.tables["particles"].columns, "charge", "start", "end")
    return _with_particles(replace(images, truth=truth), columns)


def fit_boxes(header: Header, images: Images) -> Images:
    """Copy images with boxes that hold each particle's pixels, from edge to edge; NaN: none."""
    particles = images.tables["particles"]
    sides = 2 * len(header.shape)
    box = np.full((len(header.views), len(particles.columns["box"]), sides), np.nan, np.float32)
    for view, own in zip(header.views, box, strict=True):
        sparse = images.views[view]
        instance = sparse.truth["instance"]
        _fit(sparse.offsets, sparse.pixel, instance, particles.offsets, header.shape, own)
    wide = particles.columns["box"].shape
    return _with_particles(images, {"box": box.swapaxes(0, 1).reshape(wide)})


def _with_particles(images: Images, columns: dict[str, npt.NDArray[Any]]) -> Images:
    """Copy images with other columns in the table of particles."""
    particles = images.tables["particles"]
    rows = particles.with_columns(**columns)
    return replace(images, tables=images.tables | {"particles": rows})


@njit(cache=True, nogil=True)
def _fit(offsets, pixel, instance, rows, shape, box):  # type: ignore[no-untyped-def]
    dimensions, one = len(shape), np.float32(1)
    for i in range(len(offsets) - 1):
        for k in range(offsets[i], offsets[i + 1]):
            if instance[k] < 0:
                continue
            own = box[rows[i] + instance[k]]
            rest = np.int64(pixel[k])
            for d in range(dimensions - 1, -1, -1):
                place = np.float32(rest % shape[d])
                rest //= shape[d]
                # A box that is still NaN is neither above nor below.
                low, high = own[d], own[dimensions + d]
                own[d] = low if low <= place else place
                own[dimensions + d] = high if high >= place + one else place + one
