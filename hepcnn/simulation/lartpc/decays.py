"""Decays and captures of muons and pions."""

from __future__ import annotations

import numpy as np

from hepcnn.simulation.lartpc.buffers import Buffers, Vector, emit
from hepcnn.simulation.lartpc.compiled import kernel
from hepcnn.simulation.lartpc.kinematics import boosted, decay
from hepcnn.simulation.lartpc.masses import ELECTRON_MASS, MUON_MASS, NEUTRAL_PION_MASS, PION_MASS
from hepcnn.simulation.lartpc.steps import DECAY, LIGHT

#: Mean lives (ns).
MUON_LIFE, PION_LIFE = 2197.0, 26.03
#: Part of the μ⁻ at rest in argon that nuclei capture before they decay.
CAPTURED = 0.75
#: Highest energy of an electron from a muon at rest (MeV).
MICHEL_EDGE = 52.83


@kernel
def decay_rate(code: int, momentum: float) -> float:
    """Decays in flight per mm of a particle by its |PDG code|."""
    if code == 13:
        return MUON_MASS / (momentum * MUON_LIFE * LIGHT)
    if code == 211:
        return PION_MASS / (momentum * PION_LIFE * LIGHT)
    return 0.0


@kernel
def michel_energy(rng: np.random.Generator) -> float:
    """Draw the energy of the electron of a muon at rest: 2x² (3 − 2x), x of the highest."""
    while True:
        x = rng.random()
        if x * x * (3.0 - 2.0 * x) > rng.random() and x * MICHEL_EDGE > ELECTRON_MASS:
            return x * MICHEL_EDGE


@kernel
def decay_charged(
    buffers: Buffers, rng: np.random.Generator, pdg: int, row: int, beta: float,
    position: Vector, direction: Vector, time: float,
) -> None:  # fmt: skip
    """Let a muon or charged pion decay, at rest or in flight; neutrinos are not followed."""
    sign = 1 if pdg > 0 else -1
    if abs(pdg) == 211:
        # A π⁺ makes a μ⁺, whose code is −13.
        energy, away, _, _ = decay(rng, direction, beta, PION_MASS, (MUON_MASS, 0.0))
        emit(buffers, -13 * sign, row, DECAY, energy, position, away, time)
    else:
        total = michel_energy(rng)
        p = np.sqrt(total * total - ELECTRON_MASS * ELECTRON_MASS)
        cosine, azimuth = 2.0 * rng.random() - 1.0, 2.0 * np.pi * rng.random()
        energy, away = boosted(direction, beta, ELECTRON_MASS, p, cosine, azimuth)
        emit(buffers, 11 * sign, row, DECAY, energy, position, away, time)


@kernel
def decay_neutral(
    buffers: Buffers, rng: np.random.Generator, row: int, energy: float, position: Vector,
    direction: Vector, time: float,
) -> None:  # fmt: skip
    """Let a π⁰ decay into two photons, where it is."""
    gamma = 1.0 + energy / NEUTRAL_PION_MASS
    beta = np.sqrt(1.0 - 1.0 / (gamma * gamma))
    one, there, two, back = decay(rng, direction, beta, NEUTRAL_PION_MASS, (0.0, 0.0))
    emit(buffers, 22, row, DECAY, one, position, there, time)
    emit(buffers, 22, row, DECAY, two, position, back, time)


@kernel
def rest_muon(
    buffers: Buffers, rng: np.random.Generator, pdg: int, row: int, position: Vector,
    direction: Vector, time: float,
) -> None:  # fmt: skip
    """A muon has stopped: it decays, or a nucleus captures it (μ⁻), without charged particles.

    Capture shortens the life as it takes decays away.
    """
    life = MUON_LIFE
    if pdg == 13:
        if rng.random() < CAPTURED:
            return
        life *= 1.0 - CAPTURED
    time += life * rng.standard_exponential()
    decay_charged(buffers, rng, pdg, row, 0.0, position, direction, time)
