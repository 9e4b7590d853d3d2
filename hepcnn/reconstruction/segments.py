"""Straight pieces of a wire plane's image, and the lines at their ends."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hepcnn.reconstruction.clusters import (
    Floats,
    PlaneImage,
    components,
    principal,
    surroundings,
)

#: Radius of the area whose principal axis is a pixel's line (mm).
RADIUS = 12.0
#: Least linearity of a pixel on a line.
LINE = 0.85
#: Largest angle between the lines of neighbours in one straight piece (rad).
BEND = 0.25
#: Distance of neighbours in one straight piece, at most (mm): single dead wires do not part it.
REACH = 7.0
#: Least length of a straight piece (mm), and least number of its pixels.
SHORTEST, FEWEST = 15.0, 4
#: Length of an end, whose line is fitted (mm): scattering bends a track on longer ways.
END = 60.0


class Segments(NamedTuple):
    """The s straight pieces of an image; positions are middles of pixels times their size (mm)."""

    end: Floats
    """Both ends, (s, 2, 2): the first one is upstream, of lower columns."""
    direction: Floats
    """Unit vectors away from the piece at both ends, (s, 2, 2)."""
    length: Floats
    """From end to end, (s,)."""
    charge: Floats
    """Sum of the pixels, (s,)."""
    piece: npt.NDArray[np.int64]
    """For each pixel of the image the straight piece, −1: none; (n,)."""


def segments(image: PlaneImage) -> Segments:
    """The straight pieces: connected pixels whose lines are parallel to their neighbours'."""
    near = surroundings(image, RADIUS)
    axis = np.where((near.linearity >= LINE)[:, None], near.axis, 0.0)
    number = components(image.row, image.column, image.reach(REACH), axis, BEND)
    place, piece = image.place, np.full(len(number), -1, np.int64)
    found: list[tuple[Floats, Floats, float, float]] = []
    order = np.argsort(number, kind="stable")
    bounds = np.flatnonzero(np.diff(number[order])) + 1
    for own in np.split(order, bounds) if len(order) else []:
        if len(own) < FEWEST or not axis[own[0]].any():
            continue
        points, charge = place[own], image.charge[own]
        along = (points - points.mean(axis=0)) @ axis_of(points, charge)
        length = float(np.ptp(along))
        if length < SHORTEST:
            continue
        ends, directions = zip(
            *(_end(points, charge, sign * along) for sign in (-1.0, 1.0)), strict=True
        )
        piece[own] = len(found)
        order_of = [0, 1] if ends[0][1] <= ends[1][1] else [1, 0]
        found.append(
            (np.stack(ends)[order_of], np.stack(directions)[order_of], length, charge.sum())
        )
    end, direction, length_, charge_ = zip(*found, strict=True) if found else ((), (), (), ())
    return Segments(
        np.reshape(end, (-1, 2, 2)).astype(np.float64),
        np.reshape(direction, (-1, 2, 2)).astype(np.float64),
        np.array(length_, np.float64),
        np.array(charge_, np.float64),
        piece,
    )


def axis_of(points: Floats, charge: Floats) -> Floats:
    """Principal axis (2,) of charges at points (n, 2)."""
    x, y = (points - points[0]).T
    sums = (charge, charge * x, charge * y, charge * x * x, charge * x * y, charge * y * y)
    cosine, sine, _, _ = principal(*(float(term.sum()) for term in sums))
    return np.array([cosine, sine])


def _end(points: Floats, charge: Floats, along: Floats) -> tuple[Floats, Floats]:
    """Where a piece ends, towards larger `along`, and the direction of its line there."""
    own = along >= along.max() - END
    points, charge, along = points[own], charge[own], along[own]
    mean = charge @ points / charge.sum()
    axis = axis_of(points, charge)
    last = points[along.argmax()] - mean
    axis = math.copysign(1.0, float(last @ axis)) * axis
    # On the line, as far as its last pixel.
    return mean + (last @ axis) * axis, axis
