"""Labels of wire-plane images: of events, of pixels, of particles, in each plane's coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from hepcnn.config import PlaneImages
from hepcnn.detector.labels import (
    BEAM,
    COSMIC,
    DELTA_ENERGY,
    OTHER,
    PIXEL_CLASSES,
    UNKNOWN_PARENT,
    interaction_of,
    pixel_class_of,
    single_particle_of,
)
from hepcnn.detector.tpc import CM, PLANES, TPC
from hepcnn.errors import InputError
from hepcnn.events.columns import event_name, row_hint
from hepcnn.events.lartpc_schema import PARTICLES, LArTPCEvents
from hepcnn.imaging.plane_kernels import NOBODY, Pixels
from hepcnn.store.shard import Kind, Rows

Floats = npt.NDArray[np.float64]


def truth_columns(views: int) -> dict[str, Kind]:
    """Columns of truth of images with so many views, as `Header.truth`."""
    return {
        "interaction": ("int16", None),
        "particle": ("int16", None),
        "pdg": ("int32", None),
        "neutrino_pdg": ("int32", None),
        "energy": ("float32", None),
        "vertex": ("float32", 3),
        "vertex_pixel": ("float32", 2 * views),
        "corner": ("float32", 2 * views),
    }


#: The columns of the particles where none are known.
NO_PARTICLES: dict[str, npt.NDArray[Any]] = {
    branch.column: np.empty((0,) if branch.axis is None else (0, 3), branch.dtype)
    for branch in PARTICLES
}
#: Types of the pixels' truth, as `Header.pixel_truth`.
PIXEL_TRUTH = {"semantic": "uint8", "instance": "int16"}


def particle_columns(views: int) -> dict[str, Kind]:
    """Columns of the table of particles of images with so many views."""
    return {
        "id": ("int32", None),
        "pdg": ("int32", None),
        "semantic": ("uint8", None),
        "origin": ("int8", None),
        "energy": ("float32", None),
        "charge": ("float32", views),
        "box": ("float32", 4 * views),
        "start": ("float32", 2 * views),
        "end": ("float32", 2 * views),
        "start_xyz": ("float32", 3),
        "end_xyz": ("float32", 3),
    }


def event_truth(events: LArTPCEvents) -> dict[str, npt.NDArray[Any]]:
    """What the events are.

    Returns
    -------
    dict of arrays (n,)
        ``interaction``: index into `INTERACTIONS`; `OTHER` without any truth, and without a
        neutrino if there are particles that are not known to be cosmic. ``particle``: index into
        `SINGLE_PARTICLES`, `OTHER` unless there is no neutrino and one primary particle that is
        known to be of the beam or a gun; ``pdg``: its code (0: not so). ``neutrino_pdg`` (0:
        none). ``energy``: of the neutrino, or kinetic of the single particle (MeV; NaN: neither).
        ``vertex`` (n, 3): cm, NaN: none.
    """
    n, known, particles = len(events), events.truth, events.particles
    neutrino = known.get("neutrino_pdg", np.zeros(n, np.int32))
    interaction = np.full(n, OTHER, np.int16)
    pdg = np.zeros(n, np.int32)
    unknown = np.full(n, np.nan, np.float32)
    energy = np.where(neutrino != 0, known.get("neutrino_energy", unknown), unknown)
    not_cosmic = np.zeros(n, np.int64)
    if particles:
        event = np.repeat(np.arange(n), np.diff(events.particle_offsets))
        of_beam = particles["origin"] == BEAM
        not_cosmic = np.bincount(event[particles["origin"] != COSMIC], minlength=n)
        primary = np.flatnonzero(of_beam & (particles["parent"] < 0))
        alone = np.bincount(event[primary], minlength=n) == 1
        single = primary[(alone & (neutrino == 0))[event[primary]]]
        pdg[event[single]] = particles["pdg"][single]
        energy[event[single]] = particles["energy"][single]
    if "neutrino_pdg" in known or particles:
        interaction = interaction_of(neutrino, known.get("charged_current", np.zeros(n)))
    if "charged_current" not in known:
        interaction[neutrino != 0] = OTHER
    interaction[(neutrino == 0) & (not_cosmic > 0)] = OTHER
    return {
        "interaction": interaction,
        "particle": single_particle_of(pdg),
        "pdg": pdg,
        "neutrino_pdg": neutrino,
        "energy": energy.astype(np.float32),
        "vertex": known.get("vertex", np.full((n, 3), np.nan, np.float32)),
    }


def ticks_and_wires(position: npt.NDArray[np.float32], tpc: TPC, settings: PlaneImages) -> Floats:
    """Where points at time 0 are seen.

    Parameters
    ----------
    position : float32 array (m, 3)
        cm.

    Returns
    -------
    float64 array (m, V, 2)
        Tick and wire in each plane seen: see `TPC.seen`.
    """
    tick, wire = tpc.seen(position.astype(np.float64) * CM)
    chosen = wire[:, [PLANES.index(plane) for plane in settings.planes]]
    return np.stack(np.broadcast_arrays(tick[:, None], chosen), axis=-1)


def vertices(events: LArTPCEvents, tpc: TPC, settings: PlaneImages) -> Floats:
    """Tick and wire of the vertices in each plane seen, (n, V, 2); NaN: none.

    Wires and ticks that the file gives stand in the place of what follows from the position.
    """
    truth = events.truth
    position = truth.get("vertex", np.full((len(events), 3), np.nan, np.float32))
    found = ticks_and_wires(position, tpc, settings)
    if "vertex_tick" in truth:
        found[:, :, 0] = truth["vertex_tick"][:, None]
    if "vertex_wire" in truth:
        found[:, :, 1] = truth["vertex_wire"][:, [PLANES.index(p) for p in settings.planes]]
    return found


def _located(events: LArTPCEvents) -> npt.NDArray[np.bool_]:
    """Whether wires follow from positions: not where the vertex has a position and no wire."""
    truth, known = events.truth, np.ones(len(events), np.bool_)
    if "vertex" in truth and "vertex_wire" in truth:
        known = ~(np.isfinite(truth["vertex"]) & np.isnan(truth["vertex_wire"])).all(axis=1)
    return known


def to_pixels(place: Floats, corner: Floats, settings: PlaneImages) -> npt.NDArray[np.float32]:
    """Ticks and wires (m, V, 2) as rows and columns (m, 2V), view by view; their floor is a pixel.

    The wire of number k covers [k − 1/2, k + 1/2).
    """
    pixel = np.array([settings.ticks_per_pixel, settings.wires_per_pixel])
    centred = place + np.array([0, 0.5])
    # Without rows no length can be left open.
    flat = ((centred - corner) / pixel).reshape(len(place), 2 * corner.shape[1])
    return flat.astype(np.float32)


def label_pixels(
    events: LArTPCEvents,
    pixels: Sequence[Pixels],
    corner: Floats,
    columns: int,
    tpc: TPC,
    settings: PlaneImages,
) -> tuple[list[dict[str, npt.NDArray[Any]]], Rows]:
    """Classes and instances of all pixels, and the table of the particles that have one.

    Parameters
    ----------
    events : LArTPCEvents
        A chunk of events.
    pixels : sequence of Pixels
        Their images in each view.
    corner : float64 array (n, V, 2)
        First tick and first wire of the images.
    columns : int
        Columns of the images.
    tpc : TPC
        The detector.
    settings : PlaneImages
        What the images are.

    Returns
    -------
    truth : list of dicts
        For each view the columns `PIXEL_TRUTH`.
    particles : Rows
        The columns `particle_columns`. A particle's charge is that of its pixels, its box holds
        them; start and end may lie outside the image. Those of cosmic rays are NaN: they did not
        come at time 0, and files do not say when; so are those in files whose wires are not the
        detector's.

    Raises
    ------
    InputError
        If an event has more particles than can be numbered.
    """
    classes = pixel_classes(events)
    seen = np.zeros(len(classes), np.bool_)
    for view in pixels:
        _mark(view.offsets, view.owner, events.particle_offsets, seen)
    before = np.concatenate([[0], np.cumsum(seen)])
    offsets = before[events.particle_offsets]
    check_numbers(events, np.diff(offsets))
    charge = np.zeros((len(pixels), before[-1]))
    low = np.full((len(pixels), before[-1], 2), np.iinfo(np.uint32).max, np.uint32)
    high = np.zeros_like(low)
    truth = []
    for v, view in enumerate(pixels):
        own = {name: np.empty(len(view.pixel), kind) for name, kind in PIXEL_TRUTH.items()}
        _label(
            *view, events.particle_offsets, before, offsets, classes, columns, charge[v], low[v],
            high[v], own["semantic"], own["instance"],
        )  # fmt: skip
        truth.append(own)
    box = np.concatenate([low, high], axis=2).astype(np.float32)
    box[high[:, :, 0] == 0] = np.nan
    rows = np.flatnonzero(seen)
    table = _of_particles(events, rows, offsets, corner, tpc, settings) | {
        "semantic": classes[rows],
        "charge": charge.T.astype(np.float32),
        "box": box.swapaxes(0, 1).reshape(len(rows), 4 * len(pixels)),
    }
    return truth, Rows(offsets, {name: table[name] for name in particle_columns(len(pixels))})


def check_numbers(events: LArTPCEvents, particles: npt.NDArray[np.int64]) -> None:
    """Refuse, with an `InputError`, events with more particles (n,) than can be numbered."""
    most = np.iinfo(PIXEL_TRUTH["instance"]).max
    for event in np.flatnonzero(particles > most):
        name = event_name(events.key[event])
        raise InputError(
            f"{name}: {particles[event]} particles have pixels, more than {most}; "
            f"{row_hint('event')}"
        )


def _of_particles(
    events: LArTPCEvents,
    rows: npt.NDArray[np.int64],
    offsets: npt.NDArray[np.int64],
    corner: Floats,
    tpc: TPC,
    settings: PlaneImages,
) -> dict[str, npt.NDArray[Any]]:
    """The columns that are the particles' own, of some of the chunk's particles."""
    own = events.particles or NO_PARTICLES
    event = np.repeat(np.arange(len(events)), np.diff(offsets))
    lost = (own["origin"][rows] != BEAM) | ~_located(events)[event]
    table = {name: own[name][rows] for name in ("pdg", "origin", "energy")}
    table["id"] = (rows - events.particle_offsets[event]).astype(np.int32)
    for name in ("start", "end"):
        table[f"{name}_xyz"] = own[name][rows]
        place = ticks_and_wires(own[name][rows], tpc, settings)
        place[lost] = np.nan
        table[name] = to_pixels(place, corner[event], settings)
    return table


def pixel_classes(events: LArTPCEvents) -> npt.NDArray[np.uint8]:
    """Class of the pixels of each of the chunk's particles."""
    own = events.particles
    if not own:
        return np.empty(0, np.uint8)
    parent = own["pdg"][np.maximum(_firsts(events) + own["parent"], 0)]
    parent = np.where(own["parent"] >= 0, parent, 0)
    known = own["parent"] != UNKNOWN_PARENT
    return pixel_class_of(own["pdg"], parent, own["process"], known)


def join_short_deltas(events: LArTPCEvents) -> LArTPCEvents:
    """Give the hits and deposits of δ electrons below `DELTA_ENERGY` to the tracks they left."""
    own, classes = events.particles, pixel_classes(events)
    if not own:
        return events
    short = (classes == PIXEL_CLASSES.index("delta")) & (own["energy"] < DELTA_ENERGY)
    index = np.arange(len(classes)) - _firsts(events)
    owner = np.where(short & (own["parent"] >= 0), own["parent"], index).astype(np.int32)

    def joined(
        held: dict[str, np.ndarray], offsets: npt.NDArray[np.int64]
    ) -> dict[str, np.ndarray]:
        if "particle" not in held:
            return held
        particle = _joined(offsets, held["particle"], events.particle_offsets, owner)
        return held | {"particle": particle}

    return replace(
        events,
        hits=joined(events.hits, events.hit_offsets),
        deposits=joined(events.deposits, events.deposit_offsets),
    )


def _firsts(events: LArTPCEvents) -> npt.NDArray[np.int64]:
    """Where the particles of each particle's event begin."""
    return np.repeat(events.particle_offsets[:-1], np.diff(events.particle_offsets))


@njit(cache=True, nogil=True)
def _joined(offsets, particle, particle_offsets, owner):  # type: ignore[no-untyped-def]
    """Owner of each row's particle, by its index in the event."""
    joined = np.empty(len(particle), np.int32)
    for event in range(len(offsets) - 1):
        for k in range(offsets[event], offsets[event + 1]):
            known = particle[k] >= 0
            joined[k] = owner[particle_offsets[event] + particle[k]] if known else NOBODY
    return joined


@njit(cache=True, nogil=True)
def _mark(offsets, owner, particle_offsets, seen):  # type: ignore[no-untyped-def]
    """Mark the particles that own a pixel."""
    for event in range(len(offsets) - 1):
        for k in range(offsets[event], offsets[event + 1]):
            if owner[k] != NOBODY:
                seen[particle_offsets[event] + owner[k]] = True


_NOISE = PIXEL_CLASSES.index("other")


@njit(cache=True, nogil=True, error_model="numpy")
def _label(  # type: ignore[no-untyped-def]
    offsets, pixel, charge, owner, particle_offsets, row_of, row_offsets, classes, columns, total,
    low, high, semantic, instance,
):  # fmt: skip
    """Class and instance of a view's pixels; charge and box of its particles."""
    width = np.uint32(columns)
    for event in range(len(offsets) - 1):
        for k in range(np.uint64(offsets[event]), np.uint64(offsets[event + 1])):
            if owner[k] == NOBODY:
                semantic[k], instance[k] = _NOISE, NOBODY
                continue
            particle = np.uint64(particle_offsets[event] + owner[k])
            row = np.uint64(row_of[particle])
            semantic[k], instance[k] = classes[particle], row_of[particle] - row_offsets[event]
            total[row] += charge[k]
            y = np.uint32(pixel[k]) // width
            x = np.uint32(pixel[k]) - y * width
            low[row, 0], high[row, 0] = min(low[row, 0], y), max(high[row, 0], y + np.uint32(1))
            low[row, 1], high[row, 1] = min(low[row, 1], x), max(high[row, 1], x + np.uint32(1))
