"""Training, validation and test events by a hash of their names.

Which part an event falls in depends on nothing but its (run, subrun, event): adding files moves
no event, and all tracks of an event are on one side.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hepcnn.config import Split

#: Parts in the order of their codes 0, 1, 2.
PARTS = ("train", "validation", "test")

#: Increment and multipliers of SplitMix64: G. L. Steele, D. Lea, C. H. Flood, "Fast splittable
#: pseudorandom number generators", OOPSLA 2014, fig. 17 (constants of Stafford's mixer 13).
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MULTIPLIERS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


def _mix(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's finaliser: a bijection in which each input bit flips half of the output bits."""
    first, second = _MULTIPLIERS
    state = (state ^ (state >> np.uint64(30))) * first
    state = (state ^ (state >> np.uint64(27))) * second
    return state ^ (state >> np.uint64(31))


def uniform_of(key: NDArray[np.void]) -> NDArray[np.float64]:
    """Hash each event's name to a number, uniform in [0, 1).

    Parameters
    ----------
    key : structured array (n,)
        With the int64 fields run, subrun and event; others are not looked at.

    Returns
    -------
    ndarray (n,) float64
        Multiples of 2⁻⁵³.
    """
    state = np.zeros(key.shape, np.uint64)
    for name in ("run", "subrun", "event"):
        # Sums and products wrap around: arithmetic modulo 2⁶⁴.
        state = _mix(state + _GOLDEN + key[name].astype(np.int64).view(np.uint64))
    return (state >> np.uint64(11)).astype(np.float64) * 2.0**-53


def split_of(key: NDArray[np.void], split: Split) -> NDArray[np.int8]:
    """Assign examples to training (0), validation (1) and test (2).

    Parameters
    ----------
    key : structured array (n,)
        Names of the examples, with the int64 fields run, subrun and event.
    split : Split
        The fractions of events.

    Returns
    -------
    ndarray (n,) int8
        Indices into `PARTS`.
    """
    # 1 − test, not train + validation: exactly 1 where there is no test part.
    edges = np.array([split.train, 1 - split.test])
    return np.searchsorted(edges, uniform_of(key), side="right").astype(np.int8)
