"""Simulated RICH events: chunks in memory, and shards of a sample as ROOT files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hepcnn.config import RichSample, RichSimulation
from hepcnn.detector.geometry import RichGeometry, load_geometry
from hepcnn.events.schema import RICHES, RichEvents
from hepcnn.provenance import record
from hepcnn.simulation.rich.background import sample_unreconstructed
from hepcnn.simulation.rich.detect import Hits, detect
from hepcnn.simulation.rich.fates import Fates, sample_fates
from hepcnn.simulation.rich.measure import (
    SEEN,
    measure_momentum,
    measure_segment,
    sample_ghosts,
    sample_scale,
)
from hepcnn.simulation.rich.tracks import (
    MAGNET_Z,
    Particles,
    sample_charge,
    sample_directions,
    sample_momentum,
    sample_origin,
    sample_species,
    segments,
)
from hepcnn.simulation.shards import (
    event_keys,
    shard_events,
    shard_generator,
    shard_settings,
    write_shard,
)

#: Events made at a time: few enough for the photons to stay in a core's cache.
CHUNK = 20
#: Times that a particle is drawn again at once: few are left after that.
TRIES = 3


def sample_multiplicity(
    settings: RichSimulation, events: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Numbers of reconstructed and of unreconstructed particles and of ghosts of each event.

    Poisson about the settings' means times a common gamma-distributed activity of the event with
    mean 1 and RMS `tracks_spread`: several collisions, each with its own multiplicity.
    """
    activity = np.ones(events)
    if settings.tracks_spread > 0:
        shape = settings.tracks_spread**-2
        activity = rng.gamma(shape, 1 / shape, events)
    mean = settings.tracks * activity
    return (
        rng.poisson(mean),
        rng.poisson(settings.unreconstructed * mean),
        rng.poisson(settings.ghosts * mean),
    )


def sample_tracks(
    settings: RichSimulation, event: NDArray[np.int64], rng: np.random.Generator
) -> tuple[Fates, Fates]:
    """The particles that are reconstructed as tracks, from the interaction region.

    Each is drawn again, with its species and momentum, until the tracking does not lose it. So
    those reconstructed have the settings' spectra and mixture, and those lost are as many as come
    with them.

    Parameters
    ----------
    settings : RichSimulation
        What is simulated.
    event : int64 array (n,)
        The event of each track.
    rng : Generator
        Source of random numbers.

    Returns
    -------
    tracks, lost : Fates
        The n particles that are reconstructed, in order, and all that are not.
    """
    species = sample_species(settings, len(event), rng)
    p = sample_momentum(settings, species, rng)

    def propose(row: NDArray[np.int64]) -> Particles:
        return Particles.endless(
            event=event[row],
            species=species[row],
            charge=sample_charge(len(row), rng),
            p=p[row],
            origin=sample_origin(len(row), rng),
            direction=sample_directions(p[row], rng),
        )

    return _tracked(settings, len(event), propose, rng)


def track_given(settings: RichSimulation, given: Particles, rng: np.random.Generator) -> Fates:
    """Given particles as tracks: of each, a fate in which the tracking does not lose it.

    Those in which it does are left out: they would be the same particle once more.
    """
    return _tracked(settings, len(given), given.take, rng)[0]


def _tracked(
    settings: RichSimulation,
    n: int,
    propose: Callable[[NDArray[np.int64]], Particles],
    rng: np.random.Generator,
) -> tuple[Fates, Fates]:
    """n particles that are reconstructed, in order, and all that are not: each is proposed, by its
    row, until it is."""
    left = np.arange(n)
    rows: list[NDArray[np.int64]] = []
    kept: list[Fates] = []
    lost: list[Fates] = []
    while len(left) or not kept:
        tries = TRIES if kept else 1
        row = np.repeat(left, tries)
        fates = sample_fates(settings, propose(row), rng)
        long = fates.long.reshape(-1, tries)
        earlier: NDArray[np.int64] = np.cumsum(long, axis=1) - long
        tried = (earlier == 0).ravel()  # up to the first that is kept
        rows.append(row[tried & fates.long])
        kept.append(fates.take(tried & fates.long))
        lost.append(fates.take(tried & ~fates.long))
        left = left[~long.any(axis=1)]
    tracks = Fates.joined(kept).ordered(np.argsort(np.concatenate(rows)))
    return tracks, Fates.joined(lost)


def _offsets(event: NDArray[np.int64], events: int) -> NDArray[np.int64]:
    """Where each event's rows begin and end."""
    return np.concatenate([[0], np.bincount(event, minlength=events).cumsum()]).astype(np.int64)


def _by_event(tracks: Fates) -> Fates:
    """The particles in the order of their events, those of one event as they were."""
    return tracks.ordered(np.argsort(tracks.particles.event, kind="stable"))


def _join_riches(
    hits: Mapping[str, Hits], events: int
) -> tuple[NDArray[np.int64], dict[str, np.ndarray]]:
    """Hits of both RICHes as columns of `RichEvents`, by event and then by RICH."""
    event = np.concatenate([h.event for h in hits.values()])
    order = np.argsort(event, kind="stable")
    number = [np.full(len(h.event), RICHES.index(name) + 1, np.int8) for name, h in hits.items()]
    columns: dict[str, np.ndarray] = {
        "position": np.concatenate([h.position for h in hits.values()]).astype(np.float32),
        "rich": np.concatenate(number),
        "panel": np.concatenate([h.panel for h in hits.values()]),
        "track": np.concatenate([h.track for h in hits.values()]).astype(np.int32),
    }
    return _offsets(event, events), {name: column[order] for name, column in columns.items()}


def simulate_chunk(
    settings: RichSimulation,
    geometry: Mapping[str, RichGeometry],
    rng: np.random.Generator,
    events: int,
    subrun: int = 0,
    first: int = 0,
    given: Particles | None = None,
) -> RichEvents:
    """Simulate one chunk of events.

    Parameters
    ----------
    settings : RichSimulation
        What is simulated.
    geometry : mapping
        By RICH, of `load_geometry`.
    rng : Generator
        Source of all random numbers.
    events : int
        How many.
    subrun, first : int
        Subrun number, and number of the first event.
    given : Particles, optional
        More tracks, by event and in the order in which they come first among its tracks.
    """
    count, unlisted, unreal = sample_multiplicity(settings, events, rng)
    event = np.arange(events)
    tracks, lost = sample_tracks(settings, np.repeat(event, count), rng)
    if given is not None:
        tracks = _by_event(Fates.joined([track_given(settings, given, rng), tracks]))
    ghosts = sample_ghosts(settings, np.repeat(event, unreal), rng)
    others = sample_unreconstructed(settings, np.repeat(event, unlisted), rng)
    particles = Particles.joined(
        [tracks.particles, tracks.daughters, ghosts, lost.particles, lost.daughters, others]
    )
    tracked = len(tracks.particles) + len(tracks.mother)
    ghost = np.arange(tracked, tracked + len(ghosts))
    # An event's ghosts come after its particles, so that these keep their index in the event.
    listed = np.concatenate([tracks.particles.event, ghosts.event])
    order = np.argsort(listed, kind="stable")

    def followed(z: float) -> NDArray[np.int64]:
        """The particle that the tracking follows at z, for each track in the list."""
        return np.concatenate([tracks.at(z), ghost])[order]

    at_vertex = followed(-np.inf)
    p = particles.p[followed(MAGNET_Z)]
    columns: dict[str, np.ndarray] = {
        "p": measure_momentum(settings, p, rng).astype(np.float32),
        "charge": particles.charge[at_vertex],
        "pdg": np.where(np.isin(at_vertex, ghost), np.int32(0), particles.pdg[at_vertex]),
    }
    truth = np.full(len(particles), -1)
    truth[:tracked] = tracks.index_in_event()
    scale = sample_scale(settings, len(p), rng)
    hits = {}
    for name, line in segments(geometry, particles).items():
        radiating = line.until(particles.end)
        hits[name] = detect(settings, geometry[name], particles, radiating, truth, events, rng)
        seen = line.take(followed(SEEN[name]))
        measured = measure_segment(settings, geometry[name], seen, p, scale, rng)
        for part in ("entry", "direction", "exit"):
            columns[f"{name}_{part}"] = getattr(measured, part).astype(np.float32)
    key = event_keys(events, subrun, first)
    return RichEvents(key, _offsets(listed, events), columns, *_join_riches(hits, events))


def simulate(
    settings: RichSimulation,
    geometry: Mapping[str, RichGeometry],
    rng: np.random.Generator,
    events: int,
    subrun: int = 0,
) -> Iterator[RichEvents]:
    """Simulate events in chunks, so that memory does not grow with their number.

    Parameters are those of `simulate_chunk`.
    """
    for first in range(0, events, CHUNK):
        yield simulate_chunk(
            settings, geometry, rng, min(CHUNK, events - first), subrun=subrun, first=first
        )


def write_sample_shard(
    name: str,
    sample: RichSample,
    seed: int,
    shard: int,
    output: str | Path,
    events: int | None = None,
) -> None:
    """Simulate one shard of a sample into a ROOT file in the native layout.

    Parameters
    ----------
    name : str
        Name of the sample; it counts among the seeds.
    sample : RichSample
        The sample.
    seed : int
        Seed of the configuration.
    shard : int
        Which shard, from 0; it is the subrun.
    output : str or Path
        The ROOT file.
    events : int, optional
        How many events; by default the shard's part of the sample's.

    Raises
    ------
    InputError
        If the sample is not simulated, or has no such shard.
    """
    settings = shard_settings(name, sample.simulate, shard)
    geometry = load_geometry(sample.geometry)
    count = shard_events(settings, shard) if events is None else events
    chunks = simulate(settings, geometry, shard_generator(seed, name, shard), count, subrun=shard)
    made_of = {
        "sample": name,
        "shard": shard,
        "events": count,
        "simulate": settings.model_dump(mode="json"),
        "geometry": {rich: part.model_dump(mode="json") for rich, part in geometry.items()},
    }
    write_shard(output, chunks, count, record("simulate rich", made_of, code=__name__, seed=seed))
