"""Neutrino interactions with argon nuclei: quasi-elastic, resonant, deep inelastic.

A simple model of what a beam of 0.5 to 5 GeV makes, in the place of a generator's tables: a
nucleon with Fermi motion, the three processes in their measured proportions, Q² by a dipole,
exact kinematics, Pauli blocking, binding, and reactions of the hadrons on their way out of the
nucleus. Figures: Formaggio and Zeller, Rev. Mod. Phys. 84 (2012) 1307, in round numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hepcnn.config import LArTPCSimulation
from hepcnn.detector.labels import BEAM
from hepcnn.errors import InputError
from hepcnn.simulation.lartpc.argon import ATOMIC_MASS, ATOMIC_NUMBER
from hepcnn.simulation.lartpc.fourvectors import (
    FourVector,
    boosted_by,
    decay_of,
    four_vector,
    isotropic_vector,
    mass_of,
    to_rest,
)
from hepcnn.simulation.lartpc.kinematics import breakup
from hepcnn.simulation.lartpc.masses import (
    DELTA_MASS,
    ELECTRON_MASS,
    MUON_MASS,
    NUCLEON_MASS,
    PION_MASS,
)
from hepcnn.simulation.lartpc.nuclear import mass_of as hadron_mass
from hepcnn.simulation.lartpc.nuclear import (
    nucleon_of,
    pion_of,
    react,
)
from hepcnn.simulation.lartpc.records import GeneratedEvent, Primaries
from hepcnn.simulation.lartpc.single import sample_vertex

Floats = NDArray[np.float64]

#: Neutrinos of the classes, whether the current is charged, and the lepton's PDG code and mass.
_CLASSES: Mapping[str, tuple[int, bool, int, float]] = {
    "numu_cc": (14, True, 13, MUON_MASS),
    "nue_cc": (12, True, 11, ELECTRON_MASS),
    "nc": (14, False, 14, 0.0),
}
#: Interactions by energy: E² exp(−E/E0) (MeV), the rising cross section included. With the
#: default range of 0.5 to 5 GeV the mean is 1.5 GeV.
_SPECTRUM = 500.0
#: Neutral current over charged current, of each process.
_NEUTRAL = np.array([0.4, 0.45, 0.31])
#: Fermi momentum of argon, and binding of the nucleon that is hit (MeV).
FERMI_MOMENTUM, BINDING = 250.0, 28.0
#: Of Q²: (1 + Q²/M²)^-n for each process, M in MeV.
_DIPOLE = ((1030.0, 4), (1100.0, 4), (1100.0, 2))
#: Width of the Δ, and the mass from where on there is no resonance (MeV).
_DELTA_WIDTH, _INELASTIC = 117.0, 1600.0
#: Resonant interactions of charged currents with a proton, for each with a neutron.
_PROTON_RESONANCE = 2.0
#: Parts of the pions and nucleons that react on their way out of the nucleus, above an energy
#: (MeV) from which on they can.
_PION_REACTS, _NUCLEON_REACTS, _REACTS_FROM = 0.35, 0.35, 20.0
#: Lowest energy (MeV): all classes are well above their thresholds.
LOWEST_ENERGY = 200.0
QUASI_ELASTIC, RESONANT, INELASTIC = 0, 1, 2


class Interaction(NamedTuple):
    """An interaction with a nucleon, before the hadrons leave the nucleus.

    Attributes
    ----------
    target, lepton : FourVector
        The nucleon, less its binding, and the lepton that leaves.
    hadrons : list of tuple
        PDG codes and four-vectors.
    """

    target: FourVector
    lepton: FourVector
    hadrons: list[tuple[int, FourVector]]


def sample_energy(bounds: tuple[float, float], rng: np.random.Generator) -> float:
    """Draw a neutrino's energy (MeV) between bounds."""
    energy = np.linspace(*bounds, 500)
    density = energy**2 * np.exp(-energy / _SPECTRUM)
    cumulative = np.concatenate([[0.0], np.cumsum(density[1:] + density[:-1])])
    return float(np.interp(rng.random() * cumulative[-1], cumulative, energy))


def process_weights(energy: float, charged: bool) -> Floats:
    """Cross sections of the three processes a nucleon, relative to one another (energy in MeV)."""
    gev = energy / 1000
    weights = np.array(
        [0.5, 0.55 * (1 - np.exp(-max(gev - 0.35, 0.0) / 0.6)), max(0.0, 0.68 * gev - 1.05)]
    )
    return weights if charged else weights * _NEUTRAL


def sample_target(process: int, charged: bool, rng: np.random.Generator) -> tuple[int, FourVector]:
    """Draw the nucleon that is hit: its charge and its four-vector."""
    protons, neutrons = float(ATOMIC_NUMBER), ATOMIC_MASS - ATOMIC_NUMBER
    if charged:
        protons *= (0.0, _PROTON_RESONANCE, 0.5)[process]
    charge = int(rng.random() * (protons + neutrons) < protons)
    momentum = FERMI_MOMENTUM * rng.random() ** (1 / 3) * isotropic_vector(rng)
    target = four_vector(momentum, NUCLEON_MASS)
    target[0] -= BINDING
    return charge, target


def sample_mass(process: int, highest: float, rng: np.random.Generator) -> float:
    """Draw the mass of all hadrons together (MeV); more than the highest: not possible."""
    if process == QUASI_ELASTIC:
        return NUCLEON_MASS
    if process == RESONANT:
        lowest = NUCLEON_MASS + PION_MASS
        edges = np.arctan(2 * (np.array([lowest, _INELASTIC]) - DELTA_MASS) / _DELTA_WIDTH)
        return float(DELTA_MASS + _DELTA_WIDTH / 2 * np.tan(rng.uniform(*edges)))
    if highest <= _INELASTIC:
        return np.inf
    return float(np.sqrt(rng.uniform(_INELASTIC**2, highest**2)))


def _scatter(
    neutrino: FourVector, total: FourVector, lepton_mass: float, hadron: float, process: int,
    rng: np.random.Generator,
) -> tuple[FourVector, FourVector]:  # fmt: skip
    """Two-body scattering of the neutrino: lepton and hadrons, Q² falling as a dipole."""
    before = to_rest(neutrino, total)
    p = breakup(mass_of(total), lepton_mass, hadron)
    energy = np.sqrt(p**2 + lepton_mass**2)
    # Q² = 2 E_ν (E − p cos θ) − m², in this frame.
    mass, power = _DIPOLE[process]
    bounds = 2 * before[0] * (energy + np.array([-p, p])) - lepton_mass**2
    tails = (1 + np.maximum(bounds, 0) / mass**2) ** (1 - power)
    q2 = mass**2 * (rng.uniform(*tails[::-1]) ** (1 / (1 - power)) - 1)
    cosine = np.clip((energy - (q2 + lepton_mass**2) / (2 * before[0])) / p, -1, 1)
    axis = before[1:] / np.linalg.norm(before[1:])
    across = np.cross(axis, isotropic_vector(rng))
    across /= np.linalg.norm(across)
    momentum = p * (cosine * axis + np.sqrt(1 - cosine**2) * across)
    lepton = boosted_by(four_vector(momentum, lepton_mass), total)
    return lepton, total - lepton


def _charges(charge: int, process: int, pions: int, rng: np.random.Generator) -> tuple[int, list]:
    """Draw the charges of a nucleon and of pions that add up to a charge."""
    if process == RESONANT and 0 <= charge <= 1:
        # A Δ⁺ or Δ⁰: the neutral pion in two of three decays.
        neutral = rng.random() < 2 / 3
        return (charge, [0]) if neutral else (1 - charge, [2 * charge - 1])
    while True:
        each = rng.integers(-1, 2, pions)
        nucleon = charge - int(each.sum())
        if 0 <= nucleon <= 1:
            return nucleon, each.tolist()


def _hadronise(
    charge: int, hadrons: FourVector, process: int, rng: np.random.Generator
) -> list[tuple[int, FourVector]]:
    """Let the hadronic system come apart into a nucleon and pions."""
    if process == QUASI_ELASTIC:
        return [(nucleon_of(charge), hadrons)]
    mass, pions = mass_of(hadrons), 1
    if process == INELASTIC:
        # Multiplicities grow as the logarithm of W².
        pions = 2 + rng.poisson(1.2 * np.log(mass / _INELASTIC) * 2)
        pions = min(pions, int((mass - NUCLEON_MASS - 50) / PION_MASS))
    nucleon, each = _charges(charge, process, pions, rng)
    codes = [nucleon_of(nucleon), *(pion_of(one) for one in each)]
    masses = [hadron_mass(code) for code in codes]
    return list(zip(codes, decay_of(hadrons, masses, rng), strict=True))


def interact(
    energy: float, charged: bool, lepton_mass: float, rng: np.random.Generator
) -> Interaction:
    """Let a neutrino along +z interact with a nucleon of argon.

    Parameters
    ----------
    energy : float
        The neutrino's (MeV).
    charged : bool
        Whether the current is charged.
    lepton_mass : float
        Mass of the lepton that leaves (MeV).
    rng : Generator
        Random numbers.
    """
    neutrino = np.array([energy, 0.0, 0.0, energy])
    weights = process_weights(energy, charged)
    process = int(rng.choice(3, p=weights / weights.sum()))
    while True:
        charge, target = sample_target(process, charged, rng)
        total = neutrino + target
        mass = sample_mass(process, mass_of(total) - lepton_mass, rng)
        if mass_of(total) <= lepton_mass + mass:
            continue
        lepton, hadrons = _scatter(neutrino, total, lepton_mass, mass, process, rng)
        blocked = np.linalg.norm(hadrons[1:]) < FERMI_MOMENTUM
        if process == QUASI_ELASTIC and blocked:
            continue
        charge += int(charged)
        return Interaction(target, lepton, _hadronise(charge, hadrons, process, rng))


def leave_nucleus(
    pdg: int, vector: FourVector, rng: np.random.Generator, reactions: bool
) -> list[tuple[int, float, Floats]]:
    """PDG codes, kinetic energies and directions of what a hadron is outside of the nucleus."""
    energy = vector[0] - mass_of(vector)
    momentum = np.linalg.norm(vector[1:])
    direction = vector[1:] / momentum if momentum > 0 else isotropic_vector(rng)
    part = _NUCLEON_REACTS if pdg in (2112, 2212) else _PION_REACTS
    if reactions and energy > _REACTS_FROM and rng.random() < part:
        x, y, z = direction.tolist()
        products = react(rng, pdg, energy, (x, y, z))
        return [(int(row[0]), row[1], row[2:]) for row in products]
    return [(pdg, energy, direction)]


def generate_interaction(
    settings: LArTPCSimulation,
    name: str,
    volume: NDArray[np.float64],
    rng: np.random.Generator,
) -> GeneratedEvent:
    """Make an interaction of a class of `INTERACTIONS`; none of the class `cosmic`.

    Raises
    ------
    InputError
        If the energies are too low, or the margin leaves nothing of the volume.
    """
    if name not in _CLASSES:
        empty = np.zeros((0, 3))
        nothing = Primaries(
            np.zeros(0, np.int32), np.zeros(0), empty, empty, np.zeros(0), np.zeros(0, np.int8)
        )
        return GeneratedEvent(nothing, 0, False, 0.0, np.full(3, np.nan))
    if settings.energies[0] < LOWEST_ENERGY:
        raise InputError(
            f"energy_range: interactions are made from {LOWEST_ENERGY:g} MeV on, not from "
            f"{settings.energies[0]:g}"
        )
    neutrino, charged, lepton, lepton_mass = _CLASSES[name]
    energy = sample_energy(settings.energies, rng)
    made = interact(energy, charged, lepton_mass, rng)
    leaving: list[tuple[int, float, Floats]] = []
    if charged:
        momentum = made.lepton[1:]
        leaving.append((lepton, made.lepton[0] - lepton_mass, momentum / np.linalg.norm(momentum)))
    for pdg, vector in made.hadrons:
        leaving += leave_nucleus(pdg, vector, rng, settings.hadronic)
    vertex = sample_vertex(settings, volume, rng)
    n = len(leaving)
    primaries = Primaries(
        np.array([pdg for pdg, _, _ in leaving], np.int32),
        np.array([kinetic for _, kinetic, _ in leaving], np.float64),
        np.tile(vertex, (n, 1)),
        np.array([direction for _, _, direction in leaving]).reshape(n, 3),
        np.zeros(n),
        np.full(n, BEAM, np.int8),
    )
    return GeneratedEvent(primaries, neutrino, charged, energy, vertex)
