"""Random images of three wire planes with labels that agree with them."""

from __future__ import annotations

import numpy as np

from hepcnn.detector.labels import INTERACTIONS, PIXEL_CLASSES, SINGLE_PARTICLES
from hepcnn.imaging.lengths import UNITS
from hepcnn.store.shard import KEY, Axis, Header, Images, Rows, Sparse

VIEWS = ("u", "v", "y")
SHAPE = (40, 48)
TICKS, WIRES = 6.0, 2.0


def plane_header(shape=SHAPE, views=VIEWS):
    """Of images with pixels of 6 ticks and 2 wires."""
    time = Axis("time", "ticks", 0.0, TICKS * shape[0], shape[0])
    wire = Axis("wire", "wires", 0.0, WIRES * shape[1], shape[1])
    wide = len(views)
    return Header(
        detector="lartpc",
        views=views,
        shape=shape,
        channels=("charge",),
        axes=dict.fromkeys(views, (time, wire)),
        classes={"interaction": INTERACTIONS, "particle": tuple(SINGLE_PARTICLES)},
        maker={UNITS: {"ticks": 0.549, "wires": 3.0, "mm": 1.0}},
        features={"n_hits": None} | {f"charge_{view}": None for view in views},
        truth={
            "interaction": ("int16", None),
            "vertex": ("float32", 3),
            "vertex_pixel": ("float32", 2 * wide),
            "corner": ("float32", 2 * wide),
        },
        values="float32",
        pixel_truth={"semantic": "uint8", "instance": "int16"},
        tables={
            "particles": {
                "pdg": ("int32", None),
                "charge": ("float32", wide),
                "box": ("float32", 4 * wide),
                "start": ("float32", 2 * wide),
                "end": ("float32", 2 * wide),
            }
        },
    )


def plane_images(rng, n=5, header=None, pixels=80, particles=3):
    """Images of random pixels; each particle's box holds its pixels, tightly, and its start lies
    on one. The second image, if there is one, is empty; the third has no vertex."""
    header = header or plane_header()
    rows = Rows(
        np.arange(n + 1) * particles,
        {
            name: np.full((n * particles, *([] if width is None else [width])), np.nan, kind)
            if kind == "float32"
            else np.arange(n * particles, dtype=kind)
            for name, (kind, width) in header.tables["particles"].items()
        },
    )
    vertex = np.full((n, 2 * len(header.views)), np.nan, np.float32)
    views = {
        view: _one_view(rng, n, header, v, pixels, particles, rows.columns, vertex)
        for v, view in enumerate(header.views)
    }
    vertex[2:3] = np.nan
    truth = {
        "interaction": rng.integers(0, 4, n).astype(np.int16),
        "vertex": rng.normal(size=(n, 3)).astype(np.float32),
        "vertex_pixel": vertex,
        "corner": rng.integers(0, 3000, (n, 2 * len(header.views))).astype(np.float32),
    }
    features = {"n_hits": np.full(n, pixels, np.float32)}
    features |= {f"charge_{view}": sums(views[view]) for view in header.views}
    key = np.zeros(n, KEY)
    key["event"] = np.arange(n)
    return Images(key, views, truth, features, {"particles": rows})


def _one_view(rng, n, header, v, pixels, particles, columns, vertex):
    width = header.shape[1]
    chosen, owners = [], []
    for i in range(n):
        count = 0 if i == 1 else pixels
        pixel = np.sort(rng.choice(header.pixels, count, replace=False))
        owner = rng.integers(-1, particles, count)
        for p in range(particles):
            place = np.stack(np.divmod(pixel[owner == p], width), axis=1)
            if len(place):
                row, at = i * particles + p, slice(2 * v, 2 * v + 2)
                box = [*place.min(axis=0), *(place.max(axis=0) + 1)]
                columns["box"][row, 4 * v : 4 * v + 4] = box
                columns["start"][row, at], columns["end"][row, at] = place[0] + 0.5, place[-1] + 0.5
                columns["charge"][row, v] = len(place)
        if count:
            vertex[i, 2 * v : 2 * v + 2] = np.divmod(pixel[count // 2], width) + np.float32(0.5)
        chosen.append(pixel)
        owners.append(owner)
    flat = np.concatenate([np.empty(0, int), *chosen])
    instance = np.concatenate([np.empty(0, int), *owners]).astype(np.int16)
    semantic = np.where(instance < 0, len(PIXEL_CLASSES) - 1, instance).astype(np.uint8)
    return Sparse(
        np.concatenate([[0], np.cumsum([len(pixel) for pixel in chosen], dtype=np.int64)]),
        flat.astype(header.pixel_type),
        rng.uniform(1, 200, (len(flat), 1)).astype(np.float32),
        {"semantic": semantic, "instance": instance},
    )


def sums(sparse):
    """The charge of each image."""
    image = np.repeat(np.arange(len(sparse)), np.diff(sparse.offsets))
    return np.bincount(image, sparse.value[:, 0], len(sparse)).astype(np.float32)


def dense(sparse, shape, column=None):
    """Dense images, (n, H, W): of the charge, or of a column, −1 where there is no pixel."""
    image = np.repeat(np.arange(len(sparse)), np.diff(sparse.offsets))
    full = np.full((len(sparse), *shape), 0.0 if column is None else -1.0)
    value = sparse.value[:, 0] if column is None else column
    full.reshape(len(sparse), -1)[image, sparse.pixel.astype(np.int64)] = value
    return full
