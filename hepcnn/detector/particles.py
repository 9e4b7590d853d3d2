"""The six charged species that a RICH tells apart, and their labels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray


class Particle(NamedTuple):
    """One species: its name, |PDG code|, mass in MeV and the symbol used in tables."""

    name: str
    pdg: int
    mass: float
    symbol: str


#: Order of LHCb's RichPIDQC printout. Masses: Particle Data Group, Review of Particle Physics.
PARTICLES = (
    Particle("electron", 11, 0.51099895, "e"),
    Particle("muon", 13, 105.6583755, "mu"),
    Particle("pion", 211, 139.57039, "pi"),
    Particle("kaon", 321, 493.677, "K"),
    Particle("proton", 2212, 938.27208816, "p"),
    Particle("deuteron", 1000010020, 1875.61294257, "d"),
)
SPECIES = tuple(p.name for p in PARTICLES)
MASSES = np.array([p.mass for p in PARTICLES])
#: Label of a particle that is none of the six; named, counted, never trained on.
OTHER = -1


#: PDG code of a track that no particle made: a ghost.
GHOST_PDG = 0


def species_of(pdg: ArrayLike) -> NDArray[np.int16]:
    """Label PDG codes by index into `SPECIES`; both charges; anything else is `OTHER`."""
    code = np.abs(np.asarray(pdg, dtype=np.int64))
    label = np.full(code.shape, OTHER, dtype=np.int16)
    for index, particle in enumerate(PARTICLES):
        label[code == particle.pdg] = index
    return label
