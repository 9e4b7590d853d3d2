"""How far the atom's electrons screen its nucleus from photons and electrons: pairs, radiation.

Bethe and Heitler's cross sections with the screening functions of Butcher and Messel, as in EGS4
(SLAC-265), each relative to that of complete screening, from which the radiation length comes.
"""

from __future__ import annotations

import numpy as np

from hepcnn.simulation.lartpc.compiled import inlined, kernel
from hepcnn.simulation.lartpc.masses import ELECTRON_MASS

ATOMIC_NUMBER = 18
_RADIUS = 136 / ATOMIC_NUMBER ** (1 / 3)
#: (4/3) ln Z, and both functions where screening is complete.
_CHARGE = 4 / 3 * np.log(ATOMIC_NUMBER)
_FIRST, _SECOND = 20.867 - _CHARGE, 20.209 - _CHARGE
#: Points of the integral over the share of the energy.
_POINTS = 200


@inlined
def _functions(delta: float) -> tuple[float, float]:
    """φ1 and φ2 less (4/3) ln Z, at the screening variable δ."""
    if delta < 1.0:
        first = 20.867 - 3.242 * delta + 0.625 * delta * delta
        second = 20.209 - 1.930 * delta - 0.086 * delta * delta
    else:
        first = second = 21.12 - 4.184 * np.log(delta + 0.952)
    return max(first - _CHARGE, 0.0), max(second - _CHARGE, 0.0)


@kernel
def pair_share(energy: float) -> float:
    """Pairs made by a photon over those of complete screening: 1 at high energy."""
    low = ELECTRON_MASS / energy
    if low >= 0.5:
        return 0.0
    total = 0.0
    for point in range(_POINTS):
        share = low + (1.0 - 2.0 * low) * (point + 0.5) / _POINTS
        rest = share * (1.0 - share)
        first, second = _functions(_RADIUS * low / rest)
        total += (1.0 - 2.0 * rest) * first + 2.0 / 3.0 * rest * second
    complete = 2.0 / 3.0 * _FIRST + _SECOND / 9.0
    return (1.0 - 2.0 * low) * total / _POINTS / complete


@inlined
def radiation_share(energy: float, photon: float) -> float:
    """Photons of an energy that an electron radiates over those of complete screening."""
    total = energy + ELECTRON_MASS
    rest = 1.0 - photon / total
    first, second = _functions(_RADIUS * ELECTRON_MASS / total * (1.0 - rest) / rest)
    square = 1.0 + rest * rest
    made = square * first - 2.0 / 3.0 * rest * second
    return max(0.0, made / (square * _FIRST - 2.0 / 3.0 * rest * _SECOND))
