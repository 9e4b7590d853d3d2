"""How the transport kernels are compiled."""

from __future__ import annotations

from numba import njit

#: A kernel.
kernel = njit(cache=True, error_model="numpy", nogil=True)
#: A small one, that becomes part of what calls it: the records it is given are not counted anew.
inlined = njit(cache=True, error_model="numpy", nogil=True, forceinline=True)
