"""Key points of images of a liquid-argon TPC: where something begins or ends, by their truth."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hepcnn.detector.labels import PIXEL_CLASSES, POINTS, TWO_CLASSES
from hepcnn.store.header import Header
from hepcnn.store.shard import Images, Rows

#: A particle with fewer pixels in a view has no points there.
MIN_PIXELS = 3
#: A point this near to the particle's nearest pixel (pixels, to its middle) stays where it is.
_NEAR = 1.5
#: Whether pixels of a class are of tracks, of showers.
_TRACK, _SHOWER = (
    np.array([name in TWO_CLASSES[two] for name in PIXEL_CLASSES]) for two in ("track", "shower")
)
_VERTEX, _END, _START = (POINTS.index(name) for name in ("vertex", "track_end", "shower_start"))


def true_points(images: Images, header: Header) -> Rows:
    """Find the key points of images of wire planes.

    Parameters
    ----------
    images : Images
        A block of n examples, as its image set has them or after processing steps.
    header : Header
        Of these images.

    Returns
    -------
    Rows
        ``view`` uint8; ``place`` float32 (points, 2), row and column; ``kind`` uint8, an index into
        `POINTS`.

    Notes
    -----
    The vertex is where it is, if that is in the image. A track has two ends, a shower a start: the
    true point if it is on the particle's pixels, else the nearest of these: a photon's shower
    begins where it converts. What came at an unknown time, as cosmic rays, has its true points
    nowhere: the ends of a track are then its outermost pixels along its principal axis, and a
    shower has no start. What ends at the image's edge does not end.
    """
    n, found = len(images), []
    vertex = images.truth["vertex_pixel"].reshape(n, len(header.views), 2)
    particles = images.tables["particles"]
    shape = len(particles.columns["semantic"]), len(header.views), 2
    start, end = (particles.columns[name].reshape(shape) for name in ("start", "end"))
    for v, view in enumerate(header.views):
        own = images.views[view]
        inside = ((vertex[:, v] >= 0) & (vertex[:, v] < header.shape)).all(axis=1)
        example = np.flatnonzero(inside)
        found.append(_points(example, v, vertex[example, v], np.full(len(example), _VERTEX)))
        example, place, kind = _ends(
            own.offsets, own.pixel, own.truth["instance"], particles.offsets,
            particles.columns["semantic"], np.ascontiguousarray(start[:, v]),
            np.ascontiguousarray(end[:, v]), header.shape,
        )  # fmt: skip
        found.append(_points(example, v, place, kind))
    together = np.concatenate(found)
    together = together[np.argsort(together["example"], kind="stable")]
    offsets = np.searchsorted(together["example"], np.arange(n + 1))
    return Rows(offsets, {name: together[name] for name in ("view", "place", "kind")})


_POINT = np.dtype([("example", "i8"), ("view", "u1"), ("place", "f4", (2,)), ("kind", "u1")])


def _points(example: Any, view: int, place: Any, kind: Any) -> NDArray[np.void]:
    """Points of one view."""
    points = np.empty(len(example), _POINT)
    for name, column in {"example": example, "view": view, "place": place, "kind": kind}.items():
        points[name] = column
    return points


@njit(cache=True, nogil=True, error_model="numpy")
def _ends(offsets, pixel, instance, first, semantic, start, end, shape):  # type: ignore[no-untyped-def]
    """Ends of tracks and starts of showers of one view: examples, places and kinds."""
    rows, columns = shape
    most = 2 * len(semantic)
    example, kind = np.empty(most, np.int64), np.empty(most, np.uint8)
    place = np.empty((most, 2), np.float32)
    found = 0
    for i in range(len(offsets) - 1):
        here = slice(offsets[i], offsets[i + 1])
        # The pixels of one particle after the other.
        order = np.argsort(instance[here], kind="mergesort") + offsets[i]
        low = 0
        while low < len(order):
            number = instance[order[low]]
            high = low
            while high < len(order) and instance[order[high]] == number:
                high += 1
            own, low = order[low:high], high
            if number < 0 or len(own) < MIN_PIXELS:
                continue
            particle = first[i] + number
            y = pixel[own].astype(np.int64) // columns + 0.5
            x = pixel[own].astype(np.int64) % columns + 0.5
            if _TRACK[semantic[particle]]:
                ends = np.empty((2, 2), np.float64)
                ends[0], ends[1] = start[particle], end[particle]
                if not np.isfinite(ends).all():
                    ends = _outermost(y, x, rows, columns)
                count, what = 2, _END
            elif _SHOWER[semantic[particle]]:
                ends = start[particle].astype(np.float64).reshape(1, 2)
                count, what = 1, _START
            else:
                continue
            for k in range(count):
                if 0 <= ends[k, 0] < rows and 0 <= ends[k, 1] < columns:
                    away = (y - ends[k, 0]) ** 2 + (x - ends[k, 1]) ** 2
                    nearest = np.argmin(away)
                    near = away[nearest] < _NEAR**2
                    place[found, 0] = ends[k, 0] if near else y[nearest]
                    place[found, 1] = ends[k, 1] if near else x[nearest]
                    example[found], kind[found] = i, what
                    found += 1
    return example[:found], place[:found], kind[:found]


@njit(cache=True, nogil=True)
def _outermost(y, x, rows, columns):  # type: ignore[no-untyped-def]
    """Middles of the outermost of some pixels along their principal axis; NaN at the edge."""
    dy, dx = y - y.mean(), x - x.mean()
    angle = 0.5 * np.arctan2(2 * (dy * dx).sum(), (dx * dx).sum() - (dy * dy).sum())
    along = dx * np.cos(angle) + dy * np.sin(angle)
    ends = np.empty((2, 2), np.float64)
    for k, j in enumerate((np.argmin(along), np.argmax(along))):
        edge = y[j] < 1 or y[j] > rows - 1 or x[j] < 1 or x[j] > columns - 1
        ends[k, 0], ends[k, 1] = (np.nan, np.nan) if edge else (y[j], x[j])
    return ends
