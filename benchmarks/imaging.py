"""RICH imaging: the kernel, file to file, and its memory, each beside its peer, in one run.

    python -m benchmarks imaging

The kernel's events are those of a busy panel: 100 tracks among rings of 30 photons, 4300 hits.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import awkward as ak
import h5py
import hdf5plugin
import numpy as np
import uproot

from benchmarks.harness import row, seconds, sized
from hepcnn.config import PolarImages, RichSample, RichSimulation
from hepcnn.detector.geometry import load_geometry
from hepcnn.events.schema import NATIVE, RichEvents
from hepcnn.events.writing import write_events
from hepcnn.imaging.convert import convert
from hepcnn.imaging.polar import polar_counts
from hepcnn.simulation.rich.generate import simulate_chunk

SHAPE, RADIUS = (32, 32), 200.0
EVENTS, TRACKS = sized((20, 100), (2, 20))
#: Events simulated, how often the file that is converted repeats them, and how often longer the
#: long file of the memory test is.
FILE_EVENTS, REPEATED, LONGER = sized((500, 3, 4), (5, 1, 2))


def busy_panels() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Hits and tracks of `EVENTS` panels of 1300 × 600 mm: points and offsets of either."""
    rng = np.random.default_rng(1)
    hits, tracks = [], []
    for _ in range(EVENTS):
        centre = rng.normal(0, (300, 140), (149, 2)).clip((-640, -290), (640, 290))
        phi, r = rng.uniform(0, 2 * np.pi, (149, 30, 1)), rng.normal(96, 3, (149, 30, 1))
        ring = centre[:, None] + r * np.concatenate([np.cos(phi), np.sin(phi)], axis=2)
        noise = rng.uniform((-650, -300), (650, 300), (100, 2))
        points = np.concatenate([ring.reshape(-1, 2), noise])
        hits.append(rng.permutation(points[(np.abs(points) < (650, 300)).all(axis=1)]))
        tracks.append(centre[:TRACKS])
    return (
        np.concatenate(hits).astype(np.float32),
        np.cumsum([0] + [len(h) for h in hits]),
        np.concatenate(tracks).astype(np.float32),
        np.arange(EVENTS + 1) * TRACKS,
    )


def histograms(hits: np.ndarray, tracks: np.ndarray) -> np.ndarray:
    """What a notebook does: `np.histogram2d` for each track."""
    limits = ((0, RADIUS), (-np.pi, np.pi))
    images = []
    for track in tracks:
        du, dv = (hits - track).T
        images.append(np.histogram2d(np.hypot(du, dv), np.arctan2(dv, du), SHAPE, limits)[0])
    return np.array(images)


def bincounts(hits: np.ndarray, tracks: np.ndarray) -> np.ndarray:
    """The fastest way found in numpy: all pairs at once, then one bincount."""
    du = hits[:, 0] - tracks[:, :1]
    dv = hits[:, 1] - tracks[:, 1:]
    r2 = du * du + dv * dv
    track, hit = np.nonzero(r2 < np.float32(RADIUS**2))
    du, dv = du[track, hit], dv[track, hit]
    row_ = (np.sqrt(r2[track, hit]) * np.float32(SHAPE[0] / RADIUS)).astype(np.int32)
    turn = (np.arctan2(dv, du) + np.float32(np.pi)) * np.float32(SHAPE[1] / (2 * np.pi))
    column = np.minimum(turn.astype(np.int32), SHAPE[1] - 1)
    pixel = (track * SHAPE[0] + row_) * SHAPE[1] + column
    return np.bincount(pixel, minlength=len(tracks) * SHAPE[0] * SHAPE[1])


def kernel() -> None:
    """The kernel against numpy, a track, on the same events."""
    hits, hit_offsets, tracks, track_offsets = busy_panels()
    first = hits[: hit_offsets[1]], tracks[:TRACKS]
    offsets, pixel, count = polar_counts(hits, hit_offsets, tracks, track_offsets, RADIUS, SHAPE)
    dense = np.zeros((TRACKS, SHAPE[0] * SHAPE[1]))
    for i in range(TRACKS):
        image = slice(offsets[i], offsets[i + 1])
        dense[i, pixel[image]] = count[image]
    expected = histograms(*first).reshape(TRACKS, -1)
    if np.abs(dense - expected).sum() > 1e-4 * expected.sum():
        raise AssertionError("the kernel's images are not those of np.histogram2d")
    taken = seconds(
        {
            "ours": lambda: polar_counts(hits, hit_offsets, tracks, track_offsets, RADIUS, SHAPE),
            "histogram2d": lambda: histograms(*first),
            "bincount": lambda: bincounts(*first),
        },
        15,
    )
    ours = EVENTS * TRACKS / taken["ours"]
    for peer, floor, goal in (("histogram2d", 100, 200), ("bincount", 10, 12)):
        rate = TRACKS / taken[peer]
        row(
            f"images, kernel / np.{peer}",
            f"{ours / 1e3:.0f}k tracks/s",
            f"{rate / 1e3:.2f}k tracks/s",
            ours / rate,
            floor,
            goal,
        )


def write_file(path: Path, chunk: RichEvents, times: int) -> None:
    """The chunk so many times, each time with other event numbers."""

    def numbered(k: int) -> RichEvents:
        key = chunk.key.copy()
        key["subrun"] = k
        return replace(chunk, key=key)

    write_events(path, (numbered(k) for k in range(times)), {})


def bare_read(path: Path) -> ak.Array:
    """Only read: the branches that conversion needs, decompressed into arrays."""
    names = [b.name for b in NATIVE if "rich2" not in b.name and b.name != "hit_track"]
    with uproot.open(path) as file:
        return file["events"].arrays(names)


def contents(shard: Path) -> dict[str, np.ndarray]:
    """All columns of a shard."""
    found: dict[str, np.ndarray] = {}

    def collect(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset) and item.chunks is not None:
            found[name] = item[:]

    with h5py.File(shard) as file:
        file.visititems(collect)
    return found


def bare_write(columns: dict[str, np.ndarray], path: Path) -> None:
    """Only write: finished columns, in the chunks and with the compression of a shard."""
    with h5py.File(path, "w") as file:
        for name, column in columns.items():
            chunks = (min(1 << 16, max(len(column), 1)), *column.shape[1:])
            file.create_dataset(
                name, data=column, chunks=chunks, compression=hdf5plugin.Bitshuffle(cname="lz4")
            )


def file_to_file(folder: Path, events: Path) -> None:
    """Conversion against only reading and only writing the same data."""
    shard, sample, settings = folder / "a.h5", RichSample(files=["*"]), PolarImages(sample="rich")
    tracks = convert([str(events)], sample, settings, shard)["tracks read"]
    columns = contents(shard)
    taken = seconds(
        {
            "ours": lambda: convert([str(events)], sample, settings, shard),
            "read": lambda: bare_read(events),
            "write": lambda: bare_write(columns, folder / "bare.h5"),
        },
        5,
        time.perf_counter,
    )
    bare = taken["read"] + taken["write"]
    row(
        "file to file / (bare read + bare write)",
        f"{tracks / taken['ours'] / 1e3:.0f}k tracks/s",
        f"{tracks / bare / 1e3:.0f}k tracks/s",
        bare / taken["ours"],
        0.4,
        0.6,
    )


# Not ru_maxrss: a child inherits its parent's.
_PEAK = """
import sys
from hepcnn.config import PolarImages, RichSample
from hepcnn.imaging.convert import convert
convert(sys.argv[1:2], RichSample(files=["*"]), PolarImages(sample="rich"), sys.argv[2])
print(next(l.split()[1] for l in open("/proc/self/status") if l.startswith("VmHWM")))
"""


def peak_memory(events: Path, shard: Path) -> float:
    """Peak of a conversion's memory in MB, in a process of its own."""
    # What malloc keeps for later is not what conversion needs: have it give back what is freed.
    give_back = {"MALLOC_MMAP_THRESHOLD_": "262144", "MALLOC_TRIM_THRESHOLD_": "262144"}
    command = [sys.executable, "-c", _PEAK, str(events), str(shard)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env=os.environ | give_back
    )
    return int(done.stdout) / 1024


def memory(folder: Path, short: Path, long: Path) -> None:
    """Peak memory on a long file against a short one."""
    peaks = [peak_memory(path, folder / "a.h5") for path in (long, short)]
    sizes = [f"{path.stat().st_size / 1e6:.0f} MB file" for path in (long, short)]
    row(
        "peak memory, long file / short file",
        f"{peaks[0]:.0f} MB, {sizes[0]}",
        f"{peaks[1]:.0f} MB, {sizes[1]}",
        peaks[0] / peaks[1],
        1.05,
        most=True,
    )


def main() -> None:
    """Print all rows."""
    kernel()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        short, long = folder / "short.root", folder / "long.root"
        geometry = load_geometry("lhcb-run3")
        chunk = simulate_chunk(RichSimulation(), geometry, np.random.default_rng(1), FILE_EVENTS)
        write_file(short, chunk, REPEATED)
        write_file(long, chunk, REPEATED * LONGER)
        file_to_file(folder, short)
        memory(folder, short, long)
