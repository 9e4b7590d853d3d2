"""Sparse images → batches of sites: what is occupied, and nothing else."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hepcnn.store.blocks import Block
from hepcnn.store.dense import Drawn, images_of, mirrored_pixels


class SparseBatch(NamedTuple):
    """The N occupied pixels or voxels of a batch of B examples of V views, in D dimensions.

    They are in the order of ``nonzero()`` of the dense batch: by example, view and place.

    Attributes
    ----------
    image : int64 array (N,)
        The image of each: b·V + v.
    place : int64 array (N, D)
        Its place in the image.
    value : float32 array (N, C)
        What is there; not 0 in every channel.
    extent : tuple of int
        B, V and the D lengths of an image.
    """

    image: NDArray[np.int64]
    place: NDArray[np.int64]
    value: NDArray[np.float32]
    extent: tuple[int, ...]


def sparse_batch(
    block: Block, drawn: Drawn, scale: NDArray[np.float32], shape: tuple[int, ...]
) -> tuple[SparseBatch, NDArray[np.int64]]:
    """Make a batch of sites, and their truth (N, T).

    Parameters
    ----------
    block : Block
        The images.
    drawn : Drawn
        Which of them, and how.
    scale : ndarray (V, C) float32
        Values are multiplied by it.
    shape : tuple of int
        Of an image.
    """
    images = images_of(block)
    # Where each view is put → the view that is put there.
    source = np.argsort(drawn.place, axis=0)
    most = sum(int(np.diff(own[0])[drawn.rows].sum()) for own in images)
    image, place = np.empty(most, np.int64), np.empty((most, len(shape)), np.int64)
    value = np.empty((most, images[0][2].shape[1]), np.float32)
    truth = np.empty((most, images[0][3].shape[1]), np.int64)
    stored = _fill(
        images, drawn.rows, drawn.mirrored, source, scale, np.array(shape),
        image, place, value, truth,
    )  # fmt: skip
    extent = (len(drawn.rows), len(images), *shape)
    batch = SparseBatch(image[:stored], place[:stored], value[:stored], extent)
    return batch, truth[:stored]


@njit(cache=True, nogil=True)
def _fill(images, rows, mirrored, source, scale, shape, image, place, value, truth):  # type: ignore[no-untyped-def]  # numba
    """Write the sites of all images, one after the other; returns how many there are."""
    extent = shape[0], np.prod(shape[1:]), shape[-1]
    stored = 0
    for b in range(len(rows)):
        first, last = mirrored[b]
        for v in range(len(images)):
            offsets, pixel, count, label = images[source[v, b]]
            low, high = offsets[rows[b]], offsets[rows[b] + 1]
            turned = first or last
            number = pixel[low:high]
            if turned:
                number = mirrored_pixels(number, first, last, extent)
            order = np.argsort(number) if turned else np.arange(high - low)
            for j in order:
                k, rest, occupied = low + j, np.int64(number[j]), False
                for c in range(count.shape[1]):
                    value[stored, c] = count[k, c] * scale[v, c]
                    occupied |= value[stored, c] != 0
                if not occupied:
                    continue
                for d in range(len(shape) - 1, -1, -1):
                    place[stored, d] = rest % shape[d]
                    rest //= shape[d]
                for t in range(label.shape[1]):
                    truth[stored, t] = label[k, t]
                image[stored] = b * len(images) + v
                stored += 1
    return stored
