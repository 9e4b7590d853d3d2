"""ROOT files of events → one image shard, streamed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from hepcnn.config import PolarImages, RichSample
from hepcnn.detector.geometry import RichGeometry, load_geometry
from hepcnn.detector.particles import OTHER
from hepcnn.errors import InputError
from hepcnn.events.reading import FileSpec, expand_files, fingerprint, n_entries, read_rich
from hepcnn.events.schema import RichEvents
from hepcnn.imaging.rich import rich_header, rich_images
from hepcnn.progress import note, progress
from hepcnn.provenance import digest, record
from hepcnn.store.shard import ShardWriter, Skipped

#: Tracks whose images are in memory at a time: larger blocks are slower, because the system has
#: to find new memory for each, and their images leave the processor's cache.
BLOCK_TRACKS = 4096


def convert(
    files: Sequence[str], sample: RichSample, settings: PolarImages, output: str | Path
) -> dict[str, int]:
    """Make the image shard of some files of a sample.

    Memory is bounded by the reader's step, whatever the files' size. With `sample.on_bad_file`
    = ``skip`` a file that cannot be read to its end contributes nothing and is listed in the
    shard with the reason and the number of events lost.

    Parameters
    ----------
    files : sequence of str
        Paths, globs or ``root://`` addresses.
    sample : RichSample
        How to read them; its own list of files is not used.
    settings : PolarImages
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
        If there are no files, or a file is bad and bad files are not skipped; nothing is written
        then.
    """
    specs = expand_files(files)
    geometry = load_geometry(sample.geometry)
    inputs: dict[str, str] = {}
    skipped: list[Skipped] = []
    cutflow: Counter[str] = Counter()
    others: Counter[int] = Counter()
    with ShardWriter(output, rich_header(settings)) as writer:
        for spec in specs:
            events = -1
            try:
                events = n_entries(spec, sample.tree)
                inputs[str(spec)] = fingerprint(spec)
                with writer.all_or_nothing():
                    counts, codes = _append(spec, events, sample, settings, geometry, writer)
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
        writer.describe(_provenance(sample, settings, geometry, inputs), cutflow, skipped)
        if not len(writer):
            note(f"{output}: no track was kept")
    if others:
        found = ", ".join(f"{code}: {tracks}" for code, tracks in others.most_common())
        note(f"kept as 'other', not one of the six species (PDG code: tracks): {found}")
    return dict(cutflow)


def _append(
    spec: FileSpec,
    events: int,
    sample: RichSample,
    settings: PolarImages,
    geometry: dict[str, RichGeometry],
    writer: ShardWriter,
) -> tuple[Counter[str], Counter[int]]:
    """Append a file's images; returns its cutflow and the PDG codes of other species."""
    cutflow: Counter[str] = Counter()
    others: Counter[int] = Counter()
    # One block is written while the next is made; the reader reads ahead by itself.
    with progress(f"convert {spec}", events) as advance, ThreadPoolExecutor(1) as writing:
        written: Future[None] | None = None
        for block in _blocks(read_rich(spec, sample, rich=settings.rich)):
            try:
                images, counts = rich_images(block, geometry, settings)
            except InputError as error:
                raise InputError(f"{spec}: {error}") from error
            if written:
                written.result()
            written = writing.submit(writer.append, images)
            cutflow.update(counts)
            others.update(images.truth["pdg"][images.truth["species"] == OTHER].tolist())
            advance(len(block))
        if written:
            written.result()
    return cutflow, others


def _blocks(chunks: Iterable[RichEvents]) -> Iterator[RichEvents]:
    """The reader's chunks in parts of about `BLOCK_TRACKS` tracks."""
    for events in chunks:
        step = max(1, BLOCK_TRACKS * len(events) // max(events.n_tracks, 1))
        for start in range(0, len(events), step):
            yield events.part(start, min(start + step, len(events)))


def _provenance(
    sample: RichSample,
    settings: PolarImages,
    geometry: dict[str, RichGeometry],
    inputs: dict[str, str],
) -> dict[str, Any]:
    # The geometry by its contents too: a user's file can change under its name.
    layout = sample.model_dump(
        mode="json", include={"detector", "geometry", "tree", "branches", "on_bad_file"}
    )
    numbers = {name: rich.model_dump(mode="json") for name, rich in geometry.items()}
    return record(
        "convert",
        {
            "sample": {**layout, "geometry_digest": digest(numbers)},
            "images": settings.model_dump(mode="json", exclude={"sample"}),
        },
        code="hepcnn.imaging.convert",
        inputs=inputs,
    )
