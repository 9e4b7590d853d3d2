"""Points in space from what is seen of them in the wire planes.

A point is seen at one drift time in all planes, and on the wires that cross there. Two planes give
y and z; the third one confirms them, or lies on dead wires.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hepcnn.detector.tpc import PLANES, TPC
from hepcnn.errors import InputError
from hepcnn.imaging.lengths import bin_width
from hepcnn.store.shard import Header

Floats = npt.NDArray[np.float64]
#: The wire of number k covers [k − 1/2, k + 1/2), as in `hepcnn.imaging.plane_labels`.
_HALF = np.array([0.0, 0.5])


@dataclass(frozen=True)
class Matching:
    """What belongs together."""

    ticks: float = 6.0
    """Resolution of a candidate's tick."""
    wires: float = 2.0
    """Resolution of a candidate's wire."""
    tick_tolerance: float = 30.0
    """Ticks between the planes, at most."""
    wire_tolerance: float = 6.0
    """Wires between a candidate and the point back in its plane, at most."""
    absent: float = 0.1
    """Factor of the score for each plane that does not take part."""
    apart: float = 10.0
    """Least distance (mm) of the points given: the better of two that are nearer is kept."""


class Crossings(NamedTuple):
    """Points in space, the best first."""

    position: Floats
    """x, y and z, (k, 3) (mm)."""
    score: Floats
    """Product of the candidates' scores, times exp(−χ²/2), (k,)."""
    chi2: Floats
    """Of ticks and wires, (k,)."""
    planes: npt.NDArray[np.int64]
    """How many planes took part, (k,)."""


#: No points.
NOWHERE = Crossings(np.empty((0, 3)), np.empty(0), np.empty(0), np.empty(0, np.int64))


def pixel_units(header: Header, view: str) -> Floats:
    """Ticks and wires in a pixel of a view, (2,), after all processing steps."""
    return np.array([bin_width(axis) for axis in header.axes[view]])


def from_pixels(pixel: npt.ArrayLike, corner: npt.ArrayLike, units: Floats) -> Floats:
    """Ticks and wires of rows and columns; the inverse of `plane_labels.to_pixels`.

    Parameters
    ----------
    pixel : array_like (..., 2)
        Row and column, continuous; the middle of pixel k is k + 1/2.
    corner : array_like (2,) or (..., 2)
        First tick and wire of the image: the view's part of the truth's ``corner``.
    units : array (2,)
        `pixel_units`.
    """
    place: Floats = np.asarray(pixel, np.float64) * units + np.asarray(corner) - _HALF
    return place


def to_pixels(place: npt.ArrayLike, corner: npt.ArrayLike, units: Floats) -> Floats:
    """Rows and columns of ticks and wires (..., 2); the inverse of `from_pixels`."""
    pixel: Floats = (np.asarray(place, np.float64) + _HALF - np.asarray(corner)) / units
    return pixel


def crossings(
    candidates: Mapping[str, Floats],
    tpc: TPC,
    matching: Matching | None = None,
    most: int = 10,
) -> Crossings:
    """Points in space of which the planes' candidates are the images.

    Parameters
    ----------
    candidates : mapping of str to array (m, 3)
        By plane: tick, wire and score (> 0) of any number of candidates; a plane may be missing.
    tpc : TPC
        The detector.
    matching : Matching, optional
        What belongs together.
    most : int
        Points given, at most.

    Returns
    -------
    Crossings
        Of two planes or three, inside the active volume. y and z are the least squares of the
        wires, x is that of the mean tick at time 0.

    Raises
    ------
    InputError
        If a plane is none of `PLANES`, or the detector has more than one drift volume, whose wires
        do not follow from a position alone.
    """
    if tpc.drift_volumes > 1:
        raise InputError(f"{tpc.drift_volumes} drift volumes; points are found in one")
    if unknown := sorted(set(candidates) - set(PLANES)):
        raise InputError(f"plane '{unknown[0]}'; there are {', '.join(PLANES)}")
    matching = matching or Matching()
    seen = [plane for plane in PLANES if len(candidates.get(plane, ()))]
    parts = [
        _combined(planes, candidates, tpc, matching)
        for number in range(2, len(seen) + 1)
        for planes in combinations(seen, number)
    ]
    if not parts:
        return NOWHERE
    found = Crossings(*map(np.concatenate, zip(*parts, strict=True)))
    order = np.argsort(-found.score, kind="stable")
    chosen: list[int] = []
    for k in order:
        apart = np.linalg.norm(found.position[chosen] - found.position[k], axis=1)
        if (apart >= matching.apart).all():
            chosen.append(int(k))
        if len(chosen) == most:
            break
    position, score, chi2, planes = found
    return Crossings(position[chosen], score[chosen], chi2[chosen], planes[chosen])


def _combined(
    planes: tuple[str, ...], candidates: Mapping[str, Floats], tpc: TPC, matching: Matching
) -> Crossings:
    """The points of all combinations of one candidate in each of some planes."""
    lengths = [len(candidates[plane]) for plane in planes]
    which = np.indices(lengths).reshape(len(planes), -1)
    # Of each combination k and plane p: tick, wire and score.
    tick, wire, score = np.stack(
        [candidates[plane][own] for plane, own in zip(planes, which, strict=True)], axis=1
    ).transpose(2, 0, 1)
    mean = tick.mean(axis=1, keepdims=True)
    angle = np.radians([tpc.plane(plane).angle for plane in planes])
    across = np.column_stack([np.sin(angle), np.cos(angle)]) / tpc.pitch
    offset = np.array([tpc.plane(plane).offset for plane in planes])
    # All wires have one resolution, so that the weights are equal.
    yz = (wire - offset) @ np.linalg.pinv(across).T
    late, aside = tick - mean, wire - offset - yz @ across.T
    chi2 = (late**2).sum(axis=1) / matching.ticks**2 + (aside**2).sum(axis=1) / matching.wires**2
    position = np.column_stack([tpc.x_of(mean[:, 0]), yz])
    low, high = tpc.volume.bounds.T
    good = (np.ptp(tick, axis=1) <= matching.tick_tolerance) & (
        np.abs(aside).max(axis=1) <= matching.wire_tolerance
    )
    good &= ((position >= low) & (position <= high)).all(axis=1)
    penalty = matching.absent ** (len(PLANES) - len(planes)) * np.exp(-chi2 / 2)
    return Crossings(
        position[good],
        (score.prod(axis=1) * penalty)[good],
        chi2[good],
        np.full(int(good.sum()), len(planes), np.int64),
    )
