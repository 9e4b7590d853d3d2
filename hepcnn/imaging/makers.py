"""What makes the images of an image set: its reader, its images, its blocks."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hepcnn.config import (
    LArTPCSample,
    PlaneImages,
    PolarImages,
    RichSample,
    VoxelImages,
)
from hepcnn.config.images import DETECTOR
from hepcnn.detector.geometry import load_geometry
from hepcnn.detector.tpc import TPC, load_tpc
from hepcnn.errors import InputError
from hepcnn.events.larcv import read_images
from hepcnn.events.larcv_frame import ImagePlanes, image_planes
from hepcnn.events.lartpc_schema import LArTPCEvents
from hepcnn.events.reading import FileSpec, expand_files, n_entries, read_lartpc, read_rich
from hepcnn.events.schema import WEIGHT, RichEvents
from hepcnn.imaging.inside import Inside
from hepcnn.imaging.planes import plane_header, plane_hits_inside, plane_images, words_of
from hepcnn.imaging.rich import rich_header, rich_hits_inside, rich_images
from hepcnn.imaging.steps import apply_steps, step_header
from hepcnn.imaging.voxels import deposits_inside, voxel_header, voxel_images
from hepcnn.store.shard import Header, Images

#: Images of a chunk, their cutflow, and what is inside of them.
Made = tuple[Images, dict[str, int], list[Inside]]
#: Tracks, hits or deposits whose images are in memory at a time. Larger blocks of tracks are
#: slower, because the system has to find new memory for each, and their images leave the
#: processor's cache; those of hits do so anyway, and in small ones the many columns take time.
BLOCK_TRACKS = 4096
BLOCK_HITS = 1 << 19


@dataclass(frozen=True)
class Maker:
    """What makes the images of one image set.

    Attributes
    ----------
    header : Header
        What all images have in common.
    geometry : dict
        The detector's numbers.
    read : callable
        Reads the events of a file, in chunks of so many (None: as many as memory allows), and
        counts what there was before a selection.
    images : callable
        Makes the images of a chunk, with its cutflow and what is inside.
    step : callable
        Events of a chunk whose images are made together.
    target : str
        The truth whose classes name particles.
    """

    header: Header
    geometry: dict[str, Any]
    read: Callable[[FileSpec, int | None, Counter[str]], Iterator[Any]]
    images: Callable[[Any], Made]
    step: Callable[[Any], int]
    target: str


def maker_of(
    sample: RichSample | LArTPCSample,
    settings: PolarImages | PlaneImages | VoxelImages,
    files: Sequence[FileSpec],
) -> Maker:
    """The maker of the settings, for the sample's detector.

    Parameters
    ----------
    sample : RichSample or LArTPCSample
        How its files are read.
    settings : PolarImages, PlaneImages or VoxelImages
        What the images are.
    files : sequence of FileSpec
        What will be read. Of LArCV's images the first file that can be read says how large their
        pixels are; of other files nothing is read here.

    Raises
    ------
    InputError
        If the images are not of the sample's detector, or its geometry, the images' shape or a
        step is not possible; if LArCV's images do not say how large their pixels are.
    """
    if isinstance(settings, PlaneImages) and isinstance(sample, LArTPCSample):
        if sample.reader == "larcv":
            return _larcv_maker(sample, settings, files)
        return _planes_of(sample, settings, load_tpc(sample.geometry))
    if isinstance(settings, VoxelImages) and isinstance(sample, LArTPCSample):
        return _voxel_maker(sample, settings)
    if isinstance(settings, PolarImages) and isinstance(sample, RichSample):
        return _polar_maker(sample, settings)
    raise InputError(
        f"maker '{settings.maker}': takes events of the detector '{DETECTOR[settings.maker]}', "
        f"and the sample's is '{sample.detector}'"
    )


def _polar_maker(sample: RichSample, settings: PolarImages) -> Maker:
    geometry = load_geometry(sample.geometry)
    weighted = WEIGHT.name in sample.branches

    def images(events: RichEvents) -> Made:
        if WEIGHT.column in events.tracks and not weighted:
            raise InputError(
                f"there is a branch '{WEIGHT.name}': say in the sample's `branches` whether tables "
                f"are weighted by it, `{WEIGHT.name}: {WEIGHT.name}`, or not, `{WEIGHT.name}: 1`"
            )
        made, counts = rich_images(events, geometry, settings)
        return made, counts, rich_hits_inside(events, geometry, counts, settings)

    return Maker(
        rich_header(settings, weighted),
        {name: rich.model_dump(mode="json") for name, rich in geometry.items()},
        lambda spec, step, counts: read_rich(
            spec, sample, rich=settings.rich, step=step, counts=counts
        ),
        images,
        lambda events: BLOCK_TRACKS * len(events) // max(events.n_tracks, 1),
        "species",
    )


def _larcv_maker(sample: LArTPCSample, settings: PlaneImages, files: Sequence[FileSpec]) -> Maker:
    """The maker of LArCV's images: all of the size of the first file's."""
    first, planes = _first_planes(sample, files)
    whole = settings.region == "whole"
    window = _window(settings, planes) if whole else None
    maker = _planes_of(sample, settings, planes.tpc, window)

    def read(spec: FileSpec, step: int | None, counts: Counter[str]) -> Iterator[LArTPCEvents]:
        own = planes if spec == first else image_planes(spec, sample)
        if own.tpc != planes.tpc or (whole and own != planes):
            raise InputError(
                f"{spec}: its images are {_words(own)}; those of {first} are {_words(planes)}; "
                "all must be alike"
            )
        return read_images(spec, sample, planes=own, step=step, counts=counts)

    return replace(maker, read=read)


def _first_planes(sample: LArTPCSample, files: Sequence[FileSpec]) -> tuple[FileSpec, ImagePlanes]:
    """The first file that can be read and is not empty, and what its images are.

    If there is none among those that are read, it is another one of the sample, so that a shard
    without images is like the others.
    """
    for spec in _with_others(sample, files):
        try:
            if n_entries(spec, sample.tree):
                return spec, image_planes(spec, sample)
        except InputError:
            if sample.on_bad_file == "fail":
                raise
    names = ", ".join(map(str, files))
    raise InputError(f"no file has an entry with images that can be read: {names}")


def _with_others(sample: LArTPCSample, files: Sequence[FileSpec]) -> Iterator[FileSpec]:
    yield from files
    try:
        others = expand_files(sample.files)
    except InputError:  # other files can stand in the place of the sample's own
        others = []
    yield from (spec for spec in others if spec not in files)


def _window(settings: PlaneImages, planes: ImagePlanes) -> PlaneImages:
    """The settings with the window that holds all of a file's images."""
    pixel = settings.ticks_per_pixel, settings.wires_per_pixel
    shape = tuple(math.ceil(n / size) for n, size in zip(planes.shape, pixel, strict=True))
    corner = dict.fromkeys(settings.planes, planes.first)
    return settings.model_copy(update={"region": "fixed", "shape": shape, "corner": corner})


def _words(planes: ImagePlanes) -> str:
    """How large a file's images are, and where."""
    (rows, columns), (row, column) = planes.shape, planes.first
    return (
        f"{rows} × {columns} pixels of {planes.tpc.mm_per_tick:g} mm × {planes.tpc.pitch:g} mm "
        f"from row {row:g}, column {column:g}"
    )


def _planes_of(
    sample: LArTPCSample, settings: PlaneImages, tpc: TPC, window: PlaneImages | None = None
) -> Maker:
    """The maker of wire planes; `window`: the settings that `settings` come to for LArCV's."""
    own = window or settings
    header = plane_header(own, tpc)
    if window:  # The header has what was asked for, as the report does, and where the window lies.
        stated = settings.model_dump(mode="json", exclude={"sample"})
        place = {"window": own.model_dump(mode="json", include={"shape", "corner"})}
        header = replace(header, maker=header.maker | stated | place)

    def images(events: LArTPCEvents) -> Made:
        raw, counts = plane_images(events, tpc, own)
        inside = plane_hits_inside(events, raw, tpc, own)
        inside = replace(inside, where=words_of(settings))
        return apply_steps(settings.steps, header, raw), counts, [inside]

    return Maker(
        step_header(settings.steps, header),
        tpc.model_dump(mode="json"),
        lambda spec, step, counts: read_lartpc(spec, sample, step=step, counts=counts),
        images,
        lambda events: BLOCK_HITS * len(events) // max(events.n_hits, 1),
        "particle",
    )


def _voxel_maker(sample: LArTPCSample, settings: VoxelImages) -> Maker:
    tpc = load_tpc(sample.geometry)

    def images(events: LArTPCEvents) -> Made:
        made, counts = voxel_images(events, tpc, settings)
        return made, counts, [deposits_inside(events, made, tpc, settings)]

    return Maker(
        voxel_header(settings, tpc),
        tpc.model_dump(mode="json"),
        lambda spec, step, counts: read_lartpc(
            spec, sample, deposits=True, step=step, counts=counts
        ),
        images,
        lambda events: BLOCK_HITS * len(events) // max(int(events.deposit_offsets[-1]), 1),
        "particle",
    )
