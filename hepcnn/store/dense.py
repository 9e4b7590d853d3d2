"""Sparse images → dense batches, in buffers that are used again.

Instead of clearing a buffer, the pixels that the last batch set are set back.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hepcnn.store.blocks import Block

#: Occupancy above which clearing a whole buffer is faster than setting its pixels back.
_CROWDED = 0.1


#: Of each view the offsets, the pixels, their values and their truth.
_Images = tuple[tuple[NDArray[np.int64], NDArray[Any], NDArray[Any], NDArray[np.int32]], ...]


class Drawn(NamedTuple):
    """What a batch of B examples is made of.

    ``rows`` int64 (B,) are the examples' places in a block; ``mirrored`` bool (B, 2) says whether
    the first and the last axis of their images are reversed; ``place`` int64 (V, B) is, of each
    view, the view in whose place it is put.
    """

    rows: NDArray[np.int64]
    mirrored: NDArray[np.bool_]
    place: NDArray[np.int64]


class Buffer:
    """A dense batch that is made again and again.

    Parameters
    ----------
    batch_size : int
        The most examples of a batch.
    shape : tuple of int
        Of an image: rows and columns, or the numbers of voxels along three axes.
    seen : (int, int, int)
        Views, channels, and columns of truth, which lie by themselves: an image of one channel is
        in one piece.
    """

    def __init__(self, batch_size: int, shape: tuple[int, ...], seen: tuple[int, int, int]) -> None:
        views, channels, truths = seen
        pixels = views, batch_size, math.prod(shape)
        self._images = np.zeros((*pixels, channels), np.float32)
        self._truth = np.zeros((*pixels, truths), np.float32)
        self._shape = shape
        # Lengths of the first axis, of what it counts, and of the last axis.
        self._extent = shape[0], math.prod(shape[1:]), shape[-1]
        self._last: tuple[_Images, Drawn] | None = None

    def fill(
        self, block: Block, drawn: Drawn, scale: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Make a batch: images (B, V, C, *shape) and truth (B, V, T, *shape), valid until the next.

        The truth is that of the pixels plus 1, and 0 where there is no pixel.

        Parameters
        ----------
        block : Block
            The images.
        drawn : Drawn
            Which of them, and how.
        scale : ndarray (V, C) float32
            Values are multiplied by it.
        """
        images = images_of(block)
        nothing = Drawn(drawn.rows[:0], drawn.mirrored[:0], drawn.place[:, :0])
        last = self._last or (images, nothing)
        if self._crowded(*last):
            self._images.fill(0)
            self._truth.fill(0)
            last = images, nothing
        _refill(self._images, self._truth, *last, images, drawn, scale, self._extent)
        self._last = images, drawn
        return self._batch(self._images, drawn), self._batch(self._truth, drawn)

    def _batch(self, dense: NDArray[np.float32], drawn: Drawn) -> NDArray[np.float32]:
        """(V, B, pixels, C) → (B, V, C, *shape)."""
        batch = dense[:, : len(drawn.rows)]
        whole = batch.reshape(*batch.shape[:2], *self._shape, batch.shape[-1])
        return np.moveaxis(whole.swapaxes(0, 1), -1, 2)

    def _crowded(self, images: _Images, drawn: Drawn) -> bool:
        """Whether setting the pixels of a batch back is slower than clearing the buffer."""
        views, _, pixels, _ = self._images.shape
        rows = drawn.rows
        occupied = sum(int((offsets[rows + 1] - offsets[rows]).sum()) for offsets, *_ in images)
        return occupied > _CROWDED * len(rows) * views * pixels


def images_of(block: Block) -> _Images:
    """The images of a block as compiled functions take them."""
    return tuple((v.offsets, v.pixel, v.value, v.columns["truth"]) for v in block.views)


@njit(cache=True, nogil=True)
def _refill(dense, truth, old, old_drawn, new, new_drawn, scale, extent):  # type: ignore[no-untyped-def]  # numba
    """Set a batch (V, B, pixels, C) and its truth (V, B, pixels, T) back, and to another one.

    Example by example, since the system's tables of memory hold what one takes, and no batch.
    """
    for b in range(dense.shape[1]):
        if b < len(old_drawn.rows):
            _set(dense, truth, b, old, old_drawn, None, extent)
        if b < len(new_drawn.rows):
            _set(dense, truth, b, new, new_drawn, scale, extent)


@njit(cache=True, nogil=True)
def _set(dense, truth, b, images, drawn, scale, extent):  # type: ignore[no-untyped-def]  # numba
    """Set the pixels of an example to value × scale, or without a scale to 0."""
    row, (first, last) = drawn.rows[b], drawn.mirrored[b]
    for view in range(len(images)):
        offsets, pixel, value, labels = images[view]
        part, place = slice(offsets[row], offsets[row + 1]), drawn.place[view, b]
        where = pixel[part]
        if first or last:
            where = mirrored_pixels(where, first, last, extent)
        for c in range(value.shape[1]):
            image = dense[place, b, :, c]
            if scale is None:
                for j in range(len(where)):
                    image[where[j]] = 0
            else:
                count, factor = value[part, c], scale[place, c]
                for j in range(len(where)):
                    image[where[j]] = count[j] * factor
        for t in range(labels.shape[1]):
            image, label = truth[place, b, :, t], labels[part, t]
            for j in range(len(where)):
                image[where[j]] = 0 if scale is None else label[j] + 1


@njit(cache=True, nogil=True)
def mirrored_pixels(pixel, first, last, extent):  # type: ignore[no-untyped-def]  # numba
    """Pixel numbers of an image whose first or last axis is reversed."""
    length, stride, width = extent
    found = np.empty_like(pixel)
    for j in range(len(pixel)):
        number = np.int64(pixel[j])
        if first:
            number += (length - 1 - 2 * (number // stride)) * stride
        if last:
            number += width - 1 - 2 * (number % width)
        found[j] = number
    return found
