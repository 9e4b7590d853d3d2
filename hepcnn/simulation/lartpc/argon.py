"""Liquid argon: what particles lose in it, how they scatter, how far they come.

Lengths are in mm, energies in MeV. Formulae: Particle Data Group, Review of Particle Physics,
"Passage of particles through matter", where no other source is named.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hepcnn.simulation.lartpc.masses import ELECTRON_MASS, MUON_MASS, PION_MASS, PROTON_MASS
from hepcnn.simulation.lartpc.screening import ATOMIC_NUMBER, pair_share

Floats = NDArray[np.float64]

#: |PDG code| of the charged particles that are tracked, and their masses.
CHARGED = {11: ELECTRON_MASS, 13: MUON_MASS, 211: PION_MASS, 2212: PROTON_MASS}

ATOMIC_MASS = 39.948
#: Density (g/mm³) and radiation length.
DENSITY = 1.396e-3
RADIATION_LENGTH = 140.0
#: Energy at which electrons lose as much to radiation as to collisions; Molière's radius.
CRITICAL_ENERGY = 32.8
MOLIERE_RADIUS = 90.0
#: Mean free path of hadrons between inelastic reactions.
INTERACTION_LENGTH = 857.0
#: Mean excitation energy, and the parameters of Sternheimer's density correction: those of
#: Sternheimer, Berger and Seltzer (1984) for argon, in MicroBooNE's use.
EXCITATION = 188e-6
STERNHEIMER_A, STERNHEIMER_K, STERNHEIMER_C = 0.1956, 3.0, 5.2146
STERNHEIMER_X = (0.2, 3.0)

#: K Z/A ρ / 2: ξ per length of a particle with β = 1 (MeV/mm).
XI = 0.1535375 * 1e2 * ATOMIC_NUMBER / ATOMIC_MASS * DENSITY
#: Electrons (1/mm³) times 2π r_e² (mm²).
_COMPTON = 2 * np.pi * (2.8179403e-12) ** 2 * 6.02214076e23 * DENSITY * ATOMIC_NUMBER / ATOMIC_MASS
#: Attenuation of photons (cm²/g) at energies (MeV), rounded from NIST's XCOM.
_ATTENUATION = {1.0: 0.057, 2.0: 0.041, 5.0: 0.030, 10.0: 0.028, 20.0: 0.029}
#: Below this βγ Bethe's formula is no more used: its value there stands for all.
_SLOWEST = 0.03
#: Grid of the tables: kinetic energies, evenly spaced in their logarithm.
_GRID = np.geomspace(0.02, 1e6, 800)


def motion(energy: ArrayLike, mass: float) -> tuple[Floats, Floats]:
    """β and γ of a particle with a kinetic energy."""
    gamma = 1 + np.asarray(energy, dtype=np.float64) / mass
    return np.sqrt(1 - gamma**-2), gamma


def density_correction(beta_gamma: ArrayLike) -> Floats:
    """Sternheimer's δ(βγ): the polarised medium screens what is far from the particle."""
    x = np.log10(np.asarray(beta_gamma, dtype=np.float64))
    low, high = STERNHEIMER_X
    bend = STERNHEIMER_A * np.maximum(high - x, 0) ** STERNHEIMER_K
    return np.where(x < low, 0.0, np.maximum(2 * np.log(10) * x - STERNHEIMER_C + bend, 0.0))


def largest_transfer(energy: ArrayLike, mass: float) -> Floats:
    """Largest kinetic energy that a particle heavier than the electron gives to one."""
    beta, gamma = motion(energy, mass)
    ratio = ELECTRON_MASS / mass
    return 2 * ELECTRON_MASS * (beta * gamma) ** 2 / (1 + 2 * gamma * ratio + ratio**2)


def stopping_power(energy: ArrayLike, mass: float) -> Floats:
    """Mean loss in collisions (MeV/mm) of muons, pions, protons: Bethe's formula.

    Shell corrections (1 % of slow protons) and radiation (1 % of muons of 10 GeV) are left out.
    """
    beta, gamma = motion(energy, mass)
    beta_gamma = np.maximum(beta * gamma, _SLOWEST)
    gamma = np.sqrt(1 + beta_gamma**2)
    beta2 = (beta_gamma / gamma) ** 2
    transfer = largest_transfer((gamma - 1) * mass, mass)
    argument = 2 * ELECTRON_MASS * beta_gamma**2 * transfer / EXCITATION**2
    bracket = np.log(argument) / 2 - beta2 - density_correction(beta_gamma) / 2
    return 2 * XI / beta2 * bracket


def electron_stopping_power(energy: ArrayLike) -> Floats:
    """Mean loss in collisions (MeV/mm) of electrons, and of positrons, which lose nearly as much.

    The formula of Rohrlich and Carlson.
    """
    beta, gamma = motion(energy, ELECTRON_MASS)
    argument = (ELECTRON_MASS * beta * gamma) ** 2 * (gamma - 1) / 2 / EXCITATION**2
    bracket = np.log(argument) + 1 - beta**2 - (2 * gamma - 1) / gamma**2 * np.log(2)
    bracket += ((gamma - 1) / gamma) ** 2 / 8 - density_correction(beta * gamma)
    return XI / beta**2 * bracket


def csda_range(energy: ArrayLike, stopping: ArrayLike) -> Floats:
    """Range (mm) at rising energies: the integral of 1/stopping, as one over ln energy."""
    energy, stopping = np.asarray(energy), np.asarray(stopping)
    slope = energy / stopping
    steps = np.diff(np.log(energy)) * (slope[1:] + slope[:-1]) / 2
    return np.concatenate([[0.0], np.cumsum(steps)]) + slope[0]


def highland(energy: ArrayLike, mass: float, length: ArrayLike) -> Floats:
    """RMS scattering angle (rad) in a plane after a path (mm): the formula of Highland."""
    beta, gamma = motion(energy, mass)
    layers = np.asarray(length) / RADIATION_LENGTH
    momentum = beta * gamma * mass
    return 13.6 / (beta * momentum) * np.sqrt(layers) * (1 + 0.038 * np.log(layers))


def scattering_strength(energy: ArrayLike, mass: float, reach: ArrayLike) -> Floats:
    """RMS angle in a plane that steps add up to, over the root of their length (rad/√mm).

    Highland's formula holds for a whole path: its logarithm makes it not additive, and step by
    step it would give too little. The logarithm is that of the path the particle has before it,
    at most one radiation length, so that steps add up to Highland's angle there; over 5 to 40 cm
    they do to 5 %.
    """
    whole = np.minimum(reach, RADIATION_LENGTH)
    return highland(energy, mass, whole) / np.sqrt(whole)


def compton_attenuation(energy: ArrayLike) -> Floats:
    """Compton scatterings per mm of photons: the total cross section of Klein and Nishina."""
    k = np.asarray(energy, dtype=np.float64) / ELECTRON_MASS
    wide, log = 1 + 2 * k, np.log1p(2 * k)
    first = (1 + k) / k**2 * (2 * (1 + k) / wide - log / k)
    return _COMPTON * (first + log / (2 * k) - (1 + 3 * k) / wide**2)


def pair_attenuation(energy: ArrayLike) -> Floats:
    """Pairs made per mm by photons.

    Up to 20 MeV, what tabulated attenuation has beyond Compton scattering; above, 7/(9 X0) times
    the part that incomplete screening leaves, joined to the table.
    """
    energy = np.atleast_1d(np.asarray(energy, dtype=np.float64))
    knots = np.array(list(_ATTENUATION))
    total = 100 * DENSITY * np.array(list(_ATTENUATION.values()))
    beyond = np.maximum(total - compton_attenuation(knots), 0)
    tabulated = np.interp(np.log(energy), np.log(knots), beyond)
    last = knots[-1]
    # The correction is a few per mille at 20 MeV; it fades as the screening becomes complete.
    join = beyond[-1] * RADIATION_LENGTH * 9 / 7 / pair_share(last)
    screened = np.array([pair_share(each) for each in energy])
    full = 7 / 9 / RADIATION_LENGTH * screened * (1 + (join - 1) * last / np.maximum(energy, last))
    attenuation = np.where(energy > last, full, tabulated)
    return np.where(energy > 2 * ELECTRON_MASS, attenuation, 0.0)


class Tables(NamedTuple):
    """What kernels look up, at kinetic energies evenly spaced in their logarithm.

    Attributes
    ----------
    low, density : float
        Logarithm of the lowest energy; points per unit of the logarithm.
    stopping, reach : float64 array (4, points)
        Mean loss in collisions (MeV/mm) and range (mm) of the particles in `CHARGED`.
    scattering : float64 array (4, points)
        RMS angle of scattering in a plane, over the root of the length (rad/√mm).
    pair, compton : float64 array (points,)
        Pairs and Compton scatterings per mm of photons.
    """

    low: float
    density: float
    stopping: Floats
    reach: Floats
    scattering: Floats
    pair: Floats
    compton: Floats


@cache
def tables() -> Tables:
    """Make the tables, once."""
    stopping = [electron_stopping_power(_GRID)]
    stopping += [stopping_power(_GRID, mass) for code, mass in CHARGED.items() if code != 11]
    reach = [csda_range(_GRID, each) for each in stopping]
    scattering = [
        scattering_strength(_GRID, mass, each)
        for mass, each in zip(CHARGED.values(), reach, strict=True)
    ]
    logs = np.log(_GRID)
    return Tables(
        float(logs[0]),
        float((len(logs) - 1) / (logs[-1] - logs[0])),
        np.array(stopping),
        np.array(reach),
        np.array(scattering),
        pair_attenuation(_GRID),
        compton_attenuation(_GRID),
    )
