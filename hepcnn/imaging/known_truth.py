"""Whether events and images have the truth that a target is learnt from."""

from __future__ import annotations

import numpy as np

from hepcnn.events.lartpc_schema import LArTPCEvents
from hepcnn.events.schema import RichEvents

_VERTEX = "vertex_x, vertex_y and vertex_z, or vertex_tick and the wires"
_PARTICLES = "hit_particle and the particles' (particle_pdg, ...)"


def missing_branches(events: RichEvents | LArTPCEvents, target: str) -> str:
    """The native branches that a target is learnt from, if they are missing.

    Parameters
    ----------
    events : RichEvents or LArTPCEvents
        Some events.
    target : str
        For example ``species``, ``interaction`` or ``vertex``.

    Returns
    -------
    str
        Their names in words; empty if there is no lack. A file may have branches of truth and no
        truth in these events: that is no lack.
    """
    if isinstance(events, RichEvents):
        # A file without truth has to say so: track_pdg: 0.
        return "" if np.any(events.tracks["pdg"]) else "track_pdg"
    if target == "vertex":
        return "" if {"vertex", "vertex_wire"} & set(events.truth) else _VERTEX
    if target == "interaction":
        wanted = ("neutrino_pdg", "charged_current")
        return " and ".join(name for name in wanted if name not in events.truth)
    if target == "particle":
        return "" if events.particles else "particle_pdg and the particles' others"
    owned = "particle" in events.hits or "particle" in events.deposits
    return "" if events.particles and owned else _PARTICLES
