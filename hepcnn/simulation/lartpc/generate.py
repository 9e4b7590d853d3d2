"""Simulated events of a liquid-argon TPC: chunks in memory, shards of a sample as ROOT files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hepcnn.config import LArTPCSample, LArTPCSimulation
from hepcnn.detector.tpc import CM, TPC, load_tpc
from hepcnn.events.lartpc_schema import LArTPCEvents
from hepcnn.provenance import record
from hepcnn.simulation.lartpc.generators import generate
from hepcnn.simulation.lartpc.records import Deposits, GeneratedEvent, Particles
from hepcnn.simulation.lartpc.response import Hits, respond
from hepcnn.simulation.lartpc.transport import Transport
from hepcnn.simulation.shards import (
    event_keys,
    shard_events,
    shard_generator,
    shard_settings,
    write_shard,
)

#: Events of a chunk: some 10 MB, with cosmic rays over them.
CHUNK = 50
#: Side of the cells (mm) in which a particle's deposits are written as one.
CELL = 3.0


@dataclass(frozen=True)
class Cells:
    """Energy deposits as they are written.

    Attributes
    ----------
    position : float64 array (c, 3)
        Mean positions, by energy (mm).
    energy : float64 array (c,)
        Sums.
    particle : int32 array (c,)
        Whose.
    """

    position: NDArray[np.float64]
    energy: NDArray[np.float64]
    particle: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.energy)


@dataclass(frozen=True)
class SimulatedEvent:
    """All that is known of one event; the deposits are as transport left them."""

    generated: GeneratedEvent
    particles: Particles
    deposits: Deposits
    hits: Hits


class Simulator:
    """Makes events, one at a time.

    Parameters
    ----------
    settings : LArTPCSimulation
        What is simulated.
    tpc : TPC
        The geometry.
    rng : Generator
        Source of all random numbers.

    Raises
    ------
    InputError
        If the geometry has more than two drift volumes.
    """

    def __init__(self, settings: LArTPCSimulation, tpc: TPC, rng: np.random.Generator) -> None:
        self._settings, self._tpc, self._rng = settings, tpc, rng
        self._volume = tpc.bounds
        self._transport = Transport(settings, self._volume)
        self._response = respond(settings, tpc, rng)

    def __call__(self) -> SimulatedEvent:
        """Make the next event."""
        window, drift = self._tpc.readout_window, self._tpc.longest_drift
        generated = generate(self._settings, self._volume, self._rng, window, drift)
        particles, deposits = self._transport(generated.primaries, self._rng)
        hits = self._response.hits(deposits, len(particles), self._rng)
        return SimulatedEvent(generated, particles, deposits, hits)


def merge(deposits: Deposits) -> Cells:
    """Add up each particle's deposits in cells of `CELL`."""
    cell = np.floor(deposits.position / CELL).astype(np.int64)
    cell -= cell.min(axis=0, initial=0)
    size = cell.max(axis=0, initial=0) + 1
    code = deposits.particle.astype(np.int64)
    for axis in range(3):
        code = code * size[axis] + cell[:, axis]
    # A step can leave nothing, when fluctuations take all of its energy.
    code, weight = code[deposits.energy > 0], deposits.energy[deposits.energy > 0]
    position = deposits.position[deposits.energy > 0]
    found, group = np.unique(code, return_inverse=True)
    energy = np.bincount(group, weight, len(found)).astype(np.float64)
    sums = [np.bincount(group, weight * axis, len(found)) for axis in position.T]
    mean = np.column_stack(sums) / energy[:, None]
    return Cells(mean, energy, (found // size.prod()).astype(np.int32))


def _offsets(parts: Sequence[Hits | Particles | Cells]) -> NDArray[np.int64]:
    """Where each event's rows begin and end."""
    return np.cumsum([0, *(len(part) for part in parts)], dtype=np.int64)


def _columns(parts: Sequence[Hits | Particles | Cells], *names: str) -> dict[str, np.ndarray]:
    """Columns of all events' rows: floats in single precision, lengths in cm."""
    columns = {}
    for name in names:
        column = np.concatenate([getattr(part, name) for part in parts])
        if column.dtype == np.float64:
            column = (column / CM if column.ndim == 2 else column).astype(np.float32)
        columns[name] = column
    return columns


def _truth(
    settings: LArTPCSimulation, tpc: TPC, generated: Sequence[GeneratedEvent]
) -> dict[str, np.ndarray]:
    """Columns of the events: the vertex, and the neutrino where the generator can make one."""
    vertex = np.array([event.vertex for event in generated])
    tick, wire = tpc.seen(vertex)
    truth: dict[str, np.ndarray] = {
        "vertex": vertex / CM,
        "vertex_wire": wire,
        "vertex_tick": tick,
    }
    if settings.generator == "interactions":
        pdg = np.array([event.neutrino_pdg for event in generated], np.int32)
        energy = np.array([event.neutrino_energy for event in generated])
        truth |= {
            "neutrino_pdg": pdg,
            "charged_current": np.array([event.charged_current for event in generated], np.int8),
            "neutrino_energy": np.where(pdg != 0, energy, np.nan),
        }
    return {
        name: column.astype(np.float32) if column.dtype == np.float64 else column
        for name, column in truth.items()
    }


def simulate(
    settings: LArTPCSimulation,
    tpc: TPC,
    rng: np.random.Generator,
    events: int,
    subrun: int = 0,
    chunk: int = CHUNK,
) -> Iterator[LArTPCEvents]:
    """Simulate events in chunks, so that memory does not grow with their number.

    Parameters
    ----------
    settings : LArTPCSimulation
        What is simulated.
    tpc : TPC
        The geometry.
    rng : Generator
        Source of all random numbers.
    events, subrun : int
        How many, and their subrun number.
    chunk : int
        Events of a chunk.

    Raises
    ------
    InputError
        If the geometry has more than two drift volumes.
    """
    simulator = Simulator(settings, tpc, rng)
    for first in range(0, events, chunk):
        generated, particles, hits, deposits = [], [], [], []
        for _ in range(min(chunk, events - first)):
            event = simulator()
            generated.append(event.generated)
            particles.append(event.particles)
            hits.append(event.hits)
            # The steps themselves, which are many more, are not kept.
            deposits += [merge(event.deposits)] if settings.deposits else []
        yield LArTPCEvents(
            event_keys(len(generated), subrun, first),
            _truth(settings, tpc, generated),
            _offsets(hits),
            _columns(hits, "plane", "wire", "time", "charge", "rms", "particle"),
            _offsets(particles),
            _columns(particles, "pdg", "parent", "process", "origin", "energy", "start", "end"),
            _offsets(deposits) if deposits else np.zeros(len(generated) + 1, np.int64),
            _columns(deposits, "position", "energy", "particle") if deposits else {},
        )


def write_sample_shard(
    name: str,
    sample: LArTPCSample,
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
    sample : LArTPCSample
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
        If the sample is not simulated, has no such shard, or its geometry has more than two drift
        volumes.
    """
    settings = shard_settings(name, sample.simulate, shard)
    tpc = load_tpc(sample.geometry)
    count = shard_events(settings, shard) if events is None else events
    chunks = simulate(settings, tpc, shard_generator(seed, name, shard), count, subrun=shard)
    made_of = {
        "sample": name,
        "shard": shard,
        "events": count,
        "simulate": settings.model_dump(mode="json"),
        "geometry": tpc.model_dump(mode="json"),
    }
    write_shard(output, chunks, count, record("simulate lartpc", made_of, code=__name__, seed=seed))
