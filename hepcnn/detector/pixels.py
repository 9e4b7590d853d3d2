"""From points on the photon planes to hits in binary pixels."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hepcnn.detector.geometry import Pixels, RichGeometry

Floats = NDArray[np.float64]


def _table(geometry: RichGeometry) -> Floats:
    """One row a type: size, count, pitch, half sizes of its part, tubes along u, first number."""
    half_u, half_v = geometry.photon_plane.half_size
    rows, first = [], 0.0
    for pixels in geometry.pixels:
        part_u, part_v = pixels.half_size or (half_u, half_v)
        columns, lines = (np.ceil(2 * half / pixels.pitch) for half in (half_u, half_v))
        rows.append([pixels.size, pixels.count, pixels.pitch, part_u, part_v, columns, first])
        first += columns * lines * pixels.count**2
    return np.array(rows)


@njit(cache=True, error_model="numpy", nogil=True)
def _digitise(
    table: Floats,
    half_u: float,
    half_v: float,
    u: Floats,
    v: Floats,
    pixel: NDArray[np.int64],
    centre_u: Floats,
    centre_v: Floats,
) -> None:
    for i in range(u.size):
        pixel[i] = -1
        if not (abs(u[i]) < half_u and abs(v[i]) < half_v):
            continue
        for k in range(table.shape[0]):
            if abs(u[i]) < table[k, 3] and abs(v[i]) < table[k, 4]:
                break
        size, count, pitch = table[k, 0], int(table[k, 1]), table[k, 2]
        # The grid of tubes starts at the panel's corner; the pixels are in the middle of a tube.
        edge = (pitch - count * size) / 2
        tube_u, tube_v = int((u[i] + half_u) / pitch), int((v[i] + half_v) / pitch)
        in_u = np.floor((u[i] + half_u - tube_u * pitch - edge) / size)
        in_v = np.floor((v[i] + half_v - tube_v * pitch - edge) / size)
        if in_u < 0 or in_v < 0 or in_u >= count or in_v >= count:
            continue
        column, row = tube_u * count + int(in_u), tube_v * count + int(in_v)
        pixel[i] = int(table[k, 6]) + row * int(table[k, 5]) * count + column
        centre_u[i] = tube_u * pitch + edge + (in_u + 0.5) * size - half_u
        centre_v[i] = tube_v * pitch + edge + (in_v + 0.5) * size - half_v


def digitise(geometry: RichGeometry, u: Floats, v: Floats) -> tuple[NDArray[np.int64], Floats]:
    """Find the pixels of points on a panel.

    Parameters
    ----------
    geometry : RichGeometry
        The RICH.
    u, v : float64 array (n,)
        Points in the plane of the panel (mm); NaN is nowhere.

    Returns
    -------
    pixel : int64 array (n,)
        Number of the pixel on its panel; -1 on no sensitive area.
    centre : float64 array (n, 2)
        (u, v) of the pixel's centre (mm); undefined where there is no pixel.
    """
    pixel = np.empty(u.size, np.int64)
    centre = np.zeros((2, u.size))
    _digitise(_table(geometry), *geometry.photon_plane.half_size, u, v, pixel, centre[0], centre[1])
    return pixel, centre.T


def number_of_pixels(geometry: RichGeometry) -> int:
    """An upper bound of the numbers that `digitise` gives."""
    half_v = geometry.photon_plane.half_size[1]
    last = _table(geometry)[-1]
    return int(last[6] + last[5] * np.ceil(2 * half_v / last[2]) * last[1] ** 2)


def sensitive_fraction(geometry: RichGeometry) -> float:
    """Sensitive area over the area of the panel, for parts of the panel in whole tubes."""
    whole = inner = sensitive = 0.0
    for pixels in geometry.pixels:
        half_u, half_v = pixels.half_size or geometry.photon_plane.half_size
        whole = half_u * half_v
        sensitive += (whole - inner) * fill_factor(pixels)
        inner = whole
    return sensitive / whole


def pixel_type(geometry: RichGeometry, u: Floats, v: Floats) -> NDArray[np.int64]:
    """Which type of pixel, by its place in ``geometry.pixels``, points (mm) are among.

    -1 for a point off the panel. Gaps between pixels are not looked at.
    """
    kind = np.full(np.shape(u), -1)
    for k in range(len(geometry.pixels) - 1, -1, -1):
        half_u, half_v = geometry.pixels[k].half_size or geometry.photon_plane.half_size
        kind[(np.abs(u) < half_u) & (np.abs(v) < half_v)] = k
    return kind


def pixel_centres(geometry: RichGeometry) -> tuple[Floats, NDArray[np.int64]]:
    """Centres (n, 2) in mm of all pixels of a panel, and the type of each, (n,)."""
    half = geometry.photon_plane.half_size
    centres, kinds = [], []
    for k, pixels in enumerate(geometry.pixels):
        inside = (np.arange(pixels.count) - (pixels.count - 1) / 2) * pixels.size
        axes = []
        for size in half:
            tube = (np.arange(np.ceil(2 * size / pixels.pitch)) + 0.5) * pixels.pitch - size
            axes.append((tube[:, None] + inside).ravel())
        u, v = (axis.ravel() for axis in np.meshgrid(*axes))
        here = pixel_type(geometry, u, v) == k
        centres.append(np.stack([u, v], axis=1)[here])
        kinds.append(np.full(np.count_nonzero(here), k))
    return np.concatenate(centres), np.concatenate(kinds)


@njit(cache=True, error_model="numpy", nogil=True)
def _sensitive_length(x: float, size: float, count: float, pitch: float) -> float:
    """How much of a row of tubes is sensitive from its start to a place x."""
    tube = np.floor(x / pitch)
    within = x - tube * pitch - (pitch - count * size) / 2
    return count * size * tube + min(max(within, 0.0), count * size)


@njit(cache=True, error_model="numpy", nogil=True)
def _sensitive_part(
    table: Floats, half_u: float, half_v: float, u: Floats, v: Floats, side: Floats, part: Floats
) -> None:
    for i in range(u.size):
        part[i] = 0.0
        if not (abs(u[i]) < half_u and abs(v[i]) < half_v):
            continue
        for k in range(table.shape[0]):
            if abs(u[i]) < table[k, 3] and abs(v[i]) < table[k, 4]:
                break
        size, count, pitch, half = table[k, 0], table[k, 1], table[k, 2], side[i] / 2
        along_u = _sensitive_length(u[i] + half_u + half, size, count, pitch)
        along_u -= _sensitive_length(u[i] + half_u - half, size, count, pitch)
        along_v = _sensitive_length(v[i] + half_v + half, size, count, pitch)
        along_v -= _sensitive_length(v[i] + half_v - half, size, count, pitch)
        part[i] = along_u * along_v / (side[i] * side[i])


def sensitive_part(geometry: RichGeometry, u: Floats, v: Floats, side: Floats) -> Floats:
    """Which part of squares on a panel is sensitive.

    Parameters
    ----------
    geometry : RichGeometry
        The RICH.
    u, v : float64 array (n,)
        Centres of the squares (mm); the type of tube there counts for all of a square.
    side : float64 array (n,)
        Their sides, along u and v (mm).

    Returns
    -------
    float64 array (n,)
        From 0 to 1; 0 for a centre off the panel, or NaN.
    """
    part = np.empty(u.size)
    _sensitive_part(_table(geometry), *geometry.photon_plane.half_size, u, v, side, part)
    return part


def fill_factor(pixels: Pixels) -> float:
    """Part of the area of tubes of a type that is sensitive."""
    return float((pixels.count * pixels.size / pixels.pitch) ** 2)
