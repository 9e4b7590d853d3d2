"""Events out of ROOT files: streamed, checked, as flat arrays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from hepcnn.config import RichSample
from hepcnn.config.samples import LArTPCSample, Sample
from hepcnn.detector.tpc import TPC, load_tpc
from hepcnn.errors import InputError
from hepcnn.events import lartpc_schema, schema
from hepcnn.events.channels import ChannelMap, load_channel_map, on_wires
from hepcnn.events.checks import check_lartpc, check_rich, check_wires
from hepcnn.events.chunk import Branch, EventChunk, Level
from hepcnn.events.columns import assemble, to_column
from hepcnn.events.evaluation import Column
from hepcnn.events.larcv import read_images
from hepcnn.events.lartpc_schema import LArTPCEvents
from hepcnn.events.layout import Plan, plan, wanted_lartpc, wanted_rich
from hepcnn.events.names import NUMBERS, numbers
from hepcnn.events.schema import RichEvents
from hepcnn.events.sentinels import crossing_alone, without_sentinels
from hepcnn.events.sources import (
    FileSpec,
    branch_names,
    decoding,
    expand_files,
    fingerprint,
    n_entries,
    open_tree,
)
from hepcnn.events.streaming import ahead, in_steps
from hepcnn.events.track_ids import by_index
from hepcnn.rows import Rows

__all__ = [
    "FileSpec",
    "expand_files",
    "fingerprint",
    "n_entries",
    "open_tree",
    "read_lartpc",
    "read_rich",
]

Chunk = TypeVar("Chunk", bound=EventChunk)
Key = npt.NDArray[np.void]
Tables = dict[Level, Rows]


def read_rich(
    spec: FileSpec,
    sample: RichSample,
    *,
    rich: Sequence[str] | None = None,
    truth: bool = True,
    hit_truth: bool = False,
    step: int | None = None,
    counts: Counter[str] | None = None,
) -> Iterator[RichEvents]:
    """Read a file's RICH events in steps.

    The memory in use is bounded by the step, whatever the file's size. While a step is worked
    on, the next one is read by a thread.

    Parameters
    ----------
    spec : FileSpec
        The file; its own tree, if it names one, goes before `sample.tree`.
    sample : RichSample
        Name of the tree, the map of the branches and the selection.
    rich : sequence of {"rich1", "rich2"}, optional
        The RICHes whose track branches are read; by default those that the file has.
    truth : bool
        If False, a file without `track_pdg` can be read too; then there is no ``tracks["pdg"]``.
    hit_truth : bool
        Read `hit_track` as well, if it is there.
    step : int, optional
        Events a step; by default as many as have `streaming.STEP_BYTES`.
    counts : Counter, optional
        Is added what there was before the sample's selection; whole when all has been read.

    Yields
    ------
    RichEvents
        Chunks with at least one event, in the order of the file.

    Raises
    ------
    InputError
        When the file cannot be read or is empty, a branch is missing, or a value is impossible;
        it names the file, and the branch and event.
    """
    wanted = partial(wanted_rich, rich=rich, truth=truth, hit_truth=hit_truth)
    yield from _read(spec, sample, schema.BRANCHES, wanted, _rich_events, step, counts)


def read_lartpc(
    spec: FileSpec,
    sample: LArTPCSample,
    *,
    truth: bool = True,
    deposits: bool = False,
    step: int | None = None,
    counts: Counter[str] | None = None,
) -> Iterator[LArTPCEvents]:
    """Read a file's events of a liquid-argon TPC in steps, as `read_rich` does.

    Parameters
    ----------
    spec : FileSpec
        The file; its own tree, if it names one, goes before `sample.tree`.
    sample : LArTPCSample
        Name of the tree, the map of the branches, that of the channels if there is one, and the
        geometry, whose planes have the wires.
    truth : bool
        Read the truth that the file has.
    deposits : bool
        Read the energy deposits; without, a file needs none.
    step : int, optional
        Events a step; by default as many as have `streaming.STEP_BYTES`.
    counts : Counter, optional
        Is added what there was before the sample's selection; whole when all has been read.

    Yields
    ------
    LArTPCEvents
        Chunks with at least one event, in the order of the file.

    Raises
    ------
    InputError
        As of `read_rich`, or when the channel map or the geometry cannot be read.
    """
    if sample.reader == "larcv":
        if deposits:
            raise InputError(f"{spec}: LArCV's images have no energy deposits")
        yield from read_images(spec, sample, truth=truth, step=step, counts=counts)
        return
    channels = load_channel_map(sample.channel_map) if sample.channel_map else None
    wanted = partial(wanted_lartpc, channels=channels is not None, truth=truth, deposits=deposits)
    make = partial(_lartpc_events, channels=channels, tpc=load_tpc(sample.geometry))
    yield from _read(spec, sample, lartpc_schema.BRANCHES, wanted, make, step, counts)


def _read(
    spec: FileSpec,
    sample: Sample,
    layout: Mapping[str, Branch],
    wanted: Callable[[Collection[str]], list[Branch]],
    make: Callable[[Key, Tables], Chunk],
    step: int | None,
    counts: Counter[str] | None,
) -> Iterator[Chunk]:
    """Read events: `wanted` chooses among the branches of the layout, `make` makes the chunks."""
    with open_tree(spec, sample.tree) as tree:
        with decoding(f"{spec}: cannot read its branches"):
            entries, names = tree.num_entries, branch_names(tree)
        if entries == 0:
            raise InputError(f"{spec}: tree '{spec.tree or sample.tree}' has no entries")
        chosen = wanted({*sample.branches, *names})
        given = sample.branches, sample.selection, sample.counters
        made = plan({*names, *NUMBERS}, *given, layout, chosen, str(spec))
        identity = partial(fingerprint, spec, sample.tree)
        chunks = _chunks(tree, names, made, layout, make, step, counts, str(spec), identity)
        yield from ahead(chunks)


def _chunks(
    tree: Any,
    names: Mapping[str, str],
    made: Plan,
    layout: Mapping[str, Branch],
    make: Callable[[Key, Tables], Chunk],
    step: int | None,
    counts: Counter[str] | None,
    file: str,
    identity: Callable[[], str],
) -> Iterator[Chunk]:
    used = {name: names[name] for name in made.names if name not in NUMBERS}
    if not used:
        raise InputError(f"{file}: `branches:` are all constants: name the file's branches")
    first = 0
    for arrays in in_steps(tree, set(used.values()), step, file):
        n = len(next(iter(arrays.values())))
        try:
            columns = {name: _column(arrays[full], name) for name, full in used.items()}
            its_own = numbers(made.names, first, first + n, identity)
            columns |= {name: Column(values) for name, values in its_own.items()}
            key, tables = assemble(made, layout, columns, first, counts)
            events = make(key, tables)
        except InputError as error:
            raise InputError(f"{file}: {error}") from error
        first += n
        if len(events):
            yield events


def _column(array: Any, name: str) -> Column:
    with decoding(f"cannot read branch '{name}'"):
        return to_column(array, name)


def _rich_events(key: Key, tables: Tables) -> RichEvents:
    tracks, hits = tables["track"], tables["hit"]
    events = RichEvents(key, tracks.offsets, tracks.columns, hits.offsets, hits.columns)
    events = crossing_alone(events)
    check_rich(events)
    return events


def _lartpc_events(key: Key, tables: Tables, channels: ChannelMap | None, tpc: TPC) -> LArTPCEvents:
    none = Rows(np.zeros(len(key) + 1, np.int64), {})
    hits = tables["hit"]
    particles, deposits = tables.get("particle", none), tables.get("deposit", none)
    events = LArTPCEvents(
        key=key,
        truth=tables["event"].columns,
        hit_offsets=hits.offsets,
        hits=hits.columns,
        particle_offsets=particles.offsets,
        particles=particles.columns,
        deposit_offsets=deposits.offsets,
        deposits=deposits.columns,
    )
    if channels:
        events = on_wires(events, channels)
    events = without_sentinels(events)
    if "id" in events.particles:
        events = by_index(events)
    check_lartpc(events)
    check_wires(events, tpc)
    return events
