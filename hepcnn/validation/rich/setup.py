"""What the RICH checks are made of: settings, geometry, published bands, and photons with truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hepcnn.config import RichSimulation
from hepcnn.detector.geometry import RichGeometry
from hepcnn.detector.optics import plane_coordinates, project_tracks
from hepcnn.detector.particles import MASSES, species_of
from hepcnn.detector.radiator import beta, detected_spectrum
from hepcnn.events.schema import RICHES, RichEvents
from hepcnn.reconstruction.expected import angle_and_yield
from hepcnn.reconstruction.photons import photon_angles
from hepcnn.simulation.rich.generate import simulate_chunk

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Band = tuple[float, float]

#: The terms of the resolution, each a switch of the simulation.
TERMS = ("emission", "chromatic", "pixel", "tracking")
#: All that happens to particles and tracks of which the reconstruction does not know, off.
IDEAL = {
    "decays": False,
    "interactions": False,
    "ghosts": 0,
    "tracking_tails": 0,
    "misextrapolated": 0,
    "misalignment": 0,
}
#: Few tracks and no background: rings that can be told apart.
QUIET = {"tracks": 10, "tracks_spread": 0, "unreconstructed": 0, "dark_hits": 0} | IDEAL
#: Saturated rings: electrons, all at β = 1, with the tracking errors of fast particles.
SATURATED = {"mixture": {"electron": 1}, "spectrum": "flat", "momentum_range": (20e3, 60e3)}
#: Residuals beyond this (rad) are of another photon in the same pixel.
OUTLIER = 8e-3
#: Radii of saturated rings, rounded up: rings so far from a panel's edge are whole (mm).
MARGIN = {"rich1": 100.0, "rich2": 140.0}
TITLES = {"rich1": "RICH1", "rich2": "RICH2"}


@dataclass(frozen=True)
class RichBands:
    """Where one RICH's quantities must lie.

    Attributes
    ----------
    sigma : mapping
        By term, and ``total``: standard deviation of a photon's angle (mrad).
    photoelectrons : float
        Published mean number of a saturated ring; ±10 % pass.
    spread : tuple of float
        Variance over mean of the photons of a saturated ring.
    radius : tuple of float
        Mean radius of a saturated ring (mm).
    hits : tuple of float
        Hits an event.
    separation : mapping
        By momentum (GeV): K–π separation in σ by photon statistics alone, where it is known.
    """

    sigma: Mapping[str, Band]
    photoelectrons: float
    spread: Band
    radius: Band
    hits: Band
    separation: Mapping[float, float]


@dataclass(frozen=True)
class Bands:
    """Where a detector's quantities must lie.

    Attributes
    ----------
    riches : mapping
        By RICH.
    tracks : float
        Long tracks an event for which occupancy and hits are published.
    peak : tuple of float
        Occupancy of the busiest tubes of RICH1 (fraction of the pixels).
    kaons : mapping
        K→K and π→K of the cuts of `identification.CUTS`, where they are known.
    """

    riches: Mapping[str, RichBands]
    tracks: float
    peak: Band
    kaons: Mapping[str, tuple[Band, Band]]


@dataclass(frozen=True)
class Setup:
    """What is validated.

    Attributes
    ----------
    settings : RichSimulation
        The sample's; checks override what they need otherwise.
    geometry : mapping
        By RICH, of `load_geometry`.
    bands : Bands
        The detector's.
    statistics : float
        Events, relative to those that the bands are made for.
    """

    settings: RichSimulation
    geometry: Mapping[str, RichGeometry]
    bands: Bands
    statistics: float = 1.0

    def simulate(self, rng: np.random.Generator, events: int, **changes: object) -> RichEvents:
        """Simulate events of the sample with some settings changed."""
        settings = RichSimulation.model_validate(self.settings.model_dump() | changes)
        count = max(1, round(self.statistics * events))
        return simulate_chunk(settings, self.geometry, rng, count)


@dataclass(frozen=True)
class Photons:
    """The hits in one RICH that tracks made, each seen from its own track.

    Attributes
    ----------
    track : int64 array (n,)
        Index of the track among all of the events.
    theta, phi : float64 array (n,)
        Reconstructed Cherenkov angle and azimuth (rad).
    radius : float64 array (n,)
        Distance from the track's projection on the photon plane (mm); NaN on another panel.
    """

    track: NDArray[np.int64]
    theta: Floats
    phi: Floats
    radius: Floats


def segment(events: RichEvents, rich: str) -> tuple[Floats, Floats, Floats]:
    """Entry, direction and exit (n, 3) of all tracks in a RICH."""
    entry, direction, exit = (
        events.tracks[f"{rich}_{part}"].astype(np.float64)
        for part in ("entry", "direction", "exit")
    )
    return entry, direction, exit


def path(events: RichEvents, rich: str) -> Floats:
    """Lengths (n,) of the tracks' segments in a RICH (mm); NaN: not in it."""
    entry, _, exit = segment(events, rich)
    return np.asarray(np.linalg.norm(exit - entry, axis=1))


def own_photons(events: RichEvents, rich: str, geometry: RichGeometry) -> Photons:
    """Reconstruct the hits of listed tracks with the truth of which track made which."""
    event = np.repeat(np.arange(len(events)), np.diff(events.hit_offsets))
    own = (events.hits["rich"] == RICHES.index(rich) + 1) & (events.hits["track"] >= 0)
    track = (events.track_offsets[event] + events.hits["track"])[own]
    position, panel = events.hits["position"][own], events.hits["panel"][own]
    entry, direction, exit = segment(events, rich)
    theta, phi = photon_angles(
        geometry, (entry + exit)[track] / 2, direction[track], position, panel
    )
    projected, centre, _ = project_tracks(geometry, entry, direction, exit)
    radius = np.linalg.norm(position - centre[track], axis=1)
    radius[projected[track] != panel] = np.nan
    seen = np.isfinite(theta)
    return Photons(track[seen], theta[seen], phi[seen], radius[seen])


def velocity(events: RichEvents) -> Floats:
    """Velocities (n,) of the tracks' true species at their measured momenta."""
    return beta(events.tracks["p"], MASSES[species_of(events.tracks["pdg"])])


def expected(events: RichEvents, geometry: RichGeometry) -> tuple[Floats, Floats]:
    """Mean angle (rad) and detected photons a mm, each (n,), of the tracks' true species.

    NaN and 0 where there is no light.
    """
    spectrum = detected_spectrum(geometry)
    angle, per_mm = angle_and_yield(spectrum, velocity(events) ** -2 - 1)
    return np.where(angle > 0, angle, np.nan), per_mm


def contained(events: RichEvents, rich: str, geometry: RichGeometry, margin: float) -> Flags:
    """Which tracks cross a RICH with all of their ring on one panel.

    Parameters
    ----------
    events, rich, geometry
        The tracks and the RICH.
    margin : float
        Radius of the ring on the panel (mm).
    """
    entry, direction, exit = segment(events, rich)
    panel, centre, _ = project_tracks(geometry, entry, direction, exit)
    on = panel >= 0
    plane = plane_coordinates(geometry, centre[on], panel[on])
    on[on] = (np.abs(plane) < np.array(geometry.photon_plane.half_size) - margin).all(axis=1)
    # Light that meets the other half's mirror goes to the other panel.
    reach = margin / geometry.spherical_mirror.radius * 2 * path(events, rich)
    return on & (np.abs(exit[:, geometry.split]) > reach)


def chosen(events: RichEvents, keep: Flags) -> RichEvents:
    """Some of the events, by flags (n_events,)."""

    def part(offsets: NDArray[np.int64]) -> tuple[NDArray[np.int64], Flags]:
        number = np.diff(offsets)
        kept = np.concatenate([[0], number[keep].cumsum()]).astype(np.int64)
        return kept, np.repeat(keep, number)

    track_offsets, tracks = part(events.track_offsets)
    hit_offsets, hits = part(events.hit_offsets)
    return RichEvents(
        events.key[keep],
        track_offsets,
        {name: column[tracks] for name, column in events.tracks.items()},
        hit_offsets,
        {name: column[hits] for name, column in events.hits.items()},
    )
