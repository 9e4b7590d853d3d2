"""Sparse images put in order and merged into channels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from numba import njit

from hepcnn.store.shard import Sparse

#: Offsets, pixels and counts of one channel's images.
Counts = tuple[npt.NDArray[np.int64], npt.NDArray[np.unsignedinteger], npt.NDArray[np.uint16]]


def in_order(counts: Counts, order: npt.NDArray[np.int64]) -> Counts:
    """Images ``order[0]``, ``order[1]``, … of a channel; −1 stands for an empty one."""
    offsets, pixel, count = counts
    moved = np.zeros(len(order) + 1, np.int64)
    np.cumsum(np.append(np.diff(offsets), 0)[order], out=moved[1:])
    pixels, values = np.empty(moved[-1], pixel.dtype), np.empty(moved[-1], count.dtype)
    _copy_images(offsets, pixel, count, order, moved, pixels, values)
    return moved, pixels, values


@njit(cache=True, nogil=True)
def _copy_images(offsets, pixel, count, order, moved, pixels, values):  # type: ignore[no-untyped-def]
    for i in range(len(order)):
        start, to = np.uint64(offsets[max(order[i], 0)]), np.uint64(moved[i])
        for k in range(np.uint64(moved[i + 1] - moved[i])):
            pixels[to + k] = pixel[start + k]
            values[to + k] = count[start + k]


def merge_channels(channels: Sequence[Counts]) -> Sparse:
    """Images with the pixels that are not zero in any channel.

    Parameters
    ----------
    channels : sequence of Counts
        For each channel the counts of the same images.
    """
    if len(channels) == 1:
        offsets, pixel, count = channels[0]
        return Sparse(offsets, pixel, count[:, None])
    most = sum(len(pixel) for _, pixel, _ in channels)
    offsets = np.zeros(len(channels[0][0]), np.int64)
    pixel = np.empty(most, channels[0][1].dtype)
    value = np.zeros((most, len(channels)), np.uint16)
    # One flat array for all channels: numba knows no lists of arrays of unknown length.
    starts = np.stack([own for own, _, _ in channels])
    starts += np.cumsum([0] + [len(p) for _, p, _ in channels[:-1]])[:, None]
    _merge(
        starts,
        np.concatenate([p for _, p, _ in channels]),
        np.concatenate([c for _, _, c in channels]),
        offsets,
        pixel,
        value,
    )
    return Sparse(offsets, pixel[: offsets[-1]], value[: offsets[-1]])


@njit(cache=True, nogil=True)
def _merge(starts, pixels, counts, offsets, pixel, value):  # type: ignore[no-untyped-def]
    stored = 0
    at = np.empty(len(starts), np.int64)
    for i in range(len(offsets) - 1):
        at[:] = starts[:, i]
        while True:
            lowest = np.int64(-1)
            for c in range(len(at)):
                if at[c] < starts[c, i + 1] and (lowest < 0 or pixels[at[c]] < lowest):
                    lowest = np.int64(pixels[at[c]])
            if lowest < 0:
                break
            pixel[stored] = lowest
            for c in range(len(at)):
                if at[c] < starts[c, i + 1] and pixels[at[c]] == lowest:
                    value[stored, c] = counts[at[c]]
                    at[c] += 1
            stored += 1
        offsets[i + 1] = stored
