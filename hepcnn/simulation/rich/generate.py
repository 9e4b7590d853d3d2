"""Simulated RICH events: chunks in memory, and shards of a sample as ROOT files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hepcnn.config import RichSample, RichSimulation
from hepcnn.detector.geometry import RichGeometry, load_geometry
from hepcnn.events.schema import RICHES, RichEvents
from hepcnn.provenance import record
from hepcnn.simulation.rich.background import sample_unreconstructed
from hepcnn.simulation.rich.detect import Hits, detect
from hepcnn.simulation.rich.measure import measure_momentum, measure_segment
from hepcnn.simulation.rich.tracks import (
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


def sample_multiplicity(
    settings: RichSimulation, events: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Numbers of reconstructed and of unreconstructed particles of each event.

    Poisson about the settings' means times a common gamma-distributed activity of the event with
    mean 1 and RMS `tracks_spread`: several collisions, each with its own multiplicity.
    """
    activity = np.ones(events)
    if settings.tracks_spread > 0:
        shape = settings.tracks_spread**-2
        activity = rng.gamma(shape, 1 / shape, events)
    mean = settings.tracks * activity
    return rng.poisson(mean), rng.poisson(settings.unreconstructed * mean)


def sample_tracks(
    settings: RichSimulation, event: NDArray[np.int64], rng: np.random.Generator
) -> Particles:
    """The particles that are reconstructed as tracks, from the interaction region."""
    n = len(event)
    p = sample_momentum(settings, n, rng)
    return Particles(
        event,
        sample_species(settings, n, rng),
        sample_charge(n, rng),
        p,
        sample_origin(n, rng),
        sample_directions(p, rng),
    )


def _offsets(event: NDArray[np.int64], events: int) -> NDArray[np.int64]:
    """Where each event's rows begin and end."""
    return np.concatenate([[0], np.bincount(event, minlength=events).cumsum()]).astype(np.int64)


def _by_event(particles: Particles) -> Particles:
    """The particles in the order of their events, those of one event as they were."""
    order = np.argsort(particles.event, kind="stable")
    return Particles(*(getattr(particles, field.name)[order] for field in fields(particles)))


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
    listed, unlisted = sample_multiplicity(settings, events, rng)
    tracks = sample_tracks(settings, np.repeat(np.arange(events), listed), rng)
    if given is not None:
        tracks = _by_event(given.joined(tracks))
    others = sample_unreconstructed(np.repeat(np.arange(events), unlisted), rng)
    particles = tracks.joined(others)
    offsets = _offsets(tracks.event, events)
    truth = np.full(len(particles), -1)
    truth[: len(tracks)] = np.arange(len(tracks)) - offsets[tracks.event]

    columns: dict[str, np.ndarray] = {
        "p": measure_momentum(settings, tracks.p, rng).astype(np.float32),
        "charge": tracks.charge,
        "pdg": tracks.pdg,
    }
    hits = {}
    for name, segment in segments(geometry, particles).items():
        hits[name] = detect(settings, geometry[name], particles, segment, truth, events, rng)
        measured = measure_segment(
            settings, geometry[name], segment.first(len(tracks)), tracks.p, rng
        )
        for part in ("entry", "direction", "exit"):
            columns[f"{name}_{part}"] = getattr(measured, part).astype(np.float32)
    key = event_keys(events, subrun, first)
    return RichEvents(key, offsets, columns, *_join_riches(hits, events))


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
