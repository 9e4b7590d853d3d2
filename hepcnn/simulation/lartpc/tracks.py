"""Muons, pions, protons and neutrons: tracks to their stop, decay, reaction or way out."""

from __future__ import annotations

import numpy as np

from hepcnn.simulation.lartpc.argon import INTERACTION_LENGTH
from hepcnn.simulation.lartpc.buffers import (
    Buffers,
    Vector,
    deposit,
    emit,
    end_at,
    get_vector,
    has_room,
    pop,
    push,
)
from hepcnn.simulation.lartpc.compiled import kernel
from hepcnn.simulation.lartpc.decays import (
    decay_charged,
    decay_rate,
    rest_muon,
)
from hepcnn.simulation.lartpc.kinematics import ahead, momentum_of
from hepcnn.simulation.lartpc.masses import MUON_MASS, NEUTRON_MASS, PION_MASS, PROTON_MASS
from hepcnn.simulation.lartpc.nuclear import react
from hepcnn.simulation.lartpc.steps import (
    FINE_STEP,
    HADRONIC,
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

#: With less range than this (mm) steps are fine.
_STOPPING = 30.0
#: Charged hadrons of less kinetic energy (MeV) do not react: the nucleus's charge repels them,
#: and most of their range is shorter than the steps. Neutrons of less are not followed.
_REACTS, _NEUTRON_STOPS = 20.0, 10.0


@kernel
def kind_and_mass(code: int) -> tuple[int, float]:
    """Row of the tables, and mass, by |PDG code|."""
    if code == 13:
        return 1, MUON_MASS
    if code == 211:
        return 2, PION_MASS
    return 3, PROTON_MASS


@kernel
def _react(
    buffers: Buffers, rng: np.random.Generator, pdg: int, row: int, energy: float,
    position: Vector, direction: Vector, time: float,
) -> None:  # fmt: skip
    """Let a hadron react with a nucleus and send the products off."""
    # The type that generators give too: numba compiles everything anew for another.
    products = react(rng, np.int64(pdg), energy, direction)
    for product in products:
        away = (product[2], product[3], product[4])
        emit(buffers, int(product[0]), row, HADRONIC, product[1], position, away, time)


@kernel
def _stop(
    medium: Medium, buffers: Buffers, rng: np.random.Generator, pdg: int, row: int, energy: float,
    length: float, position: Vector, direction: Vector, time: float,
) -> None:  # fmt: skip
    """Leave the last energy in one deposit; what is unstable decays or is captured."""
    middle = ahead(position, direction, 0.5 * length)
    end = ahead(position, direction, length)
    if inside(medium.volume, middle):
        deposit(buffers, row, energy, length, middle, time)
    end_at(buffers, row, True, end)
    if abs(pdg) == 13:
        rest_muon(buffers, rng, pdg, row, end, direction, time)
    elif pdg == 211 or (pdg == -211 and not medium.hadronic):
        decay_charged(buffers, rng, pdg, row, 0.0, end, direction, time)
    elif pdg == -211:
        _react(buffers, rng, pdg, row, 0.0, end, direction, time)


@kernel
def track(medium: Medium, buffers: Buffers, rng: np.random.Generator) -> None:
    """Transport the muon, charged pion or proton on top of the stack."""
    item = pop(buffers)
    pdg, row, energy, time = item.pdg, item.row, item.energy, item.time
    position, direction = get_vector(item.position), get_vector(item.direction)
    kind, mass = kind_and_mass(abs(pdg))
    tables = medium.tables
    reach_of, stopping = tables.reach[kind], tables.stopping[kind]
    strength = tables.scattering[kind]
    hadron = medium.hadronic and kind > 1
    while has_room(buffers):
        reach = lookup(tables, reach_of, energy) if energy > 0.0 else 0.0
        if reach <= FINE_STEP:
            _stop(medium, buffers, rng, pdg, row, energy, reach, position, direction, time)
            return
        momentum = momentum_of(energy, mass)
        reactions = 1.0 / INTERACTION_LENGTH if hadron and energy > _REACTS else 0.0
        rate = reactions + decay_rate(abs(pdg), momentum)
        flight = rng.standard_exponential() / rate if rate > 0.0 else np.inf
        way = way_out(medium.volume, position, direction)
        step = min(STEP if reach > _STOPPING else FINE_STEP, flight, way)
        if step > 0.0:
            middle = ahead(position, direction, 0.5 * step)
            lost, given = collide(
                medium, buffers, rng, pdg, row, mass, energy,
                mean_loss(tables, stopping, energy, step), step, middle, direction, time,
            )  # fmt: skip
            deposit(buffers, row, lost, step, middle, time)
            time += step * (energy + mass) / (momentum * LIGHT)
            energy = max(0.0, energy - (lost + given))
            if medium.scattering and way > step:
                direction = scattered(tables, strength, rng, direction, energy, step)
            position = ahead(middle, direction, 0.5 * step)
        if way <= step:
            end_at(buffers, row, True, position)
            return
        if flight <= step and energy > 0.0:
            end_at(buffers, row, True, position)
            if rng.random() * rate < reactions:
                _react(buffers, rng, pdg, row, energy, position, direction, time)
            else:
                beta = momentum_of(energy, mass) / (energy + mass)
                decay_charged(buffers, rng, pdg, row, beta, position, direction, time)
            return
    push(buffers, pdg, row, True, energy, position, direction, time)


@kernel
def neutron(medium: Medium, buffers: Buffers, rng: np.random.Generator) -> None:
    """Transport the neutron on top of the stack to its next reaction."""
    item = pop(buffers)
    row, energy, time = item.row, item.energy, item.time
    position, direction = get_vector(item.position), get_vector(item.direction)
    if not medium.hadronic or energy < _NEUTRON_STOPS:
        return
    flight = INTERACTION_LENGTH * rng.standard_exponential()
    way = way_out(medium.volume, position, direction)
    position = ahead(position, direction, min(flight, way))
    end_at(buffers, row, True, position)
    if way <= flight:
        return
    beta = momentum_of(energy, NEUTRON_MASS) / (energy + NEUTRON_MASS)
    time += flight / (beta * LIGHT)
    _react(buffers, rng, np.int32(2112), row, energy, position, direction, time)
