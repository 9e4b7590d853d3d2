"""Wire-plane imaging: the kernel, and file to file, each beside its peer, in one run.

    python -m benchmarks planes

The kernel's events are crowded: 6 tracks from a vertex among 10 that cross each plane, 77 000 hits
without a width, or 16 000 with one. Those of the files are simulated neutrino interactions with
cosmic rays.
"""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import uproot
from scipy.special import ndtr

from benchmarks.harness import row, seconds, sized
from hepcnn.config import LArTPCSample, LArTPCSimulation, PlaneImages
from hepcnn.detector.tpc import load_tpc
from hepcnn.events.lartpc_schema import LArTPCEvents
from hepcnn.events.layout import wanted_lartpc
from hepcnn.events.writing import write_events
from hepcnn.imaging.convert import convert
from hepcnn.imaging.plane_kernels import merge_hits
from hepcnn.simulation.lartpc.generate import simulate

#: Rows and columns of a whole plane, and ticks of a row.
SHAPE, TICKS = (1600, 3456), 6.0
EVENTS = sized(6, 1)
#: Least ratio of the kernel. Of narrow hits it is 3.7 on a quiet machine, and 2.6 where neighbours
#: fill the processor's cache: the kernel lives in it, and np.unique does not.
FLOOR = 2.2
#: Width of the hits that have one (ticks).
RMS = 7.0
VIEWS = np.full(128, -1, np.int32)
VIEWS[:3] = range(3)
#: Events simulated, cosmic rays in each, and how often the file repeats them.
FILE_EVENTS, COSMICS, REPEATED = sized((20, 20, 20), (2, 2, 2))

Hits = dict[str, np.ndarray]


def track(rng: np.random.Generator, vertex: np.ndarray | None) -> np.ndarray:
    """Columns, rows and charges (3, n) along a track, from a vertex or across the plane."""
    steps = int(rng.exponential(180) + 30 if vertex is not None else rng.exponential(400) + 100)
    start = rng.uniform((0, 0), SHAPE[::-1]) if vertex is None else vertex
    angle = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, 0.01, steps))
    place = start[:, None] + np.cumsum([np.cos(angle), np.sin(angle)], axis=1)
    charge = 20 * (1 + rng.exponential(0.5, steps))
    inside = ((place >= 0) & (place < np.array(SHAPE[::-1])[:, None])).all(axis=0)
    return np.vstack([place, charge])[:, inside]


def crowded(wide: bool) -> tuple[Hits, np.ndarray]:
    """Hits of `EVENTS` events, in any order, and their offsets.

    A track has at each step one hit with a width, or five without, a row from each other.
    """
    rng = np.random.default_rng(1)
    chunks, offsets = [], [0]
    for _ in range(EVENTS):
        event = []
        for plane in range(3):
            vertex = rng.uniform((300, 300), (3100, 1300))
            tracks = [track(rng, vertex if k < 6 else None) for k in range(6 + rng.poisson(10))]
            column, down, charge = np.hstack(tracks)
            for away in (0,) if wide else range(-2, 3):
                moved = (down + away).clip(0, SHAPE[0] - 1) * TICKS
                share = 1.0 if wide else np.exp(-(away**2) / 2)
                event.append([np.full(len(column), plane), column, moved, charge * share])
        hits = np.hstack(event)
        chunks.append(hits[:, rng.permutation(hits.shape[1])])
        offsets.append(offsets[-1] + hits.shape[1])
    plane, wire, tick, charge = np.hstack(chunks)
    return {
        "plane": plane.astype(np.int8),
        "wire": wire.astype(np.int32),
        "time": tick.astype(np.float32),
        "charge": charge.astype(np.float32),
        "rms": np.full(len(plane), RMS * wide, np.float32),
    }, np.array(offsets)


def ours(hits: Hits, offsets: np.ndarray) -> list[np.ndarray]:
    """Charges of the pixels of each plane, all events one after the other."""
    corner = np.zeros((len(offsets) - 1, 3, 2))
    pixels, _ = merge_hits(hits, offsets, VIEWS, corner, (TICKS, 1), SHAPE)
    return [view.charge for view in pixels]


def unique(hits: Hits, offsets: np.ndarray) -> list[np.ndarray]:
    """The usual way: np.unique of the pixel numbers in each plane, then one bincount."""
    charges: list[list[np.ndarray]] = [[], [], []]
    for start, stop in itertools.pairwise(offsets):
        plane, wire, tick, charge = (
            hits[name][start:stop] for name in ("plane", "wire", "time", "charge")
        )
        for number in range(3):
            own = plane == number
            pixel = (tick[own] // np.float32(TICKS)).astype(np.int64) * SHAPE[1] + wire[own]
            _, inverse = np.unique(pixel, return_inverse=True)
            charges[number].append(np.bincount(inverse, charge[own]))
    return [np.concatenate(own) for own in charges]


def expanded(hits: Hits, offsets: np.ndarray) -> tuple[Hits, np.ndarray]:
    """Hits with a width as one without a width for each row that they reach."""
    sigma = hits["rms"] / TICKS
    centre = hits["time"] / TICKS
    low = np.floor(centre - 4 * sigma).clip(0).astype(int)
    rows = np.floor(centre + 4 * sigma).clip(None, SHAPE[0] - 1).astype(int) - low + 1
    hit = np.repeat(np.arange(len(rows)), rows)
    row_ = np.arange(len(hit)) - np.repeat(np.cumsum(rows) - rows, rows) + low[hit]
    edges = (np.array([row_, row_ + 1]) - centre[hit]) / sigma[hit]
    share = np.diff(ndtr(edges.clip(-4, 4)), axis=0)[0] / (ndtr(4) - ndtr(-4))
    more = {name: column[hit] for name, column in hits.items()}
    more["time"] = ((row_ + 0.5) * TICKS).astype(np.float32)
    more["charge"] = (share * more["charge"]).astype(np.float32)
    return more, np.concatenate([[0], np.cumsum(rows)])[offsets]


def kernel(wide: bool) -> None:
    """The kernel against numpy on the same events; what spreads the hits is not in numpy's time."""
    hits, offsets = crowded(wide)
    points, point_offsets = expanded(hits, offsets) if wide else (hits, offsets)
    for mine, theirs in zip(ours(hits, offsets), unique(points, point_offsets), strict=True):
        if len(mine) > len(theirs) or abs(mine.sum() / theirs.sum() - 1) > 1e-4:
            raise AssertionError("the kernel's images are not those of np.unique")
    taken = seconds(
        {
            "ours": lambda: ours(hits, offsets),
            "unique": lambda: unique(points, point_offsets),
        }
    )
    row(
        f"{'wide' if wide else 'narrow'} hits, kernel / np.unique",
        f"{EVENTS / taken['ours']:.0f} events/s",
        f"{EVENTS / taken['unique']:.0f} events/s",
        taken["unique"] / taken["ours"],
        FLOOR,
        3,
    )


def write_file(path: Path) -> None:
    """Simulated interactions with cosmic rays, many times, each time with other numbers."""
    settings = LArTPCSimulation(
        events=FILE_EVENTS, shards=1, generator="interactions", cosmics=COSMICS, deposits=False
    )
    rng = np.random.default_rng(1)
    chunks = list(simulate(settings, load_tpc("microboone"), rng, FILE_EVENTS, 0))

    def repeated() -> Iterator[LArTPCEvents]:
        for k in range(REPEATED):
            for chunk in chunks:
                chunk.key["subrun"] = k
                yield chunk

    write_events(path, repeated(), {})


def bare_read(path: Path) -> int:
    """Only read, in uproot's own steps: the branches that conversion reads, as arrays."""
    with uproot.open(path) as file:
        tree = file["events"]
        names = [branch.name for branch in wanted_lartpc(tree.keys())]
        return sum(len(arrays) for arrays in tree.iterate(names))


def file_to_file(folder: Path) -> None:
    """Conversion against only reading the same branches, in time of the clock and the processor.

    Of the bare read's processor time conversion takes about 2.3 times as much: 1 for reading, 0.8
    for imaging and 0.5 for writing. Each has a thread of its own, so that of two free cores the
    clock's ratio can be twice the processor's, less what has nothing beside it: the first step's
    reading and the last one's writing. Where other work takes a core it falls to the processor's,
    for which alone a floor can hold on any machine.
    """
    events = folder / "events.root"
    write_file(events)
    sample = LArTPCSample(detector="lartpc", files=["*"])
    settings = PlaneImages(sample="s", maker="planes", shape=(512, 512))
    # Each shard has a name of its own: freeing one that is replaced is no part of conversion.
    shards = (folder / f"{k}.h5" for k in itertools.count())

    def converted() -> int:
        return convert([str(events)], sample, settings, next(shards))["events read"]

    n = converted()
    for name, clock, floor, goal in (
        ("wall time", time.perf_counter, None, 0.8),
        ("CPU time", time.process_time, 0.3, None),
    ):
        taken = seconds({"ours": converted, "read": lambda: bare_read(events)}, 3, clock)
        row(
            f"planes, file to file / bare read, {name}",
            f"{n / taken['ours']:.0f} events/s",
            f"{n / taken['read']:.0f} events/s",
            taken["read"] / taken["ours"],
            floor,
            goal,
        )


def main() -> None:
    """Print all rows."""
    kernel(wide=False)
    kernel(wide=True)
    with tempfile.TemporaryDirectory() as name:
        file_to_file(Path(name))
