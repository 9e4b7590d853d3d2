"""What lights pixels besides the listed tracks: particles that were not reconstructed, dark hits.

How much of it there is are settings (`unreconstructed`, `dark_hits`); its composition stands here,
rounded, not taken from one source.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hepcnn.config import RichSimulation
from hepcnn.detector.geometry import RichGeometry
from hepcnn.detector.particles import SPECIES
from hepcnn.detector.pixels import sensitive_fraction
from hepcnn.simulation.rich.tracks import (
    Particles,
    lognormal_within,
    move,
    sample_charge,
    sample_directions,
    sample_origin,
)

Floats = NDArray[np.float64]

#: Abundances: electrons of photon conversions, then hadrons of secondary interactions and decays.
MIXTURE = {"electron": 0.5, "muon": 0.03, "pion": 0.37, "kaon": 0.04, "proton": 0.06}
#: Momentum: median (MeV), width of ln p and range (MeV); softer than the reconstructed tracks.
MOMENTUM_MEDIAN = 2000.0
MOMENTUM_WIDTH = 1.0
MOMENTUM_RANGE = (50.0, 50000.0)
#: A parent has so many times the momentum, which sets how forward it is.
PARENT_MOMENTUM = 5.0
#: Where they are made (mm along z): vertex detector to RICH1, tracker to the stations; and the
#: fraction made in the first.
UPSTREAM = (0.0, 2000.0)
DOWNSTREAM = (2300.0, 9400.0)
UPSTREAM_FRACTION = 0.7
#: Transverse momentum about the parent's direction, each projection (MeV): of electrons the
#: opening of the pair and multiple scattering in 5 % of a radiation length.
ELECTRON_PT = 3.0
HADRON_PT = 200.0


def sample_unreconstructed(
    settings: RichSimulation, event: NDArray[np.int64], rng: np.random.Generator
) -> Particles:
    """Particles that radiate but are not in the list of tracks.

    They start where a parent, which comes from the interaction region, meets material; the two
    electrons of a conversion start at one point along the same photon.

    Parameters
    ----------
    settings : RichSimulation
        Whether electrons come in pairs.
    event : int64 array (n,)
        The event of each, rising.
    rng : Generator
        Source of random numbers.
    """
    n = len(event)
    weights = np.array([MIXTURE.get(name, 0.0) for name in SPECIES])
    species = rng.choice(len(SPECIES), size=n, p=weights / weights.sum())
    p = lognormal_within(MOMENTUM_MEDIAN, MOMENTUM_WIDTH, MOMENTUM_RANGE, rng.random(n))
    charge = sample_charge(n, rng)
    parent = sample_directions(PARENT_MOMENTUM * p, rng)
    upstream = rng.random(n) < UPSTREAM_FRACTION
    z = np.where(upstream, rng.uniform(*UPSTREAM, n), rng.uniform(*DOWNSTREAM, n))
    origin = move(sample_origin(n, rng), parent, z)
    electron = species == SPECIES.index("electron")
    if settings.conversions:
        first, second = pairs(event, electron)
        parent[second], origin[second] = parent[first], origin[first]
        charge[second] = -charge[first]
    pt = np.where(electron, ELECTRON_PT, HADRON_PT)
    direction = parent.copy()
    direction[:, :2] += rng.normal(0.0, 1.0, (n, 2)) * (pt / p)[:, None]
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    return Particles.endless(event, species, charge, p, origin, direction)


def pairs(
    event: NDArray[np.int64], electron: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pair the electrons of each event, in their order; of an odd number one is left alone.

    Parameters
    ----------
    event : int64 array (n,)
        The event of each particle, rising.
    electron : bool array (n,)
        Which are electrons.

    Returns
    -------
    first, second : int64 array (m,)
        Indices of the two of each pair.
    """
    (row,) = electron.nonzero()
    number = np.arange(len(row)) - np.searchsorted(event[row], event[row])
    odd = number % 2 == 1
    return row[np.flatnonzero(odd) - 1], row[odd]


def sample_dark_hits(
    geometry: RichGeometry, mean: float, events: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int8], Floats, Floats]:
    """Random hits, uniform over the sensitive area of both panels.

    Parameters
    ----------
    geometry : RichGeometry
        The RICH.
    mean : float
        Mean number of hits an event.
    events : int
        Events in the chunk.
    rng : Generator
        Source of random numbers.

    Returns
    -------
    event, panel, u, v : arrays (n,)
        Points on the panels (mm); some are on insensitive area, so that `mean` of an event's
        are not.
    """
    counts = rng.poisson(mean / sensitive_fraction(geometry), events)
    n = int(counts.sum())
    half_u, half_v = geometry.photon_plane.half_size
    return (
        np.repeat(np.arange(events), counts),
        rng.integers(0, 2, n, dtype=np.int8),
        rng.uniform(-half_u, half_u, n),
        rng.uniform(-half_v, half_v, n),
    )
