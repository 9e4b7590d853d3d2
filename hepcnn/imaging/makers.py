"""What makes the images of an image set: its reader, its images, its blocks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
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
from hepcnn.detector.tpc import load_tpc
from hepcnn.errors import InputError
from hepcnn.events.lartpc_schema import LArTPCEvents
from hepcnn.events.reading import FileSpec, read_lartpc, read_rich
from hepcnn.events.schema import RichEvents
from hepcnn.imaging.inside import Inside
from hepcnn.imaging.planes import plane_header, plane_hits_inside, plane_images
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
    sample: RichSample | LArTPCSample, settings: PolarImages | PlaneImages | VoxelImages
) -> Maker:
    """The maker of the settings, for the sample's detector.

    Parameters
    ----------
    sample : RichSample or LArTPCSample
        How its files are read.
    settings : PolarImages, PlaneImages or VoxelImages
        What the images are.

    Raises
    ------
    InputError
        If the images are not of the sample's detector, or its geometry, the images' shape or a
        step is not possible.
    """
    if isinstance(settings, PlaneImages) and isinstance(sample, LArTPCSample):
        return _plane_maker(sample, settings)
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

    def images(events: RichEvents) -> Made:
        made, counts = rich_images(events, geometry, settings)
        return made, counts, rich_hits_inside(events, geometry, counts, settings)

    return Maker(
        rich_header(settings),
        {name: rich.model_dump(mode="json") for name, rich in geometry.items()},
        lambda spec, step, counts: read_rich(
            spec, sample, rich=settings.rich, step=step, counts=counts
        ),
        images,
        lambda events: BLOCK_TRACKS * len(events) // max(events.n_tracks, 1),
        "species",
    )


def _plane_maker(sample: LArTPCSample, settings: PlaneImages) -> Maker:
    tpc = load_tpc(sample.geometry)
    header = plane_header(settings, tpc)

    def images(events: LArTPCEvents) -> Made:
        raw, counts = plane_images(events, tpc, settings)
        inside = plane_hits_inside(events, raw, tpc, settings)
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
