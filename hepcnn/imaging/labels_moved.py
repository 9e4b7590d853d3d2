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

from hepcnn.store.shard import Header, Images, Rows

#: Columns with a part for each view, of the examples' truth and of the particles.
TRUTH = ("vertex_pixel", "corner")
PARTICLES = ("charge", "box", "start", "end")


def points(column: npt.NDArray[Any], views: int) -> npt.NDArray[Any]:
    """The points that a column holds, (n, V, points of a view, 2): rows and columns."""
    # The numbers of a view are counted, because without rows no length can be left open.
    return column.reshape(len(column), views, column.shape[1] // (2 * views), 2)


def move_labels(
    header: Header,
    images: Images,
    scale: tuple[float, float],
    shift: npt.NDArray[Any] | float = 0.0,
) -> Images:
    """Take all labels to new coordinates: row and column times `scale`, plus `shift`.

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

    def moved(column: npt.NDArray, by: npt.NDArray) -> npt.NDArray:
        new = points(column, views) * np.asarray(scale) + by[:, :, None]
        if new.shape[2] == 2:  # a box: what was its upper edge may be its lower one
            new.sort(axis=2)
        return new.reshape(column.shape).astype(column.dtype)

    truth = images.truth | {"vertex_pixel": moved(images.truth["vertex_pixel"], shifts)}
    particles = images.tables["particles"]
    by = np.repeat(shifts, np.diff(particles.offsets), axis=0)
    columns = {name: moved(particles.columns[name], by) for name in ("box", "start", "end")}
    return with_particles(replace(images, truth=truth), columns)


def with_particles(images: Images, columns: dict[str, npt.NDArray]) -> Images:
    """Copy images with other columns in the table of particles."""
    particles = images.tables["particles"]
    rows = Rows(particles.offsets, particles.columns | columns)
    return replace(images, tables=images.tables | {"particles": rows})


def boxes(images: Images) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Low and high corners of the particles' boxes, (m, V, 2) each."""
    corners = points(images.tables["particles"].columns["box"], len(images.views))
    return corners[:, :, 0], corners[:, :, 1]


def with_boxes(images: Images, low: npt.NDArray, high: npt.NDArray) -> Images:
    """Copy images with other boxes; see `boxes`."""
    box = images.tables["particles"].columns["box"]
    return with_particles(
        images, {"box": np.stack([low, high], axis=2).reshape(box.shape).astype(box.dtype)}
    )


def reorder_views(images: Images, order: Sequence[int]) -> Images:
    """Copy images with each view's part of the labels taken from another one."""

    def reordered(columns: dict[str, npt.NDArray], names: Sequence[str]) -> dict[str, npt.NDArray]:
        return {
            name: np.hstack([np.hsplit(columns[name], len(order))[v] for v in order])
            for name in names
        }

    truth = images.truth | reordered(images.truth, TRUTH)
    columns = reordered(images.tables["particles"].columns, PARTICLES)
    return with_particles(replace(images, truth=truth), columns)
