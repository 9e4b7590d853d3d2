"""Sparse images of another frame: cropped, or mirrored."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from numba import njit

from hepcnn.config.steps import Crop, Mirror
from hepcnn.detector.tpc import OPPOSITE
from hepcnn.errors import InputError
from hepcnn.imaging.lengths import bin_width
from hepcnn.imaging.moved_labels import move_labels, points, reorder_views
from hepcnn.imaging.spreading import positions, spread
from hepcnn.store.shard import Header, Images

#: No pixel is as far from an image: 32 bits hold its row and its column.
_FAR = float(1 << 31)


def cropped_header(step: Crop, header: Header) -> Header:
    """The header after `crop`.

    Raises
    ------
    InputError
        If the window is larger than the images.
    """
    if any(new > old for new, old in zip(step.shape, header.shape, strict=True)):
        raise InputError(
            f"crop: a window of {step.shape[0]} × {step.shape[1]} pixels is larger than the "
            f"images, {header.shape[0]} × {header.shape[1]}"
        )
    axes = {
        view: tuple(
            replace(axis, bins=bins, high=axis.low + bins * bin_width(axis))
            for axis, bins in zip(own, step.shape, strict=True)
        )
        for view, own in header.axes.items()
    }
    return replace(header, shape=step.shape, axes=axes)


def crop(step: Crop, header: Header, images: Images) -> Images:
    """Keep a window; a window about a vertex may reach beyond the image.

    An event without a vertex is cropped about its charge.
    """
    after = cropped_header(step, header)
    first = _corners(step, header, images)
    views = {}
    for v, view in enumerate(header.views):
        sparse = images.views[view]
        row, column = positions(sparse, header.shape)
        start = np.repeat(first[:, v], np.diff(sparse.offsets), axis=0)
        row, column = row - start[:, 0], column - start[:, 1]
        inside = (row >= 0) & (row < step.shape[0]) & (column >= 0) & (column < step.shape[1])
        number = (row * step.shape[1] + column).astype(after.pixel_type)
        views[view] = sparse.with_columns(pixel=number).select(inside)
    moved = move_labels(header, images, (1.0, 1.0), -first)
    corner = images.truth["corner"]
    pixel = np.array([[bin_width(axis) for axis in header.axes[view]] for view in header.views])
    shifted = (corner + (first * pixel).reshape(corner.shape)).astype(corner.dtype)
    return replace(moved, views=views, truth=moved.truth | {"corner": shifted})


def _corners(step: Crop, header: Header, images: Images) -> npt.NDArray[np.int64]:
    """First row and column of the window, (n, V, 2)."""
    sizes = len(images), len(header.views), 2
    if step.around == "centre":
        spare = np.subtract(header.shape, step.shape) // 2
        return np.broadcast_to(spare, sizes)
    densest = _densest(header, images, step.shape)
    if step.around == "charge":
        return densest
    vertex = points(images.truth["vertex_pixel"], len(header.views))
    known = np.isfinite(vertex).all(axis=(1, 2), keepdims=True)
    near = np.where(known, vertex, 0).clip(-_FAR, _FAR)
    about = np.floor(near).astype(np.int64) - np.array(step.shape) // 2
    return np.where(known, about, densest)


def _densest(header: Header, images: Images, shape: tuple[int, int]) -> npt.NDArray[np.int64]:
    """First row and column of the windows with the most charge, (n, V, 2); rows are common."""
    views = [images.views[view] for view in header.views]
    places = [positions(sparse, header.shape) for sparse in views]
    before = np.cumsum([0, *(len(sparse.pixel) for sparse in views[:-1])])
    first = np.zeros((len(images), len(views), 2), np.int64)
    _search(
        # One flat array for all views: numba knows no lists of arrays of unknown length.
        np.stack([sparse.offsets for sparse in views]) + before[:, None],
        np.concatenate([row for row, _ in places]),
        np.concatenate([column for _, column in places]),
        np.concatenate([sparse.value.sum(axis=1, dtype=np.float64) for sparse in views]),
        header.shape,
        shape,
        first,
    )
    return first


@njit(cache=True, nogil=True)
def _search(offsets, row, column, charge, shape, window, first):  # type: ignore[no-untyped-def]
    rows, columns = np.zeros(shape[0]), np.zeros(shape[1])
    views, images = offsets.shape[0], offsets.shape[1] - 1
    for i in range(images):
        rows[:] = 0.0
        for v in range(views):
            for k in range(offsets[v, i], offsets[v, i + 1]):
                rows[row[k]] += charge[k]
        start = densest(rows, window[0])
        for v in range(views):
            columns[:] = 0.0
            for k in range(offsets[v, i], offsets[v, i + 1]):
                if start <= row[k] < start + window[0]:
                    columns[column[k]] += charge[k]
            first[i, v, 0], first[i, v, 1] = start, densest(columns, window[1])


@njit(cache=True, nogil=True)
def densest(profile, length):  # type: ignore[no-untyped-def]
    """Where the window of a length begins that holds the most; the middle one of equal ones."""
    total = 0.0
    for k in range(length):
        total += profile[k]
    most, low, high = total, 0, 0
    for start in range(1, len(profile) - length + 1):
        total += profile[start + length - 1] - profile[start - 1]
        # Sums that differ by rounding only are equal.
        if total > most * (1 + 1e-9) + 1e-9:
            most, low, high = total, start, start
        elif total >= most * (1 - 1e-9) - 1e-9 and high == start - 1:
            high = start
    return (low + high) // 2


def check_mirror(step: Mirror, header: Header) -> Header:
    """The header after `mirror`.

    Raises
    ------
    InputError
        If one of U and V is not seen, which the other would become.
    """
    if step.axis == "drift":
        return header
    if lonely := [view for view in header.views if OPPOSITE.get(view, view) not in header.views]:
        raise InputError(
            f"mirror: along the beam '{lonely[0]}' becomes '{OPPOSITE[lonely[0]]}', which these "
            "images do not have"
        )
    return replace(header, axes={v: header.axes[OPPOSITE.get(v, v)] for v in header.views})


def mirror(step: Mirror, header: Header, images: Images) -> Images:
    """Mirror the images about their middle, and the labels in pixels with them.

    What is physical stays as it was in the event: positions in space (cm) and the images' corners
    (ticks, wires) are not mirrored, so that a pixel of the mirror image stands for the tick or
    wire at which the mirrored event would be seen in the same window. Along the beam U and V,
    and all that belongs to them, change places.
    """
    height, width = header.shape
    drift = step.axis == "drift"
    views = {}
    for view, sparse in images.views.items():
        row, column = positions(sparse, header.shape)
        place = (height - 1 - row, column) if drift else (row, width - 1 - column)
        views[view], _ = spread(sparse, *place, header)
    scale, shift = ((-1.0, 1.0), (height, 0)) if drift else ((1.0, -1.0), (0, width))
    moved = move_labels(header, images, scale, np.asarray(shift, np.float64))
    if drift:
        return replace(moved, views=views)
    order = [header.views.index(OPPOSITE.get(view, view)) for view in header.views]
    features = {_opposite(name): column for name, column in images.features.items()}
    return replace(
        reorder_views(moved, order),
        views={view: views[OPPOSITE.get(view, view)] for view in header.views},
        features={name: features[name] for name in images.features},
    )


def _opposite(feature: str) -> str:
    """The feature of the opposite view, such as ``charge_v`` of ``charge_u``."""
    stem, _, view = feature.rpartition("_")
    return f"{stem}_{OPPOSITE[view]}" if stem and view in OPPOSITE else feature
