"""ROOT files of events → one image shard, streamed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hepcnn.config import (
    LArTPCSample,
    PlaneImages,
    PolarImages,
    RichSample,
    VoxelImages,
)
from hepcnn.config.samples import Sample
from hepcnn.detector.labels import OTHER
from hepcnn.errors import InputError
from hepcnn.events.chunk import EVENT_KEY, EventChunk
from hepcnn.events.lartpc_schema import USUAL_WIDTH, LArTPCEvents
from hepcnn.events.names import check_names
from hepcnn.events.reading import (
    FileSpec,
    expand_files,
    fingerprint,
    n_entries,
)
from hepcnn.events.schema import RichEvents
from hepcnn.imaging.inside import Inside, joined
from hepcnn.imaging.makers import Maker, maker_of
from hepcnn.imaging.planes import NO_ORIGIN, NO_WIDTH, PARTICLES
from hepcnn.progress import note, progress
from hepcnn.provenance import digest, record
from hepcnn.store.shard import ShardWriter, Skipped

#: Why a file without events is left out.
EMPTY = "empty, its tree has no entries"
#: Events of which images are made to see whether they can be.
FIRST_EVENTS = 32


class _Found(NamedTuple):
    """Of one file: its cutflow, PDG codes of other particles, what is inside, names of events."""

    cutflow: Counter[str]
    others: Counter[int]
    inside: list[Inside]
    keys: npt.NDArray[np.void]


def try_first_events(
    spec: FileSpec,
    sample: RichSample | LArTPCSample,
    settings: PolarImages | PlaneImages | VoxelImages,
) -> RichEvents | LArTPCEvents | None:
    """Make images of a file's first events, and throw them away: can they be made?

    Returns
    -------
    RichEvents or LArTPCEvents
        These events; None if the file has none.

    Raises
    ------
    InputError
        As `convert`.
    """
    maker = maker_of(sample, settings, [spec])
    for events in maker.read(spec, FIRST_EVENTS, Counter()):
        try:
            _, _, inside = maker.images(events)
            for text in (text for part in inside for text in part.check()):
                note(f"warning: {spec}, first {len(events)} events: {text}")
        except InputError as error:
            raise InputError(f"{spec}: {error}") from error
        return events
    return None


def convert(
    files: Sequence[str],
    sample: RichSample | LArTPCSample,
    settings: PolarImages | PlaneImages | VoxelImages,
    output: str | Path,
) -> dict[str, int]:
    """Make the image shard of some files of a sample.

    Memory is bounded by the reader's step, whatever the files' size. With `sample.on_bad_file`
    = ``skip`` a file that cannot be read to its end contributes nothing and is listed in the
    shard with the reason and the number of events lost; so is a file without events. The cutflow
    is shown on standard error, and so are warnings of little that lies inside the images; the
    shard holds both.

    Parameters
    ----------
    files : sequence of str
        Paths, globs or ``root://`` addresses.
    sample : RichSample or LArTPCSample
        How to read them; its own list of files is not used.
    settings : PolarImages, PlaneImages or VoxelImages
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
        nothing that was read is inside an image, or the images are not of the sample's detector,
        or two files are copies or have events of one name; nothing is written then.
    """
    specs = expand_files(files)
    maker = maker_of(sample, settings, specs)
    inputs = _identities(specs, sample)
    keys: dict[str, npt.NDArray[np.void]] = {}
    skipped: list[Skipped] = []
    cutflow: Counter[str] = Counter()
    others: Counter[int] = Counter()
    inside: list[Inside] = []
    with ShardWriter(output, maker.header) as writer:
        for spec in specs:
            events = -1
            try:
                events = n_entries(spec, sample.tree)
                if not events:
                    skipped.append(Skipped(str(spec), EMPTY, 0))
                    note(f"{spec}: {EMPTY}")
                    continue
                with writer.all_or_nothing():
                    found = _append(spec, events, maker, writer)
            except InputError as error:
                if sample.on_bad_file == "fail":
                    raise
                skipped.append(Skipped(str(spec), str(error), events))
                lost = f"{events} events" if events >= 0 else "an unknown number of events"
                note(f"skipped {spec}, {lost} lost: {error}")
            else:
                cutflow.update(found.cutflow)
                others.update(found.others)
                keys[str(spec)] = found.keys
                inside = joined(inside, found.inside)
        _refuse_empty(skipped, specs, sample)
        _say(output, cutflow)
        check_names(keys)
        warnings = [text for part in inside for text in part.check()]
        if isinstance(sample, LArTPCSample) and sample.reader == "hits":
            warnings += _unsaid(cutflow)
        for text in warnings:
            note(f"warning: {output}: {text}")
        provenance = _provenance(sample, settings, maker.geometry, inputs)
        writer.describe(provenance, cutflow, skipped, warnings)
        if not len(writer):
            note(f"{output}: nothing was kept{_emptied(cutflow)}")
    if others:
        codes = ", ".join(f"{code}: {examples}" for code, examples in others.most_common())
        known = ", ".join(maker.header.classes[maker.target])
        note(f"kept as 'other', not one of {known} (PDG code: examples): {codes}")
    return dict(cutflow)


def _unsaid(cutflow: Mapping[str, int]) -> Iterator[str]:
    """Warnings if most hits have no width, or most particles no origin."""
    hits, without = cutflow.get("hits read", 0), cutflow.get(NO_WIDTH, 0)
    if 2 * without > hits:
        yield (
            f"{without:,} of {hits:,} hits have no width (hit_rms), so that each is in one pixel, "
            "and a network that was trained on pulses with a width sees other images: map hit_rms, "
            f"or suppose one width for all (ticks), as in branches: {{hit_rms: {USUAL_WIDTH:g}}}"
        )
    particles, without = cutflow.get(PARTICLES, 0), cutflow.get(NO_ORIGIN, 0)
    if 2 * without > particles:
        yield (
            f"{without:,} of {particles:,} particles are of unknown origin, so that events have no "
            "class 'particle' and no key points: map particle_origin (0: beam or gun, 1: cosmic), "
            "or write particle_origin: 0 if all are of the beam or a gun"
        )


def _emptied(cutflow: Mapping[str, int]) -> str:
    """The step of the cutflow that left nothing, in words."""
    steps = list(cutflow.items())[: list(cutflow).index("kept") + 1] if "kept" in cutflow else []
    for (before, count), (step, left) in pairwise(steps):
        if count and not left:
            return f": of {count:,} '{before}' none is '{step}'"
    return ""


def _say(output: str | Path, cutflow: Mapping[str, int]) -> None:
    """The cutflow, line by line."""
    note(f"{output}: cutflow")
    width = max(map(len, cutflow), default=0)
    for step, count in cutflow.items():
        note(f"  {step:{width}}  {count:15,}")


def _identities(specs: Sequence[FileSpec], sample: RichSample | LArTPCSample) -> dict[str, str]:
    """The identity of each file, all different: no file is read twice under two names."""
    found: dict[str, str] = {}
    first: dict[str, str] = {}
    for spec in specs:
        name = str(spec)
        try:
            found[name] = fingerprint(spec, sample.tree)
        except InputError:
            if sample.on_bad_file == "fail":
                raise
            # Bad files are told apart by their names: there is nothing else.
            found[name] = f"unreadable: {name}"
        if (other := first.setdefault(found[name], name)) != name:
            raise InputError(
                f"'{name}' is a copy of '{other}' (UUID and size are the same): its events would "
                "count twice"
            )
    return found


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


def _append(spec: FileSpec, events: int, maker: Maker, writer: ShardWriter) -> _Found:
    """Append a file's images."""
    before: Counter[str] = Counter()
    cutflow: Counter[str] = Counter()
    keys: list[npt.NDArray[np.void]] = []
    others: Counter[int] = Counter()
    inside: list[Inside] = []
    # One block is written while the next is made; the reader reads ahead by itself.
    with progress(f"convert {spec}", events) as advance, ThreadPoolExecutor(1) as writing:
        written: Future[None] | None = None
        for block in _blocks(maker.read(spec, None, before), maker.step):
            try:
                images, counts, within = maker.images(block)
            except InputError as error:
                raise InputError(f"{spec}: {error}") from error
            if written:
                written.result()
            written = writing.submit(writer.append, images)
            keys.append(block.key)
            cutflow.update(counts)
            inside = joined(inside, within)
            pdg, label = images.truth["pdg"], images.truth[maker.target]
            others.update(pdg[(label == OTHER) & (pdg != 0)].tolist())
            advance(len(block))
        if written:
            written.result()
    before.update(cutflow)
    return _Found(before, others, inside, np.concatenate([np.empty(0, EVENT_KEY), *keys]))


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
        layout["channel_map_digest"] = digest(Path(channels).read_text(encoding="utf-8"))
    return record(
        "convert",
        {
            "sample": layout,
            "images": settings.model_dump(mode="json", exclude={"sample"}),
        },
        code="hepcnn.imaging.convert",
        inputs=inputs,
    )
