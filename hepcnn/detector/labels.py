"""What a liquid-argon TPC's events, particles and pixels are called."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

#: Index of what is none of the classes: named, counted, never trained on.
OTHER = -1

#: Classes of events: charged-current interactions of either neutrino, neutral-current ones, and
#: events with cosmic rays only (the question of NOvA's CVN, arXiv:1604.01444).
INTERACTIONS = ("numu_cc", "nue_cc", "nc", "cosmic")

#: Classes of single particles, as in arXiv:1611.05531, and their |PDG code|.
SINGLE_PARTICLES = {"electron": 11, "photon": 22, "muon": 13, "pion": 211, "proton": 2212}

#: Classes of pixels: heavily ionising tracks, minimum-ionising ones, electromagnetic showers,
#: Michel electrons, δ electrons; `other` has no known particle (noise), or one that could be of
#: several classes, as electrons can of which no process is known.
PIXEL_CLASSES = ("hip", "mip", "shower", "michel", "delta", "other")

#: The same in two: tracks and showers.
TWO_CLASSES = {"track": ("hip", "mip"), "shower": ("shower", "michel", "delta")}

#: Kinetic energy (MeV) from which a δ electron is a particle of its own in images: at 2 MeV/cm it
#: goes 2.5 cm, and leaves the track that it came from. Charge of those below is the track's: in
#: pixels of 3 to 7 mm nobody could tell the two apart.
DELTA_ENERGY = 5.0

#: Key points: where the beam's interaction is, both ends of tracks, starts of showers.
POINTS = ("vertex", "track_end", "shower_start")

#: How a particle came to be, as numbered in `particle_process`.
PROCESSES = ("primary", "decay", "ionisation", "electromagnetic", "hadronic")
#: `particle_process` and `particle_parent` of particles of which it is not known.
UNKNOWN_PROCESS, UNKNOWN_PARENT = -1, -2
#: `particle_origin`: of the beam or a particle gun, of cosmic rays, not known.
BEAM, COSMIC, UNKNOWN_ORIGIN = 0, 1, -1


def single_particle_of(pdg: ArrayLike) -> NDArray[np.int16]:
    """Label PDG codes by index into `SINGLE_PARTICLES`; both charges; anything else is `OTHER`."""
    code = np.abs(np.asarray(pdg, dtype=np.int64))
    label = np.full(code.shape, OTHER, dtype=np.int16)
    for index, known in enumerate(SINGLE_PARTICLES.values()):
        label[code == known] = index
    return label


def interaction_of(neutrino: ArrayLike, charged_current: ArrayLike) -> NDArray[np.int16]:
    """Label events by the neutrino's PDG code (0: none, so cosmic rays only) and its current.

    A charged-current tau neutrino is `OTHER`.
    """
    code, charged = np.abs(np.asarray(neutrino, np.int64)), np.asarray(charged_current, bool)
    label = np.full(code.shape, OTHER, dtype=np.int16)
    for name, chosen in {
        "numu_cc": (code == 14) & charged,
        "nue_cc": (code == 12) & charged,
        "nc": np.isin(code, (12, 14, 16)) & ~charged,
        "cosmic": code == 0,
    }.items():
        label[chosen] = INTERACTIONS.index(name)
    return label


def pixel_class_of(
    pdg: ArrayLike, parent_pdg: ArrayLike, process: ArrayLike, parent_known: ArrayLike = True
) -> NDArray[np.uint8]:
    """Label particles by index into `PIXEL_CLASSES`; total: every particle has a class.

    Parameters
    ----------
    pdg, parent_pdg : array_like of int
        PDG codes of the particle and of its parent (0: none).
    process : array_like of int
        Index into `PROCESSES` of how it came to be; `UNKNOWN_PROCESS`: not known.
    parent_known : array_like of bool
        False: it is not known whether it has a parent, and which.

    Notes
    -----
    Muons, charged pions and kaons are minimum-ionising tracks; electrons from a muon's decay are
    Michel electrons, those knocked out by a charged particle that is no electron δ electrons, all
    other e± and photons showers; whatever else leaves charge (protons, nuclei, Σ±) is heavily
    ionising. Electrons are `other` if more than one of these is possible for all that is known.
    """
    code, parent = (np.abs(np.asarray(a, np.int64)) for a in (pdg, parent_pdg))
    how, known = np.asarray(process, np.int64), np.asarray(parent_known, np.bool_)
    label = np.full(code.shape, PIXEL_CLASSES.index("hip"), dtype=np.uint8)
    electron = code == 11
    # Much faster than np.isin.
    label[(code == 13) | (code == 211) | (code == 321)] = PIXEL_CLASSES.index("mip")
    label[electron | (code == 22) | (code == 111)] = PIXEL_CLASSES.index("shower")
    knocked_out = (how == PROCESSES.index("ionisation")) & (parent != 11) & (parent != 22)
    label[electron & knocked_out] = PIXEL_CLASSES.index("delta")
    michel = electron & (parent == 13) & (how == PROCESSES.index("decay"))
    label[michel] = PIXEL_CLASSES.index("michel")
    # What has no parent, or one of a shower, is of a shower, however it came to be.
    of_shower = known & ((parent == 0) | (parent == 11) | (parent == 22) | (parent == 111))
    depends = (how == PROCESSES.index("decay")) | (how == PROCESSES.index("ionisation"))
    open_ = np.where(how == UNKNOWN_PROCESS, ~of_shower, depends & ~known)
    label[electron & open_] = PIXEL_CLASSES.index("other")
    return label
