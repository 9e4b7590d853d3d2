"""What a physicist measures in the image of a wire plane without a network.

Pixels within `GAP` rows and columns of one another belong to one piece: a dead wire does not part
it. The length, the width and the two ends are those of the piece with the most charge. Of its ends
the upstream one is where less charge lies away from the axis: a shower starts narrow, and a track
that stops ends in a Bragg peak, after its largest angles of scattering.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

from hepcnn.imaging.lengths import pixel_size
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
#: How far the line through a pixel is looked for (mm): a few pixels, well below a Molière radius.
REACH = 20.0
#: Least linearity of the pixels about one that is on a line.
LINE = 0.8
#: Largest angle between the lines through two neighbours of one straight piece (rad).
BEND = 0.2
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
    row, column = np.divmod(sparse.pixel.astype(np.int64), header.shape[1])
    shapes = np.zeros((len(sparse), len(SHAPES)), np.float32)
    size = pixel_size(header, view)
    _measure(
        sparse.offsets,
        row,
        column,
        sparse.value.sum(axis=1, dtype=np.float64),
        header.shape[0],
        np.array(size),
        # Of large pixels at least the next but one.
        max(REACH, GAP * max(size)),
        shapes,
    )
    return shapes


@njit(cache=True, nogil=True)
def _measure(offsets, row, column, charge, height, size, reach, shapes):  # type: ignore[no-untyped-def]
    up = int(reach / size[0])
    # Half the chords of a disc, and the rows above and the own one of a square.
    chords = np.sqrt(np.maximum(reach**2 - (np.arange(-up, up + 1) * size[0]) ** 2, 0.0))
    disc, square = (chords / size[1]).astype(np.int64), np.full(GAP + 1, GAP)
    for i in range(len(offsets) - 1):
        own = slice(offsets[i], offsets[i + 1])
        r, c, q, total = row[own], column[own], charge[own], charge[own].sum()
        if total <= 0.0:
            continue
        place = np.stack((r * size[0], c * size[1]), axis=1)
        along, line = _lines(c, q, size, *_windows(r, c, height, -up, disc))
        above = _windows(r, c, height, -GAP, square)
        straight = _pieces(along, line, True, *above)
        piece = _pieces(along, line, False, *above)
        largest, pieces = _largest_piece(q, piece)
        inside = piece == largest
        s, t, linearity = _along_and_across(place[inside], q[inside])
        start, rise, most = _ends(s, q[inside], math.sqrt(size[0] * size[1]))
        out = shapes[i]
        out[0], out[1] = len(q), total / len(q)
        out[2], out[3], out[4] = s.max(), _width(t, q[inside]), linearity
        out[5], out[6] = _longest(place, q, straight, line), q[~line].sum() / total
        out[7], out[8], out[9] = start, rise, most
        out[10], out[11] = pieces, q[inside].sum() / total


@njit(cache=True, nogil=True)
def _windows(row, column, height, lowest, half):  # type: ignore[no-untyped-def]
    """Pixels near each pixel k: low[d, k] to high[d, k], `half[d]` columns to either side.

    Row d of a window is the pixel's own row + `lowest` + d.
    """
    n = len(row)
    start = np.zeros(height + 1, np.int64)
    for k in range(n):
        start[row[k] + 1] += 1
    for r in range(height):
        start[r + 1] += start[r]
    low, high = np.zeros((len(half), n), np.int64), np.zeros((len(half), n), np.int64)
    for d in range(len(half)):
        for r in range(max(-lowest - d, 0), min(height - lowest - d, height)):
            first = last = start[r + lowest + d]
            end = start[r + lowest + d + 1]
            if first == end:
                continue
            for k in range(start[r], start[r + 1]):
                while first < end and column[_U(first)] < column[_U(k)] - half[d]:
                    first += 1
                last = max(first, last)
                while last < end and column[_U(last)] <= column[_U(k)] + half[d]:
                    last += 1
                low[d, k], high[d, k] = first, last
    return low, high


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
def _lines(column, charge, size, low, high):  # type: ignore[no-untyped-def]
    """Directions of the charge about each pixel, and which pixels are on lines."""
    n = len(charge)
    # Running sums: those over a window's row are differences.
    sums = np.zeros((n + 1, 3))
    for k in range(n):
        q, c = charge[k], float(column[k])
        sums[k + 1, 0] = sums[k, 0] + q
        sums[k + 1, 1] = sums[k, 1] + q * c
        sums[k + 1, 2] = sums[k, 2] + q * c * c
    along, line = np.zeros((n, 2)), np.zeros(n, np.bool_)
    for k in range(n):
        weight = x = y = xx = xy = yy = 0.0
        count = 0
        c = float(column[k])
        for d in range(len(low)):
            first, last = low[d, k], high[d, k]
            if first == last:
                continue
            # From the pixel itself: differences of large numbers are not accurate.
            dx = (d - len(low) // 2) * size[0]
            q, qc = sums[last, 0] - sums[first, 0], sums[last, 1] - sums[first, 1]
            dy = (qc - q * c) * size[1]
            dyy = (sums[last, 2] - sums[first, 2] - 2.0 * c * qc + c * c * q) * size[1] ** 2
            weight, count = weight + q, count + last - first
            x, y = x + q * dx, y + dy
            xx, xy, yy = xx + q * dx * dx, xy + dx * dy, yy + dyy
        if count > 2 and weight > 0.0:
            _, axis, most, least = _principal(weight, x, y, xx, xy, yy)
            along[k] = axis
            line[k] = most > 0.0 and 1.0 - least / most >= LINE
    return along, line


@njit(cache=True, nogil=True)
def _root(parent, k):  # type: ignore[no-untyped-def]
    while parent[k] != k:
        parent[k] = parent[parent[k]]
        k = parent[k]
    return k


@njit(cache=True, nogil=True)
def _pieces(along, line, straight, low, high):  # type: ignore[no-untyped-def]
    """Each pixel's piece, named by its first pixel; of straight ones lines must be parallel."""
    parent = np.arange(len(line))
    least = math.cos(BEND)
    for k in range(len(line)):
        for d in range(len(low)):
            for m in range(low[d, k], min(high[d, k], k)):
                parallel = abs(along[k, 0] * along[m, 0] + along[k, 1] * along[m, 1]) >= least
                if not straight or (line[k] and line[m] and parallel):
                    first, second = _root(parent, k), _root(parent, m)
                    parent[max(first, second)] = min(first, second)
    for k in range(len(line)):
        parent[k] = _root(parent, k)
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
def _longest(place, charge, piece, line):  # type: ignore[no-untyped-def]
    """The greatest length of a piece along its own principal axis."""
    n = len(charge)
    sums = np.zeros((n, 6))
    for k in range(n):
        if line[k]:
            x, y = place[k, 0] - place[piece[k], 0], place[k, 1] - place[piece[k], 1]
            for m, term in enumerate((1.0, x, y, x * x, x * y, y * y)):
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
            s = (place[k, 0] - place[p, 0]) * axes[p, 0] + (place[k, 1] - place[p, 1]) * axes[p, 1]
            lowest[p], highest[p] = min(lowest[p], s), max(highest[p], s)
            longest = max(longest, highest[p] - lowest[p])
    return longest


@njit(cache=True, nogil=True)
def _along_and_across(place, charge):  # type: ignore[no-untyped-def]
    """Coordinates of a piece along its axis, from 0 at its upstream end, and across; linearity."""
    x, y = place[:, 0] - place[0, 0], place[:, 1] - place[0, 1]
    q = charge
    mean, axis, most, least = _principal(
        q.sum(), (q * x).sum(), (q * y).sum(), (q * x * x).sum(), (q * x * y).sum(),
        (q * y * y).sum(),
    )  # fmt: skip
    s = (x - mean[0]) * axis[0] + (y - mean[1]) * axis[1]
    t = (y - mean[1]) * axis[0] - (x - mean[0]) * axis[1]
    third = (s.max() - s.min()) / 3.0
    before, after = s <= s.min() + third, s >= s.max() - third
    if (q[before] * np.abs(t[before])).sum() > (q[after] * np.abs(t[after])).sum():
        s = -s
    return s - s.min(), t, 1.0 - least / most if most > 0.0 else 0.0


@njit(cache=True, nogil=True)
def _width(across, charge):  # type: ignore[no-untyped-def]
    """RMS about the axis."""
    return math.sqrt((charge * across * across).sum() / charge.sum())


@njit(cache=True, nogil=True)
def _ends(along, charge, pixel):  # type: ignore[no-untyped-def]
    """Charge per length at the start; rise of it and of single values at the end."""
    length = along.max() + pixel
    end = min(END, length)
    # Pixels begin before their middles.
    middle = along + 0.5 * pixel
    first, last = middle < end, middle > length - end
    start, stop = charge[first].sum() / end, charge[last].sum() / end
    mean, mean_value = charge.sum() / length, charge.sum() / len(charge)
    return start, stop / mean, charge[last].max() / mean_value
