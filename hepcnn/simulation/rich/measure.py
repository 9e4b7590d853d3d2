"""What the tracking writes down: tracks with its errors, and tracks that no particle made."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hepcnn.config import RichSimulation
from hepcnn.detector.geometry import RichGeometry
from hepcnn.detector.optics import to_sphere
from hepcnn.simulation.rich.rates import (
    GHOST_MEDIAN,
    GHOST_WIDTH,
    STATIONS,
    TAIL,
    VERTEX_END,
    WRONG_ANGLE,
    WRONG_POSITION,
)
from hepcnn.simulation.rich.tracks import (
    ENDED,
    Floats,
    Particles,
    Segment,
    lognormal_within,
    sample_charge,
    sample_directions,
    sample_origin,
)

#: What the tracking follows here (mm along z) it sees in a RICH.
SEEN = {"rich1": VERTEX_END, "rich2": sum(STATIONS) / 2}


def sample_ghosts(
    settings: RichSimulation, event: NDArray[np.int64], rng: np.random.Generator
) -> Particles:
    """Tracks that no particle made: lines from the interaction region as of particles.

    They end at once, and radiate nothing; their species means nothing.
    """
    n = len(event)
    p = lognormal_within(GHOST_MEDIAN, GHOST_WIDTH, settings.momentum_range, rng.random(n))
    return Particles(
        event=event,
        species=np.zeros(n, np.int64),
        charge=sample_charge(n, rng),
        p=p,
        origin=sample_origin(n, rng),
        direction=sample_directions(p, rng),
        end=np.full(n, ENDED),
    )


def measure_momentum(settings: RichSimulation, p: Floats, rng: np.random.Generator) -> Floats:
    """Momenta (MeV) with the tracking's relative error."""
    if not settings.tracking:
        return p
    return p * (1 + settings.tracking_momentum * rng.standard_normal(len(p)))


def sample_scale(settings: RichSimulation, n: int, rng: np.random.Generator) -> Floats:
    """By how much the errors of n tracks are larger than usual, in both RICHes."""
    return np.where(rng.random(n) < settings.tracking_tails, TAIL, 1.0)


def usual_angle(settings: RichSimulation, p: Floats) -> Floats:
    """The usual error of a slope (rad) of tracks of momenta p (MeV).

    That of the detector's resolution and that of multiple scattering, which goes as 1/p, in
    quadrature.
    """
    return 1e-3 * np.hypot(settings.tracking_angle, settings.tracking_scattering * 1e3 / p)


def smear_direction(direction: Floats, angle: Floats, rng: np.random.Generator) -> Floats:
    """Unit vectors (n, 3) with Gaussian errors (rad, n) of the two slopes."""
    slope = direction / direction[:, 2:]
    slope[:, :2] += angle[:, None] * rng.standard_normal((len(slope), 2))
    return np.asarray(slope / np.linalg.norm(slope, axis=1, keepdims=True))


def measure_segment(
    settings: RichSimulation,
    geometry: RichGeometry,
    true: Segment,
    p: Floats,
    scale: Floats,
    rng: np.random.Generator,
) -> Segment:
    """Segments with the tracking's errors of position and direction.

    Gaussian in x and y at the entry and in the two slopes. A mis-extrapolated line is off by much
    more.

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
    scale : float64 array (n,)
        By how much each track's errors are larger than usual.
    rng : Generator
        Source of random numbers.
    """
    if not settings.tracking:
        return true
    n = len(p)
    wrong = rng.random(n) < settings.misextrapolated
    angle = np.hypot(scale * usual_angle(settings, p), WRONG_ANGLE * wrong)
    position = np.hypot(scale * settings.tracking_position, WRONG_POSITION * wrong)
    entry = true.entry.copy()
    entry[:, :2] += position[:, None] * rng.standard_normal((n, 2))
    direction = smear_direction(true.direction, angle, rng)
    return Segment(entry, direction, to_sphere(geometry, entry, direction))
