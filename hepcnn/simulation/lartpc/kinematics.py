"""Directions and relativistic kinematics, for kernels."""

from __future__ import annotations

import numpy as np

from hepcnn.simulation.lartpc.buffers import Vector
from hepcnn.simulation.lartpc.compiled import inlined

#: Two-body reactions favour small momentum transfers t as exp(b t): b (1/MeV²), about that of
#: elastic scattering of nucleons of 1 GeV.
_SLOPE = 5e-6


@inlined
def ahead(position: Vector, direction: Vector, distance: float) -> Vector:
    """Point at a distance along a direction."""
    return (
        position[0] + distance * direction[0],
        position[1] + distance * direction[1],
        position[2] + distance * direction[2],
    )


@inlined
def turned(direction: Vector, cosine: float, azimuth: float) -> Vector:
    """Unit vector at an angle to another one."""
    x, y, z = direction
    sine = np.sqrt(max(0.0, 1.0 - cosine * cosine))
    a, b = sine * np.cos(azimuth), sine * np.sin(azimuth)
    across = np.sqrt(x * x + y * y)
    if across < 1e-6:
        turned_vector = (a, b, np.copysign(cosine, z))
    else:
        # The basis is (x z, y z, -(x² + y²))/across, (-y, x, 0)/across, the direction.
        turned_vector = (
            cosine * x + (a * x * z - b * y) / across,
            cosine * y + (a * y * z + b * x) / across,
            cosine * z - a * across,
        )
    x, y, z = turned_vector
    scale = 1.0 / np.sqrt(x * x + y * y + z * z)
    return (x * scale, y * scale, z * scale)


@inlined
def isotropic(rng: np.random.Generator) -> Vector:
    """Any direction."""
    return turned((0.0, 0.0, 1.0), 2.0 * rng.random() - 1.0, 2.0 * np.pi * rng.random())


@inlined
def momentum_of(energy: float, mass: float) -> float:
    """Momentum of a kinetic energy."""
    return np.sqrt(max(0.0, energy * (energy + 2.0 * mass)))


@inlined
def breakup(mass: float, first: float, second: float) -> float:
    """Momentum of both products of a decay in the rest frame; 0 if it is impossible."""
    if mass <= first + second:
        return 0.0
    total, difference = first + second, first - second
    squares = (mass * mass - total * total) * (mass * mass - difference * difference)
    return np.sqrt(squares) / (2.0 * mass)


@inlined
def boosted(
    direction: Vector, beta: float, mass: float, p: float, cosine: float, azimuth: float
) -> tuple[float, Vector]:
    """Bring a particle from a moving frame to the laboratory.

    Parameters
    ----------
    direction, beta
        Motion of the frame.
    mass, p
        The particle's mass, and its momentum in the frame.
    cosine, azimuth
        Its direction in the frame, from the frame's motion.

    Returns
    -------
    float, tuple
        Kinetic energy and direction.
    """
    gamma = 1.0 / np.sqrt(1.0 - beta * beta)
    energy = np.sqrt(p * p + mass * mass)
    along = gamma * (p * cosine + beta * energy)
    across2 = p * p * max(0.0, 1.0 - cosine * cosine)
    total = np.sqrt(along * along + across2)
    if total == 0.0:
        return 0.0, direction
    kinetic = gamma * (energy + beta * p * cosine) - mass
    return max(0.0, kinetic), turned(direction, along / total, azimuth)


@inlined
def decay(
    rng: np.random.Generator, direction: Vector, beta: float, mass: float, masses: tuple
) -> tuple[float, Vector, float, Vector]:
    """Isotropic decay in flight into two particles: their kinetic energies and directions."""
    p = breakup(mass, masses[0], masses[1])
    cosine, azimuth = 2.0 * rng.random() - 1.0, 2.0 * np.pi * rng.random()
    one, there = boosted(direction, beta, masses[0], p, cosine, azimuth)
    two, back = boosted(direction, beta, masses[1], p, -cosine, azimuth + np.pi)
    return one, there, two, back


@inlined
def collision(
    rng: np.random.Generator, energy: float, direction: Vector, mass: float, target: float,
    masses: tuple,
) -> tuple[float, Vector, float, Vector]:  # fmt: skip
    """Two-body reaction with a target at rest, by preference at small momentum transfer.

    Parameters
    ----------
    rng : Generator
        Random numbers.
    energy, direction, mass
        The projectile's.
    target : float
        Mass of the target.
    masses : tuple of float
        Of the products: the first takes the projectile's place.

    Returns
    -------
    float, tuple, float, tuple
        Kinetic energies and directions of both products.
    """
    p = momentum_of(energy, mass)
    total = energy + mass + target
    s = total * total - p * p
    beta = p / total
    before, after = breakup(np.sqrt(s), mass, target), breakup(np.sqrt(s), masses[0], masses[1])
    # t falls by 2 p p' (1 − cos θ): an exponential of it, cut off at backward scattering.
    steep = 2.0 * _SLOPE * before * after
    least = np.exp(-2.0 * steep)
    u = rng.random()
    cosine = 1.0 + np.log(least + (1.0 - least) * u) / steep if steep > 1e-6 else 2.0 * u - 1.0
    azimuth = 2.0 * np.pi * rng.random()
    one, there = boosted(direction, beta, masses[0], after, cosine, azimuth)
    two, back = boosted(direction, beta, masses[1], after, -cosine, azimuth + np.pi)
    return one, there, two, back
