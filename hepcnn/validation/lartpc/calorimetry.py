"""Energy from hits: charge back to electrons, recombination undone."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from hepcnn.detector.tpc import CM, TPC
from hepcnn.simulation.lartpc.ionisation import (
    BIRKS_A,
    BIRKS_K,
    BOX_A,
    BOX_B,
    DENSITY,
    W,
    recombination,
)
from hepcnn.validation.lartpc.setup import Floats

#: dE/dx (MeV/cm) at which the charge of showers is corrected, as a whole, for recombination.
SHOWER_LOSS = 2.3


def drifted_electrons(charge: ArrayLike, tick: ArrayLike, tpc: TPC) -> Floats:
    """Electrons before the drift, of hits of time 0.

    Parameters
    ----------
    charge : array_like
        ADC × tick.
    tick : array_like
        When they arrived.
    tpc : TPC
        The geometry.
    """
    drift = tpc.x_of(tick) / tpc.drift.velocity
    arrived = np.asarray(charge, np.float64) / tpc.electronics.area_per_electron
    return np.asarray(arrived * np.exp(drift / (1000 * tpc.drift.lifetime)))


def energy_loss(electrons: ArrayLike, length: ArrayLike, tpc: TPC, model: str) -> Floats:
    """dE/dx (MeV/cm) of a track that sets electrons free on a length (mm).

    The inverse of `simulation.lartpc.ionisation.recombination`.
    """
    seen = W * np.asarray(electrons) / (np.asarray(length) / CM)
    per_field = 1 / (DENSITY * tpc.drift.field)
    if model == "off":
        return np.asarray(seen)
    if model == "birks":
        return np.asarray(seen / (BIRKS_A - BIRKS_K * per_field * seen))
    slope = BOX_B * per_field
    return np.asarray((np.exp(slope * seen) - BOX_A) / slope)


def shower_energy(electrons: float, tpc: TPC, model: str) -> float:
    """Energy (MeV) of a shower by all of its electrons."""
    return electrons * W / float(recombination(SHOWER_LOSS, tpc.drift.field, model))
