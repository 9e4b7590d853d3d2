"""Deposits in pieces, short beside what the detector resolves."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hepcnn.simulation.lartpc.records import Deposits

Floats = NDArray[np.float64]

#: Steps follow one another if their middles are as far apart as half of both their lengths,
#: within this part of it: multiple scattering bends a track little in a step.
_BEND = 0.05


@njit(cache=True, error_model="numpy", nogil=True)
def _directions(position: Floats, length: Floats, particle: NDArray[np.int32]) -> Floats:
    """Unit vectors along steps, from the steps before and after; 0 if they are of other tracks."""
    direction = np.zeros_like(position)
    for i in range(1, len(length)):
        if particle[i] != particle[i - 1]:
            continue
        across = position[i] - position[i - 1]
        distance = np.sqrt((across**2).sum())
        expected = 0.5 * (length[i] + length[i - 1])
        if distance > 0 and abs(distance - expected) < _BEND * expected:
            direction[i - 1] += across / distance
            direction[i] += across / distance
    for i in range(len(length)):
        norm = np.sqrt((direction[i] ** 2).sum())
        if norm > 0:
            direction[i] /= norm
    return direction


def substeps(deposits: Deposits, longest: Floats) -> Deposits:
    """Cut steps into equal pieces, each with its part of the energy.

    A step lies along the line to the steps of the same particle that it touches; without one its
    pieces all lie in its middle.

    Parameters
    ----------
    deposits : Deposits
        The steps.
    longest : float64 array (d,)
        Longest piece of each (mm).
    """
    pieces = np.maximum(np.ceil(deposits.length / longest), 1).astype(np.int64)
    direction = _directions(deposits.position, deposits.length, deposits.particle)
    which = np.repeat(np.arange(len(pieces)), pieces)
    number = np.arange(len(which)) - np.repeat(pieces.cumsum() - pieces, pieces)
    share = 1 / pieces
    along = ((number + 0.5) * share[which] - 0.5) * deposits.length[which]
    return Deposits(
        deposits.position[which] + along[:, None] * direction[which],
        (deposits.energy * share)[which],
        (deposits.length * share)[which],
        deposits.particle[which],
        deposits.time[which],
    )
