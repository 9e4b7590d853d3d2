"""Image shards of simulated events for the benchmarks of loading and training."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hepcnn.config import PolarImages, RichSample, RichSimulation
from hepcnn.detector.geometry import load_geometry
from hepcnn.events.writing import write_events
from hepcnn.imaging.convert import convert
from hepcnn.simulation.rich.generate import simulate_chunk
from hepcnn.store.images import ImageSet


def simulated_images(folder: Path, events: int) -> ImageSet:
    """Images of simulated events, with the default settings."""
    geometry = load_geometry("lhcb-run3")
    chunk = simulate_chunk(RichSimulation(), geometry, np.random.default_rng(1), events)
    write_events(folder / "events.root", [chunk], {})
    shard = folder / "images.h5"
    convert(
        [str(folder / "events.root")], RichSample(files=["*"]), PolarImages(sample="rich"), shard
    )
    return ImageSet(shard)
