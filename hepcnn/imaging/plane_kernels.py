"""Hits → sorted, merged, sparse pixels of wire planes.

Hits are put in order of the first row that they touch by a counting sort. A sweep over the rows
then adds each hit to the few rows that its width covers, and writes a row out as soon as no later
hit can reach it: in order of its columns, which a bitmap of two levels gives. The rows in work are
a small ring that stays in the processor's cache, however large the plane is.

Charges are added as whole numbers of `CHARGE_UNIT`: what a hit gives to its rows adds up to the hit
exactly, and a pixel does not depend on the order of the hits.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

#: What charges are counted in (ADC × tick).
CHARGE_UNIT = 2.0**-24
#: The most charge of an event (ADC × tick), by magnitude: 64 bits hold it.
MAX_CHARGE = 2.0**38
#: A pulse is cut off at so many widths on either side; what lies beyond is put back inside.
REACH = 4.0
#: Owner of a pixel whose charge is of no particle.
NOBODY = -1
#: The integral of a Gaussian from −`REACH` to z, as its fraction, in steps of 1/128; linear between
#: them its error is below 2e-6. What follows the end is reached by rounding only.
_STEPS = 128
_INTEGRAL = np.array(
    [math.erf((k / _STEPS - REACH) / math.sqrt(2)) for k in range(int(2 * REACH * _STEPS) + 1)]
)
_INTEGRAL = (_INTEGRAL - _INTEGRAL[0]) / (_INTEGRAL[-1] - _INTEGRAL[0])
_INTEGRAL = np.append(_INTEGRAL, 1.0)
# Unsigned, because numba lets negative indices wrap around, at a cost.
_U = np.uint64


class Pixels(NamedTuple):
    """The pixels of one plane of all events, in order of event and pixel number.

    Attributes
    ----------
    offsets : int64 array (n + 1,)
        Where each event's begin.
    pixel : uint16 or uint32 array (nnz,)
        row·W + column.
    charge : float32 array (nnz,)
        ADC × tick.
    owner : int32 array (nnz,)
        The particle with the most charge in the pixel, by its index in the event; `NOBODY`: none.
    """

    offsets: npt.NDArray[np.int64]
    pixel: npt.NDArray[np.unsignedinteger]
    charge: npt.NDArray[np.float32]
    owner: npt.NDArray[np.int32]


def merge_hits(
    hits: dict[str, np.ndarray],
    offsets: npt.NDArray[np.int64],
    views: npt.NDArray[np.int32],
    corner: npt.NDArray[np.float64],
    pixel: tuple[float, float],
    shape: tuple[int, int],
    threshold: float = 0.0,
) -> tuple[list[Pixels], npt.NDArray[np.int64]]:
    """Make the sparse images of the planes seen.

    A hit lies on one wire. Over time its charge is a Gaussian of its width, integrated over each
    row; without a width it is in one row.

    Parameters
    ----------
    hits : dict of arrays (n_hits,)
        `LArTPCEvents.hits`; without ``particle`` all pixels are nobody's.
    offsets : int64 array (n + 1,)
        Where each event's hits begin.
    views : int32 array (128,)
        The view of each plane number, −1 for planes that are not seen.
    corner : float64 array (n, V, 2)
        First tick and first wire of each event's image in each view.
    pixel : tuple of float
        Ticks and wires of a pixel.
    shape : tuple of int
        Rows and columns.
    threshold : float
        Pixels of less charge are left out, and in any case those without.

    Returns
    -------
    pixels : list of Pixels
        For each view.
    inside : int64 array (n,)
        Hits of each event that reach into an image.

    Raises
    ------
    ValueError
        If the charges of an event are not finite or add up to more than `MAX_CHARGE`; its second
        argument is the event's index.
    """
    rows, columns = shape
    n, n_hits = len(offsets) - 1, len(hits["plane"])
    first, last, column = (np.empty(n_hits, np.int32) for _ in range(3))
    inside, pairs, span, bad = _place(
        offsets, hits["plane"], hits["wire"], hits["time"], hits["rms"], hits["charge"],
        views, corner, pixel[0], 1.0 / pixel[1], rows, columns, first, last, column,
    )  # fmt: skip
    if bad >= 0:
        problem = f"hit_charge: not finite, or more than {MAX_CHARGE:.3g} ADC x tick in all"
        raise ValueError(problem, int(bad))
    # Memory that is never written to costs nothing: take what may be needed at most.
    most = np.minimum(pairs.sum(axis=0), n * rows * columns)
    starts = np.concatenate([[0], np.cumsum(most)])
    narrow = rows * columns <= 1 << 16
    number: npt.NDArray[np.unsignedinteger]
    number = np.empty(starts[-1], np.uint16 if narrow else np.uint32)
    charge, owner = np.empty(starts[-1], np.float32), np.empty(starts[-1], np.int32)
    stored = np.zeros((corner.shape[1], n + 1), np.int64)
    ring = 1 << max(int(span) - 1, 0).bit_length()
    words = -(-columns // 64)
    nodes = ring * columns + int(pairs.max(initial=0))
    _merge(
        offsets, hits["time"], hits["rms"], hits["charge"], hits.get("particle"), corner, pixel[0],
        rows, columns, first, last, column, threshold, _INTEGRAL,
        np.zeros((ring, words), np.uint64), np.zeros((ring, -(-words // 64)), np.uint64),
        np.zeros(nodes, np.int64), np.empty(nodes, np.int32), np.empty(nodes, np.int32),
        starts, number, charge, owner, stored,
    )  # fmt: skip
    found = []
    for start, own in zip(starts, stored, strict=False):
        used = slice(start, start + own[-1])
        found.append(Pixels(own, number[used], charge[used], owner[used]))
    return found, inside


@njit(cache=True, nogil=True, error_model="numpy")
def count_seen(plane, charge, views):  # type: ignore[no-untyped-def]
    """Count the hits on the planes seen, and sum their charges.

    Parameters
    ----------
    plane : int8 array (n,)
        Numbers of the hits' planes.
    charge : float32 array (n,)
        Their charges.
    views : int32 array (128,)
        The view of each plane number, −1 for planes that are not seen.

    Returns
    -------
    int, float
        How many, and their charge.
    """
    hits, total = 0, 0.0
    for i in range(len(plane)):
        if views[plane[i]] >= 0:
            hits += 1
            total += charge[i]
    return hits, total


@njit(cache=True, nogil=True, error_model="numpy")
def _place(  # type: ignore[no-untyped-def]
    offsets, plane, wire, time, rms, charge, views, corner, ticks, per_wires, rows, columns,
    first, last, column,
):  # fmt: skip
    """First row (+ rows · view; −1: outside), last row and column of each hit.

    Returns the hits inside by event, the rows that hits touch by event and view, the most rows
    of a hit, and an event whose charges are too large (−1: none).
    """
    per_tick = 1.0 / ticks
    inside = np.zeros(len(offsets) - 1, np.int64)
    pairs = np.zeros(corner.shape[:2], np.int64)
    span = np.int64(1)
    for event in range(len(offsets) - 1):
        total, found = 0.0, 0
        for i in range(_U(offsets[event]), _U(offsets[event + 1])):
            first[i] = -1
            total += abs(np.float64(charge[i]))
            if views[plane[i]] < 0:
                continue
            view = _U(views[plane[i]])
            across = (wire[i] + 0.5 - corner[_U(event), view, 1]) * per_wires
            row = (time[i] - corner[_U(event), view, 0]) / ticks
            reach = REACH * max(rms[i], np.float32(0)) * per_tick
            # What is not a number is not inside.
            if not (0 <= across < columns and row - reach < rows and row + reach >= 0):
                continue
            low = np.int64(max(row - reach, 0.0))
            high = np.int64(min(row + reach, rows - 0.5))
            first[i], last[i], column[i] = np.int64(view) * rows + low, high, np.int64(across)
            found += 1
            pairs[_U(event), view] += high - low + 1
            span = max(span, high - low + 1)
        inside[event] = found
        if not total < MAX_CHARGE:
            return inside, pairs, span, event
    return inside, pairs, span, -1


@njit(cache=True, nogil=True, error_model="numpy")
def _merge(  # type: ignore[no-untyped-def]
    offsets, time, rms, charge, particle, corner, ticks, rows, columns, first, last, column,
    threshold, integral, marked, busy, amount, whose, following, starts, pixel, value, owner,
    stored,
):  # fmt: skip
    """Sort the hits and sweep over the rows, event by event and view by view."""
    n = len(offsets) - 1
    begin = np.empty(len(stored) * rows + 1, np.int64)
    order = np.empty((offsets[1:] - offsets[:-1]).max() if n else 0, np.int64)
    for event in range(n):
        _sort(first, offsets[event], offsets[event + 1], begin, order)
        for view in range(len(stored)):
            start = starts[view] + stored[view, event]
            stop = _sweep(
                begin[view * rows : (view + 1) * rows + 1], order, time, rms, charge, particle,
                corner[event, view, 0], ticks, columns, last, column, threshold, integral, marked,
                busy, amount, whose, following, pixel, value, owner, start,
            )  # fmt: skip
            stored[view, event + 1] = stop - starts[view]


@njit(cache=True, nogil=True, error_model="numpy")
def _sort(first, start, stop, begin, order):  # type: ignore[no-untyped-def]
    """Counting sort of an event's hits by their first row; row r's are from begin[r] on."""
    begin[:] = 0
    for i in range(_U(start), _U(stop)):
        if first[i] >= 0:
            begin[_U(first[i])] += 1
    for row in range(1, len(begin)):
        begin[row] += begin[row - 1]
    # Now begin[r] is the end of row r; filling from the back makes it the beginning.
    for i in range(_U(stop - start)):
        row = first[_U(stop - 1) - i]
        if row >= 0:
            begin[_U(row)] -= 1
            order[_U(begin[_U(row)])] = _U(stop - 1) - i


@njit(cache=True, nogil=True, error_model="numpy")
def _sweep(  # type: ignore[no-untyped-def]
    begin, order, time, rms, charge, particle, t0, ticks, columns, last, column, threshold,
    integral, marked, busy, amount, whose, following, pixel, value, owner, at,
):  # fmt: skip
    """Add hits to their rows and write finished rows; returns where the pixels written end.

    The rows in work are a ring. `marked` has a bit for each of their pixels that has charge, `busy`
    one for each word of `marked` that is not 0. `amount` begins with a node for each pixel, column
    by column: a hit's rows are neighbours. Of charge of several particles the pixel's node is the
    first of a chain by `following`, whose others come after all pixels'; 0 ends it.

    All in one function: handing so many arrays on for each row would cost as much as the work.
    """
    ring = _U(len(marked))
    used, reached = _U(ring * _U(columns)), -1
    for row in range(len(begin) - 1):
        for k in range(_U(begin[row]), _U(begin[row + 1])):
            i = _U(order[k])
            c, end, width = _U(column[i]), last[i], rms[i]
            reached = max(reached, end)
            total = np.float64(charge[i]) / CHARGE_UNIT
            scale, shift, below = 0.0, 0.0, np.int64(0)
            if width > 0:
                scale = _STEPS * ticks / width
                shift = REACH * _STEPS - (time[i] - t0) / ticks * scale
                below = _until(integral, total, row * scale + shift)
            for r in range(row, end + 1):
                above = np.int64(total)
                if width > 0:
                    above = _until(integral, total, (r + 1) * scale + shift)
                share, below = above - below, above
                if share == 0:
                    continue
                slot, word = _U(r) & (ring - _U(1)), c >> _U(6)
                bit, node = _U(1) << (c & _U(63)), c * ring + slot
                seen = marked[slot, word] & bit
                marked[slot, word] |= bit
                busy[slot, word >> _U(6)] |= _U(1) << (word & _U(63))
                if particle is None:
                    amount[node] += share
                    continue
                if seen == 0:
                    amount[node], whose[node], following[node] = share, particle[i], 0
                    continue
                while whose[node] != particle[i] and following[node] != 0:
                    node = _U(following[node])
                if whose[node] == particle[i]:
                    amount[node] += share
                else:
                    amount[used], whose[used], following[used] = share, particle[i], 0
                    following[node] = used
                    used += _U(1)
        if row > reached:
            continue
        slot = _U(row) & (ring - _U(1))
        for group in range(_U(busy.shape[1])):
            words = busy[slot, group]
            busy[slot, group] = 0
            while words != 0:
                word = group * _U(64) + _trailing_zeros(words)
                words &= words - _U(1)
                bits = marked[slot, word]
                marked[slot, word] = 0
                while bits != 0:
                    c = word * _U(64) + _trailing_zeros(bits)
                    bits &= bits - _U(1)
                    node = c * ring + slot
                    whole, most, whom = amount[node], amount[node], np.int32(NOBODY)
                    if particle is None:
                        amount[node] = 0
                    else:
                        whom = whose[node]
                        while following[node] != 0:
                            node = _U(following[node])
                            whole += amount[node]
                            more = amount[node] > most
                            if more or (amount[node] == most and whose[node] < whom):
                                most, whom = amount[node], whose[node]
                    shown = np.float32(whole * CHARGE_UNIT)
                    if whole != 0 and shown >= threshold:
                        pixel[_U(at)] = _U(row) * _U(columns) + c
                        value[_U(at)] = shown
                        owner[_U(at)] = whom
                        at += 1
    return at


@njit(cache=True, nogil=True, error_model="numpy")
def _until(integral, charge, steps):  # type: ignore[no-untyped-def]
    """The part of a pulse's charge that comes in so many steps from where it is cut off."""
    x = min(max(steps, 0.0), 2 * REACH * _STEPS)
    k = _U(x)
    return np.int64(charge * (integral[k] + (x - k) * (integral[k + _U(1)] - integral[k])))


@intrinsic
def _trailing_zeros(typing_context, word):  # type: ignore[no-untyped-def]
    """Zeros below the lowest bit that is set, by the processor's instruction for it."""

    def build(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.uint64(types.uint64), build
