"""What the tracking writes down: tracks with its errors."""

from __future__ import annotations

import numpy as np

from hepcnn.config import RichSimulation
from hepcnn.detector.geometry import RichGeometry
from hepcnn.detector.optics import to_sphere
from hepcnn.simulation.rich.tracks import Floats, Segment


def measure_momentum(settings: RichSimulation, p: Floats, rng: np.random.Generator) -> Floats:
    """Momenta (MeV) with the tracking's relative error."""
    if not settings.tracking:
        return p
    return p * (1 + settings.tracking_momentum * rng.standard_normal(len(p)))


def measure_segment(
    settings: RichSimulation,
    geometry: RichGeometry,
    true: Segment,
    p: Floats,
    rng: np.random.Generator,
) -> Segment:
    """Segments with the tracking's errors of position and direction.

    Gaussian in x and y at the entry and in the two slopes; the error of a slope is that of the
    detector's resolution and that of multiple scattering, which goes as 1/p, in quadrature.

    Parameters
    ----------
    settings : RichSimulation
        The errors.
    geometry : RichGeometry
        The RICH: it says where the measured line leaves the gas.
    true : Segment
        Of n particles.
    p : float64 array (n,)
        Their momenta (MeV).
    rng : Generator
        Source of random numbers.
    """
    if not settings.tracking:
        return true
    n = len(p)
    entry = true.entry.copy()
    entry[:, :2] += settings.tracking_position * rng.standard_normal((n, 2))
    error = 1e-3 * np.hypot(settings.tracking_angle, settings.tracking_scattering * 1e3 / p)
    slope = true.direction / true.direction[:, 2:]
    slope[:, :2] += error[:, None] * rng.standard_normal((n, 2))
    direction = slope / np.linalg.norm(slope, axis=1, keepdims=True)
    return Segment(entry, direction, to_sphere(geometry, entry, direction))
