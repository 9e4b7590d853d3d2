"""Four-vectors (E, px, py, pz) in MeV, as small arrays: decays in flight."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hepcnn.simulation.lartpc.kinematics import breakup

FourVector = NDArray[np.float64]


def mass_of(vector: FourVector) -> float:
    """Invariant mass."""
    return float(np.sqrt(max(0.0, vector[0] ** 2 - vector[1:] @ vector[1:])))


def four_vector(momentum: NDArray[np.float64], mass: float) -> FourVector:
    """Four-vector of a momentum (3,) and a mass."""
    return np.concatenate([[np.sqrt(momentum @ momentum + mass**2)], momentum])


def boosted_by(vector: FourVector, frame: FourVector) -> FourVector:
    """Bring a vector from the rest frame of `frame` to where `frame` is given."""
    mass = mass_of(frame)
    energy = (frame[0] * vector[0] + frame[1:] @ vector[1:]) / mass
    along = (vector[0] + energy) / (frame[0] + mass)
    return np.concatenate([[energy], vector[1:] + along * frame[1:]])


def to_rest(vector: FourVector, frame: FourVector) -> FourVector:
    """Bring a vector to the rest frame of `frame`."""
    return boosted_by(vector, np.concatenate([frame[:1], -frame[1:]]))


def isotropic_vector(rng: np.random.Generator) -> NDArray[np.float64]:
    """Unit vector (3,), any direction."""
    vector = rng.standard_normal(3)
    return np.asarray(vector / np.linalg.norm(vector))


def decay_of(
    total: FourVector, masses: Sequence[float], rng: np.random.Generator
) -> list[FourVector]:
    """Decay into any number of particles, one after the other.

    The masses of what is left after each are even between their bounds, as GENBOD's before its
    weights: near phase space for a few particles.

    Parameters
    ----------
    total : FourVector
        What decays; its mass must exceed the sum.
    masses : sequence of float
        Of the products (MeV).
    rng : Generator
        Random numbers.
    """
    free = mass_of(total) - sum(masses)
    shares = np.sort(rng.random(max(len(masses) - 2, 0)))[::-1]
    products, rest = [], total
    for index, mass in enumerate(masses[:-1]):
        last = index == len(masses) - 2
        others = sum(masses[index + 1 :]) + (0.0 if last else free * shares[index])
        p = breakup(mass_of(rest), mass, others) * isotropic_vector(rng)
        products.append(boosted_by(four_vector(p, mass), rest))
        rest = boosted_by(four_vector(-p, others), rest)
    return [*products, rest]
