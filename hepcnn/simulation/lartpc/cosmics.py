"""Cosmic-ray muons that enter the volume from above."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hepcnn.detector.labels import COSMIC
from hepcnn.simulation.lartpc.records import Primaries
from hepcnn.simulation.lartpc.single import unit_vectors

Floats = NDArray[np.float64]

#: Spectrum (E0 + E)^-n of energies, of Shukla and Sankrith, arXiv:1606.06907 (MeV); its mean is
#: E0/(n − 2), 4.2 GeV.
_E0, _POWER = 4290.0, 3.01
#: Highest energy (MeV).
_HIGHEST = 1e6
#: Positive muons for each negative one, at sea level.
_CHARGE_RATIO = 1.27


def sample_energy(n: int, rng: np.random.Generator) -> Floats:
    """Draw energies (MeV) of muons at the surface."""
    power = 1 - _POWER
    u = rng.uniform((1 + _HIGHEST / _E0) ** power, 1, n)
    return np.asarray(_E0 * (u ** (1 / power) - 1))


def face_areas(volume: NDArray[np.float64]) -> Floats:
    """Areas (3,) of the faces across x, y and z (mm²)."""
    x, y, z = np.ptp(volume, axis=1)
    return np.array([y * z, z * x, x * y])


def sample_directions(
    n: int, volume: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw directions (n, 3) of muons that cross the volume.

    The intensity falls as cos² of the zenith angle; each direction counts by the area that the
    volume shows to it.
    """
    areas = face_areas(volume)
    found = np.empty((0, 3))
    while len(found) < n:
        tries = 4 * n + 16
        cosine, azimuth = rng.uniform(0, 1, tries), rng.uniform(-np.pi, np.pi, tries)
        across = unit_vectors(cosine, azimuth)
        direction = np.column_stack([across[:, 0], -across[:, 2], across[:, 1]])
        shown = np.abs(direction) @ areas
        keep = cosine**2 * shown > rng.uniform(0, np.linalg.norm(areas), tries)
        found = np.concatenate([found, direction[keep]])
    return found[:n]


def sample_entries(
    direction: NDArray[np.float64], volume: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw points (n, 3) on the surface, even over what it shows to each direction (mm)."""
    n = len(direction)
    shown = np.abs(direction) * face_areas(volume)
    axis = (rng.random((n, 1)) * shown.sum(axis=1, keepdims=True) > shown.cumsum(axis=1)).sum(1)
    point = rng.uniform(volume[:, 0], volume[:, 1], (n, 3))
    rows = np.arange(n)
    # What goes up an axis comes in at its lower end.
    point[rows, axis] = volume[axis, (direction[rows, axis] < 0).astype(int)]
    return point


def generate_cosmics(
    n: int,
    volume: NDArray[np.float64],
    window: tuple[float, float],
    rng: np.random.Generator,
) -> Primaries:
    """Make muons that enter the volume at times (ns) spread evenly over a window."""
    direction = sample_directions(n, volume, rng)
    positive = rng.random(n) * (1 + _CHARGE_RATIO) < _CHARGE_RATIO
    return Primaries(
        np.where(positive, -13, 13).astype(np.int32),
        sample_energy(n, rng),
        sample_entries(direction, volume, rng),
        direction,
        rng.uniform(*window, n),
        np.full(n, COSMIC, np.int8),
    )
