"""Cherenkov coordinates: file to file beside plain images, and the likelihoods' time an event.

    python -m benchmarks cherenkov

Events have 100 tracks on the average, both RICHes are seen. All times are CPU times.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from benchmarks.harness import row, seconds, sized
from hepcnn.config import PolarImages, RichSample, RichSimulation
from hepcnn.detector.geometry import RichGeometry, load_geometry
from hepcnn.events.schema import RichEvents
from hepcnn.events.writing import write_events
from hepcnn.imaging.convert import convert
from hepcnn.reconstruction.reconstruct import LARGEST_ANGLE, reconstruct
from hepcnn.reconstruction.steps import Light, RichChunk, light, prepare, solve
from hepcnn.simulation.rich.generate import simulate_chunk
from hepcnn.store.images import ImageSet

EVENTS = sized(100, 3)
PLAIN = PolarImages(sample="rich", rich=["rich1", "rich2"], required=["rich1"], shape=(64, 32))
CHERENKOV = PLAIN.model_copy(
    update={"coordinates": "cherenkov", "channels": ["hits", "expected_other"]}
)


def file_to_file(folder: Path, events: RichEvents, whole: Callable[[], object]) -> None:
    """Conversion to (θ, φ) against that to (r, φ), and against reconstruction alone."""
    source, sample = folder / "events.root", RichSample(files=["*"])
    write_events(source, [events], {})
    shards = {name: folder / name for name in ("detector", "cherenkov")}
    taken = seconds(
        {
            "detector": lambda: convert([str(source)], sample, PLAIN, shards["detector"]),
            "cherenkov": lambda: convert([str(source)], sample, CHERENKOV, shards["cherenkov"]),
            "reconstruct": whole,
        },
        5,
    )
    each = {name: f"{1e3 * t / len(events):.2f} ms an event" for name, t in taken.items()}
    size = {
        name: f"{path.stat().st_size / len(ImageSet(path)):.0f} bytes a track"
        for name, path in shards.items()
    }
    ratio = taken["detector"] / taken["cherenkov"]
    row("(θ, φ) images, file to file / (r, φ)", each["cherenkov"], each["detector"], ratio)
    ratio = taken["reconstruct"] / taken["cherenkov"]
    row(
        "  limit: reconstruction alone / file to file",
        each["cherenkov"],
        each["reconstruct"],
        ratio,
        0.5,
        0.75,
    )
    print(f"  {size['cherenkov']} with features and two channels, (r, φ) {size['detector']}")


def likelihood(
    events: RichEvents, geometry: Mapping[str, RichGeometry], whole: Callable[[], object]
) -> None:
    """Time of the reconstruction, and of its steps."""
    numbers = range(len(events))
    tracks = [slice(*events.track_offsets[i : i + 2]) for i in numbers]

    def expect() -> dict[str, RichChunk]:
        return {rich: prepare(events, geometry[rich], rich, LARGEST_ANGLE[rich]) for rich in chosen}

    def find() -> list[dict[str, Light]]:
        return [{rich: light(chunks[rich], i, tracks[i]) for rich in chosen} for i in numbers]

    def search() -> None:
        for i in numbers:
            solve(chunks, lit[i], i, tracks[i])

    chosen = CHERENKOV.rich
    chunks = expect()
    lit = find()
    steps = {
        "expected light": expect,
        "candidates (quartic) and signals": find,
        "background, local and global likelihood": search,
    }
    taken = seconds({"all": whole, **steps})
    each = {name: f"{1e3 * t / len(events):.2f} ms an event" for name, t in taken.items()}
    size = f"{events.n_tracks / len(events):.0f} tracks"
    print(f"local and global likelihood: {each['all']} of {size}, from tracks and hits")
    for name in steps:
        print(f"  {name}: {each[name]}")


def main() -> None:
    """Print all rows."""
    geometry = load_geometry("lhcb-run3")
    rng = np.random.default_rng(1)
    events = simulate_chunk(RichSimulation(tracks_spread=0.0), geometry, rng, EVENTS)

    def whole() -> object:
        return reconstruct(events, geometry, CHERENKOV.rich)

    likelihood(events, geometry, whole)
    with tempfile.TemporaryDirectory() as name:
        return file_to_file(Path(name), events, whole)
