"""The native layout of a liquid-argon TPC's events as data, and a chunk of them in memory.

One entry of the tree is one event; hits, true particles and energy deposits are jagged branches.
Positions are in cm, as LArSoft writes them: x along the drift (0 at the wires), y up, z along the
beam. Wires are counted from 0 in each plane, times in ticks of the readout.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import nan
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from hepcnn.detector.labels import UNKNOWN_ORIGIN, UNKNOWN_PARENT, UNKNOWN_PROCESS
from hepcnn.events.chunk import KEY_BRANCHES, Branch, EventChunk, Level, vector


def _event(name: str, dtype: str, unit: str, description: str) -> Branch:
    return Branch(name, dtype, unit, description, "event", name, truth=True)


NEUTRINO = (
    _event("neutrino_pdg", "int32", "", "PDG code of the neutrino, 0: none"),
    _event("charged_current", "int8", "", "1: charged current, 0: neutral current or none"),
    _event("neutrino_energy", "float32", "MeV", "energy of the neutrino"),
)
VERTEX = vector("vertex", "cm", "vertex, NaN or -999: none", "event", "vertex", truth=True)
VERTEX_WIRE = vector(
    "vertex_wire", "", "wire coordinate of the vertex, NaN: none", "event", "vertex_wire",
    axes="uvy", truth=True,
)  # fmt: skip
VERTEX_TICK = (_event("vertex_tick", "float32", "ticks", "time of the vertex, NaN: none"),)

HIT_WIRE = (
    Branch("hit_plane", "int8", "", "plane: 0 (U), 1 (V) or 2 (Y)", "hit", "plane"),
    Branch("hit_wire", "int32", "", "wire in the plane, from 0", "hit", "wire"),
)
HITS = (
    Branch("hit_time", "float32", "ticks", "time of the pulse's peak", "hit", "time"),
    Branch("hit_charge", "float32", "ADC x tick", "integral of the pulse", "hit", "charge"),
    Branch("hit_rms", "float32", "ticks", "width of the pulse, 0: none", "hit", "rms", default=0),
)
HIT_PARTICLE = (
    Branch("hit_particle", "int32", "", "index of the particle with most of its charge, -1: none",
           "hit", "particle", truth=True),
)  # fmt: skip

PARTICLES = (
    Branch("particle_pdg", "int32", "", "PDG code", "particle", "pdg", truth=True),
    Branch("particle_parent", "int32", "", "index of the parent, -1: none, -2: not known",
           "particle", "parent", truth=True, default=UNKNOWN_PARENT),
    Branch("particle_process", "int8", "", "how it came to be: 0 primary, 1 decay, 2 ionisation, "
           "3 electromagnetic, 4 hadronic, -1 not known", "particle", "process", truth=True,
           default=UNKNOWN_PROCESS),
    Branch("particle_origin", "int8", "", "0: beam or gun, 1: cosmic, -1: not known", "particle",
           "origin", truth=True, default=UNKNOWN_ORIGIN),
    Branch("particle_energy", "float32", "MeV", "kinetic energy at the start", "particle",
           "energy", truth=True, default=nan),
    *vector("particle_start", "cm", "start", "particle", "start", truth=True, default=nan),
    *vector("particle_end", "cm", "end", "particle", "end", truth=True, default=nan),
)  # fmt: skip

DEPOSITS = (
    *vector("deposit", "cm", "energy deposit", "deposit", "position", truth=True),
    Branch("deposit_energy", "float32", "MeV", "energy", "deposit", "energy", truth=True),
    Branch("deposit_particle", "int32", "", "index of the particle, -1: none", "deposit",
           "particle", truth=True, default=-1),
)  # fmt: skip

#: Width of pulses (ticks) proposed for files that give none; their own may differ.
USUAL_WIDTH = 3.0

#: What a native file may hold, in order.
NATIVE = (
    *KEY_BRANCHES, *NEUTRINO, *VERTEX, *VERTEX_WIRE, *VERTEX_TICK,
    *HIT_WIRE, *HITS, *HIT_PARTICLE, *PARTICLES, *DEPOSITS,
)  # fmt: skip

#: What a file may give instead of planes and wires; a map says where each channel is.
HIT_CHANNEL = (Branch("hit_channel", "int32", "", "channel", "hit", "channel"),)
VERTEX_CHANNEL = vector(
    "vertex_channel", "", "channel of the vertex, -1: none", "event", "vertex_channel",
    axes="uvy", dtype="int32", truth=True,
)  # fmt: skip
#: What a file may refer to particles by, instead of by their index.
PARTICLE_ID = (
    Branch("particle_id", "int32", "", "Geant4 track id, if parents, hits and deposits refer to it",
           "particle", "id", truth=True),
)  # fmt: skip
#: Every branch that the reader knows, by name: the keys that `branches:` may have.
BRANCHES: Mapping[str, Branch] = {
    b.name: b for b in (*NATIVE, *HIT_CHANNEL, *VERTEX_CHANNEL, *PARTICLE_ID)
}


@dataclass(frozen=True)
class LArTPCEvents(EventChunk):
    """A chunk of a liquid-argon TPC's events: flat arrays and offsets.

    The hits of event ``i`` are rows ``hit_offsets[i]`` to ``hit_offsets[i + 1]`` of every array
    in `hits`; its particles and deposits likewise.

    Attributes
    ----------
    key : structured array (n_events,) of EVENT_KEY
        Names of the events.
    truth : dict of arrays (n_events, …)
        Those that are known: ``neutrino_pdg`` (int32, 0: no neutrino), ``charged_current``
        (int8), ``neutrino_energy`` (MeV, float32), ``vertex`` (n_events, 3) float32 cm,
        ``vertex_wire`` (n_events, 3) float32, wire coordinates in U, V, Y, ``vertex_tick``
        (float32); NaN where there is none.
    hit_offsets, particle_offsets, deposit_offsets : int64 array (n_events + 1,)
        Start at 0.
    hits : dict of arrays
        ``plane`` (int8), ``wire`` (int32), ``time`` (ticks, float32), ``charge`` (ADC × tick,
        float32), ``rms`` (ticks, float32; 0: none); ``particle`` (int32, index in the event, -1:
        none) if that is known.
    particles : dict of arrays
        Empty if there is no truth. ``pdg`` (int32), ``parent`` (int32, index in the event, -1:
        none, -2: not known), ``process`` (int8, index into `detector.labels.PROCESSES`, -1: not
        known), ``origin`` (int8, 0: beam or gun, 1: cosmic, -1: not known), ``energy`` (kinetic
        at the start, MeV, float32), ``start`` and ``end`` (n_particles, 3) float32 cm.
    deposits : dict of arrays
        Empty if they were not asked for. ``position`` (n_deposits, 3) float32 cm, ``energy``
        (MeV, float32), ``particle`` (int32).
    """

    truth: dict[str, np.ndarray]
    hit_offsets: npt.NDArray[np.int64]
    hits: dict[str, np.ndarray]
    particle_offsets: npt.NDArray[np.int64]
    particles: dict[str, np.ndarray]
    deposit_offsets: npt.NDArray[np.int64]
    deposits: dict[str, np.ndarray]

    TITLE: ClassVar[str] = "hepcnn LArTPC events, one entry an event"
    LEVELS: ClassVar[tuple[Level, ...]] = ("event", "hit", "particle", "deposit")
    BRANCHES: ClassVar[Mapping[str, Branch]] = BRANCHES

    @property
    def n_hits(self) -> int:
        """Number of hits in the chunk."""
        return int(self.hit_offsets[-1])
