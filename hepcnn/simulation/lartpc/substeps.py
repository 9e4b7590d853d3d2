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
        x = position[i, 0] - position[i - 1, 0]
        y = position[i, 1] - position[i - 1, 1]
        z = position[i, 2] - position[i - 1, 2]
        distance = np.sqrt(x * x + y * y + z * z)
        expected = 0.5 * (length[i] + length[i - 1])
        if distance > 0 and abs(distance - expected) < _BEND * expected:
            for k, across in enumerate((x, y, z)):
                direction[i - 1, k] += across / distance
                direction[i, k] += across / distance
    for i in range(len(length)):
        x, y, z = direction[i]
        norm = np.sqrt(x * x + y * y + z * z)
        if norm > 0:
            for k in range(3):
                direction[i, k] /= norm
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
