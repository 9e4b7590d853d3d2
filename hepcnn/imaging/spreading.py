"""Sparse images whose pixels move, add up or spread: one kernel for all steps that do so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from numba import njit

from hepcnn.config.steps import Blur, Downsample
from hepcnn.imaging.lengths import bin_width
from hepcnn.imaging.moved_labels import move_labels
from hepcnn.store.shard import Axis, Header, Images, Sparse

#: Half width of a Gaussian's stencil (σ); scipy.ndimage truncates there, too.
REACH = 4.0


def positions(
    sparse: Sparse, shape: tuple[int, ...]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows and columns of all pixels, (nnz,) each."""
    # 32 bits are divided ten times as fast as 64.
    row, column = np.divmod(sparse.pixel.astype(np.uint32), np.uint32(shape[1]))
    return row.astype(np.int64), column.astype(np.int64)


def spread(
    sparse: Sparse,
    row: npt.NDArray[np.int64],
    column: npt.NDArray[np.int64],
    header: Header,
    stencil: npt.NDArray[np.float64] | None = None,
    weight: npt.NDArray[np.float64] | None = None,
) -> tuple[Sparse, npt.NDArray[np.float64]]:
    """Put each pixel at a new place, spread there by a stencil, and add up what meets.

    Parameters
    ----------
    sparse : Sparse
        Images of one view.
    row, column : int64 arrays (nnz,)
        The new place of each pixel.
    header : Header
        Of the new images.
    stencil : float64 array (2a + 1, 2b + 1), optional
        Fractions that go to the rows and columns about the place; by default all stays there.
        What falls outside the image is lost.
    weight : float64 array (nnz,), optional
        The contribution of each pixel that decides whose truth a new pixel gets; by default its
        value.

    Returns
    -------
    Sparse
        The new images; the truth of a pixel is that of its largest contribution.
    largest : float64 array (new nnz,)
        These contributions.
    """
    stencil = np.ones((1, 1)) if stencil is None else stencil
    value = sparse.value
    weight = value.sum(axis=1, dtype=np.float64) if weight is None else weight
    height, width = header.shape
    # Memory that is never written to costs nothing: take what may be needed at most.
    most = int(np.minimum(np.diff(sparse.offsets) * stencil.size, height * width).sum())
    offsets = np.zeros(len(sparse) + 1, np.int64)
    pixel = np.empty(most, header.pixel_type)
    total = np.empty((most, value.shape[1]), value.dtype)
    source, largest = np.empty(most, np.int64), np.empty(most)
    _spread(
        sparse.offsets, row, column, value, weight, stencil, height, width,
        offsets, pixel, total, source, largest,
    )  # fmt: skip
    stored = int(offsets[-1])
    truth = {name: column[source[:stored]] for name, column in sparse.truth.items()}
    return Sparse(offsets, pixel[:stored], total[:stored], truth), largest[:stored]


@njit(cache=True, nogil=True)
def _spread(  # type: ignore[no-untyped-def]
    first, row, column, value, weight, stencil, height, width, offsets, pixel, total, source,
    largest,
):  # fmt: skip
    """Add up each image's contributions in all pixels, then list those that have any."""
    up, left = stencil.shape[0] // 2, stencil.shape[1] // 2
    channels = value.shape[1]
    sums, best = np.zeros((height * width, channels)), np.zeros(height * width)
    # 1 + the pixel that contributes most, counted from the image's first; 0: none contributes.
    origin = np.zeros(height * width, np.int32)
    leftmost, rightmost = np.full(height, width), np.full(height, -1)
    stored = 0
    for i in range(len(first) - 1):
        top, bottom = height, -1
        for k in range(first[i], first[i + 1]):
            for a in range(max(row[k] - up, 0), min(row[k] + up, height - 1) + 1):
                low, high = max(column[k] - left, 0), min(column[k] + left, width - 1)
                if high < low:
                    continue
                top, bottom = min(top, a), max(bottom, a)
                leftmost[a], rightmost[a] = min(leftmost[a], low), max(rightmost[a], high)
                for b in range(low, high + 1):
                    at = np.uint64(a * width + b)
                    share = stencil[a - row[k] + up, b - column[k] + left]
                    for c in range(channels):
                        sums[at, c] += share * value[k, c]
                    if origin[at] == 0 or share * weight[k] > best[at]:
                        origin[at], best[at] = k - first[i] + 1, share * weight[k]
        for a in range(top, bottom + 1):
            for b in range(leftmost[a], rightmost[a] + 1):
                at = np.uint64(a * width + b)
                if origin[at] == 0:
                    continue
                pixel[stored] = at
                source[stored], largest[stored] = first[i] + origin[at] - 1, best[at]
                for c in range(channels):
                    total[stored, c] = sums[at, c]
                    sums[at, c] = 0.0
                origin[at] = 0
                stored += 1
            leftmost[a], rightmost[a] = width, -1
        offsets[i + 1] = stored


def downsampled_header(step: Downsample, header: Header) -> Header:
    """The header after `downsample`; a block at the end may reach beyond the old image."""
    axes = {
        view: tuple(_grouped(axis, by) for axis, by in zip(own, step.factor, strict=True))
        for view, own in header.axes.items()
    }
    shape = tuple(-(-length // by) for length, by in zip(header.shape, step.factor, strict=True))
    return replace(header, shape=shape, axes=axes)


def _grouped(axis: Axis, by: int) -> Axis:
    bins = -(-axis.bins // by)
    return replace(axis, bins=bins, high=axis.low + bins * by * bin_width(axis))


def downsample(step: Downsample, header: Header, images: Images) -> Images:
    """Sum blocks of pixels."""
    after = downsampled_header(step, header)
    views = {}
    for view, sparse in images.views.items():
        row, column = positions(sparse, header.shape)
        views[view], _ = spread(sparse, row // step.factor[0], column // step.factor[1], after)
    moved = move_labels(header, images, (1 / step.factor[0], 1 / step.factor[1]))
    return replace(moved, views=views)


def blur(step: Blur, header: Header, images: Images) -> Images:
    """Spread the values as a Gaussian, first over rows, then over columns."""
    reach = int(REACH * step.sigma + 0.5)
    gaussian = np.exp(-0.5 * (np.arange(-reach, reach + 1) / step.sigma) ** 2)
    gaussian /= gaussian.sum()
    views = {}
    for view, sparse in images.views.items():
        largest = None
        for stencil in (gaussian[:, None], gaussian[None]):
            row, column = positions(sparse, header.shape)
            sparse, largest = spread(sparse, row, column, header, stencil, largest)
        views[view] = sparse
    return replace(images, views=views)
