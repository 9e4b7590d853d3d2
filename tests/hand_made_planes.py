"""Hand-made and random events of a liquid-argon TPC, for the tests of wire-plane images."""

from __future__ import annotations

import numpy as np

from hepcnn.detector.tpc import load_tpc
from hepcnn.events.chunk import EVENT_KEY
from hepcnn.events.lartpc_schema import NATIVE, LArTPCEvents

TPC = load_tpc("microboone")
NAN = float("nan")
#: Columns of hits and of particles in the order of the tuples below.
HIT = ("plane", "wire", "time", "charge", "rms", "particle")
PARTICLE = ("pdg", "parent", "process", "origin", "energy", "start", "end")
_DTYPES = {(b.level, b.column): b.dtype for b in NATIVE}


def _columns(level, names, rows):
    vectors = ("start", "end")
    return {
        name: np.array([row[k] for row in rows], _DTYPES[level, name]).reshape(
            (-1, 3) if name in vectors else (-1,)
        )
        for k, name in enumerate(names)
    }


def _offsets(lists):
    return np.cumsum([0, *map(len, lists)]).astype(np.int64)


def hand_made(hits, particles=None, **truth):
    """Events from lists: for each a list of hits (`HIT`) and one of particles (`PARTICLE`)."""
    n = len(hits)
    key = np.zeros(n, EVENT_KEY)
    key["run"], key["subrun"], key["event"] = 1, 2, np.arange(100, 100 + n)
    columns = _columns("hit", HIT, [hit for event in hits for hit in event])
    if particles is None:
        columns.pop("particle")
    none = np.zeros(n + 1, np.int64)
    events = LArTPCEvents(
        key=key,
        truth=truth,
        hit_offsets=_offsets(hits),
        hits=columns,
        particle_offsets=none if particles is None else _offsets(particles),
        particles={}
        if particles is None
        else _columns("particle", PARTICLE, [p for event in particles for p in event]),
        deposit_offsets=none,
        deposits={},
    )
    events.validate()
    return events


def particle(pdg=13, parent=-1, process=0, origin=0, energy=500.0, start=(1, 2, 3), end=(4, 5, 6)):
    """One particle, as a tuple of `PARTICLE`."""
    return (pdg, parent, process, origin, energy, start, end)


def random_events(seed=1, n=5, hits=400, wide=True, particles=4):
    """Events with hits on a few spots of each plane; the last but one is empty."""
    rng = np.random.default_rng(seed)
    rows, makers = [], []
    for event in range(n):
        count = 0 if event == n - 2 else hits
        spot = rng.uniform((4000, 500), (7000, 1500), (3, 2))
        plane = rng.integers(0, 3, count)
        place = spot[plane] + rng.normal(0, (200, 30), (count, 2))
        rows.append([
            (p, int(w), t, q, s, k)
            for p, (t, w), q, s, k in zip(
                plane, place, rng.exponential(200, count) + 1,
                rng.uniform(0, 12, count) * wide, rng.integers(-1, particles, count), strict=True,
            )
        ])  # fmt: skip
        pdg = rng.choice([11, 13, 22, 211, 2212], particles)
        makers.append([particle(int(code), start=rng.uniform(0, 200, 3)) for code in pdg])
    vertex = rng.uniform((50, -50, 150), (200, 50, 400), (n, 3)).astype(np.float32)
    return hand_made(
        rows, makers, vertex=vertex, neutrino_pdg=np.full(n, 14, np.int32),
        charged_current=np.ones(n, np.int8), neutrino_energy=np.full(n, 900, np.float32),
    )  # fmt: skip


def dense(sparse, shape):
    """All images of a view as an array (n, rows, columns)."""
    images = np.zeros((len(sparse), shape[0] * shape[1]))
    for i in range(len(sparse)):
        own = slice(sparse.offsets[i], sparse.offsets[i + 1])
        images[i, sparse.pixel[own]] = sparse.value[own, 0]
    return images.reshape(len(sparse), *shape)
