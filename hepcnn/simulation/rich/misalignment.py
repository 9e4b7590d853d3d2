"""Segments of the mirrors that are turned from where the reconstruction takes them to be."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hepcnn.detector.geometry import RichGeometry
from hepcnn.detector.optics_kernels import sincos_turns
from hepcnn.simulation.rich.rates import SEGMENT

Floats = NDArray[np.float64]

#: Seed of the rotations, of its own: no other random number, and no setting, changes their pattern.
SEED = 15
#: Segments to either side of the beam, along x and y: more than any mirror has.
_REACH = 8


def rotations(geometry: RichGeometry, rms: float) -> Floats:
    """Draw how the segments are turned: the same always, in proportion to their RMS.

    Parameters
    ----------
    geometry : RichGeometry
        The RICH; each has segments of its own.
    rms : float
        RMS of the rotation about each of two axes (mrad).

    Returns
    -------
    float64 array (2 k, 2 k, 2)
        By place along x and y from −k segments: angles (rad) by which an image moves along u and v.
        A square of segments about the beam that is larger than the mirrors.
    """
    rng = np.random.default_rng([SEED, geometry.split])
    return 1e-3 * rms * rng.standard_normal((2 * _REACH, 2 * _REACH, 2))


def move_images(
    geometry: RichGeometry,
    rms: float,
    entry: Floats,
    exit: Floats,
    offsets: NDArray[np.int64],
    cosine: Floats,
    along: Floats,
    turns: Floats,
    u: Floats,
    v: Floats,
) -> None:
    """Move photons' images, in place, as the segments of the mirrors are turned.

    A segment of a spherical mirror with radius R that is turned by α has its centre of curvature,
    and with it the images in its focus, moved by R α: an angle of photons of 2 α. The segments of
    the second mirror move images likewise and are taken to be in these.

    Parameters
    ----------
    geometry, rms
        As of `rotations`.
    entry, exit, offsets, cosine, along, turns
        As of `hepcnn.detector.optics.trace_photons`.
    u, v : float64 array (n,)
        The images on the photon plane (mm).
    """
    shifts = geometry.spherical_mirror.radius * rotations(geometry, rms)
    _move(shifts, entry, exit, offsets, cosine, along, turns, u, v)


@njit(inline="always")
def _place(x: float, half: int, last: int) -> int:
    """Which segment a point is on, along one axis."""
    return min(max(int(np.floor(x / SEGMENT)) + half, 0), last)


@njit(cache=True, error_model="numpy", nogil=True)
def _move(
    shifts: Floats,
    entry: Floats,
    exit: Floats,
    offsets: NDArray[np.int64],
    cosine: Floats,
    along: Floats,
    turns: Floats,
    u: Floats,
    v: Floats,
) -> None:
    """Find each photon's segment, about where its track ends on the mirror, and shift its image."""
    half, last = shifts.shape[0] // 2, shifts.shape[0] - 1
    for j in range(offsets.size - 1):
        first, end = offsets[j], offsets[j + 1]
        if first == end:
            continue
        px, py = exit[j, 0], exit[j, 1]
        lx, ly, lz = px - entry[j, 0], py - entry[j, 1], exit[j, 2] - entry[j, 2]
        length = np.sqrt(lx * lx + ly * ly + lz * lz)
        c = cosine[first:end].min()
        reach = length * np.sqrt(1.0 - c * c) / c
        column, line = _place(px - reach, half, last), _place(py - reach, half, last)
        if column == _place(px + reach, half, last) and line == _place(py + reach, half, last):
            # The whole ring is on one segment, as are most.
            u[first:end] += shifts[column, line, 0]
            v[first:end] += shifts[column, line, 1]
            continue
        tx, ty, tz = lx / length, ly / length, lz / length
        across = np.sqrt(tx * tx + tz * tz)
        for i in range(first, end):
            c = cosine[i]
            sine, cosine_phi = sincos_turns(turns[i])
            reach = (1.0 - along[i]) * length * np.sqrt(1.0 - c * c) / c
            x = px + reach * (cosine_phi * tz - sine * ty * tx) / across
            column = _place(x, half, last)
            line = _place(py + reach * sine * across, half, last)
            u[i] += shifts[column, line, 0]
            v[i] += shifts[column, line, 1]
