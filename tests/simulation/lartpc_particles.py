"""Particles for the tests of the liquid-argon TPC's simulation."""

import numpy as np

from hepcnn.config import LArTPCSimulation
from hepcnn.simulation.lartpc.records import Primaries
from hepcnn.simulation.lartpc.transport import Transport

#: So large that nothing leaves.
ENDLESS = np.array([[-1e7, 1e7]] * 3)
#: MicroBooNE's active volume (mm).
VOLUME = np.array([[0.0, 2560.0], [-1155.0, 1175.0], [0.35, 10369.65]])
OFF = {"fluctuations": False, "scattering": False, "delta_rays": False, "hadronic": False}


def gun(pdg, energy, position=(0, 0, 0), direction=(0, 0, 1)):
    """One particle, or many alike."""
    n = np.size(energy)
    return Primaries(
        np.full(n, pdg, np.int32),
        np.broadcast_to(energy, n).astype(float),
        np.tile(np.asarray(position, float), (n, 1)),
        np.tile(np.asarray(direction, float), (n, 1)),
        np.zeros(n),
        np.zeros(n, np.int8),
    )


def make_transport(volume=ENDLESS, **changes):
    """Transport with some settings changed."""
    return Transport(LArTPCSimulation(**changes), volume)


def own(deposits, row=0):
    """Deposits of one particle: position, energy, length."""
    mine = deposits.particle == row
    return deposits.position[mine], deposits.energy[mine], deposits.length[mine]
