"""The hits that particles and noise leave in one RICH."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hepcnn.config import RichSimulation
from hepcnn.detector.geometry import RichGeometry
from hepcnn.detector.optics import from_plane
from hepcnn.detector.pixels import digitise, number_of_pixels
from hepcnn.detector.radiator import beta, detected_spectrum
from hepcnn.simulation.rich.background import sample_dark_hits
from hepcnn.simulation.rich.dead_tubes import on_dead_tube
from hepcnn.simulation.rich.photons import sample_photons
from hepcnn.simulation.rich.tracks import Floats, Particles, Segment


@dataclass(frozen=True)
class Hits:
    """Hits in one RICH.

    Attributes
    ----------
    event : int64 array (n,)
        Index of the event in the chunk, rising.
    panel : int8 array (n,)
        Half of the RICH.
    track : int64 array (n,)
        Truth: index of the track in its event, -1 for none.
    position : float64 array (n, 3)
        On the photon plane (mm, LHCb frame).
    """

    event: NDArray[np.int64]
    panel: NDArray[np.int8]
    track: NDArray[np.int64]
    position: Floats


def detect(
    settings: RichSimulation,
    geometry: RichGeometry,
    particles: Particles,
    segment: Segment,
    truth: NDArray[np.int64],
    events: int,
    rng: np.random.Generator,
) -> Hits:
    """The hits that particles and noise leave in one RICH, sorted by event and pixel.

    A pixel is on or off: several photons in one are one hit, whose truth is the first photon's
    in the order of `particles`. With pixels switched off, hits are at the photons' own points
    and none are joined; insensitive gaps and dead tubes stay.

    Parameters
    ----------
    settings, geometry
        What is simulated, and of which RICH.
    particles, segment
        All that radiates, and its segments in this RICH.
    truth : int64 array (n,)
        For each particle, what to write as the truth of its hits.
    events : int
        Events in the chunk.
    rng : Generator
        Source of random numbers.
    """
    photons = sample_photons(
        settings,
        geometry,
        detected_spectrum(geometry, settings.index_shift),
        segment,
        beta(particles.p, particles.mass),
        rng,
    )
    dark_event, dark_panel, dark_u, dark_v = sample_dark_hits(
        geometry, settings.dark_hits, events, rng
    )
    event = np.concatenate([particles.event[photons.track], dark_event])
    panel = np.concatenate([photons.panel, dark_panel])
    track = np.concatenate([truth[photons.track], np.full(len(dark_event), -1)])
    u = np.concatenate([photons.u, dark_u])
    v = np.concatenate([photons.v, dark_v])

    pixel, plane = digitise(geometry, u, v)
    (on,) = (pixel >= 0).nonzero()
    if settings.dead_tubes > 0:
        on = on[~on_dead_tube(geometry, settings.dead_tubes, panel[on], plane[on])]
    number = (2 * event + panel) * number_of_pixels(geometry) + pixel
    if settings.pixel:
        on = on[np.unique(number[on], return_index=True)[1]]
    else:
        plane = np.stack([u, v], axis=1)
        on = on[np.argsort(number[on], kind="stable")]
    return Hits(event[on], panel[on], track[on], from_plane(geometry, plane[on], panel[on]))
