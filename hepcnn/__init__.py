"""hepcnn: from ROOT detector hits to particle-identification tables."""

from hepcnn.kernels_cache import provide
from hepcnn.threads import wait_passively

__version__ = "0.1.0"

# Before anything of ours loads torch, and numba.
wait_passively()
provide()
