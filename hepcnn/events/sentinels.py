"""Numbers that stand for "none" in files, as -999 in LArSoft's and LHCb's: read as none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from hepcnn.events.lartpc_schema import LArTPCEvents
from hepcnn.events.schema import RICHES, RichEvents

#: What ntuples are filled with where there is nothing.
SENTINELS = (-999.0, -9999.0, -99999.0)
#: Columns that are NaN where there is none.
_MEASURED = ("vertex", "vertex_wire", "vertex_tick", "neutrino_energy")


def crossing_alone(events: RichEvents) -> RichEvents:
    """Put NaN where a track's segment or projection is one of `SENTINELS`: it is in no RICH."""
    tracks = {
        name: _measured(column) if name.startswith(RICHES) else column
        for name, column in events.tracks.items()
    }
    return replace(events, tracks=tracks)


def without_sentinels(events: LArTPCEvents) -> LArTPCEvents:
    """Put NaN, and 0 for the neutrino's PDG code, where a file has one of `SENTINELS`.

    Of a vector all three components must be it.
    """
    truth = dict(events.truth)
    for name in truth.keys() & set(_MEASURED):
        truth[name] = _measured(truth[name])
    if "neutrino_pdg" in truth:
        pdg = truth["neutrino_pdg"]
        truth["neutrino_pdg"] = np.where(np.isin(pdg, SENTINELS), np.int32(0), pdg)
    particles = dict(events.particles)
    for name in particles.keys() & {"start", "end", "energy"}:
        particles[name] = _measured(particles[name])
    return replace(events, truth=truth, particles=particles)


def _measured(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    # One comparison is quicker than a search where there is none, as mostly; of positions, z is
    # the component that is seldom below 0.
    last = values[:, -1] if values.ndim > 1 else values
    if not (last <= max(SENTINELS)).any():
        return values
    none = np.isin(values, SENTINELS)
    whole = none.all(axis=1, keepdims=True) if values.ndim > 1 else none
    return np.where(whole, np.float32(np.nan), values)
