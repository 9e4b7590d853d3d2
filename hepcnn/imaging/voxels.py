"""LArTPC events → three-dimensional images of the energy deposits: one view, ``xyz``."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from hepcnn.config import VoxelImages
from hepcnn.detector.labels import OTHER, PIXEL_CLASSES
from hepcnn.detector.tpc import CM, TPC
from hepcnn.errors import InputError
from hepcnn.events.columns import event_name, row_hint
from hepcnn.events.lartpc_schema import LArTPCEvents
from hepcnn.imaging.inside import Inside, Span
from hepcnn.imaging.lengths import units_of
from hepcnn.imaging.plane_kernels import NOBODY
from hepcnn.imaging.plane_labels import (
    NO_PARTICLES,
    PIXEL_TRUTH,
    check_numbers,
    event_truth,
    join_short_deltas,
    particle_columns,
    pixel_classes,
    truth_columns,
)
from hepcnn.imaging.planes import CLASSES, MAX_PIXELS, count_truth, example_keys
from hepcnn.store.shard import Axis, Header, Images, Kind, Rows, Sparse

#: The view.
VIEW = "xyz"
Floats = npt.NDArray[np.float64]
#: The most energy that an event can leave (MeV), far more than any does: a PeV.
MAX_ENERGY = 1e9

_POINT: Kind = ("float32", 3)
#: Columns of the examples' truth: `vertex_pixel` in voxels, `corner` where the image begins (mm).
_TRUTH = truth_columns(1) | {"vertex_pixel": _POINT, "corner": _POINT}
#: Columns of the table of particles: `deposited` in their voxels (MeV); `box` the low and the high
#: x, y and z of these voxels, `start` and `end`, which may lie outside, in voxels.
_PARTICLES: dict[str, Kind] = {
    name: kind for name, kind in particle_columns(1).items() if name != "charge"
} | {"deposited": ("float32", None), "box": ("float32", 6), "start": _POINT, "end": _POINT}


def voxel_header(settings: VoxelImages, tpc: TPC) -> Header:
    """What all images made with these settings have in common.

    Raises
    ------
    InputError
        If the images are too large.
    """
    shape = _shape(settings, tpc)
    if math.prod(shape) > MAX_PIXELS:
        sides = " × ".join(map(str, shape))
        raise InputError(f"shape: {sides} voxels are more than {MAX_PIXELS}")
    axes = tuple(
        Axis(name, "mm", 0.0, bins * settings.voxel, bins)
        for name, bins in zip(VIEW, shape, strict=True)
    )
    return Header(
        detector="lartpc",
        views=(VIEW,),
        shape=shape,
        channels=("energy",),
        axes={VIEW: axes},
        classes=CLASSES,
        maker=settings.model_dump(mode="json", exclude={"sample"}) | units_of(tpc),
        features=dict.fromkeys(("n_deposits", f"energy_{VIEW}")),
        truth=dict(_TRUTH),
        values="float32",
        pixel_truth=dict(PIXEL_TRUTH),
        tables={"particles": dict(_PARTICLES)},
    )


def voxel_images(
    events: LArTPCEvents, tpc: TPC, settings: VoxelImages
) -> tuple[Images, dict[str, int]]:
    """Make the images of all events.

    Every event is an example, also one without deposits. Particles of cosmic rays stand where
    they were, whenever that was.

    Parameters
    ----------
    events : LArTPCEvents
        A chunk of events.
    tpc : TPC
        The detector.
    settings : VoxelImages
        What the images are.

    Returns
    -------
    images : Images
        In the order of the events.
    counts : dict of str to int
        The cutflow of the chunk; the keys do not depend on the events.

    Raises
    ------
    InputError
        If there are no energy deposits, or images about the vertex are asked for and the file
        gives none, or an event has more particles than can be numbered or more energy than there
        can be.
    """
    if not events.deposits:
        raise InputError("no energy deposits, which voxels are made of")
    _check_energies(events)
    events = join_short_deltas(events)
    shape = _shape(settings, tpc)
    corner = _corners(events, tpc, settings, shape)
    sparse, owner, inside = _fill(events, corner, settings.voxel, shape)
    truth, particles = _label(events, sparse, owner, corner, settings.voxel, shape)
    known = event_truth(events)
    energy = np.diff(np.concatenate([[0.0], np.cumsum(sparse.value, dtype=float)])[sparse.offsets])
    images = Images(
        key=example_keys(events),
        views={VIEW: sparse.with_columns(**truth)},
        truth=known
        | {
            "vertex_pixel": _to_voxels(known["vertex"], corner, settings.voxel),
            "corner": corner.astype(np.float32),
        },
        features={
            "n_deposits": inside.astype(np.float32),
            f"energy_{VIEW}": energy.astype(np.float32),
        },
        tables={"particles": particles},
    )
    return images, _counts(events, images, inside)


def deposits_inside(
    events: LArTPCEvents, images: Images, tpc: TPC, settings: VoxelImages
) -> Inside:
    """Count the deposits inside of their images, and find where they lie.

    They should lie in the active volume, whatever the window.

    Parameters
    ----------
    events : LArTPCEvents
        A chunk of events.
    images : Images
        Theirs.
    tpc : TPC
        The detector.
    settings : VoxelImages
        What the images are.
    """
    corner = images.truth["corner"].astype(np.float64)
    size = settings.voxel * np.array(_shape(settings, tpc))
    volume = tpc.bounds
    place = CM * events.deposits["position"].astype(np.float64)
    right = ((place >= volume[:, 0]) & (place < volume[:, 1])).all(axis=1)
    low, high = corner.min(axis=0, initial=np.inf), corner.max(axis=0, initial=-np.inf) + size
    first, last = place.min(axis=0, initial=np.inf), place.max(axis=0, initial=-np.inf)
    filled = np.diff(events.deposit_offsets) > 0
    inside = images.features["n_deposits"]
    return Inside(
        what="deposits",
        where=f"region '{settings.region}'",
        read=len(place),
        seen=len(place),
        allowed=int(right.sum()),
        inside=int(inside.sum(dtype=np.int64)),
        images=int(filled.sum()),
        empty=int((filled & (inside == 0)).sum()),
        spans=tuple(
            Span(name, "mm", (first[i], last[i]), (volume[i, 0], volume[i, 1]), (low[i], high[i]))
            for i, name in enumerate(VIEW)
        ),
    )


def _check_energies(events: LArTPCEvents) -> None:
    """Refuse, with an `InputError`, events whose deposits have more than `MAX_ENERGY`."""
    event = np.repeat(np.arange(len(events)), np.diff(events.deposit_offsets))
    total = np.bincount(event, events.deposits["energy"], len(events))
    for i in np.flatnonzero(total > MAX_ENERGY):
        raise InputError(
            f"{event_name(events.key[i])}: deposit_energy: {total[i]:.3g} MeV in all, over "
            f"{MAX_ENERGY:g}: is it in MeV? {row_hint('deposit')}"
        )


def _shape(settings: VoxelImages, tpc: TPC) -> tuple[int, int, int]:
    """Voxels along x, y and z."""
    if settings.shape is not None:
        return settings.shape
    x, y, z = (math.ceil((high - low) / settings.voxel) for low, high in tpc.bounds)
    return x, y, z


def _corners(
    events: LArTPCEvents, tpc: TPC, settings: VoxelImages, shape: tuple[int, int, int]
) -> Floats:
    """Lowest x, y and z of the images (mm), (n, 3): of windows, at whole voxels from 0."""
    n = len(events)
    if settings.region == "whole":
        return np.tile(tpc.bounds[:, 0], (n, 1))
    event = np.repeat(np.arange(n), np.diff(events.deposit_offsets))
    energy = events.deposits["energy"].astype(float)
    total = np.bincount(event, energy, n)[:, None]
    moment = [np.bincount(event, energy * along, n) for along in CM * events.deposits["position"].T]
    middle = tpc.bounds.mean(axis=1)
    about = np.where(total > 0, np.transpose(moment) / np.where(total > 0, total, 1), middle)
    if settings.region == "vertex":
        if "vertex" not in events.truth:
            raise InputError(
                "no vertex, which the region 'vertex' needs: map it, or choose another region"
            )
        vertex = CM * events.truth["vertex"].astype(float)
        about = np.where(np.isfinite(vertex).all(axis=1, keepdims=True), vertex, about)
    corner: Floats = (np.floor(about / settings.voxel) - np.array(shape) // 2) * settings.voxel
    return corner


def _to_voxels(
    position: npt.NDArray[np.float32], corner: Floats, voxel: float
) -> npt.NDArray[np.float32]:
    """Points (m, 3) in cm in the coordinates of images that begin at corners (m, 3) in mm."""
    place: npt.NDArray[np.float32] = ((CM * position - corner) / voxel).astype(np.float32)
    return place


def _fill(
    events: LArTPCEvents, corner: Floats, voxel: float, shape: tuple[int, int, int]
) -> tuple[Sparse, npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """Add up the deposits.

    Returns
    -------
    Sparse
        The images, without truth.
    owner : int32 array (nnz,)
        The particle that left most of a voxel's energy, by its index in the event.
    inside : int64 array (n,)
        Deposits in each image.
    """
    n, most = len(events), len(events.deposits["energy"])
    offsets, inside = np.zeros(n + 1, np.int64), np.zeros(n, np.int64)
    number, energy = np.empty(most, np.int64), np.empty(most, np.float32)
    owner = np.empty(most, np.int32)
    _add_up(
        events.deposit_offsets, events.deposits["position"], events.deposits["energy"],
        events.deposits["particle"], events.particle_offsets, corner, CM / voxel, voxel, shape,
        offsets, number, energy, owner, inside,
    )  # fmt: skip
    stored = int(offsets[-1])
    narrow = math.prod(shape) <= 1 << 16
    pixel: npt.NDArray[np.unsignedinteger] = number[:stored].astype(
        np.uint16 if narrow else np.uint32
    )
    return Sparse(offsets, pixel, energy[:stored, None]), owner[:stored], inside


@njit(cache=True, nogil=True, error_model="numpy")
def _add_up(  # type: ignore[no-untyped-def]
    first, position, deposited, particle, particle_offsets, corner, scale, voxel, shape,
    offsets, number, energy, owner, inside,
):  # fmt: skip
    """The occupied voxels of each event, in order, their energies and their owners."""
    stored = 0
    for i in range(len(first) - 1):
        at = np.full(first[i + 1] - first[i], -1, np.int64)
        for k in range(first[i], first[i + 1]):
            x = np.floor(position[k, 0] * scale - corner[i, 0] / voxel)
            y = np.floor(position[k, 1] * scale - corner[i, 1] / voxel)
            z = np.floor(position[k, 2] * scale - corner[i, 2] / voxel)
            if 0 <= x < shape[0] and 0 <= y < shape[1] and 0 <= z < shape[2]:
                at[k - first[i]] = (np.int64(x) * shape[1] + np.int64(y)) * shape[2] + np.int64(z)
                inside[i] += 1
        # Share of each particle in the voxel at hand; the last is nobody's.
        share = np.zeros(particle_offsets[i + 1] - particle_offsets[i] + 1)
        order = np.argsort(at, kind="mergesort")
        start = len(order) - inside[i]
        while start < len(order):
            here, stop, total = at[order[start]], start, 0.0
            while stop < len(order) and at[order[stop]] == here:
                k = first[i] + order[stop]
                share[particle[k]] += deposited[k]
                total += deposited[k]
                stop += 1
            best = particle[first[i] + order[start]]
            for m in range(start, stop):
                other = particle[first[i] + order[m]]
                best = other if share[other] > share[best] else best
            for m in range(start, stop):
                share[particle[first[i] + order[m]]] = 0.0
            number[stored], energy[stored], owner[stored] = here, total, best
            stored, start = stored + 1, stop
        offsets[i + 1] = stored


def _label(
    events: LArTPCEvents,
    sparse: Sparse,
    owner: npt.NDArray[np.int32],
    corner: Floats,
    voxel: float,
    shape: tuple[int, int, int],
) -> tuple[dict[str, npt.NDArray[Any]], Rows]:
    """Classes and instances of all voxels, and the table of the particles that have one."""
    image = np.repeat(np.arange(len(events)), np.diff(sparse.offsets))
    owned = owner != NOBODY
    particle = (events.particle_offsets[image] + owner)[owned]
    chosen, instance = np.unique(particle, return_inverse=True)
    offsets = np.searchsorted(chosen, events.particle_offsets)
    check_numbers(events, np.diff(offsets))
    classes = pixel_classes(events)
    truth: dict[str, npt.NDArray[Any]] = {
        "semantic": np.full(len(owner), PIXEL_CLASSES.index("other"), np.uint8),
        "instance": np.full(len(owner), NOBODY, np.int16),
    }
    truth["semantic"][owned] = classes[particle]
    truth["instance"][owned] = instance - offsets[image[owned]]
    event = np.repeat(np.arange(len(events)), np.diff(offsets))
    own = {name: column[chosen] for name, column in (events.particles or NO_PARTICLES).items()}
    place = np.stack(np.unravel_index(sparse.pixel[owned], shape), axis=1)
    columns: dict[str, npt.NDArray[Any]] = {
        "id": (chosen - events.particle_offsets[event]).astype(np.int32),
        "semantic": classes[chosen],
        "deposited": np.bincount(instance, sparse.value[owned, 0], len(chosen)).astype(np.float32),
        "box": _boxes(place, instance, len(chosen)),
    }
    for name in ("pdg", "origin", "energy"):
        columns[name] = own[name]
    for name in ("start", "end"):
        columns[f"{name}_xyz"] = own[name]
        columns[name] = _to_voxels(own[name], corner[event], voxel)
    return truth, Rows(offsets, {name: columns[name] for name in _PARTICLES})


def _boxes(
    place: npt.NDArray[np.int64], instance: npt.NDArray[np.int64], particles: int
) -> npt.NDArray[np.float32]:
    """Low and high corners of what holds the voxels of each particle, (particles, 6)."""
    low, high = np.full((2, particles, 3), np.inf)
    high = -high
    np.minimum.at(low, instance, place)
    np.maximum.at(high, instance, place + 1)
    return np.hstack([low, high]).astype(np.float32)


def _counts(events: LArTPCEvents, images: Images, inside: npt.NDArray[np.int64]) -> dict[str, int]:
    """The cutflow; energies in whole MeV."""
    counts = {
        "events read": len(events),
        "deposits read": len(events.deposits["energy"]),
        "deposits in the image": int(inside.sum()),
        "energy read": round(float(events.deposits["energy"].sum(dtype=float))),
        "energy in the image": round(float(images.views[VIEW].value.sum(dtype=float))),
        "kept": len(events),
        "kept, without a deposit in the image": int((inside == 0).sum()),
    }
    for target in ("interaction", "particle"):
        counts[f"kept, of no {target} class"] = int((images.truth[target] == OTHER).sum())
    return counts | count_truth(images)
