"""Key points without a network: ends of tracks, and where showers start."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hepcnn.detector.labels import POINTS
from hepcnn.reconstruction.clusters import Floats, PlaneImage, components
from hepcnn.reconstruction.segments import segments
from hepcnn.reconstruction.vertex_finders import FEWEST, NEAR, REACH

#: Least part of a cluster's charge on straight pieces if it is of tracks: in the manner of
#: `hepcnn.reconstruction.shapes`, whose showers have lines too, but much beside them.
TRACK = 0.7
#: Ends of straight pieces of tracks so near to one another (mm) are a gap or a kink if their
#: directions are opposite within `KINK` (cosine).
GAP, KINK = 30.0, -0.9


class KeyPoints(NamedTuple):
    """Key points of an image; the middle of pixel k is k + 1/2."""

    row: Floats
    """(k,)."""
    column: Floats
    """(k,)."""
    score: Floats
    """Part of its cluster's charge on straight pieces, or of a shower beside them, (k,)."""
    kind: npt.NDArray[np.uint8]
    """Index into `POINTS`, (k,)."""


def cluster_ends(image: PlaneImage) -> KeyPoints:
    """Both ends of straight tracks, and the upstream ends of clusters that are wide.

    A cluster is of tracks if most of its charge is on straight pieces. The direction of a shower is
    not known: it is taken to go with the beam, towards higher columns.
    """
    found: list[tuple[float, float, float, int]] = []
    lines, place = segments(image), image.place
    cluster = components(image.row, image.column, image.reach(REACH))
    order = np.argsort(cluster, kind="stable")
    free = _free_ends(lines.end, lines.direction)
    for own in np.split(order, np.flatnonzero(np.diff(cluster[order])) + 1) if len(order) else []:
        if len(own) < FEWEST:
            continue
        charge, piece = image.charge[own], lines.piece[own]
        straight = float(charge[piece >= 0].sum() / charge.sum())
        if straight >= TRACK:
            for k in np.unique(piece[piece >= 0]):
                for end in lines.end[k][free[k]]:
                    row, column = end / image.size
                    found.append((row, column, straight, POINTS.index("track_end")))
        else:
            first = place[own[image.column[own].argmin()]]
            near = np.linalg.norm(place[own] - first, axis=1) <= max(NEAR, *image.size)
            start = charge[near] @ place[own][near] / charge[near].sum() / image.size
            found.append((start[0], start[1], 1 - straight, POINTS.index("shower_start")))
    row, column, score, kind = np.array(found).reshape(-1, 4).T
    best = np.argsort(-score, kind="stable")
    return KeyPoints(row[best], column[best], score[best], kind[best].astype(np.uint8))


def _free_ends(end: Floats, direction: Floats) -> npt.NDArray[np.bool_]:
    """Which ends, (s, 2), are not where another straight piece goes on."""
    ends, directions = end.reshape(-1, 2), direction.reshape(-1, 2)
    piece = np.arange(len(ends)) // 2
    apart = np.linalg.norm(ends[:, None] - ends, axis=2)
    goes_on = (apart <= GAP) & (directions @ directions.T <= KINK) & (piece[:, None] != piece)
    return ~goes_on.any(axis=1).reshape(-1, 2)
