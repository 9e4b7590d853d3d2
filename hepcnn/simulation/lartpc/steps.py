"""What happens in a step of a charged particle: energy lost, electrons knocked out, scattering."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hepcnn.simulation.lartpc.argon import XI, Tables
from hepcnn.simulation.lartpc.buffers import Buffers, Vector, emit, push
from hepcnn.simulation.lartpc.compiled import inlined
from hepcnn.simulation.lartpc.kinematics import momentum_of, turned
from hepcnn.simulation.lartpc.masses import ELECTRON_MASS

#: Electrons knocked out with more kinetic energy than this (MeV) are particles of their own.
DELTA_ENERGY = 1.0
#: Longest step, and the step of particles that are about to stop (mm).
STEP, FINE_STEP = 3.0, 1.0
#: Speed of light (mm/ns).
LIGHT = 299.792458
#: Collisions of a step, about, that are drawn one by one; the weaker ones are taken together.
_COLLISIONS = 8.0
#: Of `detector.labels.PROCESSES`.
DECAY, IONISATION, HADRONIC = 1, 2, 4


class Medium(NamedTuple):
    """What the kernels know of the detector and the settings.

    Attributes
    ----------
    tables : Tables
        Of argon.
    volume : float64 array (3, 2)
        Bounds of the active volume (mm).
    fluctuations, scattering, delta_rays, hadronic : bool
        Which processes there are.
    """

    tables: Tables
    volume: NDArray[np.float64]
    fluctuations: bool
    scattering: bool
    delta_rays: bool
    hadronic: bool


@inlined
def lookup(tables: Tables, column: NDArray[np.float64], energy: float) -> float:
    """Interpolate a table at a kinetic energy; beyond its ends, its last values."""
    at = (np.log(energy) - tables.low) * tables.density
    last = column.size - 1
    if at <= 0.0:
        return column[0]
    if at >= last:
        return column[last]
    index = int(at)
    share = at - index
    return column[index] * (1.0 - share) + column[index + 1] * share


@inlined
def mean_loss(tables: Tables, stopping: NDArray[np.float64], energy: float, step: float) -> float:
    """Mean loss in collisions in a step (MeV), by the stopping power at its middle."""
    half = 0.5 * step * lookup(tables, stopping, energy)
    return step * lookup(tables, stopping, max(energy - half, 0.5 * energy))


@inlined
def inside(volume: NDArray[np.float64], position: Vector) -> bool:
    """Whether a point is in the volume."""
    return (
        volume[0, 0] <= position[0] <= volume[0, 1]
        and volume[1, 0] <= position[1] <= volume[1, 1]
        and volume[2, 0] <= position[2] <= volume[2, 1]
    )


@inlined
def way_out(volume: NDArray[np.float64], position: Vector, direction: Vector) -> float:
    """Distance from a point to where a straight line leaves the volume; 0 outside of it."""
    distance = np.inf
    for axis in range(3):
        if direction[axis] != 0.0:
            wall = volume[axis, 1] if direction[axis] > 0.0 else volume[axis, 0]
            distance = min(distance, (wall - position[axis]) / direction[axis])
    return max(distance, 0.0) if inside(volume, position) else 0.0


@inlined
def scattered(
    tables: Tables, strength: NDArray[np.float64], rng: np.random.Generator, direction: Vector,
    energy: float, step: float,
) -> Vector:  # fmt: skip
    """Direction after a step, by multiple scattering; it turns in the middle of the step."""
    # Two Gaussians in planes are an exponential in the square of the angle in space.
    angle = lookup(tables, strength, energy) * np.sqrt(2.0 * step * rng.standard_exponential())
    return turned(direction, np.cos(angle), 2.0 * np.pi * rng.random())


@inlined
def _knock_out(
    buffers: Buffers, rng: np.random.Generator, pdg: int, row: int, energy: float,
    transfer: float, largest: float, position: Vector, direction: Vector, time: float,
) -> None:  # fmt: skip
    """Send an electron off: a particle of its own, but for an electron's a part of the shower."""
    ratio = momentum_of(largest, ELECTRON_MASS) / largest
    cosine = transfer / momentum_of(transfer, ELECTRON_MASS) * ratio
    away = turned(direction, min(cosine, 1.0), 2.0 * np.pi * rng.random())
    if abs(pdg) == 11:
        push(buffers, 11, row, False, transfer, position, away, time)
    else:
        emit(buffers, 11, row, IONISATION, transfer, position, away, time)


@inlined
def collide(
    medium: Medium, buffers: Buffers, rng: np.random.Generator, pdg: int, row: int, mass: float,
    energy: float, mean: float, step: float, position: Vector, direction: Vector, time: float,
) -> tuple[float, float]:  # fmt: skip
    """Energy that a particle leaves in a step, and energy that it gives to δ electrons (MeV).

    Collisions with an energy transfer E are ξ/E² (1 − β² E/E_max) dE, so in order of falling E
    a Poisson process of rate 1 in ξ/E, thinned. All above ξ/8 are drawn one by one: their sum has
    Landau's and Vavilov's fluctuations, whatever the step. The rest is a Gaussian about what is
    left of the mean. Without fluctuations only δ electrons are drawn, without these nothing.

    Parameters
    ----------
    medium, buffers, rng
        Settings, where electrons go, random numbers.
    pdg, row, mass, energy
        The particle's.
    mean : float
        Mean loss in the step (MeV).
    step, position, direction, time
        Length of the step, and its middle.
    """
    gamma = 1.0 + energy / mass
    beta2 = 1.0 - 1.0 / (gamma * gamma)
    if pdg == 11:
        largest, thinned = 0.5 * energy, 0.0
    elif pdg == -11:
        largest, thinned = energy, 0.0
    else:
        ratio = ELECTRON_MASS / mass
        largest = 2.0 * ELECTRON_MASS * beta2 * gamma * gamma
        largest /= 1.0 + 2.0 * gamma * ratio + ratio * ratio
        thinned = beta2 / largest
    xi = XI * step / beta2
    split = medium.delta_rays or abs(pdg) == 11
    if medium.fluctuations:
        low = min(xi / _COLLISIONS, largest)
    elif split:
        low = min(DELTA_ENERGY, largest)
    else:
        low = largest
    lost = mean - xi * (np.log(largest / low) - thinned * (largest - low))
    if medium.fluctuations:
        variance = xi * low * (1.0 - 0.5 * thinned * low)
        lost = max(0.0, lost + np.sqrt(variance) * rng.standard_normal())
    given, rate, last = 0.0, xi / largest, xi / low
    while True:
        rate += rng.standard_exponential()
        if rate > last or lost + given > energy:
            break
        transfer = xi / rate
        # Where less than 1 % would be thinned out, nothing is: 0.01 ξ of the mean at most.
        if thinned * transfer > 0.01 and rng.random() < thinned * transfer:
            continue
        if split and transfer > DELTA_ENERGY and lost + given + transfer < energy:
            given += transfer
            _knock_out(buffers, rng, pdg, row, energy, transfer, largest, position, direction, time)
        else:
            lost += transfer
    return min(lost, energy - given), given
