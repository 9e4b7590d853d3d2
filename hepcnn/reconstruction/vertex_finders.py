"""Where the beam's interaction is, without a network: in each plane, and from all planes in space.

The beam comes along +z, towards higher columns. Three finders give candidates in a plane; each is
an array (m, 3) of row, column (continuous; the middle of pixel k is k + 1/2) and score, the best
first and the highest score 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from hepcnn.detector.tpc import TPC
from hepcnn.reconstruction.clusters import Floats, PlaneImage, components, surroundings
from hepcnn.reconstruction.segments import RADIUS, Segments, segments
from hepcnn.reconstruction.wire_crossing import (
    Crossings,
    Matching,
    crossings,
    from_pixels,
    pixel_units,
)
from hepcnn.store.shard import Header

#: Distance of neighbours in one cluster, at most (mm): groups of dead wires do not part it.
REACH = 20.0
#: Least number of pixels of a cluster that counts where there are larger ones: no noise.
FEWEST = 5
#: Distance from the image's border of a cluster that touches it, at most (mm).
BORDER = 10.0
#: Charge so near to a cluster's most upstream pixel (mm) says where its end is.
NEAR = 8.0
#: Ends of lines so near to one another (mm) can come from one point.
AROUND = 50.0
#: Distance upstream (mm) over which a score falls to 1/e: the beam's interaction comes first.
BEAM = 500.0
#: Upper edges (mm) of the bands of distance from a candidate, and their weights.
BANDS = ((20.0, 1.0), (50.0, 1.0), (100.0, 0.5), (200.0, 0.25))
#: Weight of charge upstream of a candidate, against that downstream.
UPSTREAM = -0.5
#: Candidates given in a plane, at most.
MOST = 8
_NONE = np.empty((0, 3))


def neutrino_like(image: PlaneImage, cluster: npt.NDArray[np.int32]) -> list[npt.NDArray[np.int64]]:
    """Pixels of the clusters that can be the beam's, the one with the most charge first.

    A cosmic muon enters the image from outside: a cluster whose upstream end is at the border is
    left out where there are others; one that only leaves by the border is not. So are clusters of
    fewer than `FEWEST` pixels.
    """
    order = np.argsort(cluster, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(cluster[order])) + 1) if len(order) else []
    large = [own for own in parts if len(own) >= FEWEST] or parts
    inner = [own for own in large if not _enters(image, own)] or large
    return sorted(inner, key=lambda own: -float(image.charge[own].sum()))


def _enters(image: PlaneImage, own: npt.NDArray[np.int64]) -> bool:
    """Whether the upstream end of a cluster is at the border, or both of its ends in time are."""
    rows, columns = image.reach(BORDER)
    row, column = image.row[own], image.column[own]
    upstream = row[column <= column.min() + columns]
    low, high = rows, image.shape[0] - rows
    at_start = column.min() < columns or column.min() >= image.shape[1] - columns
    crosses = row.min() < low and row.max() >= high
    return bool(at_start or upstream.min() < low or upstream.max() >= high or crosses)


def upstream_end(image: PlaneImage) -> Floats:
    """The charge-weighted upstream ends of the clusters; the score is the clusters' charge."""
    cluster = components(image.row, image.column, image.reach(REACH))
    found = []
    for own in neutrino_like(image, cluster)[:MOST]:
        place, charge = image.place[own], image.charge[own]
        # Of several pixels on the first wire, that with the most charge.
        start = place[np.lexsort((-charge, place[:, 1]))[0]]
        close = np.linalg.norm(place - start, axis=1) <= max(NEAR, *image.size)
        point = charge[close] @ place[close] / charge[close].sum()
        found.append((*(point / image.size), charge.sum()))
    return _ordered(np.array(found).reshape(-1, 3))


def line_intersection(image: PlaneImage) -> Floats:
    """Points nearest to the lines of straight pieces that end about them.

    Each end of a piece proposes the point with the least sum of squared distances, weighted by the
    pieces' charges and lengths, to the lines of all pieces that end near it. Its score is the
    sum of the pieces' charges, each less by its distance, and less the further downstream it is.
    Where nothing is straight, the ends are those of the clusters.
    """
    lines = _of_neutrino(image, segments(image))
    if not len(lines.length):
        return upstream_end(image)
    points, strength = _intersections(lines)
    return _ordered(_beamed(image, points, strength))


def _of_neutrino(image: PlaneImage, lines: Segments) -> Segments:
    """The straight pieces of the neutrino-like clusters, or all if these have none."""
    cluster = components(image.row, image.column, image.reach(REACH))
    beam = np.zeros(len(cluster), np.bool_)
    for own in neutrino_like(image, cluster):
        beam[own] = True
    chosen = np.unique(lines.piece[beam & (lines.piece >= 0)])
    if not len(chosen):
        return lines
    end, direction, length, charge, piece = lines
    return Segments(end[chosen], direction[chosen], length[chosen], charge[chosen], piece)


def _intersections(lines: Segments) -> tuple[Floats, Floats]:
    """A point (k, 2) (mm) for each end of each line, and how much charge comes from it, (k,)."""
    ends, directions = lines.end.reshape(-1, 2), lines.direction.reshape(-1, 2)
    # Along a line its end is known to some pixels only, across it to less than one.
    across = np.eye(2) - 0.99 * directions[:, :, None] * directions[:, None, :]
    heavy = np.repeat(lines.charge * lines.length, 2)
    points, strength = np.empty_like(ends), np.empty(len(ends))
    for k, seed in enumerate(ends):
        apart = np.linalg.norm(ends - seed, axis=1).reshape(-1, 2)
        nearest = 2 * np.arange(len(apart)) + apart.argmin(axis=1)
        nearest[k // 2] = k
        own = nearest[apart.min(axis=1) <= AROUND]
        weighted = heavy[own, None, None] * across[own]
        point = np.linalg.solve(weighted.sum(axis=0), np.einsum("kij,kj->i", weighted, ends[own]))
        beside = np.einsum("ki,kij,kj->k", point - ends[own], across[own], point - ends[own])
        points[k] = point
        strength[k] = (lines.charge[own // 2] * np.exp(-beside / (2 * NEAR**2))).sum()
    return points, strength


def distance_bands(image: PlaneImage) -> Floats:
    """Ends of clusters and of lines, and crossings, by the charge that radiates from them.

    As in the vertexing of Pandora (arXiv:2502.06637 and before): in bands of distance from a
    candidate the charge counts that lies on lines through it, more if near; charge upstream of it
    counts against it.
    """
    lines = _of_neutrino(image, segments(image))
    points = upstream_end(image)[:, :2] * image.size
    if len(lines.length):
        points = np.concatenate([points, lines.end.reshape(-1, 2), _intersections(lines)[0]])
    near, place = surroundings(image, RADIUS), image.place
    strength = np.zeros(len(points))
    for k, point in enumerate(points):
        away = place - point
        distance = np.linalg.norm(away, axis=1)
        cosine = np.abs((away * near.axis).sum(axis=1)) / np.maximum(distance, 1e-9)
        # So close, any charge is of the point.
        radial = np.where(distance <= NEAR, 1.0, cosine**8 * near.linearity)
        side = np.where(away[:, 1] >= -NEAR, 1.0, UPSTREAM)
        low = 0.0
        for high, weight in BANDS:
            band = (distance >= low) & (distance < high)
            strength[k] += weight * (image.charge * radial * side)[band].sum()
            low = high
    return _ordered(_beamed(image, points, strength))


def _beamed(image: PlaneImage, points: Floats, strength: Floats) -> Floats:
    """Candidates of points (k, 2) (mm), whose strength falls along the beam."""
    first = points[:, 1].min(initial=np.inf)
    score = strength * np.exp(-(points[:, 1] - first) / BEAM)
    return np.column_stack([points / image.size, score])


def _ordered(found: Floats) -> Floats:
    """The best candidates inside a pixel of which there is no better one, highest score 1."""
    found = found[found[:, 2] > 0]
    found = found[np.argsort(-found[:, 2], kind="stable")]
    chosen: list[int] = []
    for k, candidate in enumerate(found):
        if (np.abs(found[chosen, :2] - candidate[:2]) >= 1).any(axis=1).all():
            chosen.append(k)
        if len(chosen) == MOST:
            break
    if not chosen:
        return _NONE
    return found[chosen] / (1.0, 1.0, found[chosen[0], 2])


#: The finders by the names of the baselines.
FINDERS: Mapping[str, Callable[[PlaneImage], Floats]] = {
    "upstream_end": upstream_end,
    "line_intersection": line_intersection,
    "distance_bands": distance_bands,
}


def combine(
    candidates: Mapping[str, Floats],
    corner: npt.ArrayLike,
    header: Header,
    tpc: TPC,
    matching: Matching | None = None,
) -> Crossings:
    """Points in space of the candidates in pixels of the planes of one example.

    Parameters
    ----------
    candidates : mapping of str to array (m, 3)
        By view: rows, columns and scores.
    corner : array_like (2V,)
        The example's ``corner``.
    header : Header
        Of the images.
    tpc : TPC
        The detector.
    matching : Matching, optional
        What belongs together; by default pixels are taken for the resolution, if they are
        larger than the usual one.
    """
    corners = np.reshape(corner, (len(header.views), 2))
    units = {view: pixel_units(header, view) for view in header.views}
    if matching is None:
        ticks, wires = np.max([units[view] for view in candidates], axis=0, initial=0.0)
        usual = Matching()
        matching = Matching(
            ticks=max(usual.ticks, ticks),
            wires=max(usual.wires, wires),
            tick_tolerance=max(usual.tick_tolerance, 3 * ticks),
            wire_tolerance=max(usual.wire_tolerance, 3 * wires),
        )
    placed = {
        view: np.column_stack(
            [
                from_pixels(found[:, :2], corners[header.views.index(view)], units[view]),
                found[:, 2],
            ]
        )
        for view, found in candidates.items()
    }
    return crossings(placed, tpc, matching)
