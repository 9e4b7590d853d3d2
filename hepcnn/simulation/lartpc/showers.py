"""Electrons, positrons and photons: the cascade, particle by particle.

Electrons lose energy in collisions, knock electrons out, scatter, and radiate photons of more
than 0.3 MeV; photons make pairs or scatter on electrons. What has 0.3 MeV or less stays where it
is. Positrons annihilate at rest.
"""

from __future__ import annotations

import numpy as np

from hepcnn.simulation.lartpc.argon import RADIATION_LENGTH
from hepcnn.simulation.lartpc.buffers import (
    Buffers,
    Vector,
    deposit,
    end_at,
    get_vector,
    has_room,
    pop,
    push,
)
from hepcnn.simulation.lartpc.compiled import kernel
from hepcnn.simulation.lartpc.kinematics import ahead, isotropic, momentum_of, turned
from hepcnn.simulation.lartpc.masses import ELECTRON_MASS
from hepcnn.simulation.lartpc.screening import radiation_share
from hepcnn.simulation.lartpc.steps import (
    LIGHT,
    STEP,
    Medium,
    collide,
    inside,
    lookup,
    mean_loss,
    scattered,
    way_out,
)

#: Electrons stop, and photons are absorbed, at this kinetic energy (MeV).
STOP = 0.3
#: Part of an electron's range that a step takes at most, and its shortest step (mm).
_PART, _SHORTEST = 0.15, 0.3


@kernel
def radiation_rate(energy: float) -> float:
    """Photons above `STOP` per mm: the integral of (4/3 − 4y/3 + y²)/(X0 k), y = k/E."""
    if energy <= STOP:
        return 0.0
    y = STOP / energy
    return (-4.0 / 3.0 * (np.log(y) + 1.0 - y) + 0.5 * (1.0 - y * y)) / RADIATION_LENGTH


@kernel
def soft_radiation(energy: float) -> float:
    """Energy per mm in photons below `STOP`, which is deposited on the spot (MeV/mm)."""
    y = min(STOP / energy, 1.0)
    return energy * (4.0 / 3.0 * y - 2.0 / 3.0 * y * y + y * y * y / 3.0) / RADIATION_LENGTH


@kernel
def radiated(rng: np.random.Generator, energy: float) -> float:
    """Draw the energy of a photon of bremsstrahlung."""
    low = STOP / energy
    while True:
        y = low ** rng.random()
        if 0.75 * (4.0 / 3.0 - 4.0 / 3.0 * y + y * y) > rng.random():
            return y * energy


@kernel
def _opened(rng: np.random.Generator, direction: Vector, energy: float) -> Vector:
    """Direction at an angle of the order of m/E, as of bremsstrahlung and pairs."""
    angle = ELECTRON_MASS / (energy + ELECTRON_MASS) * np.sqrt(rng.standard_exponential())
    return turned(direction, np.cos(angle), 2.0 * np.pi * rng.random())


@kernel
def _stop(
    medium: Medium, buffers: Buffers, rng: np.random.Generator, pdg: int, row: int, energy: float,
    position: Vector, direction: Vector, time: float,
) -> None:  # fmt: skip
    """Leave an electron's last energy in one deposit; a positron annihilates."""
    length = lookup(medium.tables, medium.tables.reach[0], energy)
    middle = ahead(position, direction, 0.5 * length)
    if inside(medium.volume, middle):
        deposit(buffers, row, energy, length, middle, time)
    if pdg == -11:
        away = isotropic(rng)
        push(buffers, 22, row, False, ELECTRON_MASS, position, away, time)
        back = (-away[0], -away[1], -away[2])
        push(buffers, 22, row, False, ELECTRON_MASS, position, back, time)


@kernel
def electron(medium: Medium, buffers: Buffers, rng: np.random.Generator) -> None:
    """Transport the electron or positron on top of the stack."""
    item = pop(buffers)
    pdg, row, head, energy, time = item.pdg, item.row, item.head, item.energy, item.time
    position, direction = get_vector(item.position), get_vector(item.direction)
    tables = medium.tables
    reach_of, stopping = tables.reach[0], tables.stopping[0]
    strength = tables.scattering[0]
    while has_room(buffers):
        if energy <= STOP:
            _stop(medium, buffers, rng, pdg, row, energy, position, direction, time)
            end_at(buffers, row, head, position)
            return
        step = min(STEP, max(_PART * lookup(tables, reach_of, energy), _SHORTEST))
        flight = rng.standard_exponential() / radiation_rate(energy)
        radiates = flight < step
        step = min(step, flight)
        way = way_out(medium.volume, position, direction)
        leaves = way <= step
        step = min(step, way)
        if step > 0.0:
            mean = mean_loss(tables, stopping, energy, step) + step * soft_radiation(energy)
            middle = ahead(position, direction, 0.5 * step)
            lost, given = collide(
                medium, buffers, rng, pdg, row, ELECTRON_MASS, energy, mean, step, middle,
                direction, time,
            )  # fmt: skip
            deposit(buffers, row, lost, step, middle, time)
            time += step / LIGHT
            energy = max(0.0, energy - (lost + given))
            if medium.scattering and not leaves:
                direction = scattered(tables, strength, rng, direction, energy, step)
            position = ahead(middle, direction, 0.5 * step)
        if leaves:
            end_at(buffers, row, head, position)
            return
        if radiates and energy > STOP:
            given = radiated(rng, energy)
            # What screening leaves of those of complete screening.
            if rng.random() < radiation_share(energy, given):
                energy -= given
                away = _opened(rng, direction, energy)
                push(buffers, 22, row, False, given, position, away, time)
    push(buffers, pdg, row, head, energy, position, direction, time)


@kernel
def _compton(rng: np.random.Generator, energy: float) -> float:
    """Draw the energy of a scattered photon: Klein and Nishina, by the method of Butcher, Messel.

    The distribution is the sum of 1/ε and ε, ε the ratio of the energies, times a rejection.
    """
    k = energy / ELECTRON_MASS
    least = 1.0 / (1.0 + 2.0 * k)
    first, second = -np.log(least), 0.5 * (1.0 - least * least)
    while True:
        if rng.random() * (first + second) < first:
            ratio = least ** rng.random()
        else:
            ratio = np.sqrt(least * least + (1.0 - least * least) * rng.random())
        t = (1.0 - ratio) / (k * ratio)
        sine2 = t * (2.0 - t)
        if 1.0 - ratio * sine2 / (1.0 + ratio * ratio) > rng.random():
            return ratio * energy


@kernel
def _scatter_photon(
    buffers: Buffers, rng: np.random.Generator, row: int, energy: float, position: Vector,
    direction: Vector, time: float,
) -> None:  # fmt: skip
    """Compton scattering: push photon and electron."""
    left = _compton(rng, energy)
    given = energy - left
    azimuth = 2.0 * np.pi * rng.random()
    cosine = 1.0 - ELECTRON_MASS * (1.0 / left - 1.0 / energy)
    away = turned(direction, max(cosine, -1.0), azimuth)
    push(buffers, 22, row, False, left, position, away, time)
    momentum = momentum_of(given, ELECTRON_MASS)
    if momentum > 0.0:
        cosine = min(1.0, (energy - left * cosine) / momentum)
        knocked = turned(direction, cosine, azimuth + np.pi)
        push(buffers, 11, row, False, given, position, knocked, time)


@kernel
def _make_pair(
    buffers: Buffers, rng: np.random.Generator, row: int, energy: float, position: Vector,
    direction: Vector, time: float,
) -> None:  # fmt: skip
    """Pair production, the energy shared as 1 − 4u(1 − u)/3: push electron and positron."""
    share = rng.random()
    while 1.0 - 4.0 / 3.0 * share * (1.0 - share) < rng.random():
        share = rng.random()
    # Between two points of the tables a photon just too weak can still make a pair.
    kinetic = max(0.0, energy - 2.0 * ELECTRON_MASS)
    for pdg, part in ((11, share * kinetic), (-11, (1.0 - share) * kinetic)):
        push(buffers, pdg, row, False, part, position, _opened(rng, direction, part), time)


@kernel
def photon(medium: Medium, buffers: Buffers, rng: np.random.Generator) -> None:
    """Transport the photon on top of the stack to its next interaction."""
    item = pop(buffers)
    row, head, energy, time = item.row, item.head, item.energy, item.time
    position, direction = get_vector(item.position), get_vector(item.direction)
    tables = medium.tables
    if energy <= STOP:
        # All to one electron.
        _stop(medium, buffers, rng, np.int32(11), row, energy, position, direction, time)
        end_at(buffers, row, head, position)
        return
    pairs = lookup(tables, tables.pair, energy)
    rate = pairs + lookup(tables, tables.compton, energy)
    flight = rng.standard_exponential() / rate
    way = way_out(medium.volume, position, direction)
    position = ahead(position, direction, min(flight, way))
    end_at(buffers, row, head, position)
    if way <= flight:
        return
    time += flight / LIGHT
    if rng.random() * rate < pairs:
        _make_pair(buffers, rng, row, energy, position, direction, time)
    else:
        _scatter_photon(buffers, rng, row, energy, position, direction, time)
