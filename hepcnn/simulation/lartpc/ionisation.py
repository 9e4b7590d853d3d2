"""Electrons that a deposit sets free: ionisation and recombination in liquid argon."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hepcnn.detector.tpc import CM
from hepcnn.simulation.lartpc import argon

Floats = NDArray[np.float64]

#: Mean energy for each electron and ion (MeV): 23.6 eV, Miyajima et al., Phys. Rev. A 9 (1974)
#: 1438.
W = 23.6e-6
#: Density of liquid argon (g/cm³).
DENSITY = argon.DENSITY * CM**3
#: Modified Box model, arXiv:1306.1712: A, and B in (kV/cm)(g/cm²)/MeV.
BOX_A, BOX_B = 0.930, 0.212
#: Birks' law, ICARUS, Nucl. Instrum. Meth. A 523 (2004) 275: A, and k in (kV/cm)(g/cm²)/MeV.
BIRKS_A, BIRKS_K = 0.800, 0.0486
#: Least dE/dx (MeV/cm) that the models are used at: below, the Box model, which was fitted to
#: stopping protons, soon falls instead of rising. LArSoft has the same limit.
LEAST_LOSS = 1.0
#: dE/dx (MeV/cm) of deposits at a point: that of an electron of half an MeV (ESTAR, NIST).
POINT_LOSS = 2.1


def recombination(loss: ArrayLike, field: float, model: str) -> Floats:
    """Fraction of the electrons that escape recombination.

    Parameters
    ----------
    loss : array_like
        dE/dx (MeV/cm).
    field : float
        Electric field (kV/cm).
    model : {"box", "birks", "off"}
        ln(A + ξ) / ξ with ξ = B/(ρE) dE/dx; A / (1 + k/(ρE) dE/dx); or 1.
    """
    loss = np.maximum(loss, LEAST_LOSS)
    if model == "off":
        return np.ones_like(loss)
    if model == "birks":
        fraction: Floats = BIRKS_A / (1 + BIRKS_K / (DENSITY * field) * loss)
        return fraction
    xi = BOX_B / (DENSITY * field) * loss
    fraction = np.log(BOX_A + xi) / xi
    return fraction


def electrons(energy: Floats, length: Floats, field: float, model: str) -> Floats:
    """Electrons that start to drift from steps.

    Parameters
    ----------
    energy, length : float64 array (d,)
        Energy left in the step (MeV), and its length (mm); 0: at a point.
    field, model
        As of `recombination`.
    """
    loss = np.full(len(energy), POINT_LOSS)
    np.divide(energy * CM, length, out=loss, where=length > 0)
    return energy / W * recombination(loss, field, model)
