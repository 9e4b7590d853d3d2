"""The background of an event, estimated from its own hits: a density of photons on each panel.

The density is that of the hits which the tracks' expected signals do not explain, per sensitive
area of the cells of a grid, smoothed over the cells about. A pixel expects it times its area.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hepcnn.detector.geometry import RichGeometry
from hepcnn.detector.pixels import pixel_centres

Floats = NDArray[np.float64]
Indices = NDArray[np.int32]

#: Fewest photons expected in a pixel: what keeps a stray hit from deciding alone.
FLOOR = 1e-4
#: Steps of expectation and maximisation of an estimate.
STEPS = 6
#: Times that the cells are averaged with their neighbours, as (1, 2, 1)/4 along both axes.
SMOOTHINGS = 2


class Grid(NamedTuple):
    """Cells of the two panels of a RICH: squares of the side of its largest tube.

    Attributes
    ----------
    side : float
        Side of a cell (mm).
    low_u, low_v : float
        Corner of the panel (mm).
    smooth : float64 array (2, rows, columns)
        Sensitive area (mm²) of each cell, smoothed.
    """

    side: float
    low_u: float
    low_v: float
    smooth: Floats

    def cells(self, plane: Floats, panel: NDArray[np.int8]) -> Indices:
        """Numbers (n,) of the cells of points (n, 2) on panels."""
        _, rows, columns = self.smooth.shape
        column = np.clip(((plane[:, 0] - self.low_u) / self.side).astype(np.int32), 0, columns - 1)
        row = np.clip(((plane[:, 1] - self.low_v) / self.side).astype(np.int32), 0, rows - 1)
        return ((panel.astype(np.int32) * rows + row) * columns + column).astype(np.int32)


def grid_of(geometry: RichGeometry) -> Grid:
    """The cells of a RICH."""
    side = max(pixels.pitch for pixels in geometry.pixels)
    half_u, half_v = geometry.photon_plane.half_size
    columns, rows = (math.ceil(2 * half / side) for half in (half_u, half_v))
    grid = Grid(side, -half_u, -half_v, np.zeros((2, rows, columns)))
    centres, kind = pixel_centres(geometry)
    size = np.array([pixels.size for pixels in geometry.pixels])
    cell = grid.cells(centres, np.zeros(len(centres), np.int8))
    area = np.bincount(cell, size[kind] ** 2, rows * columns).reshape(rows, columns)
    grid.smooth[:] = area
    smooth(grid.smooth)
    return grid


@njit(cache=True, error_model="numpy", nogil=True)
def smooth(density: Floats) -> None:
    """Average the cells (2, rows, columns) with their neighbours in place; the outside is 0."""
    _, rows, columns = density.shape
    for _ in range(SMOOTHINGS):
        for panel in range(2):
            for i in range(rows):
                left = 0.0
                for k in range(columns):
                    here = density[panel, i, k]
                    right = density[panel, i, k + 1] if k + 1 < columns else 0.0
                    density[panel, i, k] = 0.25 * (left + here + here + right)
                    left = here
            for k in range(columns):
                above = 0.0
                for i in range(rows):
                    here = density[panel, i, k]
                    below = density[panel, i + 1, k] if i + 1 < rows else 0.0
                    density[panel, i, k] = 0.25 * (above + here + here + below)
                    above = here


@njit(cache=True, error_model="numpy", nogil=True)
def estimate(area: Floats, cell: Indices, whole: Floats, signal: Floats) -> Floats:
    """Expected background photons in the pixel of each hit.

    Each step of expectation and maximisation gives every hit to the background with its part
    b/(1 − exp(−ν)) of the expected photons of a binary pixel that is hit, ν = b + signal, and
    takes the density of those. It starts with all hits as background.

    Parameters
    ----------
    area : float64 array (n,)
        Areas of the hits' pixels (mm²); 0 for a hit that does not count.
    cell : int32 array (n,)
        Their cells.
    whole : float64 array (2, rows, columns)
        `Grid.smooth`.
    signal : float64 array (n,)
        Photons expected from the tracks in the hits' pixels.
    """
    part = np.ones(area.size)
    part[area == 0.0] = 0.0
    background = np.empty(area.size)
    density = np.empty(whole.shape)
    flat, sensitive = density.reshape(-1), whole.reshape(-1)
    for _ in range(STEPS):
        density[:] = 0.0
        for i in range(area.size):
            flat[cell[i]] += part[i]
        smooth(density)
        for i in range(area.size):
            b = max(flat[cell[i]] / max(sensitive[cell[i]], 1e-9) * area[i], FLOOR)
            background[i] = b
            part[i] = b / -math.expm1(-b - signal[i]) if area[i] > 0.0 else 0.0
    return background
