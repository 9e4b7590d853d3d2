"""Decays D*⁺ → D⁰ π⁺, D⁰ → K⁻ π⁺ and their mirror images: kaons and pions that need no PID.

The charge of the first, slow pion says which of the other two is the kaon. Everything decays where
it is made: the D⁰ flies a few mm, which is nothing to a RICH.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hepcnn.detector.particles import MASSES, SPECIES
from hepcnn.simulation.rich.tracks import (
    LARGEST_SLOPE,
    Floats,
    Particles,
    sample_charge,
    sample_origin,
)

#: Masses (MeV). [Particle Data Group, Review of Particle Physics]
D0_MASS = 1864.84
DSTAR_MASS = 2010.26
KAON, PION = SPECIES.index("kaon"), SPECIES.index("pion")
#: Transverse momentum of a D* (MeV), log-normal, and pseudorapidity, uniform. [rounded]
PT_MEDIAN, PT_WIDTH = 4000.0, 0.5
ETA_RANGE = (2.0, 4.5)
#: Momenta (MeV) of the kaon and the pion, and least one of the slow pion.
MOMENTUM_RANGE = (2000.0, 100000.0)
SLOW_MOMENTUM = 1000.0


def two_body(
    momentum: Floats, mass: float, first: float, second: float, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Momenta (n, 3) of the two daughters of isotropic decays (MeV).

    Parameters
    ----------
    momentum : ndarray, (n, 3)
        Of the decaying particles.
    mass, first, second : float
        Theirs and the daughters' masses; the mass is at least the sum of these.
    rng : Generator
        Source of random numbers.
    """
    n = len(momentum)
    cosine, phi = rng.uniform(-1, 1, n), rng.uniform(0, 2 * np.pi, n)
    sine = np.sqrt(1 - cosine**2)
    size = np.sqrt((mass**2 - (first + second) ** 2) * (mass**2 - (first - second) ** 2))
    own = size / (2 * mass) * np.stack([sine * np.cos(phi), sine * np.sin(phi), cosine], axis=1)
    energy = np.sqrt((momentum**2).sum(axis=1) + mass**2)
    # The Lorentz transformation from the rest frame, of a daughter of momentum ±own.
    along = (own * momentum).sum(axis=1) / (energy + mass)
    at_rest = np.sqrt((own**2).sum(axis=1) + first**2)
    one = own + momentum * ((along + at_rest) / mass)[:, None]
    return one, momentum - one


def sample_dstars(event: NDArray[np.int64], rng: np.random.Generator) -> Particles:
    """Decays whose daughters are in the acceptance of the tracking and the ranges of momentum.

    Parameters
    ----------
    event : int64 array (n,)
        The event of each decay.
    rng : Generator
        Source of random numbers.

    Returns
    -------
    Particles
        3n, in the order of the decays: of each the kaon, the pion and the slow pion.
    """
    n = len(event)
    momenta = np.empty((n, 3, 3))
    todo = np.arange(n)
    while len(todo):
        momenta[todo] = _decays(len(todo), rng)
        todo = todo[~_accepted(momenta[todo])]
    p = np.linalg.norm(momenta, axis=2)
    sign = sample_charge(n, rng)
    return Particles.endless(
        np.repeat(event, 3),
        np.tile([KAON, PION, PION], n),
        np.stack([-sign, sign, sign], axis=1).ravel().astype(np.int8),
        p.ravel(),
        np.repeat(sample_origin(n, rng), 3, axis=0),
        (momenta / p[:, :, None]).reshape(-1, 3),
    )


def _decays(n: int, rng: np.random.Generator) -> Floats:
    """Momenta of kaon, pion and slow pion of decays, accepted or not, (n, 3, 3)."""
    pt = PT_MEDIAN * np.exp(PT_WIDTH * rng.standard_normal(n))
    eta, phi = rng.uniform(*ETA_RANGE, n), rng.uniform(0, 2 * np.pi, n)
    dstar = pt[:, None] * np.stack([np.cos(phi), np.sin(phi), np.sinh(eta)], axis=1)
    d0, slow = two_body(dstar, DSTAR_MASS, D0_MASS, MASSES[PION], rng)
    kaon, pion = two_body(d0, D0_MASS, MASSES[KAON], MASSES[PION], rng)
    return np.stack([kaon, pion, slow], axis=1)


def _accepted(momenta: Floats) -> NDArray[np.bool_]:
    """Whether all daughters are, (n,)."""
    slope = np.abs(momenta[:, :, :2] / momenta[:, :, 2:])
    p = np.linalg.norm(momenta, axis=2)
    inside = ((slope < LARGEST_SLOPE) & (momenta[:, :, 2:] > 0)).all(axis=(1, 2))
    low, high = MOMENTUM_RANGE
    probes = ((p[:, :2] > low) & (p[:, :2] < high)).all(axis=1)
    return np.asarray(inside & probes & (p[:, 2] > SLOW_MOMENTUM))
