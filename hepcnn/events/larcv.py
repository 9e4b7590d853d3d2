"""LArCV's images (versions 1 and 2) as events: every pixel above 0 is a hit.

LArCV stores an image as one flat vector, column after column, with its size in a "meta" beside
it: columns are wires (or another coordinate), rows times, from the first or, with the sample's
`rows: down`, from the last. Hits are counted in pixels, column and
row, from where `larcv_frame` says that the image begins.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import Any

import awkward as ak
import numpy as np
import numpy.typing as npt

from hepcnn.config import LArTPCSample
from hepcnn.config.samples import RowOrder
from hepcnn.detector.labels import BEAM, PROCESSES
from hepcnn.detector.tpc import TPC, load_tpc
from hepcnn.errors import InputError
from hepcnn.events.checks import check_lartpc, check_wires
from hepcnn.events.chunk import KEY_BRANCHES, event_name
from hepcnn.events.columns import assemble, to_column
from hepcnn.events.evaluation import Column
from hepcnn.events.larcv_frame import (
    COLUMNS,
    KEYS,
    PIXELS,
    ROWS,
    Arrays,
    ImagePlanes,
    flat,
    frames,
    full_names,
    image_planes,
    key_of,
    meta_names,
    refuse_image,
)
from hepcnn.events.lartpc_schema import LArTPCEvents
from hepcnn.events.layout import Plan, Sources, read_from
from hepcnn.events.names import NUMBERS, numbers
from hepcnn.events.sources import (
    FileSpec,
    branch_names,
    decoding,
    fingerprint,
    open_file,
    open_tree,
    tree_names,
)
from hepcnn.events.streaming import ahead, entries_per_step, in_steps

#: The tree of the true particles, if there is one.
PARTICLE_TREE = "particle_mctruth_tree"
_IMAGE = (PIXELS, ROWS, COLUMNS)
#: The plane: in the meta of version 1, and of version 2.
_PLANES = ("_image_v._meta._plane", "_image_v._meta._id")
_PROCESS = "_part_v._process"
_NUMBERS = tuple(
    f"_part_v._{name}"
    for name in ("pdg", "energy_init", "px", "py", "pz", "vtx._x", "vtx._y", "vtx._z")
)
_NAMES = {branch.name: branch for branch in KEY_BRANCHES}
#: The step of the cutflow that counts what is no hit though there is something.
NEGATIVE = "pixels below 0, left out"
#: First tick and wire of each image of some entries, (n, 2).
_Places = Callable[[Arrays], npt.NDArray[np.float64]]


def read_images(
    spec: FileSpec,
    sample: LArTPCSample,
    *,
    planes: ImagePlanes | None = None,
    truth: bool = True,
    step: int | None = None,
    counts: Counter[str] | None = None,
) -> Iterator[LArTPCEvents]:
    """Read the images of a file as hits: wire = column, time = row + 0.5, charge = value.

    Ticks and wires are those of `larcv_frame.image_planes`: rows and columns, counted from the
    image's own edge or, if the file gives wires and ticks, from tick 0 and wire 0.

    Particles are the primaries of `PARTICLE_TREE`; the vertex is where the first one starts. The
    images may be any projections, so that the vertex has no wires and no tick.

    Parameters
    ----------
    spec : FileSpec
        The file; its own tree, if it names one, goes before `sample.tree`.
    sample : LArTPCSample
        Name of the images' tree, for example ``image2d_wire_tree``; geometry, order of the rows,
        and size of a pixel for files that do not say it.
    planes : ImagePlanes, optional
        Those of the file, where they are known; by default all of its meta are read first.
    truth : bool
        Read the particles, if they are there.
    step : int, optional
        Events a step; by default as many as have `streaming.STEP_BYTES`.
    counts : Counter, optional
        Is added the pixels below 0, which are no hits; whole when all has been read.

    Yields
    ------
    LArTPCEvents
        Chunks with at least one event, in the order of the file.

    Raises
    ------
    InputError
        As of `larcv_frame.image_planes`; if the file is damaged, an image has not as many pixels
        as rows times columns, two are of one plane, one has charge beyond the geometry's wires, or
        the particles are of other events.
    """
    with open_file(spec.path) as directory:
        has_particles = truth and PARTICLE_TREE in tree_names(directory)
    reading = decoding(f"{spec}: cannot read LArCV's images")
    with reading, ExitStack() as stack:
        images = stack.enter_context(open_tree(spec, sample.tree))
        if images.num_entries == 0:
            raise InputError(f"{spec}: tree '{spec.tree or sample.tree}' has no entries")
        tpc = (planes or image_planes(spec, sample)).tpc
        known, meta = branch_names(images), meta_names(images)
        plane = next((name for name in _PLANES if name in known), _PLANES[0])
        naming = _naming(known, sample, spec)
        names = [n for e in naming.values() for n in e[0].names if n not in NUMBERS]
        used = full_names(images, dict.fromkeys((*KEYS, *_IMAGE, plane, *meta, *names)), spec)
        step = step or entries_per_step(images, set(used.values()))
        chunks = [_chunks(images, used, step, str(spec))]
        if has_particles:
            of = FileSpec(spec.path, PARTICLE_TREE)
            particles = stack.enter_context(open_tree(of))
            if particles.num_entries != images.num_entries:
                raise InputError(f"{of}: there are not as many entries as images")
            used = full_names(particles, (*KEYS, _PROCESS, *_NUMBERS), of)
            chunks.append(_chunks(particles, used, step, str(of)))
        identity = partial(fingerprint, spec, sample.tree)
        geometry = load_tpc(sample.geometry)
        make = partial(
            _with_hits,
            plane=plane,
            places=lambda arrays: frames(arrays, geometry, sample.rows).first,
            rows=sample.rows,
            counts=Counter() if counts is None else counts,
        )
        yield from ahead(_events(zip(*chunks, strict=True), make, naming, tpc, str(spec), identity))


def _naming(known: Collection[str], sample: LArTPCSample, spec: FileSpec) -> Sources:
    """How the events' names follow from the branches of the images' tree."""
    mapped = {branch.name: f"_{branch.name}" for branch in KEY_BRANCHES} | sample.branches
    return read_from({*known, *NUMBERS}, mapped, _NAMES, KEY_BRANCHES, str(spec))


def _chunks(tree: Any, used: Mapping[str, str], step: int, file: str) -> Iterator[Arrays]:
    for arrays in in_steps(tree, set(used.values()), step, file):
        yield {name: arrays[full] for name, full in used.items()}


def _events(
    chunks: Iterable[tuple[Arrays, ...]],
    make: Callable[[Arrays], LArTPCEvents],
    naming: Sources,
    tpc: TPC,
    file: str,
    identity: Callable[[], str],
) -> Iterator[LArTPCEvents]:
    wanted = dict.fromkeys(name for part in naming.values() for name in part[0].names)
    stop = 0
    for images, *particles in chunks:
        try:
            events = make(images)
            if particles:
                events = _with_particles(events, *particles)
            start, stop = stop, stop + len(events)
            columns = {name: to_column(images[name], name) for name in wanted if name in images}
            made = numbers(wanted, start, stop, identity)
            columns |= {name: Column(values) for name, values in made.items()}
            events = replace(events, key=assemble(Plan(naming, {}, {}), _NAMES, columns)[0])
            check_lartpc(events)
            check_wires(events, tpc)
        except InputError as error:
            raise InputError(f"{file}: {error}") from error
        yield events


def _offsets(counts: np.ndarray) -> npt.NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])


def _with_hits(
    arrays: Arrays, plane: str, places: _Places, rows: RowOrder, counts: Counter[str]
) -> LArTPCEvents:
    """The pixels above 0 of some events."""
    key = key_of(arrays)
    pixels, height, width = (arrays[name] for name in _IMAGE)
    of_event = np.repeat(np.arange(len(key)), ak.to_numpy(ak.num(height)))
    sizes, planes = flat(ak.num(pixels, axis=2)), flat(arrays[plane]).astype(np.int64)
    n_rows, n_columns = flat(height).astype(np.int64), flat(width).astype(np.int64)
    _, first = np.unique(3 * of_event + planes, return_index=True)
    alone = np.isin(np.arange(len(planes)), first) & (planes <= 2)
    refuse_image(key, of_event, ~alone, "is not the only one of plane 0, 1 or 2")
    refuse_image(key, of_event, sizes != n_rows * n_columns, "has not rows times columns pixels")

    values, offsets = flat(pixels), _offsets(sizes)
    pixel = np.flatnonzero(~(values <= 0))  # NaN too, to be refused as a charge
    image = np.searchsorted(offsets, pixel, side="right") - 1
    counts[NEGATIVE] += int((values < 0).sum())
    column, row = np.divmod(pixel - offsets[image], n_rows[image])
    if rows == "down":
        row = n_rows[image] - 1 - row
    tick, wire = places(arrays)[image].T
    none = np.zeros(len(key) + 1, np.int64)
    return LArTPCEvents(
        key=key,
        truth={},
        hit_offsets=_offsets(np.bincount(of_event[image], minlength=len(key))),
        hits={
            "plane": planes[image].astype(np.int8),
            "wire": (column + wire).astype(np.int32),
            "time": (row + tick + 0.5).astype(np.float32),
            "charge": values[pixel].astype(np.float32),
            "rms": np.zeros(len(pixel), np.float32),
        },
        particle_offsets=none,
        particles={},
        deposit_offsets=none,
        deposits={},
    )


def _with_particles(events: LArTPCEvents, arrays: Arrays) -> LArTPCEvents:
    """Events with their primaries, all of which are known to be primary and of no more."""
    if (other := key_of(arrays) != events.key).any():
        name = event_name(events.key[np.argmax(other)])
        raise InputError(f"{name}: the entry of '{PARTICLE_TREE}' is another event")
    primary = arrays[_PROCESS] == "primary"
    pdg, energy, *vectors = (flat(arrays[name][primary]) for name in _NUMBERS)
    momentum, start = np.stack(vectors[:3], axis=1), np.stack(vectors[3:], axis=1)
    offsets, n = _offsets(ak.to_numpy(ak.sum(primary, axis=1))), len(pdg)
    start = start.astype(np.float32)
    vertex = np.full((len(events), 3), np.nan, np.float32)
    some = np.diff(offsets) > 0
    vertex[some] = start[offsets[:-1][some]]
    nowhere = np.full((len(events), 3), np.nan, np.float32)
    return replace(
        events,
        truth={"vertex": vertex, "vertex_wire": nowhere, "vertex_tick": nowhere[:, 0]},
        particle_offsets=offsets,
        particles={
            "pdg": pdg.astype(np.int32),
            "parent": np.full(n, -1, np.int32),
            "process": np.full(n, PROCESSES.index("primary"), np.int8),
            "origin": np.full(n, BEAM, np.int8),
            "energy": kinetic_energy(energy, momentum).astype(np.float32),
            "start": start,
            "end": np.full((n, 3), np.nan, np.float32),
        },
    )


def kinetic_energy(energy: np.ndarray, momentum: np.ndarray) -> npt.NDArray[np.float64]:
    """Kinetic energies of particles.

    LArCV's momenta are in MeV, its energies in MeV or GeV, depending on who wrote them. What is
    far less than the momentum is in GeV.

    Parameters
    ----------
    energy : array (n,)
        Total energy, MeV or GeV.
    momentum : array (n, 3)
        Momentum, MeV.

    Returns
    -------
    float64 array (n,)
        MeV.
    """
    p = np.linalg.norm(momentum, axis=1)
    total = np.where(energy < p / 2, 1000 * energy, energy)
    mass = np.sqrt(np.maximum(total**2 - p**2, 0))
    return np.asarray(total - mass)
