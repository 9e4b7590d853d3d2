"""Shards of simulated samples, whatever the detector: shares, seeds, names of events, files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from hepcnn.config import LArTPCSimulation, RichSimulation
from hepcnn.errors import InputError
from hepcnn.events.chunk import EVENT_KEY, EventChunk
from hepcnn.events.writing import write_events
from hepcnn.progress import Advance, progress

#: Run number of all simulated events; the subrun is the shard.
RUN = 1
Simulation = TypeVar("Simulation", RichSimulation, LArTPCSimulation)


def shard_settings(name: str, settings: Simulation | None, shard: int) -> Simulation:
    """The settings of a sample that is simulated and has such a shard.

    Raises
    ------
    InputError
        If it is not, or has not.
    """
    if settings is None:
        raise InputError(f"sample '{name}' has files and is not simulated")
    if not 0 <= shard < settings.shards:
        raise InputError(f"sample '{name}' has shards 0 to {settings.shards - 1}, no {shard}")
    return settings


def shard_events(settings: RichSimulation | LArTPCSimulation, shard: int) -> int:
    """Events in one shard: the sample's, divided as evenly as can be."""
    whole, rest = divmod(settings.events, settings.shards)
    return whole + (shard < rest)


def shard_generator(seed: int, name: str, shard: int) -> np.random.Generator:
    """The random numbers of one shard: independent of those of all other shards and samples."""
    entropy = [seed, shard, *name.encode()]
    return np.random.default_rng(np.random.SeedSequence(entropy))


def event_keys(events: int, subrun: int, first: int) -> NDArray[np.void]:
    """Names of so many simulated events of a subrun, numbered from `first`."""
    key = np.zeros(events, EVENT_KEY)
    key["run"], key["subrun"], key["event"] = RUN, subrun, first + np.arange(events)
    return key


def write_shard(
    output: str | Path, chunks: Iterable[EventChunk], events: int, provenance: Mapping[str, Any]
) -> None:
    """Write chunks to a ROOT file, with progress out of the number of events."""
    with progress(f"simulate {Path(output).name}", events) as advance:
        write_events(output, _counted(chunks, advance), provenance)


def _counted(chunks: Iterable[EventChunk], advance: Advance) -> Iterator[EventChunk]:
    """Pass chunks on and report each when it has been used."""
    for chunk in chunks:
        yield chunk
        advance(len(chunk))
