"""Union-find: sets that grow together, each named by its first element.

``parent`` (n,) int64 begins as ``arange(n)``, every element alone.
"""

from __future__ import annotations

import numpy as np
from numba import njit

# Unsigned, because numba lets negative indices wrap around, at a cost.
_U = np.uint64


@njit(cache=True, nogil=True)
def root(parent, k):  # type: ignore[no-untyped-def]
    """The first element of the set of `k`; the way there becomes shorter."""
    k = np.int64(k)
    while parent[_U(k)] != k:
        parent[_U(k)] = parent[_U(parent[_U(k)])]
        k = parent[_U(k)]
    return k


@njit(cache=True, nogil=True)
def unite(parent, one, other):  # type: ignore[no-untyped-def]
    """Make one set of those of two elements."""
    first, second = root(parent, one), root(parent, other)
    parent[_U(max(first, second))] = min(first, second)
