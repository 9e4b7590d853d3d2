"""From energy deposits to clouds of electrons at the wires: lifetime, drift and diffusion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hepcnn.config import LArTPCSimulation
from hepcnn.detector.tpc import PLANES, TPC
from hepcnn.simulation.lartpc.ionisation import electrons
from hepcnn.simulation.lartpc.records import Deposits
from hepcnn.simulation.lartpc.substeps import substeps

Floats = NDArray[np.float64]
#: cm²/s in mm²/µs.
_DIFFUSION_UNIT = 1e-4


@dataclass(frozen=True)
class Clouds:
    """Electrons as they arrive at the wires: one Gaussian cloud for each deposit.

    Attributes
    ----------
    electrons : float64 array (d,)
        How many arrive.
    tick : float64 array (d,)
        When (ticks).
    wire : float64 array (planes, d)
        Wire coordinate in each of `PLANES`.
    along, across : float64 array (d,)
        Widths σ from diffusion: along the drift (ticks), and across it (wires).
    particle : int32 array (d,)
        Index of the particle that they are of.
    """

    electrons: Floats
    tick: Floats
    wire: Floats
    along: Floats
    across: Floats
    particle: NDArray[np.int32]


def drift(deposits: Deposits, settings: LArTPCSimulation, tpc: TPC) -> Clouds:
    """Drift the charge of deposits to the wires.

    exp(−t/τ) of the electrons are left after the drift time t, spread by σ = √(2Dt).

    Parameters
    ----------
    deposits : Deposits
        Inside the active volume.
    settings : LArTPCSimulation
        Model of recombination, and whether charge spreads.
    tpc : TPC
        The geometry.
    """
    deposits = substeps(deposits, _longest(deposits.position[:, 0], settings, tpc))
    # Of a step at a wall a piece can lie beyond it.
    x, y, z = np.clip(deposits.position, *tpc.volume.bounds.T).T
    free = electrons(deposits.energy, deposits.length, tpc.drift.field, settings.recombination)
    time = x / tpc.drift.velocity
    diffusion = tpc.drift.diffusion
    return Clouds(
        free * np.exp(-time / (1000 * tpc.drift.lifetime)),
        tpc.tick(x, deposits.time),
        np.stack([tpc.wire(plane, y, z) for plane in PLANES]),
        _spread(x, diffusion.longitudinal, settings, tpc) / tpc.mm_per_tick,
        _spread(x, diffusion.transverse, settings, tpc) / tpc.pitch,
        deposits.particle,
    )


def _spread(x: Floats, diffusion: float, settings: LArTPCSimulation, tpc: TPC) -> Floats:
    """Width σ of the clouds from x by one of the diffusions (cm²/s), in mm."""
    if not settings.diffusion:
        return np.zeros_like(x)
    spread: Floats = np.sqrt(2 * _DIFFUSION_UNIT * diffusion * x / tpc.drift.velocity)
    return spread


def _longest(x: Floats, settings: LArTPCSimulation, tpc: TPC) -> Floats:
    """Longest pieces (mm) for which steps from x need not be cut further.

    Clouds one and a half widths apart add up to an even density; nor are a third of the pitch and
    less resolved.
    """
    spread = _spread(x, tpc.drift.diffusion.transverse, settings, tpc)
    return np.maximum(1.5 * spread, tpc.pitch / 3)
