"""Image shards of three wire planes as the imaging writes them, of made-up straight tracks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from hepcnn.config import Network, PlaneImages, Split
from hepcnn.detector.labels import INTERACTIONS, PIXEL_CLASSES
from hepcnn.detector.tpc import load_tpc
from hepcnn.imaging.planes import plane_header
from hepcnn.store.images import ImageSet
from hepcnn.store.shard import KEY, Header, Images, Rows, ShardWriter, Sparse

VIEWS = ("u", "v", "y")
TICKS = 6.0
_PDG = (13, 2212, 11)
_SEMANTIC = tuple(PIXEL_CLASSES.index(name) for name in ("mip", "hip", "shower"))


def made_up_header(shape: tuple[int, int]) -> Header:
    """Of images with pixels of 6 ticks and one wire."""
    settings = PlaneImages(sample="made_up", maker="planes", ticks_per_pixel=TICKS, shape=shape)
    return plane_header(settings, load_tpc("microboone"))


def plane_images(n: int, shape: tuple[int, int], seed: int = 1) -> Images:
    """Three tracks from the vertex in each event; the second event is empty."""
    rng = np.random.default_rng(seed)
    header = made_up_header(shape)
    key = np.zeros(n, KEY)
    key["run"], key["event"] = 1, 10 * np.arange(n)
    filled = np.arange(n) != 1
    rows = 3 * int(filled.sum())
    table = {
        name: np.zeros((rows, *([] if width is None else [width])), kind)
        for name, (kind, width) in header.tables["particles"].items()
    }
    table["pdg"][:], table["semantic"][:] = np.tile(_PDG, rows // 3), np.tile(_SEMANTIC, rows // 3)
    table["id"][:] = np.tile(range(3), rows // 3)
    table["energy"][:] = rng.uniform(50, 900, rows)
    vertex = np.full((n, 2 * len(VIEWS)), np.nan, np.float32)
    views = {view: _view(rng, header, filled, v, table, vertex) for v, view in enumerate(VIEWS)}
    label = np.where(filled, np.arange(n) % 3, INTERACTIONS.index("cosmic")).astype(np.int16)
    truth = {
        "interaction": label,
        "particle": np.full(n, -1, np.int16),
        "pdg": np.zeros(n, np.int32),
        "neutrino_pdg": np.where(filled, 14, 0).astype(np.int32),
        "energy": np.where(filled, 800, np.nan).astype(np.float32),
        "vertex": np.zeros((n, 3), np.float32),
        "vertex_pixel": vertex,
        "corner": np.tile(np.float32([1200, 300]), (n, len(VIEWS))),
    }
    features = {"n_hits": np.diff(views["u"].offsets).astype(np.float32)}
    for view in VIEWS:
        sparse = views[view]
        image = np.repeat(np.arange(n), np.diff(sparse.offsets))
        features[f"charge_{view}"] = np.bincount(image, sparse.value[:, 0], n).astype(np.float32)
    offsets = np.concatenate([[0], np.cumsum(3 * filled)])
    return Images(key, views, truth, features, {"particles": Rows(offsets, table)})


def _view(
    rng: np.random.Generator,
    header: Header,
    filled: np.ndarray,
    v: int,
    table: dict[str, np.ndarray],
    vertex: np.ndarray,
) -> Sparse:
    """One plane; what is known of its tracks enters the table and the vertices."""
    height, width = header.shape
    pixels, values, instances = [], [], []
    for i in np.flatnonzero(filled):
        row0, column0 = rng.uniform(0.3, 0.7, 2) * header.shape
        vertex[i, 2 * v : 2 * v + 2] = row0, column0
        found: dict[int, tuple[float, int]] = {}
        for p in range(3):
            angle, length = rng.uniform(0, 2 * np.pi), (0.25, 0.1, 0.15)[p] * height
            steps = np.arange(0, length, 0.5)
            rows, columns = row0 + steps * np.sin(angle), column0 + steps * np.cos(angle)
            at = 3 * int(filled[:i].sum()) + p
            table["start"][at, 2 * v : 2 * v + 2] = row0, column0
            table["end"][at, 2 * v : 2 * v + 2] = rows[-1], columns[-1]
            low, high = np.floor([rows.min(), columns.min()]), np.floor([rows.max(), columns.max()])
            table["box"][at, 4 * v : 4 * v + 4] = [*low, *(high + 1)]
            for pixel in (rows.astype(int) * width + columns.astype(int)).tolist():
                found[pixel] = float(rng.gamma(9, (20, 80, 15)[p])), p
                table["charge"][at, v] += found[pixel][0]
        found[int(rng.integers(0, height * width))] = 5.0, -1  # noise
        order = sorted(found)
        pixels.append(order)
        values += [found[pixel][0] for pixel in order]
        instances += [found[pixel][1] for pixel in order]
    counts = np.zeros(len(filled), np.int64)
    counts[filled] = [len(part) for part in pixels]
    instance = np.array(instances, np.int16)
    classes = np.array([*_SEMANTIC, PIXEL_CLASSES.index("other")], np.uint8)
    return Sparse(
        np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]),
        np.concatenate(pixels).astype(header.pixel_type),
        np.array(values, np.float32)[:, None],
        {"semantic": classes[instance], "instance": instance},
    )


def write_planes(path: Path, n: int = 8, shape: tuple[int, int] = (64, 72), seed: int = 1) -> Path:
    """Write a shard; its events are 1:0:0, 1:0:10, 1:0:20, …"""
    with ShardWriter(path, made_up_header(shape)) as writer:
        writer.append(plane_images(n, shape, seed))
        writer.describe({"id": f"planes{seed}"}, {"events read": n, "kept": n})
    return path


def untrained(
    images: ImageSet, architecture: str, target: str = "interaction", **settings: Any
) -> Any:
    """A checkpoint of a network with random weights; `settings` are those of the network."""
    import torch

    from hepcnn.learning.checkpoint import Checkpoint
    from hepcnn.learning.image_statistics import image_statistics
    from hepcnn.learning.preprocessing import Preprocessing
    from hepcnn.networks.registry import build

    network = Network(architecture=architecture, **settings)
    preprocessing = Preprocessing.fit(images, np.arange(len(images)), network)
    own = images.header.classes | {"semantic": PIXEL_CLASSES[:-1]}
    classes = len(own[target])
    torch.manual_seed(1)
    built = build(architecture, preprocessing.shape, classes, **network.options)
    return Checkpoint(
        task="made_up",
        target=target,
        name="made_up",
        architecture=architecture,
        options=network.options,
        preprocessing=preprocessing,
        image_statistics=image_statistics(images, np.arange(len(images))),
        split=Split(),
        outputs=classes,
        train={},
        prior=np.full(classes, 1 / classes),
        temperature=1.0,
        history=[],
        provenance={"id": "made_up"},
        weights=built.state_dict(),
    )
