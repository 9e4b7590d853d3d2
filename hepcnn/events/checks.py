"""Values that no detector gives: refused, naming the event and the branch."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hepcnn.detector.labels import (
    COSMIC,
    PROCESSES,
    UNKNOWN_ORIGIN,
    UNKNOWN_PARENT,
    UNKNOWN_PROCESS,
)
from hepcnn.detector.tpc import PLANES, TPC
from hepcnn.errors import InputError
from hepcnn.events.chunk import EventChunk, Level
from hepcnn.events.columns import event_name, row_hint
from hepcnn.events.lartpc_schema import LArTPCEvents
from hepcnn.events.schema import RICHES, RichEvents

#: The square of a direction's length may differ from 1 by this: rotations in float32.
_TOLERANCE = 1e-3
#: Least energies (MeV) of neutrinos that make a charged lepton, by its PDG code; their neutrinos
#: have the next one. Of νe the 1.50 MeV from 40Ar to the ground state of 40K, of others the mass of
#: the lepton alone.
_LEPTONS = {11: 1.5, 13: 105.66, 15: 1776.9}
_LARGEST = float(np.finfo(np.float32).max)


def check_rich(events: RichEvents) -> None:
    """Check the values of a chunk.

    Raises
    ------
    InputError
        Momentum not above 0; a weight not finite; a track's segment or projection neither finite
        nor all NaN, or its direction no unit vector; a hit's position not finite, its RICH or panel
        unknown, its true track not in the event.
    """
    p = events.tracks["p"]
    refuse(events, "track", "p", ~((p > 0) & (p < np.inf)), "it must be finite and above 0")
    _check_finite(events, "track", "weight")
    for rich in RICHES:
        for parts in (("entry", "direction", "exit"), ("projection",)):
            columns = [name for part in parts if (name := f"{rich}_{part}") in events.tracks]
            if columns:
                _check_crossing(events, columns)
    _check_finite(events, "hit", "position")
    _check_between(events, "hit", "rich", 1, 2)
    _check_between(events, "hit", "panel", 0, 1)
    _check_index(events, "hit", "track", "track")


def check_lartpc(events: LArTPCEvents) -> None:
    """Check the values of a chunk.

    Raises
    ------
    InputError
        A number that is infinite, or NaN where that does not stand for "none"; a plane, process
        or origin that is unknown; a wire, a width or an energy below 0; a neutrino with less
        energy than the lepton it became; a particle that is not in the event.
    """
    _check_between(events, "event", "charged_current", 0, 1)
    _check_at_least_0(events, "event", "neutrino_energy", none=True)
    _check_threshold(events)
    for column in ("vertex", "vertex_wire", "vertex_tick"):
        _check_finite(events, "event", column, none=True)
    _check_between(events, "hit", "plane", 0, 2)
    _check_at_least_0(events, "hit", "wire")
    _check_finite(events, "hit", "time")
    _check_finite(events, "hit", "charge")
    _check_at_least_0(events, "hit", "rms")
    _check_index(events, "hit", "particle", "particle")
    _check_index(events, "particle", "parent", "particle", UNKNOWN_PARENT)
    _check_between(events, "particle", "process", UNKNOWN_PROCESS, len(PROCESSES) - 1)
    _check_primaries(events)
    _check_between(events, "particle", "origin", UNKNOWN_ORIGIN, COSMIC)
    _check_at_least_0(events, "particle", "energy", none=True)
    for column in ("start", "end"):
        _check_finite(events, "particle", column, none=True)
    _check_finite(events, "deposit", "position")
    _check_at_least_0(events, "deposit", "energy")
    _check_index(events, "deposit", "particle", "particle")


def check_wires(events: LArTPCEvents, tpc: TPC) -> None:
    """Check that a chunk, of known planes, has hits only on wires that there are.

    Raises
    ------
    InputError
        A wire beyond its plane: the geometry is another one.
    """
    wires = np.array([tpc.wires(plane) for plane in PLANES], np.int32)
    wire = events.hits["wire"]
    # Only what is beyond the smallest plane is looked up: a gather of all takes far longer.
    far = np.flatnonzero(wire >= wires.min())
    beyond = np.zeros(len(wire), np.bool_)
    beyond[far] = wire[far] >= wires[events.hits["plane"][far]]
    there = ", ".join(f"{n} ({plane})" for n, plane in zip(wires, PLANES, strict=True))
    refuse(events, "hit", "wire", beyond, f"the geometry's planes have {there} wires")


def _check_crossing(events: RichEvents, columns: list[str]) -> None:
    """A track crosses a RICH (all finite) or does not (all NaN)."""
    vectors = [events.tracks[name] for name in columns]
    # Reductions over short axes are slow: only the tracks whose components have no finite sum
    # are looked at closely.
    with np.errstate(all="ignore"):
        total = sum(vector[:, axis] for vector in vectors for axis in range(3))
    rows = np.flatnonzero(~np.isfinite(total))
    values = np.hstack([vector[rows] for vector in vectors])
    rows = rows[~(np.isnan(values).all(axis=1) | np.isfinite(values).all(axis=1))]
    for name, vector in zip(columns, vectors, strict=True):
        bad = np.zeros(events.n_tracks, bool)
        bad[rows] = ~np.isfinite(vector[rows]).all(axis=1)
        refuse(events, "track", name, bad, "it must be finite, or all NaN: not in this RICH")
        if name.endswith("direction"):
            square = np.einsum("ij,ij->i", vector, vector)
            refuse(
                events, "track", name, np.abs(square - 1) > _TOLERANCE, "it must be a unit vector"
            )


def _check_finite(events: EventChunk, level: Level, column: str, none: bool = False) -> None:
    """Numbers are finite; with `none` they may also be NaN."""
    values = _column(events, level, column)
    if _all_within(values, -_LARGEST, _LARGEST):
        return
    bad = np.isinf(values) if none else ~np.isfinite(values)
    rule = "it must be finite, or NaN: none" if none else "it must be finite"
    refuse(events, level, column, bad.reshape(len(values), -1).any(axis=1), rule)


def _check_at_least_0(events: EventChunk, level: Level, column: str, none: bool = False) -> None:
    """Numbers are finite and not below 0; with `none` they may also be NaN."""
    values = _column(events, level, column)
    if _all_within(values, 0, _LARGEST):
        return
    bad = ~((values >= 0) & (values <= _LARGEST))
    if none:
        bad &= ~np.isnan(values)
    refuse(events, level, column, bad, "it must be finite and at least 0")


def _check_between(events: EventChunk, level: Level, column: str, low: int, high: int) -> None:
    """Integers are `low` to `high`."""
    values = _column(events, level, column)
    if not _all_within(values, low, high):
        rule = f"it must be {low} {'or' if high == low + 1 else 'to'} {high}"
        refuse(events, level, column, (values < low) | (values > high), rule)


def _check_index(
    events: EventChunk, level: Level, column: str, of: Level, lowest: int = -1
) -> None:
    """Integers are indices of the event's rows of another level, or down to `lowest`."""
    values = _column(events, level, column)
    if not len(values):
        return
    offsets, rows = events.offsets(level), np.diff(events.offsets(of))
    some = np.flatnonzero(np.diff(offsets))
    largest = np.maximum.reduceat(values, offsets[some])
    if values.min() < lowest or (largest >= rows[some]).any():
        bad = (values < lowest) | (values >= np.repeat(rows, np.diff(offsets)))
        refuse(events, level, column, bad, f"it must be an index of the event's {of}s, or -1")


def _check_threshold(events: LArTPCEvents) -> None:
    """A neutrino's energy is at least what its charged current takes."""
    if not {"neutrino_energy", "neutrino_pdg", "charged_current"} <= events.truth.keys():
        return
    pdg, energy = np.abs(events.truth["neutrino_pdg"]), events.truth["neutrino_energy"]
    for lepton, mass in _LEPTONS.items():
        bad = (pdg == lepton + 1) & (events.truth["charged_current"] == 1) & (energy < mass)
        rule = (
            f"its charged current takes {mass:g} MeV: neutrino_energy must be in MeV, "
            "of a branch in GeV it is 1000 * BRANCH"
        )
        refuse(events, "event", "neutrino_energy", bad, rule)


def _check_primaries(events: LArTPCEvents) -> None:
    """In an event whose particles all have a parent some descend from themselves."""
    some = np.flatnonzero(np.diff(events.particle_offsets))
    if not len(some):
        return
    parent = events.particles["parent"]
    lowest = np.minimum.reduceat(parent, events.particle_offsets[some])
    bad = np.zeros(len(parent), np.bool_)
    bad[events.particle_offsets[some[lowest >= 0]]] = True
    rule = (
        "so every particle of the event has a parent in it, which cannot be: if parents are given "
        "by their Geant4 track ids, map particle_id to the particles' own"
    )
    refuse(events, "particle", "parent", bad, rule)


def _column(events: EventChunk, level: Level, column: str) -> np.ndarray:
    """A column; empty if the chunk has none such."""
    return events.columns(level).get(column, np.empty(0))


def _all_within(values: np.ndarray, low: float, high: float) -> bool:
    """Whether no value is out of the limits or NaN: the two reductions are the quickest way."""
    return not len(values) or bool(values.min() >= low and values.max() <= high)


def refuse(
    events: EventChunk, level: Level, column: str, bad: npt.NDArray[np.bool_], rule: str
) -> None:
    """Name the first row that is bad, if there is one."""
    if not bad.any():
        return
    row = int(np.argmax(bad))
    offsets = events.offsets(level)
    event = int(np.searchsorted(offsets, row, side="right")) - 1
    values = np.atleast_1d(events.columns(level)[column][row])
    names = [b.name for b in events.BRANCHES.values() if b.level == level and b.column == column]
    shown = ", ".join(f"{name} = {value}" for name, value in zip(names, values, strict=True))
    of = "" if level == "event" else f": {level} {row - offsets[event]}"
    raise InputError(f"{event_name(events.key[event])}{of} has {shown}; {rule}; {row_hint(level)}")
