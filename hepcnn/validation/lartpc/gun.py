"""Particles shot into the middle of the volume, with what the detector sees of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hepcnn.detector.labels import BEAM
from hepcnn.detector.tpc import PLANES, TPC
from hepcnn.simulation.lartpc.records import Deposits, Particles, Primaries
from hepcnn.simulation.lartpc.response import Hits
from hepcnn.simulation.lartpc.single import unit_vectors
from hepcnn.validation.lartpc.calorimetry import drifted_electrons
from hepcnn.validation.lartpc.setup import Floats, Setup

#: Index of the collection plane, whose wires are at right angles to the beam.
COLLECTION = PLANES.index("y")
#: Largest angle to the beam (rad).
_CONE = 0.35


@dataclass(frozen=True)
class Shot:
    """One particle and what it did.

    Attributes
    ----------
    start, direction : float64 array (3,)
        Where it started (mm), and a unit vector.
    particles, deposits, hits
        Of the simulation.
    """

    start: Floats
    direction: Floats
    particles: Particles
    deposits: Deposits
    hits: Hits

    def of(self, *rows: int) -> NDArray[np.bool_]:
        """Which hits on the collection plane are of some particles."""
        return np.isin(self.hits.particle, rows) & (self.hits.plane == COLLECTION)

    def electrons(self, chosen: NDArray[np.bool_], tpc: TPC) -> Floats:
        """Electrons of some hits before their drift."""
        return drifted_electrons(self.hits.charge[chosen], self.hits.time[chosen], tpc)

    def points(self, chosen: NDArray[np.bool_], tpc: TPC) -> tuple[Floats, Floats]:
        """x and z (mm) of some hits on the collection plane."""
        plane = tpc.plane("y")
        z = (self.hits.wire[chosen] - plane.offset) * tpc.pitch
        return tpc.x_of(self.hits.time[chosen]), np.asarray(z, np.float64)


class Gun:
    """Shoots particles about along the beam, from the middle of the volume's front part.

    All wires are alive; other settings are the sample's, but for those that are changed.
    """

    def __init__(self, setup: Setup, rng: np.random.Generator, **changes: object) -> None:
        self._rng = rng
        self._transport = setup.transport(**changes)
        self._response = setup.response(rng, dead_wires=0.0, **changes)
        bounds = setup.tpc.volume.bounds
        side = np.ptp(bounds, axis=1)
        self._low = bounds[:, 0] + np.array([0.35, 0.35, 0.05]) * side
        self._high = bounds[:, 1] - np.array([0.35, 0.35, 0.65]) * side

    def shoot(self, pdg: int, energy: float) -> Shot:
        """Shoot one particle of a kinetic energy (MeV)."""
        rng = self._rng
        start = rng.uniform(self._low, self._high)
        cosine, azimuth = rng.uniform(np.cos(_CONE), 1, 1), rng.uniform(-np.pi, np.pi, 1)
        direction = unit_vectors(cosine, azimuth)
        primaries = Primaries(
            np.array([pdg], np.int32), np.array([energy]), start[None], direction, np.zeros(1),
            np.array([BEAM], np.int8),
        )  # fmt: skip
        particles, deposits = self._transport(primaries, rng)
        hits = self._response.hits(deposits, len(particles), rng)
        return Shot(start, direction[0], particles, deposits, hits)
