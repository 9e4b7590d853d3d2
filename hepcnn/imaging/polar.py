"""Track-centred images: points counted in (r, φ) around many centres, sparse.

The kernel sorts the points of a group (one panel of one event) into square cells, so that each
centre looks only at the rows of cells that its circle touches. A row's points lie contiguously;
their bins are computed by SIMD, without a branch and without atan2, and counted in two interleaved
histograms (neighbouring points often share a bin, and an increment waits for the one before).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

from hepcnn.errors import InputError

#: Points of a group that can be counted: the counts have 16 bits.
MAX_POINTS = np.iinfo(np.uint16).max
#: Pixels of an image: they are numbered in float32.
MAX_PIXELS = 1 << 23
#: Cells across a radius, and the most along an axis.
_CELLS_PER_RADIUS = 4
_MAX_CELLS = 128
#: Points binned together. The loop over a block has a constant length, so that it becomes SIMD
#: without a scalar rest; what a block holds beyond its row is overwritten by the next row.
_BLOCK = 16
#: Up to so many φ bins comparing with their edges is faster than computing the angle.
_MAX_COMPARED = 64
#: arctan(t) / t for 0 <= t <= 1 as a polynomial in t²: minimax fit, error 4e-8 before rounding.
_ARCTAN = tuple(
    np.float32(c)
    for c in (
        0.9999993355768177, -0.33329860774962605, 0.19946565521194615, -0.1390862881229796,
        0.0964219525999401, -0.05591229641201674, 0.021862935524548478, -0.004054560704176957,
    )
)  # fmt: skip
_SIMD = {"contract", "arcp", "nsz", "reassoc"}
_PI = np.float32(np.pi)
# Unsigned, because numba lets negative indices wrap around, at a cost.
_U = np.uint64


def polar_counts(
    points: npt.NDArray[np.float32],
    point_offsets: npt.NDArray[np.int64],
    centres: npt.NDArray[np.float32],
    centre_offsets: npt.NDArray[np.int64],
    radius: float,
    shape: tuple[int, int],
    *,
    exclude_self: bool = False,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.unsignedinteger], npt.NDArray[np.uint16]]:
    """Count points in bins of (r, φ) around each centre of the same group.

    The bins are those of ``np.histogram2d(r, φ, bins=shape, range=((0, radius), (-π, π)))`` with
    r = hypot(Δu, Δv), φ = arctan2(Δv, Δu) in float32, but r < radius strictly. The counts are
    equal but for points that lie on an edge of a bin within the rounding of float32.

    Parameters
    ----------
    points : float32 array (n_points, 2)
        Points (u, v) of all groups.
    point_offsets : int64 array (n_groups + 1,)
        The points of group ``g`` are ``points[point_offsets[g]:point_offsets[g + 1]]``.
    centres : float32 array (n, 2)
        Centres of the images.
    centre_offsets : int64 array (n_groups + 1,)
        Likewise for the centres.
    radius : float
        Outer radius, in the unit of the points.
    shape : tuple of int
        Bins in r and in φ.
    exclude_self : bool
        Each centre is one of the points and does not count in its own image.

    Returns
    -------
    offsets : int64 array (n + 1,)
        Image ``i`` is entries ``offsets[i]`` to ``offsets[i + 1]`` of the other two.
    pixel : uint16 or uint32 array (nnz,)
        r bin · shape[1] + φ bin, increasing within an image; uint16 up to 65536 pixels.
    count : uint16 array (nnz,)
        Points in the bin, at least 1.

    Raises
    ------
    InputError
        If the images have more than `MAX_PIXELS` pixels.
    ValueError
        If a coordinate is not finite, or a group has more than `MAX_POINTS` points.
    """
    check_shape(shape)
    pixels = shape[0] * shape[1]
    if not (np.isfinite(points).all() and np.isfinite(centres).all()):
        raise ValueError("the coordinates of points and centres must be finite")
    per_group = np.diff(point_offsets)
    if per_group.size and per_group.max() > MAX_POINTS:
        raise ValueError(f"{per_group.max()} points in a group, more than {MAX_POINTS}")
    # Memory that is never written to costs nothing: take what may be needed at most.
    most = int((np.diff(centre_offsets) * np.minimum(per_group, pixels)).sum())
    offsets = np.zeros(len(centres) + 1, np.int64)
    narrow = pixels <= 1 << 16
    pixel: npt.NDArray[np.unsignedinteger] = np.empty(most + 1, np.uint16 if narrow else np.uint32)
    count = np.empty(most + 1, np.uint16)
    _count(
        np.ascontiguousarray(points, np.float32),
        point_offsets,
        np.ascontiguousarray(centres, np.float32),
        centre_offsets,
        float(radius),
        shape[0],
        shape[1],
        _tangents(shape[1]),
        exclude_self,
        np.empty((2, pixels + 1), np.uint32 if narrow else np.uint64),
        offsets,
        pixel,
        count,
    )
    return offsets, pixel[: offsets[-1]], count[: offsets[-1]]


def check_shape(shape: tuple[int, int]) -> None:
    """Refuse images of more than `MAX_PIXELS` pixels with an `InputError`."""
    if shape[0] * shape[1] > MAX_PIXELS:
        raise InputError(f"shape: {shape[0]} × {shape[1]} pixels are more than {MAX_PIXELS}")


def _tangents(bins: int) -> tuple[np.float32, ...] | None:
    """Tangents of the φ edges inside an octant, if the edges are the same in each octant."""
    if bins % 8 or bins > _MAX_COMPARED:
        return None
    inside = [math.tan(2 * math.pi * k / bins) for k in range(1, bins // 8)]
    # numba knows no empty tuple: an edge that is never reached stands for none.
    return tuple(np.float32(t) for t in inside or [1e30])


@njit(cache=True, nogil=True, fastmath=_SIMD, error_model="numpy")
def _azimuth_bin(du, dv, bins, tangents):  # type: ignore[no-untyped-def]
    """The φ bin, as a whole float32: SIMD wants one width throughout."""
    one, zero = np.float32(1), np.float32(0)
    along, across = abs(du), abs(dv)
    longer, shorter = max(along, across), min(along, across)
    if tangents is None:
        t = shorter / max(longer, np.float32(1e-30))
        angle = _ARCTAN[7]
        for k in range(6, -1, -1):
            angle = angle * (t * t) + _ARCTAN[k]
        angle = angle * t
        angle = np.float32(0.5) * _PI - angle if across > along else angle
        angle = _PI - angle if du < zero else angle
        angle = -angle if dv < zero else angle
        # Exact at φ = 0, where a centre's own point lies.
        turn = np.floor(bins * np.float32(0.5) + angle * (bins / (np.float32(2) * _PI)))
        return max(min(turn, bins - one), zero)
    bin_ = zero
    for tangent in tangents:
        bin_ += one if shorter > longer * tangent else zero
    half = bins * np.float32(0.5)
    bin_ = half * np.float32(0.5) - one - bin_ if across > along else bin_
    bin_ = half - one - bin_ if du < zero else bin_
    return half + bin_ if dv >= zero else half - one - bin_


@njit(cache=True, nogil=True, fastmath=_SIMD, error_model="numpy")
def _bin_row(u, v, first, last, u0, v0, radius, rows, columns, tangents, bins, stored):  # type: ignore[no-untyped-def]
    """Pixels of the sorted points first to last, from bins[stored] on, in whole blocks."""
    square, scale = radius * radius, rows / radius
    outside = rows * columns
    for block in range((last - first + _U(_BLOCK - 1)) // _U(_BLOCK)):
        start = block * _U(_BLOCK)
        for i in range(_U(_BLOCK)):
            du, dv = u[first + start + i] - u0, v[first + start + i] - v0
            r2 = du * du + dv * dv
            row = min(np.floor(np.sqrt(r2) * scale), rows - np.float32(1))
            pixel = row * columns + _azimuth_bin(du, dv, columns, tangents)
            # Points outside are spread over the spare bins: increments of one bin wait.
            bins[stored + start + i] = np.int32(pixel if r2 < square else outside + np.float32(i))


@njit(cache=True, nogil=True, fastmath=_SIMD | {"nnan"}, error_model="numpy")
def _bounds(points):  # type: ignore[no-untyped-def]
    """Lowest and highest u and v."""
    u_low = u_high = points[0, 0]
    v_low = v_high = points[0, 1]
    for i in range(_U(len(points))):
        u_low, u_high = min(u_low, points[i, 0]), max(u_high, points[i, 0])
        v_low, v_high = min(v_low, points[i, 1]), max(v_high, points[i, 1])
    return (np.float64(u_low), np.float64(v_low)), (np.float64(u_high), np.float64(v_high))


@njit(cache=True, nogil=True, error_model="numpy")
def _sort(points, low, width, cells, start, cell, u, v):  # type: ignore[no-untyped-def]
    """Counting sort of the points into cells, row by row; cell c begins at start[c]."""
    n = _U(len(points))
    across, down = 1.0 / width[0], 1.0 / width[1]
    for i in range(n):
        column = min(np.floor((points[i, 0] - low[0]) * across), cells[0] - 1.0)
        row = min(np.floor((points[i, 1] - low[1]) * down), cells[1] - 1.0)
        cell[i] = np.int32(row * cells[0] + column)
    index = cell.view(np.uint32)
    total = _U(cells[0] * cells[1])
    start[: total + _U(1)] = 0
    for i in range(n):
        start[index[i]] += _U(1)
    for c in range(_U(1), total + _U(1)):
        start[c] += start[c - _U(1)]
    # Now start[c] is the end of cell c; filling from the back makes it the beginning.
    for i in range(n):
        start[index[i]] -= _U(1)
        position = start[index[i]]
        u[position] = points[i, 0]
        v[position] = points[i, 1]


@njit(cache=True, nogil=True, error_model="numpy")
def _bins_near(centre, radius, low, width, cells, start, u, v, shape, tangents, bins):  # type: ignore[no-untyped-def]
    """Pixels of the points in the cells that a circle touches; returns how many points."""
    # In float64 and a little too wide: rounding must not lose a point at the rim.
    extent = max(cells[0] * width[0], cells[1] * width[1])
    reach = radius * (1 + 1e-6) + 1e-14 * extent
    x, y = centre[0] - low[0], centre[1] - low[1]
    stored = _U(0)
    first_row = max(int((y - reach) / width[1]), 0)
    last_row = min(int((y + reach) / width[1]), cells[1] - 1)
    for row in range(first_row, last_row + 1):
        away = max(row * width[1] - y, y - (row + 1) * width[1], 0.0)
        half = math.sqrt(max(reach * reach - away * away, 0.0))
        if x + half < 0 or x - half > cells[0] * width[0]:
            continue
        left = max(int((x - half) / width[0]), 0)
        right = min(int((x + half) / width[0]), cells[0] - 1)
        first, last = start[_U(row * cells[0] + left)], start[_U(row * cells[0] + right + 1)]
        _bin_row(
            u, v, first, last, np.float32(centre[0]), np.float32(centre[1]),
            np.float32(radius), shape[0], shape[1], tangents, bins, stored,
        )  # fmt: skip
        stored += last - first
    return stored


@njit(cache=True, nogil=True, error_model="numpy")
def _count_bins(bins, n, even, odd):  # type: ignore[no-untyped-def]
    """Count pixels in two histograms in turn."""
    even[:] = 0
    odd[:] = 0
    for i in range(n // _U(2)):
        even[bins[_U(2) * i]] += 1
        odd[bins[_U(2) * i + _U(1)]] += 1
    if n % _U(2):
        even[bins[n - _U(1)]] += 1


@njit(cache=True, nogil=True, error_model="numpy")
def _compress(even, odd, work, pixel, count, stored):  # type: ignore[no-untyped-def]
    """Append the pixels that are not zero, without a branch; returns the entries stored."""
    # Pixel and count in one word: one store an entry instead of two.
    entry, packed = work[0], work[1]
    pixels = _U(len(entry) - 1)
    for k in range(pixels):
        entry[k] = np.uint64(k) << _U(16) | np.uint64(np.uint16(even[k] + odd[k]))
    found = _U(0)
    for k in range(pixels):
        packed[found] = entry[k]
        found += _U(min(np.uint16(entry[k]), np.uint16(1)))
    for k in range(found):
        pixel[stored + k] = packed[k] >> _U(16)
    for k in range(found):
        count[stored + k] = np.uint16(packed[k])
    return stored + found


@njit(cache=True, nogil=True, error_model="numpy")
def _count(  # type: ignore[no-untyped-def]
    points, point_offsets, centres, centre_offsets, radius, rows, columns, tangents, exclude_self,
    work, offsets, pixel, count,
):  # fmt: skip
    """All groups one after the other, in work space that is used again."""
    largest = 0
    for g in range(len(point_offsets) - 1):
        largest = max(largest, point_offsets[g + 1] - point_offsets[g])
    cell = np.empty(largest, np.int32)
    # The last block of a row reads up to a block beyond it.
    u, v = np.zeros(largest + _BLOCK, np.float32), np.zeros(largest + _BLOCK, np.float32)
    bins = np.empty(largest + _BLOCK, np.int32)
    start = np.empty(_MAX_CELLS**2 + 1, np.uint64)
    # The spare bins are for the points outside.
    even = np.zeros(rows * columns + _BLOCK, np.uint16)
    odd = np.zeros(rows * columns + _BLOCK, np.uint16)
    shape = (np.float32(rows), np.float32(columns))
    own = np.int64(_azimuth_bin(np.float32(0), np.float32(0), shape[1], tangents))
    stored = _U(0)
    for g in range(len(point_offsets) - 1):
        inside = points[point_offsets[g] : point_offsets[g + 1]]
        if len(inside):
            low, high = _bounds(inside)
            cells = (_cells(high[0] - low[0], radius), _cells(high[1] - low[1], radius))
            # Of some width even if all points lie on one line.
            width = (
                max(high[0] - low[0], radius) / cells[0],
                max(high[1] - low[1], radius) / cells[1],
            )
            _sort(inside, low, width, cells, start, cell, u, v)
        for i in range(centre_offsets[g], centre_offsets[g + 1]):
            if len(inside):
                centre = (np.float64(centres[i, 0]), np.float64(centres[i, 1]))
                n = _bins_near(
                    centre, radius, low, width, cells, start, u, v, shape, tangents, bins
                )
                _count_bins(bins.view(np.uint32), n, even, odd)
                even[own] -= np.uint16(exclude_self)
                stored = _compress(even, odd, work, pixel, count, stored)
            offsets[i + 1] = stored


@njit(cache=True, nogil=True, error_model="numpy")
def _cells(extent, radius):  # type: ignore[no-untyped-def]
    """Cells along an axis."""
    return np.int64(max(min(extent / radius * _CELLS_PER_RADIUS, _MAX_CELLS), 1.0))
