"""A user's file: expressions and selections beside the branches as they are, in one run.

    python -m benchmarks expressions

A million hits, a thousand an event, are converted to images.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import uproot

from benchmarks.harness import row, seconds, sized
from hepcnn.config import LArTPCSample, PlaneImages
from hepcnn.imaging.convert import convert

EVENTS, HITS = sized(1000, 4), 1000
IMAGES = PlaneImages(sample="mine", maker="planes", region="charge", shape=(256, 256))
#: Of three of the five numbers that a hit has.
EXPRESSIONS = {
    "hit_time": "2 * hit_time - hit_time",
    "hit_charge": "sqrt(hit_charge ** 2)",
    "hit_rms": "where(hit_rms > 2, hit_rms, 2)",
}
SELECTION = {"hit": "hit_charge > 30"}
KINDS: dict[str, dict[str, Any]] = {
    "as they are": {},
    "expressions": {"branches": EXPRESSIONS},
    "selection": {"selection": SELECTION},
    "expressions and selection": {"branches": EXPRESSIONS, "selection": SELECTION},
}


def write_hits(path: Path) -> None:
    """Write hits anywhere on the planes."""
    rng, n = np.random.default_rng(1), EVENTS * HITS
    hits = {
        "hit_plane": rng.integers(0, 3, n).astype(np.int8),
        "hit_wire": rng.integers(0, 2400, n).astype(np.int32),
        "hit_time": rng.uniform(3300, 7800, n).astype(np.float32),
        "hit_charge": rng.uniform(20, 400, n).astype(np.float32),
        "hit_rms": rng.uniform(2, 5, n).astype(np.float32),
    }
    arrays = {name: ak.unflatten(column, np.full(EVENTS, HITS)) for name, column in hits.items()}
    arrays |= {name: ak.Array(np.zeros(EVENTS, np.int64)) for name in ("run", "subrun")}
    arrays["event"] = ak.Array(np.arange(EVENTS))
    with uproot.recreate(path) as file:
        file.mktree("events", {name: ak.type(array).content for name, array in arrays.items()})
        file["events"].extend(arrays)


def main() -> None:
    """Print a row for each kind."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "hits.root"
        write_hits(path)

        def work(kind: str) -> Callable[[], object]:
            sample = LArTPCSample(detector="lartpc", files=[str(path)], **KINDS[kind])
            return lambda: convert([str(path)], sample, IMAGES, Path(folder) / "images.h5")

        with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):
            taken = seconds({kind: work(kind) for kind in KINDS})
    plain = taken["as they are"]
    for kind in list(KINDS)[1:]:
        row(
            f"{kind} / branches as they are",
            f"{taken[kind]:.2f} s",
            f"{plain:.2f} s a million hits",
            taken[kind] / plain,
            floor=1.3,
            goal=1.2,
            most=True,
        )
