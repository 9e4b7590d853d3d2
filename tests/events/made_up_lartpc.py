"""Made-up events of a liquid-argon TPC, for the tests of reading."""

from __future__ import annotations

import numpy as np

from hepcnn.events.chunk import EVENT_KEY
from hepcnn.events.lartpc_schema import LArTPCEvents


def _offsets(counts: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(counts)]).astype("i8")


def _index(rng: np.random.Generator, n: np.ndarray, particles: np.ndarray) -> np.ndarray:
    """For each of `n` rows an event the index of one of its particles, or -1."""
    most = np.repeat(particles, n)
    return (rng.integers(0, 1000, len(most)) % (most + 1) - 1).astype("i4")


def _parents(counts: np.ndarray) -> np.ndarray:
    """Each particle's parent is the one before it in the event, the first one's none."""
    return np.concatenate([np.arange(-1, n - 1) for n in counts] or [[]]).astype("i4")


def make_lartpc(n: int = 20, hits: float = 30, particles: float = 3, seed: int = 1) -> LArTPCEvents:
    """Random events with all truth; some without hits, particles or a vertex."""
    rng = np.random.default_rng(seed)
    key = np.zeros(n, EVENT_KEY)
    key["run"], key["subrun"], key["event"] = 7, 2, 2**40 + rng.permutation(n)
    n_hits, n_particles = rng.poisson(hits, n), rng.poisson(particles, n)
    n_deposits = rng.poisson(5, n)
    n_hits[-1] = n_particles[0] = n_deposits[0] = 0
    h, p, d = n_hits.sum(), n_particles.sum(), n_deposits.sum()
    vertex = rng.uniform(0, 250, (n, 3)).astype("f4")
    wires = rng.uniform(0, 2400, (n, 3)).astype("f4")
    tick = rng.uniform(0, 9600, n).astype("f4")
    vertex[1], wires[1], tick[1] = np.nan, np.nan, np.nan
    events = LArTPCEvents(
        key=key,
        truth={
            "neutrino_pdg": rng.choice([0, 12, 14, -14], n).astype("i4"),
            "charged_current": rng.integers(0, 2, n).astype("i1"),
            "neutrino_energy": rng.uniform(500, 5000, n).astype("f4"),
            "vertex": vertex,
            "vertex_wire": wires,
            "vertex_tick": tick,
        },
        hit_offsets=_offsets(n_hits),
        hits={
            "plane": rng.integers(0, 3, h).astype("i1"),
            "wire": rng.integers(0, 2400, h).astype("i4"),
            "time": rng.uniform(0, 9600, h).astype("f4"),
            "charge": rng.lognormal(5, 1, h).astype("f4"),
            "rms": rng.uniform(0, 5, h).astype("f4"),
            "particle": _index(rng, n_hits, n_particles),
        },
        particle_offsets=_offsets(n_particles),
        particles={
            "pdg": rng.choice([11, -13, 22, 211, 2212], p).astype("i4"),
            "parent": _parents(n_particles),
            "process": rng.integers(0, 5, p).astype("i1"),
            "origin": rng.integers(0, 2, p).astype("i1"),
            "energy": rng.uniform(1, 1000, p).astype("f4"),
            "start": rng.uniform(0, 250, (p, 3)).astype("f4"),
            "end": rng.uniform(0, 250, (p, 3)).astype("f4"),
        },
        deposit_offsets=_offsets(n_deposits),
        deposits={
            "position": rng.uniform(0, 250, (d, 3)).astype("f4"),
            "energy": rng.exponential(1, d).astype("f4"),
            "particle": _index(rng, n_deposits, n_particles),
        },
    )
    events.validate()
    return events
