"""Sparse images of one channel each, merged."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit

from hepcnn.store.shard import Sparse


def merge_channels(channels: Sequence[Sparse]) -> Sparse:
    """Make images with the pixels that are not zero in any channel.

    Parameters
    ----------
    channels : sequence of Sparse
        For each channel the counts (uint16) of the same images.
    """
    if len(channels) == 1:
        return channels[0]
    pixels = np.concatenate([own.pixel for own in channels])
    offsets = np.zeros(len(channels[0]) + 1, np.int64)
    pixel = np.empty(len(pixels), pixels.dtype)
    value = np.zeros((len(pixels), len(channels)), np.uint16)
    # One flat array for all channels: numba knows no lists of arrays of unknown length.
    starts = np.stack([own.offsets for own in channels])
    starts += np.cumsum([0] + [len(own.pixel) for own in channels[:-1]])[:, None]
    counts = np.concatenate([own.value[:, 0] for own in channels])
    _merge(starts, pixels, counts, offsets, pixel, value)
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
