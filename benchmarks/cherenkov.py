"""Cherenkov coordinates: file to file beside plain images, and the likelihoods' time an event.

    python -m benchmarks.cherenkov

Events have 100 tracks on the average, both RICHes are seen. All times are CPU times.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import row, seconds
from hepcnn.config import PolarImages, RichSimulation, Sample
from hepcnn.detector.geometry import RichGeometry, load_geometry
from hepcnn.events.schema import RichEvents
from hepcnn.events.writing import write_events
from hepcnn.imaging.convert import convert
from hepcnn.reconstruction import reconstruct as reconstruction
from hepcnn.simulation.rich.generate import simulate_chunk
from hepcnn.store.images import ImageSet

EVENTS = 100
PLAIN = PolarImages(sample="rich", rich=["rich1", "rich2"], required=["rich1"], shape=(64, 32))
CHERENKOV = PLAIN.model_copy(
    update={"coordinates": "cherenkov", "channels": ["hits", "expected_other"]}
)
#: Parts of the reconstruction, by the functions that do them.
PARTS = {
    "_prepare": "expected light",
    "_light": "candidates (quartic) and signals",
    "_solve": "background, local and global likelihood",
}


def file_to_file(folder: Path, events: RichEvents, reconstruct: Callable[[], object]) -> bool:
    """Conversion to (θ, φ) against that to (r, φ), and against reconstruction alone."""
    source, sample = folder / "events.root", Sample(files=["*"])
    write_events(source, [events], {})
    shards = {
        settings.coordinates: folder / settings.coordinates for settings in (PLAIN, CHERENKOV)
    }
    taken = seconds(
        {
            **{
                s.coordinates: lambda s=s: convert([str(source)], sample, s, shards[s.coordinates])
                for s in (PLAIN, CHERENKOV)
            },
            "reconstruct": reconstruct,
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
    kept = row(
        "  limit: reconstruction alone / file to file",
        each["cherenkov"],
        each["reconstruct"],
        ratio,
        0.5,
        0.75,
    )
    print(f"  {size['cherenkov']} with features and two channels, (r, φ) {size['detector']}")
    return kept


def likelihood(events: RichEvents, reconstruct: Callable[[], object]) -> None:
    """Print the time an event of the reconstruction and of its parts."""
    spent = dict.fromkeys(PARTS, 0.0)

    def timed(name: str) -> Callable[..., Any]:
        inner = getattr(reconstruction, name)

        def outer(*args: Any) -> Any:
            start = time.process_time()
            found = inner(*args)
            spent[name] += time.process_time() - start
            return found

        return outer

    whole = seconds({"all": reconstruct})["all"]
    plain = {name: getattr(reconstruction, name) for name in PARTS}
    for name in PARTS:
        setattr(reconstruction, name, timed(name))
    repeats = 5
    for _ in range(repeats):
        reconstruct()
    for name, function in plain.items():
        setattr(reconstruction, name, function)
    tracks = events.n_tracks / len(events)
    print(
        f"local and global likelihood: {1e3 * whole / len(events):.2f} ms an event of "
        f"{tracks:.0f} tracks, from tracks and hits"
    )
    for name, what in PARTS.items():
        print(f"  {what}: {1e3 * spent[name] / repeats / len(events):.2f} ms an event")


def main() -> bool:
    """Print all rows; returns whether all keep their limits."""
    geometry: dict[str, RichGeometry] = load_geometry("lhcb-run3")
    rng = np.random.default_rng(1)
    events = simulate_chunk(RichSimulation(tracks_spread=0.0), geometry, rng, EVENTS)

    def reconstruct() -> object:
        return reconstruction.reconstruct(events, geometry, CHERENKOV.rich)

    likelihood(events, reconstruct)
    with tempfile.TemporaryDirectory() as name:
        return file_to_file(Path(name), events, reconstruct)


if __name__ == "__main__":
    sys.exit(not main())
