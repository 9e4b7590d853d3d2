"""What the simulation of a liquid-argon TPC hands on: primaries, particles, energy deposits.

Lengths are in mm, times in ns, energies in MeV; positions in the detector's frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Primaries:
    """Particles that transport starts with.

    Attributes
    ----------
    pdg : int32 array (n,)
        PDG codes.
    energy : float64 array (n,)
        Kinetic energies.
    position, direction : float64 array (n, 3)
        Where they start, and unit vectors.
    time : float64 array (n,)
        When they start; 0 is the trigger.
    origin : int8 array (n,)
        `BEAM` or `COSMIC`.
    """

    pdg: NDArray[np.int32]
    energy: Floats
    position: Floats
    direction: Floats
    time: Floats
    origin: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.pdg)

    @staticmethod
    def joined(*parts: Primaries) -> Primaries:
        """All particles of some sets, in order."""
        names = Primaries.__dataclass_fields__
        return Primaries(*(np.concatenate([getattr(p, name) for p in parts]) for name in names))


@dataclass(frozen=True)
class Particles:
    """Particles as they were transported: the primaries first, in order, then what they made.

    Attributes
    ----------
    pdg, parent : int32 array (m,)
        PDG codes; index of the particle that made it (−1: a primary).
    process : int8 array (m,)
        How it was made: index into `detector.labels.PROCESSES`.
    origin : int8 array (m,)
        `BEAM` or `COSMIC`, of the primary that it descends from.
    energy : float64 array (m,)
        Kinetic energies at the start.
    start, end : float64 array (m, 3)
        Where it started, and where it stopped, interacted, decayed or left the volume; of
        electrons and photons, where they did so themselves, not their showers.
    """

    pdg: NDArray[np.int32]
    parent: NDArray[np.int32]
    process: NDArray[np.int8]
    origin: NDArray[np.int8]
    energy: Floats
    start: Floats
    end: Floats

    def __len__(self) -> int:
        return len(self.pdg)


@dataclass(frozen=True)
class Deposits:
    """Energy left in steps inside the volume.

    Attributes
    ----------
    position : float64 array (d, 3)
        Middle of each step.
    energy, length : float64 array (d,)
        Energy left, and length of the step; a length of 0 is a deposit at a point.
    particle : int32 array (d,)
        Index into the particles; all of a shower belongs to the particle that started it.
    time : float64 array (d,)
        When; 0 is the trigger.
    """

    position: Floats
    energy: Floats
    length: Floats
    particle: NDArray[np.int32]
    time: Floats

    def __len__(self) -> int:
        return len(self.energy)

    def select(self, which: NDArray[np.bool_]) -> Deposits:
        """Take some of them."""
        return Deposits(**{name: column[which] for name, column in vars(self).items()})


@dataclass(frozen=True)
class GeneratedEvent:
    """One event before transport.

    Attributes
    ----------
    primaries : Primaries
        The beam's particles, then the cosmic muons.
    neutrino_pdg : int
        PDG code of the neutrino; 0: there is none.
    charged_current : bool
        Whether it interacted by a charged current.
    neutrino_energy : float
        Its energy; 0 without one.
    vertex : float64 array (3,)
        Where it interacted, or where a single particle started; NaN without either.
    """

    primaries: Primaries
    neutrino_pdg: int
    charged_current: bool
    neutrino_energy: float
    vertex: Floats
