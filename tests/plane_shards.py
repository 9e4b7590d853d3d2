"""Shards of made-up images of three wire planes, whose classes a small network learns at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hepcnn.detector.labels import INTERACTIONS, PIXEL_CLASSES, SINGLE_PARTICLES
from hepcnn.imaging.lengths import UNITS
from hepcnn.imaging.steps import apply_steps, step_header
from hepcnn.store.shard import KEY, Axis, Header, Images, Rows, ShardWriter, Sparse

VIEWS = ("u", "v", "y")
SHAPE = (16, 20)


def plane_header(shape=SHAPE, views=VIEWS):
    """Of pixels of 6 ticks and one wire."""
    time = Axis("time", "ticks", 0.0, 6.0 * shape[0], shape[0])
    wire = Axis("wire", "wires", 0.0, float(shape[1]), shape[1])
    point = ("float32", 2 * len(views))
    return Header(
        detector="lartpc",
        views=views,
        shape=shape,
        channels=("charge",),
        axes=dict.fromkeys(views, (time, wire)),
        classes={"interaction": INTERACTIONS, "particle": tuple(SINGLE_PARTICLES)},
        maker={UNITS: {"ticks": 0.549, "wires": 3.0, "mm": 1.0}},
        features=dict.fromkeys(("n_hits", *(f"charge_{view}" for view in views))),
        truth={
            "interaction": ("int16", None),
            "particle": ("int16", None),
            "energy": ("float32", None),
            "vertex_pixel": point,
            "corner": point,
        },
        values="float32",
        pixel_truth={"semantic": "uint8", "instance": "int16"},
        tables={
            "particles": {
                "pdg": ("int32", None),
                "charge": ("float32", len(views)),
                "box": ("float32", 4 * len(views)),
                "start": point,
                "end": point,
            }
        },
    )


def plane_images(rng, n, header=None):
    """One particle an event: charge in the row of its class and, mirrored, in another; noise.

    Every 20th event is of none of the classes, and every 25th is empty.
    """
    header = header or plane_header()
    label = rng.integers(0, 5, n)
    particles = np.concatenate([[0], np.cumsum(np.arange(n) % 25 != 7)])
    boxes = np.zeros((n, len(header.views), 2, 2))
    boxes[..., 0, 0] = label[:, None]
    boxes[..., 1, 0], boxes[..., 1, 1] = header.shape[0] - label[:, None], header.shape[1]
    views = {}
    for view in header.views:
        track = np.zeros((n, *header.shape), bool)
        track[np.arange(n), label] = track[np.arange(n), -1 - label] = True
        track &= rng.random(track.shape) < 0.8
        seen = track | (rng.random(track.shape) < 0.01)
        seen[7::25] = False
        where, pixel = np.nonzero(seen.reshape(n, -1))
        own = track.reshape(n, -1)[where, pixel]
        other = PIXEL_CLASSES.index("other")
        views[view] = Sparse(
            np.concatenate([[0], np.cumsum(np.bincount(where, minlength=n))]),
            pixel.astype(header.pixel_type),
            rng.uniform(20, 200, (len(pixel), 1)).astype(np.float32),
            {
                "semantic": np.where(own, 1, other).astype(np.uint8),
                "instance": np.where(own, 0, -1).astype(np.int16),
            },
        )
    occupied = np.diff(particles) > 0
    columns = {
        "pdg": np.array(list(SINGLE_PARTICLES.values()))[label].astype(np.int32),
        "charge": np.stack([_sums(views[view]) for view in header.views], 1),
        "box": boxes.reshape(n, -1),
        "start": boxes[:, :, 0].reshape(n, -1),
        "end": boxes[:, :, 1].reshape(n, -1),
    }
    table = {
        name: column[occupied].astype(header.tables["particles"][name][0])
        for name, column in columns.items()
    }
    label[::20] = -1
    key = np.zeros(n, KEY)
    key["run"], key["event"] = rng.integers(1, 1 << 40), np.arange(n)
    return Images(
        key=key,
        views=views,
        truth={
            "interaction": np.where(label < 4, label, -1).astype(np.int16),
            "particle": label.astype(np.int16),
            "energy": np.where(label < 0, np.nan, rng.uniform(100, 1000, n)).astype(np.float32),
            "vertex_pixel": boxes[:, :, 0].reshape(n, -1).astype(np.float32),
            "corner": rng.integers(0, 2000, (n, 2 * len(header.views))).astype(np.float32),
        },
        features={"n_hits": rng.integers(0, 99, n).astype(np.float32)}
        | {f"charge_{view}": _sums(sparse) for view, sparse in views.items()},
        tables={"particles": Rows(particles, table)},
    )


def write_planes(folder: Path, events=200, shards=2, seed=1, steps=(), header=None) -> list[Path]:
    """Shards of such images; with `steps` done as in a conversion."""
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(seed)
    header = header or plane_header()
    paths = [folder / f"{shard:04d}.h5" for shard in range(shards)]
    for path in paths:
        images = plane_images(rng, events // shards, header)
        with ShardWriter(path, step_header(steps, header)) as writer:
            writer.append(apply_steps(steps, header, images))
            writer.describe({"id": f"planes-{seed}-{path.name}-{steps}"}, {"kept": len(images)})
    return paths


def dense(sparse, header):
    """Dense images, (n, C, *shape)."""
    image = np.repeat(np.arange(len(sparse)), np.diff(sparse.offsets))
    full = np.zeros((len(sparse), header.pixels, len(header.channels)), np.float32)
    full[image, sparse.pixel.astype(np.int64)] = sparse.value
    return np.moveaxis(full.reshape(len(sparse), *header.shape, -1), -1, 1)


def _sums(sparse):
    image = np.repeat(np.arange(len(sparse)), np.diff(sparse.offsets))
    return np.bincount(image, sparse.value[:, 0], len(sparse)).astype(np.float32)
