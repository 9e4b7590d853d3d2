"""Instances from offsets: sites of one particle, moved to where it has its middle, come together.

Clusters are made in two steps. First fragments: connected components of sites, in which neighbours
are connected if their shifted places agree. Along a track offsets change slowly, so that it holds
together even where they are wrong; where two tracks touch or cross, they jump. Then fragments of
one particle, which are apart because of gaps, or of another track that crosses, join if their mean
shifted places agree: from the largest down, each with the nearest of those before it, so that no
chain of small ones can tie two together.

How far two shifted places may be apart to agree is their tolerance: a margin, and for long offsets,
which cannot be known as well as short ones, a part of their length. Of fragments it is larger, the
less sure their sites are: neighbours err together, fragments do not.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hepcnn.reconstruction.union_find import root, unite

#: What the tolerance of fragments grows by with the error that the score tells, in parts of it.
#: Of neutrino interactions it makes the adjusted Rand index larger by a quarter.
_UNSURE = 2.0


def clusters(
    image: NDArray[np.int64],
    place: NDArray[Any],
    offset: NDArray[Any],
    score: NDArray[Any],
    neighbours: NDArray[Any],
    margin: float,
    slack: float,
) -> NDArray[np.int32]:
    """Cluster sites.

    Parameters
    ----------
    image : int64 array (N,)
        The image of each site, rising.
    place : array (N, D)
        The places.
    offset : array (N, D)
        From each to the middle of its particle (pixels).
    score : array (N,)
        Seediness, above 0 to 1: what each counts in the mean of its fragment, and how sure it is.
    neighbours : int array (N, 3**D)
        `Sites.neighbours`.
    margin : float
        What the tolerance of neighbours is at least (pixels).
    slack : float
        What it grows by with the shorter of two offsets, as a part of that.

    Returns
    -------
    int32 array (N,)
        The cluster of each site; in each image from 0, in the order of their first sites.
    """
    offset = offset.astype(np.float64)
    shifted, reach = place + offset, np.linalg.norm(offset, axis=1)
    fragment = _fragments(shifted, reach, neighbours, margin, slack)
    _, first, sizes = np.unique(fragment, return_index=True, return_counts=True)
    weight = np.bincount(fragment, score)
    mean = np.stack([np.bincount(fragment, score * axis) / weight for axis in shifted.T], axis=1)
    order = np.lexsort((-sizes, image[first]))
    # The score should be exp(−e²/2) of the error e in units of the tolerance.
    error = np.sqrt(-2 * np.log(np.minimum(weight / sizes, 1)))
    tolerance = (margin + slack * np.bincount(fragment, reach) / sizes) * (1 + _UNSURE * error)
    owner = _join(image[first], mean, tolerance, order)[fragment]
    _, first, cluster = np.unique(owner, return_index=True, return_inverse=True)
    number = first.argsort().argsort()[cluster]
    return (number - number[np.searchsorted(image, image)]).astype(np.int32)


@njit(cache=True, nogil=True)
def _squared(one, other):  # type: ignore[no-untyped-def]
    """The squared distance of two places (D,)."""
    squared = 0.0
    for d in range(len(one)):
        squared += (one[d] - other[d]) ** 2
    return squared


@njit(cache=True, nogil=True)
def _fragments(shifted, reach, neighbours, margin, slack):  # type: ignore[no-untyped-def]
    """Number the connected components of sites, from 0, in the order of their first sites."""
    sites = len(shifted)
    parent = np.arange(sites)
    for k in range(sites):
        # The others see this one among theirs.
        for slot in range(neighbours.shape[1] // 2):
            other = neighbours[k, slot]
            if other == sites:
                continue
            tolerance = margin + slack * min(reach[k], reach[other])
            if _squared(shifted[k], shifted[other]) <= tolerance**2:
                unite(parent, k, other)
    number = np.empty(sites, np.int64)
    count = 0
    for k in range(sites):
        first = root(parent, k)
        if first == k:
            number[k] = count
            count += 1
        else:
            number[k] = number[first]
    return number


@njit(cache=True, nogil=True)
def _join(image, mean, tolerance, order):  # type: ignore[no-untyped-def]
    """Give each fragment the founder of its cluster; `order` is by image, then by falling size."""
    owner = np.empty(len(image), np.int64)
    founders = np.empty(len(image), np.int64)
    n, first = 0, 0
    for k in order:
        if n and image[founders[n - 1]] != image[k]:
            first = n
        owner[k], nearest = k, np.inf
        for other in founders[first:n]:
            squared = _squared(mean[k], mean[other])
            if squared <= min(tolerance[k], tolerance[other]) ** 2 and squared < nearest:
                owner[k], nearest = other, squared
        if owner[k] == k:
            founders[n] = k
            n += 1
    return owner
