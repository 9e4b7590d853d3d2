"""Single particles, as of a particle gun: one an event, anywhere in the volume."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hepcnn.config import LArTPCSimulation, abundances
from hepcnn.detector.labels import BEAM, SINGLE_PARTICLES
from hepcnn.errors import InputError
from hepcnn.simulation.lartpc.records import GeneratedEvent, Primaries

Floats = NDArray[np.float64]

#: Largest angle to the beam of particles along the beam (rad).
_CONE = np.radians(30)


def sample_class(settings: LArTPCSimulation, rng: np.random.Generator) -> str:
    """Draw a class of events by the settings' mixture."""
    if settings.mixture == "flat":
        return str(rng.choice(settings.classes))
    return str(rng.choice(settings.classes, p=abundances(settings.mixture, settings.classes)))


def sample_vertex(
    settings: LArTPCSimulation, volume: NDArray[np.float64], rng: np.random.Generator
) -> Floats:
    """Draw a point (mm) of the volume, evenly, no closer to its walls than the margin.

    Raises
    ------
    InputError
        If the margin leaves nothing of the volume.
    """
    low, high = volume[:, 0] + settings.margin, volume[:, 1] - settings.margin
    if not (low < high).all():
        raise InputError(
            f"margin: {settings.margin:g} mm from all walls leaves nothing of the active volume "
            f"of {' x '.join(f'{side:g}' for side in np.ptp(volume, axis=1))} mm"
        )
    return np.asarray(rng.uniform(low, high))


def unit_vectors(cosine: Floats, azimuth: Floats) -> Floats:
    """Unit vectors (n, 3) by the cosine of their angle to +z and their azimuth."""
    sine = np.sqrt(1 - cosine**2)
    return np.column_stack([sine * np.cos(azimuth), sine * np.sin(azimuth), cosine])


def generate_single(
    settings: LArTPCSimulation, volume: NDArray[np.float64], rng: np.random.Generator
) -> GeneratedEvent:
    """Make one particle of a class of `SINGLE_PARTICLES`.

    Electrons, muons and protons are matter; pions have either charge.
    """
    pdg = SINGLE_PARTICLES[sample_class(settings, rng)]
    if pdg == SINGLE_PARTICLES["pion"]:
        pdg *= int(rng.choice((-1, 1)))
    vertex = sample_vertex(settings, volume, rng)
    lowest = -1.0 if settings.direction == "isotropic" else np.cos(_CONE)
    direction = unit_vectors(rng.uniform(lowest, 1, 1), rng.uniform(-np.pi, np.pi, 1))
    primaries = Primaries(
        np.array([pdg], np.int32),
        rng.uniform(*settings.energies, 1),
        vertex[None],
        direction,
        np.zeros(1),
        np.array([BEAM], np.int8),
    )
    return GeneratedEvent(primaries, 0, False, 0.0, vertex)
