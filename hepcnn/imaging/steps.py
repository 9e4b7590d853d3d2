"""Processing steps: sparse images in, sparse images out, with all their labels.

The same functions run when images are made (``images.*.steps``), in training and prediction (a
network's own steps, kept in its checkpoint) and in displays. They are for images of wire planes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from hepcnn.config.settings import Settings
from hepcnn.config.steps import (
    Binarise,
    Blur,
    Crop,
    Downsample,
    HideStart,
    Log,
    MaskWires,
    Mirror,
    Normalise,
    Step,
    Threshold,
)
from hepcnn.errors import InputError
from hepcnn.imaging.framing import check_mirror, crop, cropped_header, mirror
from hepcnn.imaging.lengths import bin_width, pixel_size
from hepcnn.imaging.moved_labels import fit_boxes, points
from hepcnn.imaging.spreading import blur, downsample, downsampled_header, positions
from hepcnn.store.shard import Header, Images, Sparse


def step_header(steps: Sequence[Step], header: Header) -> Header:
    """The header of images after some steps.

    Raises
    ------
    InputError
        If a step is not possible with these images.
    """
    for step in steps:
        change = _HEADERS.get(type(step))
        header = change(step, header) if change else header
    return header


def apply_steps(steps: Sequence[Step], header: Header, images: Images) -> Images:
    """Process a block of images, with all labels.

    Parameters
    ----------
    steps : sequence of Step
        In order.
    header : Header
        Of the images as they are; that of the result is `step_header`'s.
    images : Images
        A block of examples of wire planes, which stays as it is. Pixels come and stay in order.
        Features and the particles' charges are those of the images as they were made.

    Raises
    ------
    InputError
        As `step_header`.
    """
    for step in steps:
        after = step_header([step], header)
        images, header = _IMAGES[type(step)](step, header, images), after
    return fit_boxes(header, images) if steps else images


def threshold(step: Threshold, header: Header, images: Images) -> Images:
    """Leave out pixels that are below a value in every channel."""
    return _selected(images, lambda view, sparse: _any(sparse.value >= step.minimum))


def normalise(step: Normalise, header: Header, images: Images) -> Images:
    """Divide by a scale, or by each image's own sum, in each channel."""
    if step.by != "sum":
        scale = np.float32(step.by)
        return _valued(images, lambda sparse: sparse.value / scale)
    return _valued(images, _fractions)


def _fractions(sparse: Sparse) -> npt.NDArray[Any]:
    total = np.zeros((len(sparse), sparse.value.shape[1]))
    image = sparse.example
    np.add.at(total, image, sparse.value)
    return sparse.value / np.where(total == 0, 1, total)[image]


def log(step: Log, header: Header, images: Images) -> Images:
    """ln(1 + value / scale)."""
    scale = np.float32(step.scale)
    return _valued(images, lambda sparse: np.log1p(sparse.value / scale))


def binarise(step: Binarise, header: Header, images: Images) -> Images:
    """1 where a channel is above a value; pixels without are left out."""
    some = _selected(images, lambda view, sparse: _any(sparse.value > step.above))
    return _valued(some, lambda sparse: sparse.value > step.above)


def check_wires(step: MaskWires, header: Header) -> Header:
    """The header after `mask_wires`.

    Raises
    ------
    InputError
        If a plane is not seen.
    """
    if unseen := [plane for plane in step.wires if plane not in header.views]:
        raise InputError(
            f"mask_wires: '{unseen[0]}' is none of the images' planes, {', '.join(header.views)}"
        )
    return header


def mask_wires(step: MaskWires, header: Header, images: Images) -> Images:
    """Leave out the pixels that one of the wires is part of."""
    corner = points(images.truth["corner"], len(header.views))

    def seen(view: str, sparse: Sparse) -> npt.NDArray[np.bool_]:
        pitch = bin_width(header.axes[view][1])
        _, column = positions(sparse, header.shape)
        low = corner[sparse.example, header.views.index(view), 1] + column * pitch
        dead = np.zeros(len(low), bool)
        for first, end in step.wires.get(view, []):  # type: ignore[call-overload]
            dead |= (low < end) & (low + pitch > first)
        return ~dead

    return _selected(images, seen)


def hide_start(step: HideStart, header: Header, images: Images) -> Images:
    """Leave out the pixels near the one that is nearest to the true vertex; without one, none."""
    vertex = points(images.truth["vertex_pixel"], len(header.views)) - 0.5

    def far(view: str, sparse: Sparse) -> npt.NDArray[np.bool_]:
        row, column = positions(sparse, header.shape)
        kept = np.ones(len(row), np.bool_)
        own = vertex[:, header.views.index(view)]
        _hide(sparse.offsets, row, column, own, pixel_size(header, view), step.radius, kept)
        return kept

    return _selected(images, far)


@njit(cache=True, nogil=True)
def _hide(offsets, row, column, vertex, size, radius, kept):  # type: ignore[no-untyped-def]
    for i in range(len(offsets) - 1):
        nearest, least = -1, np.inf
        for k in range(offsets[i], offsets[i + 1]):
            x, y = (row[k] - vertex[i, 0]) * size[0], (column[k] - vertex[i, 1]) * size[1]
            if x * x + y * y < least:  # never, if there is no vertex
                nearest, least = k, x * x + y * y
        if nearest >= 0:
            for k in range(offsets[i], offsets[i + 1]):
                x = (row[k] - row[nearest]) * size[0]
                y = (column[k] - column[nearest]) * size[1]
                kept[k] = x * x + y * y >= radius * radius


def _any(values: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Pixels for which one of the channels says so."""
    return np.atleast_1d(values.any(axis=1))


def _selected(images: Images, which: Callable[[str, Sparse], npt.NDArray[np.bool_]]) -> Images:
    """Some pixels of each view."""
    views = {view: sparse.select(which(view, sparse)) for view, sparse in images.views.items()}
    return replace(images, views=views)


def _valued(images: Images, values: Callable[[Sparse], npt.NDArray[Any]]) -> Images:
    """The same pixels with other values, of the type that they had."""
    return replace(
        images,
        views={
            view: sparse.with_columns(value=values(sparse).astype(sparse.value.dtype, copy=False))
            for view, sparse in images.views.items()
        },
    )


#: How images change, by the type of the step's settings.
_IMAGES: Mapping[type[Settings], Callable[[Any, Header, Images], Images]] = {
    Downsample: downsample,
    Crop: crop,
    Threshold: threshold,
    Normalise: normalise,
    Log: log,
    Blur: blur,
    Mirror: mirror,
    MaskWires: mask_wires,
    HideStart: hide_start,
    Binarise: binarise,
}
#: How headers change; of the other steps they do not.
_HEADERS: Mapping[type[Settings], Callable[[Any, Header], Header]] = {
    Downsample: downsampled_header,
    Crop: cropped_header,
    Mirror: check_mirror,
    MaskWires: check_wires,
}
