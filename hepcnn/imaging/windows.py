"""Where the images of wire planes begin: the tick and the wire of each event's first pixel."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

from hepcnn.config import PlaneImages
from hepcnn.detector.tpc import PLANES, TPC
from hepcnn.events.lartpc_schema import LArTPCEvents
from hepcnn.imaging.framing import densest

#: Cells of the coarse search across a window.
_CELLS = 4
_U = np.uint64


def window_shape(settings: PlaneImages, tpc: TPC) -> tuple[int, int]:
    """Rows and columns of the images: of the whole planes, those of the widest plane seen."""
    if settings.shape is not None:
        return settings.shape
    wires = max(tpc.wires(plane) for plane in settings.planes)
    return (
        math.ceil(tpc.full_drift / settings.ticks_per_pixel),
        math.ceil(wires / settings.wires_per_pixel),
    )


def windows(
    events: LArTPCEvents,
    vertex: npt.NDArray[np.float64],
    tpc: TPC,
    settings: PlaneImages,
) -> npt.NDArray[np.float64]:
    """First tick and first wire of the images.

    Parameters
    ----------
    events : LArTPCEvents
        A chunk of events.
    vertex : float64 array (n, V, 2)
        Tick and wire of the vertex in each plane seen; NaN: none.
    tpc : TPC
        The detector.
    settings : PlaneImages
        What the images are.

    Returns
    -------
    float64 array (n, V, 2)
        Of each event in each plane. The regions ``charge`` and ``vertex`` begin at whole pixels of
        the plane, counted from tick 0 and wire 0, and have the same ticks in all planes. In
        ``vertex`` an event without one is taken about its charge.
    """
    corner = np.zeros((len(events), len(settings.planes), 2))
    if settings.region == "whole":
        corner[:, :, 0] = tpc.readout.trigger
    elif settings.region == "fixed":
        for view, plane in enumerate(settings.planes):
            corner[:, view] = settings.corner.get(plane, (0.0, 0.0))
    else:
        pixel = np.array([settings.ticks_per_pixel, settings.wires_per_pixel])
        first = _most_charge(events, tpc, settings)
        if settings.region == "vertex":
            known = np.isfinite(vertex).all(axis=(1, 2))
            first[known] = _about(vertex[known] + (0, 0.5), pixel, settings)
        corner = first * pixel
    return corner


def _about(
    vertex: npt.NDArray[np.float64], pixel: npt.NDArray[np.float64], settings: PlaneImages
) -> npt.NDArray[np.float64]:
    """First row and column of the windows whose pixel at the anchor holds the vertex."""
    shape = np.asarray(settings.shape)
    anchor = np.minimum(np.floor(shape * settings.anchor), shape - 1)
    return np.floor(vertex / pixel) - anchor


def _most_charge(events: LArTPCEvents, tpc: TPC, settings: PlaneImages) -> npt.NDArray[np.float64]:
    """First row and column of the windows with the most charge, (n, V, 2)."""
    window = window_shape(settings, tpc)
    # A window that is larger than the plane begins at its beginning.
    rows = max(math.ceil(tpc.readout.ticks / settings.ticks_per_pixel), window[0])
    columns = [
        max(math.ceil(tpc.wires(plane) / settings.wires_per_pixel), window[1])
        for plane in settings.planes
    ]
    first = np.zeros((len(events), len(columns), 2))
    _search(
        events.hit_offsets,
        *(events.hits[name] for name in ("plane", "wire", "time", "charge")),
        views_of(settings),
        settings.ticks_per_pixel,
        settings.wires_per_pixel,
        rows,
        np.array(columns),
        window,
        first,
    )
    return first


def views_of(settings: PlaneImages) -> npt.NDArray[np.int32]:
    """The view of each plane number that an int8 can hold, −1 if it is not seen."""
    views = np.full(1 << 7, -1, np.int32)
    views[[PLANES.index(plane) for plane in settings.planes]] = range(len(settings.planes))
    return views


@njit(cache=True, nogil=True, error_model="numpy")
def _search(  # type: ignore[no-untyped-def]
    offsets, plane, wire, time, charge, views, ticks, wires, rows, columns, window, first
):
    """Coarse cells say which columns to look at; then rows and columns are found to a pixel.

    Neither of the two fine steps can lose charge: each chooses among all windows, that of the
    step before among them.
    """
    n_views, most = len(columns), columns.max()
    cell = (-(-window[0] // _CELLS), -(-window[1] // _CELLS))
    per_wires, up = 1.0 / wires, (1.0 / cell[0], 1.0 / cell[1])
    coarse = np.zeros((n_views, -(-rows // cell[0]), -(-most // cell[1])))
    down, across = np.zeros(rows), np.zeros((n_views, most))
    # View, row and column of an event's hits, counted from tick 0 and wire 0, and their charges.
    at = np.empty(((offsets[1:] - offsets[:-1]).max() if len(offsets) > 1 else 0, 3), np.int32)
    amount = np.empty(len(at))
    for event in range(len(offsets) - 1):
        coarse[:], down[:], across[:] = 0.0, 0.0, 0.0
        n = _U(0)
        for i in range(_U(offsets[event]), _U(offsets[event + 1])):
            # Of the middles of wires, so that rounding cannot change the column.
            v, y, x = views[plane[i]], time[i] / ticks, (wire[i] + 0.5) * per_wires
            if v < 0 or not (0 <= y < rows and 0 <= x < columns[_U(v)]):
                continue
            row, column = np.int32(y), np.int32(x)
            at[n, 0], at[n, 1], at[n, 2], amount[n] = v, row, column, max(charge[i], 0.0)
            # Of the middles of pixels, so that rounding cannot change the cell.
            coarse[_U(v), _U((row + 0.5) * up[0]), _U((column + 0.5) * up[1])] += amount[n]
            n += _U(1)
        left = _coarse_columns(coarse, window[0] // cell[0], window[1] // cell[1]) * cell[1]
        for i in range(n):
            if 0 <= at[i, 2] - left[_U(at[i, 0])] < window[1]:
                down[_U(at[i, 1])] += amount[i]
        top = densest(down, window[0])
        for i in range(n):
            if 0 <= at[i, 1] - top < window[0]:
                across[_U(at[i, 0]), _U(at[i, 2])] += amount[i]
        for v in range(n_views):
            first[event, v, 0] = top
            first[event, v, 1] = densest(across[v, : columns[v]], window[1])


@njit(cache=True, nogil=True, error_model="numpy")
def _coarse_columns(coarse, height, width):  # type: ignore[no-untyped-def]
    """First column by view of the windows, of common rows, that hold the most together."""
    n_views, rows, columns = coarse.shape
    strip = np.zeros((n_views, columns))
    best, here = np.zeros(n_views, np.int64), np.zeros(n_views, np.int64)
    most = -1.0
    for row in range(rows):
        total = 0.0
        for view in range(n_views):
            for column in range(columns):
                strip[view, column] += coarse[view, row, column]
                if row >= height:
                    strip[view, column] -= coarse[view, row - height, column]
            inside = highest = strip[view, :width].sum()
            here[view] = 0
            for column in range(width, columns):
                inside += strip[view, column] - strip[view, column - width]
                if inside > highest:
                    highest, here[view] = inside, column - width + 1
            total += highest
        if row >= height - 1 and total > most:
            most = total
            # One by one: numba takes seconds to compile one array's assignment to another.
            for view in range(n_views):
                best[view] = here[view]
    return best
