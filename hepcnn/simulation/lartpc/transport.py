"""Transport of an event's particles through the liquid argon."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hepcnn.config import LArTPCSimulation
from hepcnn.errors import InputError
from hepcnn.simulation.lartpc.argon import tables
from hepcnn.simulation.lartpc.buffers import (
    ROOM,
    STACK,
    Buffers,
    end_at,
    get_vector,
    grown,
    has_room,
    load,
    new_buffers,
    pop,
    unload,
)
from hepcnn.simulation.lartpc.compiled import kernel
from hepcnn.simulation.lartpc.decays import decay_neutral
from hepcnn.simulation.lartpc.records import Deposits, Particles, Primaries
from hepcnn.simulation.lartpc.showers import electron, photon
from hepcnn.simulation.lartpc.steps import Medium
from hepcnn.simulation.lartpc.tracks import neutron, track

#: |PDG codes| of what can be transported.
TRANSPORTED = (11, 13, 22, 111, 211, 2112, 2212)


@kernel
def _neutral_pion(buffers: Buffers, rng: np.random.Generator) -> None:
    """Let the π⁰ on top of the stack decay."""
    item = pop(buffers)
    position, direction = get_vector(item.position), get_vector(item.direction)
    row, energy, time = item.row, item.energy, item.time
    end_at(buffers, row, True, position)
    decay_neutral(buffers, rng, row, energy, position, direction, time)


@kernel
def _run(medium: Medium, buffers: Buffers, rng: np.random.Generator) -> bool:
    """Work at the stack until it is empty, or until a buffer is full."""
    while buffers.used[STACK] > 0:
        if not has_room(buffers):
            return False
        code = abs(buffers.stack[buffers.used[STACK] - 1].pdg)
        if code == 11:
            electron(medium, buffers, rng)
        elif code == 22:
            photon(medium, buffers, rng)
        elif code == 111:
            _neutral_pion(buffers, rng)
        elif code == 2112:
            neutron(medium, buffers, rng)
        else:
            track(medium, buffers, rng)
    return True


class Transport:
    """Transports events, one at a time, in buffers that are kept from event to event.

    Parameters
    ----------
    settings : LArTPCSimulation
        Which processes there are.
    volume : float64 array (3, 2)
        Lowest and highest x, y and z of the active volume (mm).
    """

    def __init__(self, settings: LArTPCSimulation, volume: NDArray[np.float64]) -> None:
        self._medium = Medium(
            tables(),
            np.ascontiguousarray(volume, dtype=np.float64),
            settings.fluctuations,
            settings.scattering,
            settings.delta_rays,
            settings.hadronic,
        )
        self._buffers = new_buffers()

    def __call__(
        self, primaries: Primaries, rng: np.random.Generator
    ) -> tuple[Particles, Deposits]:
        """Transport one event; see `transport`."""
        unknown = sorted(set(np.abs(primaries.pdg).tolist()) - set(TRANSPORTED))
        if unknown:
            raise InputError(f"cannot transport particles of |PDG code| {unknown[0]}")
        while len(primaries) + ROOM >= min(len(part) for part in self._buffers[:2]):
            self._buffers = grown(self._buffers)
        load(self._buffers, primaries)
        while not _run(self._medium, self._buffers, rng):
            self._buffers = grown(self._buffers)
        return unload(self._buffers)


def transport(
    primaries: Primaries,
    settings: LArTPCSimulation,
    volume: NDArray[np.float64],
    rng: np.random.Generator,
) -> tuple[Particles, Deposits]:
    """Transport one event's particles until they stop, decay, react or leave the volume.

    Parameters
    ----------
    primaries : Primaries
        Electrons, muons, photons, pions and nucleons; what starts outside of the volume leaves
        no trace.
    settings : LArTPCSimulation
        Which processes there are.
    volume : float64 array (3, 2)
        Lowest and highest x, y and z of the active volume (mm).
    rng : Generator
        Source of all random numbers.

    Returns
    -------
    Particles, Deposits
        The particles, primaries first, and the energy that they leave in the volume.

    Raises
    ------
    InputError
        If a primary is of another kind.
    """
    return Transport(settings, volume)(primaries, rng)
