"""Sparse images → dense batches, in buffers that are used again.

Instead of clearing a buffer, the pixels that the last batch set are set back.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hepcnn.store.blocks import Block

#: Occupancy above which clearing a whole buffer is faster than setting its pixels back.
_CROWDED = 0.1


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
    seen : (int, int)
        Views and channels.
    """

    def __init__(self, batch_size: int, shape: tuple[int, ...], seen: tuple[int, int]) -> None:
        self._dense = np.zeros((batch_size, math.prod(shape), math.prod(seen)), np.float32)
        self._shape = (*shape, *seen)
        # Lengths of the first axis, of what it counts, and of the last axis.
        self._extent = shape[0], math.prod(shape[1:]), shape[-1]
        self._last: tuple[Block, Drawn] | None = None

    def fill(self, block: Block, drawn: Drawn, scale: NDArray[np.float32]) -> NDArray[np.float32]:
        """Make a batch, as (B, V, C, *shape); valid until the next.

        Parameters
        ----------
        block : Block
            The images.
        drawn : Drawn
            Which of them, and how.
        scale : ndarray (V, C) float32
            Values are multiplied by it.
        """
        self._clear()
        self._set(block, drawn, scale)
        self._last = block, drawn
        axes = len(self._shape) - 2
        # (B, *shape, V, C) → (B, V, C, *shape)
        order = (0, axes + 1, axes + 2, *range(1, axes + 1))
        return self._dense[: len(drawn.rows)].reshape(-1, *self._shape).transpose(order)

    def _clear(self) -> None:
        if self._last is None:
            return
        block, drawn = self._last
        rows = drawn.rows
        occupied = sum(int((v.offsets[rows + 1] - v.offsets[rows]).sum()) for v in block.views)
        if occupied > _CROWDED * len(rows) * self._dense[0].size:
            self._dense.fill(0)
        else:
            self._set(block, drawn, np.zeros(self._shape[-2:], np.float32))

    def _set(self, block: Block, drawn: Drawn, scale: NDArray[np.float32]) -> None:
        for sparse, place in zip(block.views, drawn.place, strict=True):
            images = sparse.offsets, sparse.pixel, sparse.value
            _scatter(self._dense, *images, drawn.rows, drawn.mirrored, place, scale, self._extent)


@njit(cache=True, nogil=True)
def _scatter(dense, offsets, pixel, value, rows, mirrored, place, scale, extent):  # type: ignore[no-untyped-def]  # numba
    """Set the pixels of one view, value × scale, in a batch (B, pixels, V·C)."""
    channels = value.shape[1]
    for b in range(len(rows)):
        part = slice(offsets[rows[b]], offsets[rows[b] + 1])
        where = pixel[part]
        if mirrored[b, 0] or mirrored[b, 1]:
            where = _mirrored(where, mirrored[b, 0], mirrored[b, 1], extent)
        for c in range(channels):
            image, factor = dense[b, :, place[b] * channels + c], scale[place[b], c]
            count = value[part, c]
            for j in range(len(where)):
                image[where[j]] = count[j] * factor


@njit(cache=True, nogil=True)
def _mirrored(pixel, first, last, extent):  # type: ignore[no-untyped-def]  # numba
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
