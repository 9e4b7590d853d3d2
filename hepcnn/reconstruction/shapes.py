"""What a physicist measures in the image of a wire plane without a network.

Pixels within `GAP` rows and columns of one another belong to one piece: a dead wire does not part
it. The length, the width and the two ends are those of the piece with the most charge. The upstream
end of a track is that with less charge (it may stop at the other one, in a Bragg peak), that of a
shower the narrower one.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

from hepcnn.imaging.lengths import pixel_size
from hepcnn.reconstruction.union_find import root, unite
from hepcnn.store.shard import Header, Sparse

#: The numbers, in order. ``pixels``; ``charge_per_pixel``, the mean value; ``length``, from end to
#: end along the principal axis (mm); ``width``, RMS about it (mm); ``linearity``, 1 − λ₂/λ₁ of the
#: covariance's eigenvalues; ``straight``, the length of the longest straight connected piece (mm);
#: ``shower_fraction``, the charge that lies on no line; ``start_charge``, the charge per length in
#: the first `END` from the upstream end (value/mm), which is dE/dx; ``end_rise``, the same at the
#: other end over the piece's mean, above 1 for a Bragg peak; ``end_largest``, the largest value
#: there over the piece's mean value; ``pieces``; ``piece_fraction``, the largest piece's charge.
SHAPES = (
    "pixels", "charge_per_pixel", "length", "width", "linearity", "straight", "shower_fraction",
    "start_charge", "end_rise", "end_largest", "pieces", "piece_fraction",
)  # fmt: skip

#: Rows and columns between pixels of one piece, at most.
GAP = 2
#: Side of a cell (mm). The line through a pixel is that of its cell and the eight about it: an area
#: of a few pixels, well below the width of a shower.
CELL = 13.0
#: Least linearity of the pixels about one that is on a line.
LINE = 0.8
#: Largest angle between the lines of two neighbours of one straight piece (rad).
BEND = 0.2
#: Largest fraction of a track's charge that lies on no line.
TRACK = 0.2
#: Length of an end (mm): e± and photons differ before the shower has begun.
END = 30.0
# Unsigned, because numba lets negative indices wrap around, at a cost.
_U = np.uint64


def image_shapes(sparse: Sparse, header: Header, view: str) -> npt.NDArray[np.float32]:
    """Measure the images of a view.

    Parameters
    ----------
    sparse : Sparse
        Images of a wire plane; their values (all channels together) are charges.
    header : Header
        Their header, for the lengths of pixels.
    view : str
        The view's name.

    Returns
    -------
    ndarray, (n, K) float32
        `SHAPES`; all 0 of an empty image.
    """
    row, column = np.divmod(sparse.pixel.astype(np.int32), np.int32(header.shape[1]))
    shapes = np.zeros((len(sparse), len(SHAPES)), np.float32)
    size = np.array(pixel_size(header, view))
    _measure(sparse.offsets, row, column, sparse.value, header.shape, size, shapes)
    return shapes


@njit(cache=True, nogil=True)
def _measure(offsets, row, column, value, shape, size, shapes):  # type: ignore[no-untyped-def]
    side = np.maximum(np.rint(CELL / size), 1.0).astype(np.int64)
    pixel = math.sqrt(size[0] * size[1])
    # One more cell on all sides, so that each has eight about it.
    cells = np.zeros((shape[0] // side[0] + 3, shape[1] // side[1] + 3, 7))
    for i in range(len(offsets) - 1):
        own = slice(offsets[i], offsets[i + 1])
        r, c, q = row[own], column[own], np.zeros(offsets[i + 1] - offsets[i])
        for channel in range(value.shape[1]):
            q += value[own, channel]
        total = q.sum()
        if total <= 0.0:
            continue
        x, y = r * size[0], c * size[1]
        along, line = _lines(r, c, q, size, side, cells)
        low, high = _neighbours(r, c, shape[0])
        straight = _pieces(along, line, True, low, high)
        piece = _pieces(along, line, False, low, high)
        largest, pieces = _largest_piece(q, piece)
        inside = piece == largest
        out, inner = shapes[i], q[inside]
        track = inner[~line[inside]].sum() < TRACK * inner.sum()
        s, t, linearity = _along_and_across(x[inside], y[inside], inner, pixel, track)
        start, stop, most = _ends(s, inner, pixel)
        rise = stop * (s.max() + pixel) / inner.sum()
        out[0], out[1] = len(q), total / len(q)
        out[2], out[3], out[4] = s.max(), _width(t, inner), linearity
        out[5], out[6] = _longest(x, y, q, straight, line), q[~line].sum() / total
        out[7], out[8], out[9] = start, rise, most / inner.mean()
        out[10], out[11] = pieces, inner.sum() / total


@njit(cache=True, nogil=True)
def _principal(weight, x, y, xx, xy, yy):  # type: ignore[no-untyped-def]
    """Mean, principal axis and eigenvalues of a covariance from sums over points."""
    mx, my = x / weight, y / weight
    xx, xy, yy = xx / weight - mx * mx, xy / weight - mx * my, yy / weight - my * my
    half, apart = 0.5 * (xx + yy), 0.5 * (xx - yy)
    root = math.sqrt(apart * apart + xy * xy)
    u, v = (apart + root, xy) if apart >= 0.0 else (xy, root - apart)
    norm = math.sqrt(u * u + v * v)
    axis = (u / norm, v / norm) if norm > 0.0 else (1.0, 0.0)
    return (mx, my), axis, half + root, max(half - root, 0.0)


@njit(cache=True, nogil=True)
def _lines(row, column, charge, size, side, cells):  # type: ignore[no-untyped-def]
    """Directions of the charge about each pixel, and which pixels are on lines.

    `cells` holds sums over the pixels of each cell, with x and y from the cell's corner: of 1, and
    of the charge times 1, x, y, x², xy and y². It is left at 0.
    """
    n = len(charge)
    along, line = np.zeros((n, 2)), np.zeros(n, np.bool_)
    a, b = row // side[0] + 1, column // side[1] + 1
    for k in range(n):
        q, cell = charge[k], cells[a[k], b[k]]
        x, y = (row[k] % side[0]) * size[0], (column[k] % side[1]) * size[1]
        for m, term in enumerate((1.0, q, q * x, q * y, q * x * x, q * x * y, q * y * y)):
            cell[m] += term
    for k in range(n):
        if k > 0 and a[k] == a[k - 1] and b[k] == b[k - 1]:
            along[k], line[k] = along[k - 1], line[k - 1]
            continue
        count = weight = x = y = xx = xy = yy = 0.0
        for down in range(-1, 2):
            for right in range(-1, 2):
                cell = cells[a[k] + down, b[k] + right]
                dx, dy, q = down * side[0] * size[0], right * side[1] * size[1], cell[1]
                count, weight = count + cell[0], weight + q
                x, y = x + cell[2] + q * dx, y + cell[3] + q * dy
                xx += cell[4] + 2.0 * dx * cell[2] + dx * dx * q
                xy += cell[5] + dx * cell[3] + dy * cell[2] + dx * dy * q
                yy += cell[6] + 2.0 * dy * cell[3] + dy * dy * q
        if count > 2.0 and weight > 0.0:
            _, axis, most, least = _principal(weight, x, y, xx, xy, yy)
            along[k] = axis
            line[k] = most > 0.0 and 1.0 - least / most >= LINE
    for k in range(n):
        cells[a[k], b[k]] = 0.0
    return along, line


@njit(cache=True, nogil=True)
def _neighbours(row, column, height):  # type: ignore[no-untyped-def]
    """Pixels near each pixel k: low[d, k] to high[d, k], d − `GAP` rows from its own."""
    n = len(row)
    start = np.zeros(height + 1, np.int64)
    for k in range(n):
        start[row[k] + 1] += 1
    for r in range(height):
        start[r + 1] += start[r]
    low, high = np.zeros((GAP + 1, n), np.int32), np.zeros((GAP + 1, n), np.int32)
    for d in range(GAP + 1):
        for r in range(GAP - d, height):
            first = last = start[r + d - GAP]
            end = start[r + d - GAP + 1]
            if first == end:
                continue
            for k in range(start[r], start[r + 1]):
                while first < end and column[_U(first)] < column[_U(k)] - GAP:
                    first += 1
                last = max(first, last)
                while last < end and column[_U(last)] <= column[_U(k)] + GAP:
                    last += 1
                low[d, k], high[d, k] = first, last
    return low, high


@njit(cache=True, nogil=True)
def _pieces(along, line, straight, low, high):  # type: ignore[no-untyped-def]
    """Each pixel's piece, named by its first pixel; of straight ones lines must be parallel."""
    parent = np.arange(len(line))
    least = math.cos(BEND)
    for k in range(_U(len(line))):
        if straight and not line[k]:
            continue
        for d in range(_U(len(low))):
            for m in range(_U(low[d, k]), _U(min(high[d, k], k))):
                # Most neighbours have been found to be of the pixel's piece before.
                if parent[m] == parent[k] or (straight and not line[m]):
                    continue
                cosine = along[k, 0] * along[m, 0] + along[k, 1] * along[m, 1]
                if not straight or abs(cosine) >= least:
                    unite(parent, k, m)
    for k in range(_U(len(line))):
        parent[k] = root(parent, k)
    return parent


@njit(cache=True, nogil=True)
def _largest_piece(charge, piece):  # type: ignore[no-untyped-def]
    """The piece with the most charge, and how many there are."""
    total = np.zeros(len(charge))
    pieces = 0
    for k in range(len(charge)):
        total[piece[k]] += charge[k]
        pieces += piece[k] == k
    return total.argmax(), pieces


@njit(cache=True, nogil=True)
def _longest(x, y, charge, piece, line):  # type: ignore[no-untyped-def]
    """The greatest length of a piece along its own principal axis."""
    n = len(charge)
    sums = np.zeros((n, 6))
    for k in range(n):
        if line[k]:
            dx, dy = x[k] - x[piece[k]], y[k] - y[piece[k]]
            for m, term in enumerate((1.0, dx, dy, dx * dx, dx * dy, dy * dy)):
                sums[piece[k], m] += charge[k] * term
    lowest, highest = np.zeros(n), np.zeros(n)
    axes = np.zeros((n, 2))
    for k in range(n):
        if sums[k, 0] > 0.0:
            s = sums[k]
            _, axes[k], _, _ = _principal(s[0], s[1], s[2], s[3], s[4], s[5])
    longest = 0.0
    for k in range(n):
        if line[k]:
            p = piece[k]
            s = (x[k] - x[p]) * axes[p, 0] + (y[k] - y[p]) * axes[p, 1]
            lowest[p], highest[p] = min(lowest[p], s), max(highest[p], s)
            longest = max(longest, highest[p] - lowest[p])
    return longest


@njit(cache=True, nogil=True)
def _along_and_across(x, y, charge, pixel, track):  # type: ignore[no-untyped-def]
    """Coordinates of a piece along its axis, from 0 at its upstream end, and across; linearity."""
    x, y, q = x - x[0], y - y[0], charge
    mean, axis, most, least = _principal(
        q.sum(), (q * x).sum(), (q * y).sum(), (q * x * x).sum(), (q * x * y).sum(),
        (q * y * y).sum(),
    )  # fmt: skip
    s = (x - mean[0]) * axis[0] + (y - mean[1]) * axis[1]
    s -= s.min()
    t = (y - mean[1]) * axis[0] - (x - mean[0]) * axis[1]
    if track:
        start, stop, _ = _ends(s, q, pixel)
        back = stop < start
    else:
        before, after = s <= s.max() / 3.0, s >= s.max() * 2.0 / 3.0
        back = _width(t[before], q[before]) > _width(t[after], q[after])
    s = s.max() - s if back else s
    return s, t, 1.0 - least / most if most > 0.0 else 0.0


@njit(cache=True, nogil=True)
def _width(across, charge):  # type: ignore[no-untyped-def]
    """RMS about the axis."""
    return math.sqrt((charge * across * across).sum() / charge.sum())


@njit(cache=True, nogil=True)
def _ends(along, charge, pixel):  # type: ignore[no-untyped-def]
    """Charge per length at the start and at the end, and the largest value at the end."""
    length = along.max() + pixel
    end = min(END, length)
    # Pixels begin before their middles.
    middle = along + 0.5 * pixel
    last = charge[middle > length - end]
    return charge[middle < end].sum() / end, last.sum() / end, last.max()
