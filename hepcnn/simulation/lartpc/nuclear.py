"""Reactions of hadrons with argon nuclei, and captures of π⁻, as collisions with nucleons.

A simple model: quasi-elastic scattering, charge exchange and absorption of pions, production of a
pion by way of the Δ. The nucleons are at rest, the collisions are two-body ones; a nucleon pays
8 MeV to leave the nucleus. It gives the topologies (kinks, stars, protons, π⁰) in plausible
proportions, not cross sections to a few per cent.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hepcnn.simulation.lartpc.argon import ATOMIC_MASS, ATOMIC_NUMBER
from hepcnn.simulation.lartpc.buffers import Vector
from hepcnn.simulation.lartpc.compiled import kernel
from hepcnn.simulation.lartpc.kinematics import breakup, collision, decay, momentum_of
from hepcnn.simulation.lartpc.masses import DELTA_MASS, NEUTRAL_PION_MASS, NUCLEON_MASS, PION_MASS

#: What a nucleon pays to leave the nucleus (MeV).
SEPARATION = 8.0
#: Part of the nucleons that are protons.
_PROTONS = ATOMIC_NUMBER / ATOMIC_MASS
#: Of the reactions of pions in flight: absorption, charge exchange.
_ABSORBED, _EXCHANGED = 0.25, 0.12
#: Part of the reactions that make a pion, where there is energy for it.
_PRODUCED = 0.35
#: Columns of products: PDG code, kinetic energy (MeV), direction.
PRODUCT = 5
#: A neutral pion's |PDG code|.
_PI0 = 111


@kernel
def charge_of(pdg: int) -> int:
    """Charge of a pion or nucleon."""
    if pdg == 2212 or pdg == 211:
        return 1
    return -1 if pdg == -211 else 0


@kernel
def pion_of(charge: int) -> int:
    """PDG code of a pion."""
    return _PI0 if charge == 0 else 211 * charge


@kernel
def nucleon_of(charge: int) -> int:
    """PDG code of a nucleon."""
    return 2212 if charge == 1 else 2112


@kernel
def mass_of(pdg: int) -> float:
    """Mass of a pion or nucleon (MeV)."""
    if pdg == _PI0:
        return NEUTRAL_PION_MASS
    return PION_MASS if abs(pdg) == 211 else NUCLEON_MASS


@kernel
def _add(products: NDArray[np.float64], n: int, pdg: int, energy: float, direction: Vector) -> int:
    """Write a product, a nucleon less its separation energy; return how many there are."""
    if pdg == 2212 or pdg == 2112:
        energy -= SEPARATION
    if energy <= 0.0:
        return n
    products[n, 0] = pdg
    products[n, 1] = energy
    products[n, 2], products[n, 3], products[n, 4] = direction
    return n + 1


@kernel
def _absorb(
    rng: np.random.Generator, products: NDArray[np.float64], pdg: int, energy: float,
    direction: Vector,
) -> int:  # fmt: skip
    """Absorption of a pion by two nucleons; by a pn pair in four of five cases."""
    pair = 1 if rng.random() < 0.8 else (2 if charge_of(pdg) < 0 else 0)
    protons = pair + charge_of(pdg)
    masses = (NUCLEON_MASS, NUCLEON_MASS)
    one, there, two, back = collision(
        rng, energy, direction, mass_of(pdg), 2.0 * NUCLEON_MASS, masses
    )
    n = _add(products, 0, nucleon_of(1 if protons >= 1 else 0), one, there)
    return _add(products, n, nucleon_of(1 if protons == 2 else 0), two, back)


@kernel
def _produce(
    rng: np.random.Generator, products: NDArray[np.float64], pdg: int, energy: float,
    direction: Vector, target: int,
) -> int:  # fmt: skip
    """Collision with a nucleon that makes a pion: the nucleon becomes a Δ, which decays."""
    charge = charge_of(pdg) + target
    # Any charges of the projectile's successor, the new pion and the nucleon that add up.
    while True:
        pion, nucleon = int(3.0 * rng.random()) - 1, int(2.0 * rng.random())
        rest = charge - pion - nucleon
        if 0 <= rest <= 1 or (rest == -1 and mass_of(pdg) < NUCLEON_MASS):
            break
    successor = nucleon_of(rest) if mass_of(pdg) == NUCLEON_MASS else pion_of(rest)
    one, there, kinetic, way = collision(
        rng, energy, direction, mass_of(pdg), NUCLEON_MASS, (mass_of(successor), DELTA_MASS)
    )
    beta = momentum_of(kinetic, DELTA_MASS) / (kinetic + DELTA_MASS)
    masses = (mass_of(pion_of(pion)), NUCLEON_MASS)
    two, second, three, third = decay(rng, way, beta, DELTA_MASS, masses)
    n = _add(products, 0, successor, one, there)
    n = _add(products, n, pion_of(pion), two, second)
    return _add(products, n, nucleon_of(nucleon), three, third)


@kernel
def react(
    rng: np.random.Generator, pdg: int, energy: float, direction: Vector
) -> NDArray[np.float64]:
    """Let a pion or nucleon react with a nucleus.

    Parameters
    ----------
    rng : Generator
        Random numbers.
    pdg, energy, direction
        Of the hadron; its kinetic energy in MeV. A π⁻ at rest is captured.

    Returns
    -------
    float64 array (n, 5)
        PDG code, kinetic energy and direction of what leaves the nucleus.
    """
    products = np.empty((3, PRODUCT))
    target = 1 if rng.random() < _PROTONS else 0
    mass = mass_of(pdg)
    meson = mass < NUCLEON_MASS
    draw = rng.random()
    if meson and (energy == 0.0 or draw < _ABSORBED):
        return products[: _absorb(rng, products, pdg, energy, direction)]
    invariant = np.sqrt((mass + NUCLEON_MASS) ** 2 + 2.0 * energy * NUCLEON_MASS)
    if (
        draw > 1.0 - _PRODUCED
        and breakup(invariant, PION_MASS if meson else mass, DELTA_MASS) > 0.0
    ):
        return products[: _produce(rng, products, pdg, energy, direction, target)]
    charge = charge_of(pdg)
    exchanges = meson and draw < _ABSORBED + _EXCHANGED
    # π⁻p ↔ π⁰n and π⁺n ↔ π⁰p: what a charged pion becomes, and what a neutral one becomes.
    changed = 0 if charge else 2 * target - 1
    exchanges = exchanges and 0 <= charge + target - changed <= 1
    successor = pion_of(changed) if exchanges else pdg
    nucleon = nucleon_of(charge + target - changed if exchanges else target)
    masses = (mass_of(successor), NUCLEON_MASS)
    one, there, two, back = collision(rng, energy, direction, mass, NUCLEON_MASS, masses)
    # The pion or the leading nucleon is in the nucleus's field as before: it pays nothing.
    products[0, 0], products[0, 1] = successor, one
    products[0, 2], products[0, 3], products[0, 4] = there
    return products[: _add(products, 1, nucleon, two, back)]
