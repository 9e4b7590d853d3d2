"""Particles by their Geant4 track ids, as LArSoft writes them: turned into indices in the event."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from hepcnn.detector.labels import UNKNOWN_PARENT
from hepcnn.events.checks import refuse
from hepcnn.events.lartpc_schema import LArTPCEvents

#: The parent of a primary particle.
_NO_PARENT = 0
#: What is of no particle.
_NOBODY = -1


def by_index(events: LArTPCEvents) -> LArTPCEvents:
    """Let parents, hits and deposits refer to particles by index, not by track id.

    A parent that is not in the event is not known. Hits and deposits of a particle that is not
    there are nobody's; negative ids are those of a shower's particles, and stand for the particle
    that began it.

    Raises
    ------
    InputError
        If two particles of an event have one id.
    """
    particles = dict(events.particles)
    ids = particles.pop("id")
    event = _event(events.particle_offsets)
    order = np.lexsort((ids, event))
    twice = np.zeros(len(ids), np.bool_)
    same = (np.diff(event[order]) == 0) & (np.diff(ids[order]) == 0)
    twice[order[1:][same]] = True
    refuse(events, "particle", "id", twice, "another particle of the event has it too")

    def found(of: npt.NDArray[np.int64], wanted: np.ndarray) -> npt.NDArray[np.int64]:
        """Indices of the particles of these ids in the events `of`, −1: not there."""
        every = np.stack([np.concatenate([event, of]), np.concatenate([ids, wanted])])
        _, number = np.unique(every, axis=1, return_inverse=True)
        place = np.full(number.max(initial=-1) + 1, -1)
        place[number[: len(ids)]] = np.arange(len(ids)) - events.particle_offsets[event]
        return place[number[len(ids) :]]

    parent = found(event, particles["parent"])
    lost = np.where(particles["parent"] <= _NO_PARENT, -1, UNKNOWN_PARENT)
    lost[particles["parent"] == UNKNOWN_PARENT] = UNKNOWN_PARENT
    particles["parent"] = np.where(parent >= 0, parent, lost).astype(np.int32)

    def owned(held: dict[str, np.ndarray], offsets: npt.NDArray[np.int64]) -> dict[str, np.ndarray]:
        if "particle" not in held:
            return held
        own = held["particle"]
        # −1 is nobody's in files of indices, and where a branch is not given.
        track = found(_event(offsets), np.where(own < _NOBODY, -own, own))
        return held | {"particle": track.astype(np.int32)}

    return replace(
        events,
        particles=particles,
        hits=owned(events.hits, events.hit_offsets),
        deposits=owned(events.deposits, events.deposit_offsets),
    )


def _event(offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
