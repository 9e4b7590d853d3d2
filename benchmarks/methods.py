"""Milliseconds an event of each method, from tracks and hits in memory to scores.

    python -m benchmarks methods

Events have 100 tracks on the average. All times are CPU times, with one thread; networks have
random weights, which cost the same.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch

from benchmarks.harness import row, seconds, sized
from hepcnn.config import Network, PolarImages, RichSimulation, Split
from hepcnn.detector.geometry import load_geometry
from hepcnn.events.schema import RichEvents
from hepcnn.imaging.rich import rich_header, rich_images
from hepcnn.learning.checkpoint import Checkpoint
from hepcnn.learning.prediction import posteriors
from hepcnn.learning.preprocessing import Preprocessing
from hepcnn.networks.registry import build
from hepcnn.reconstruction.reconstruct import reconstruct
from hepcnn.simulation.rich.generate import simulate_chunk
from hepcnn.store.images import ImageSet
from hepcnn.store.shard import ShardWriter

EVENTS = sized(50, 3)
#: Each network with its image set: as in `workflow/rich.yaml`.
POLAR = PolarImages(sample="rich", rich=["rich1"], shape=(32, 32))
CHERENKOV = PolarImages(
    sample="rich",
    coordinates="cherenkov",
    rich=["rich1", "rich2"],
    required=["rich1"],
    shape=(128, 32),
    channels=["hits", "expected_other"],
)
NETWORKS = {
    "lecture_cnn": (Network(), POLAR),
    "aligned": (Network(features=["p", "eta", "n_tracks"]), CHERENKOV),
}


def inference(name: str, shard: Path) -> float:
    """CPU seconds of a network for all images of a shard, reading them included."""
    network = NETWORKS[name][0]
    images = ImageSet(shard)
    which = np.arange(len(images))
    preprocessing = Preprocessing.fit(images, which, network)
    classes = len(images.header.classes["species"])
    trained = Checkpoint(
        task="rich_pid",
        name=name,
        target="species",
        architecture=name,
        options={},
        preprocessing=preprocessing,
        image_statistics={},
        split=Split(),
        outputs=classes,
        train={},
        prior=np.full(classes, 1 / classes),
        temperature=1.0,
        history=[],
        provenance={},
        weights=build(name, preprocessing.shape, classes).state_dict(),
    )
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):  # the progress
        return seconds({name: lambda: posteriors(trained, images, which, name)}, 5)[name]


def main() -> None:
    """Print a line for each method, and a row that sets it beside the likelihoods."""
    torch.set_num_threads(1)
    geometry = load_geometry("lhcb-run3")
    settings = RichSimulation(tracks_spread=0.0)
    events: RichEvents = simulate_chunk(settings, geometry, np.random.default_rng(1), EVENTS)
    work: dict[str, Callable[[], object]] = {
        name: partial(rich_images, events, geometry, chosen)
        for name, (_, chosen) in NETWORKS.items()
    }
    work["reconstruct"] = partial(reconstruct, events, geometry, CHERENKOV.rich)
    taken = seconds(work, 5)

    def milliseconds(time: float) -> str:
        return f"{1e3 * time / EVENTS:7.2f}"

    print(f"ms an event of {events.n_tracks / EVENTS:.0f} tracks:   in all  images  scores")
    whole = milliseconds(taken["reconstruct"])
    print(f"  likelihoods, local and global  {whole}       -{whole}")
    with tempfile.TemporaryDirectory() as folder:
        for name, (_, chosen) in NETWORKS.items():
            shard = Path(folder) / f"{name}.h5"
            with ShardWriter(shard, rich_header(chosen)) as writer:
                images, cutflow = rich_images(events, geometry, chosen)
                writer.append(images)
                writer.describe({"id": name}, cutflow, [])
            scores = inference(name, shard)
            columns = (taken[name] + scores, taken[name], scores)
            print(f"  {name:30} {' '.join(milliseconds(t) for t in columns)}")
            row(
                f"{name} / both likelihoods",
                f"{milliseconds(columns[0]).strip()} ms an event",
                f"{whole.strip()} ms an event",
                taken["reconstruct"] / columns[0],
            )
    print("  images of aligned: with the reconstruction, whose solution is in them")
