"""ROOT files of events → one image shard, streamed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hepcnn.config import (
    LArTPCSample,
    PlaneImages,
    PolarImages,
    RichSample,
    VoxelImages,
)
from hepcnn.config.images import DETECTOR
from hepcnn.config.samples import Sample
from hepcnn.detector.geometry import load_geometry
from hepcnn.detector.labels import OTHER
from hepcnn.detector.tpc import load_tpc
from hepcnn.errors import InputError
from hepcnn.events.chunk import EventChunk
from hepcnn.events.lartpc_schema import LArTPCEvents
from hepcnn.events.reading import (
    FileSpec,
    expand_files,
    fingerprint,
    n_entries,
    read_lartpc,
    read_rich,
)
from hepcnn.imaging.planes import plane_header, plane_images
from hepcnn.imaging.rich import rich_header, rich_images
from hepcnn.imaging.steps import apply_steps, step_header
from hepcnn.imaging.voxels import voxel_header, voxel_images
from hepcnn.progress import note, progress
from hepcnn.provenance import digest, record
from hepcnn.store.shard import Header, Images, ShardWriter, Skipped

#: Why a file without events is left out.
EMPTY = "empty, its tree has no entries"
#: Tracks, hits or deposits whose images are in memory at a time. Larger blocks of tracks are
#: slower, because the system has to find new memory for each, and their images leave the
#: processor's cache; those of hits do so anyway, and in small ones the many columns take time.
BLOCK_TRACKS = 4096
BLOCK_HITS = 1 << 19


@dataclass(frozen=True)
class _Maker:
    """What makes the images of one image set.

    Attributes
    ----------
    header : Header
        What all images have in common.
    geometry : dict
        The detector's numbers.
    read : callable
        Reads the events of a file, chunk by chunk, and counts what there was before a selection.
    images : callable
        Makes the images of a chunk, and its cutflow.
    step : callable
        Events of a chunk whose images are made together.
    target : str
        The truth whose classes name particles.
    """

    header: Header
    geometry: dict[str, Any]
    read: Callable[[FileSpec, Counter[str]], Iterator[Any]]
    images: Callable[[Any], tuple[Images, dict[str, int]]]
    step: Callable[[Any], int]
    target: str


def _maker(
    sample: RichSample | LArTPCSample, settings: PolarImages | PlaneImages | VoxelImages
) -> _Maker:
    """The maker of the settings, for the sample's detector."""
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


def _polar_maker(sample: RichSample, settings: PolarImages) -> _Maker:
    geometry = load_geometry(sample.geometry)
    return _Maker(
        rich_header(settings),
        {name: rich.model_dump(mode="json") for name, rich in geometry.items()},
        lambda spec, counts: read_rich(spec, sample, rich=settings.rich, counts=counts),
        lambda events: rich_images(events, geometry, settings),
        lambda events: BLOCK_TRACKS * len(events) // max(events.n_tracks, 1),
        "species",
    )


def _plane_maker(sample: LArTPCSample, settings: PlaneImages) -> _Maker:
    tpc = load_tpc(sample.geometry)
    header = plane_header(settings, tpc)

    def images(events: LArTPCEvents) -> tuple[Images, dict[str, int]]:
        raw, counts = plane_images(events, tpc, settings)
        return apply_steps(settings.steps, header, raw), counts

    return _Maker(
        step_header(settings.steps, header),
        tpc.model_dump(mode="json"),
        lambda spec, counts: read_lartpc(spec, sample, counts=counts),
        images,
        lambda events: BLOCK_HITS * len(events) // max(events.n_hits, 1),
        "particle",
    )


def _voxel_maker(sample: LArTPCSample, settings: VoxelImages) -> _Maker:
    tpc = load_tpc(sample.geometry)
    return _Maker(
        voxel_header(settings, tpc),
        tpc.model_dump(mode="json"),
        lambda spec, counts: read_lartpc(spec, sample, deposits=True, counts=counts),
        lambda events: voxel_images(events, tpc, settings),
        lambda events: BLOCK_HITS * len(events) // max(int(events.deposit_offsets[-1]), 1),
        "particle",
    )


def convert(
    files: Sequence[str],
    sample: RichSample | LArTPCSample,
    settings: PolarImages | PlaneImages | VoxelImages,
    output: str | Path,
) -> dict[str, int]:
    """Make the image shard of some files of a sample.

    Memory is bounded by the reader's step, whatever the files' size. With `sample.on_bad_file`
    = ``skip`` a file that cannot be read to its end contributes nothing and is listed in the
    shard with the reason and the number of events lost; so is a file without events.

    Parameters
    ----------
    files : sequence of str
        Paths, globs or ``root://`` addresses.
    sample : RichSample or LArTPCSample
        How to read them; its own list of files is not used.
    settings : PolarImages or PlaneImages
        What the images are.
    output : path
        The shard.

    Returns
    -------
    dict of str to int
        The cutflow.

    Raises
    ------
    InputError
        If there are no files, all are empty, or a file is bad and bad files are not skipped, or
        the images are not of the sample's detector; nothing is written then.
    """
    specs = expand_files(files)
    maker = _maker(sample, settings)
    inputs: dict[str, str] = {}
    skipped: list[Skipped] = []
    cutflow: Counter[str] = Counter()
    others: Counter[int] = Counter()
    with ShardWriter(output, maker.header) as writer:
        for spec in specs:
            events = -1
            try:
                events = n_entries(spec, sample.tree)
                inputs[str(spec)] = fingerprint(spec)
                if not events:
                    skipped.append(Skipped(str(spec), EMPTY, 0))
                    note(f"{spec}: {EMPTY}")
                    continue
                with writer.all_or_nothing():
                    counts, codes = _append(spec, events, maker, writer)
            except InputError as error:
                if sample.on_bad_file == "fail":
                    raise
                inputs.setdefault(str(spec), "unreadable")
                skipped.append(Skipped(str(spec), str(error), events))
                lost = f"{events} events" if events >= 0 else "an unknown number of events"
                note(f"skipped {spec}, {lost} lost: {error}")
            else:
                cutflow.update(counts)
                others.update(codes)
        _refuse_empty(skipped, specs, sample)
        writer.describe(_provenance(sample, settings, maker.geometry, inputs), cutflow, skipped)
        if not len(writer):
            note(f"{output}: nothing was kept")
    if others:
        found = ", ".join(f"{code}: {examples}" for code, examples in others.most_common())
        known = ", ".join(maker.header.classes[maker.target])
        note(f"kept as 'other', not one of {known} (PDG code: examples): {found}")
    return dict(cutflow)


def _refuse_empty(skipped: Sequence[Skipped], specs: Sequence[FileSpec], sample: Sample) -> None:
    """All files of a sample are empty; those of one job may be, beside others of the sample."""
    if [file.reason for file in skipped] != [EMPTY] * len(specs):
        return
    try:
        others = set(expand_files(sample.files)) - set(specs)
    except InputError:  # the sample's own list of files is not used
        others = set()
    if not others:
        raise InputError(f"{specs[0]}: {EMPTY}: tree '{specs[0].tree or sample.tree}'; so are all")


def _append(
    spec: FileSpec, events: int, maker: _Maker, writer: ShardWriter
) -> tuple[Counter[str], Counter[int]]:
    """Append a file's images; returns its cutflow and the PDG codes of other particles."""
    before: Counter[str] = Counter()
    cutflow: Counter[str] = Counter()
    others: Counter[int] = Counter()
    # One block is written while the next is made; the reader reads ahead by itself.
    with progress(f"convert {spec}", events) as advance, ThreadPoolExecutor(1) as writing:
        written: Future[None] | None = None
        for block in _blocks(maker.read(spec, before), maker.step):
            try:
                images, counts = maker.images(block)
            except InputError as error:
                raise InputError(f"{spec}: {error}") from error
            if written:
                written.result()
            written = writing.submit(writer.append, images)
            cutflow.update(counts)
            pdg, label = images.truth["pdg"], images.truth[maker.target]
            others.update(pdg[(label == OTHER) & (pdg != 0)].tolist())
            advance(len(block))
        if written:
            written.result()
    before.update(cutflow)
    return before, others


def _blocks(
    chunks: Iterable[EventChunk], step: Callable[[EventChunk], int]
) -> Iterator[EventChunk]:
    """The reader's chunks in parts of about `step` events."""
    for events in chunks:
        size = max(1, step(events))
        for start in range(0, len(events), size):
            yield events.part(start, min(start + size, len(events)))


def _provenance(
    sample: RichSample | LArTPCSample,
    settings: PolarImages | PlaneImages | VoxelImages,
    geometry: dict[str, Any],
    inputs: dict[str, str],
) -> dict[str, Any]:
    layout = sample.model_dump(
        mode="json", exclude={"files", "files_per_job", "simulate"}, exclude_none=True
    )
    # Geometry and channels by their contents too: a user's file can change under its name.
    layout["geometry_digest"] = digest(geometry)
    if channels := layout.get("channel_map"):
        layout["channel_map_digest"] = digest(Path(channels).read_text())
    return record(
        "convert",
        {
            "sample": layout,
            "images": settings.model_dump(mode="json", exclude={"sample"}),
        },
        code="hepcnn.imaging.convert",
        inputs=inputs,
    )
