"""Connected components of a wire plane's image, and what is measured about each pixel."""

from __future__ import annotations

import math
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
from numba import njit

from hepcnn.imaging.lengths import pixel_size
from hepcnn.reconstruction.union_find import root, unite
from hepcnn.store.shard import Header, Sparse

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class PlaneImage(NamedTuple):
    """The image of one event in one plane: its n pixels, in row-major order."""

    row: Ints
    """Drift time, (n,)."""
    column: Ints
    """Wires, (n,)."""
    charge: Floats
    """Sum of the channels, (n,)."""
    shape: tuple[int, int]
    """Rows and columns of the image."""
    size: tuple[float, float]
    """Edges of a pixel along rows and columns (mm)."""

    @classmethod
    def of(cls, sparse: Sparse, header: Header, view: str, example: int) -> Self:
        """One of the images of a view."""
        own = slice(sparse.offsets[example], sparse.offsets[example + 1])
        height, width = header.shape
        row, column = np.divmod(sparse.pixel[own].astype(np.int64), width)
        charge = sparse.value[own].sum(axis=1, dtype=np.float64)
        along_rows, along_columns = pixel_size(header, view)
        return cls(row, column, charge, (height, width), (along_rows, along_columns))

    @property
    def place(self) -> Floats:
        """Middles of the pixels, (n, 2) (mm)."""
        place: Floats = np.empty((len(self.row), 2))
        place[:, 0] = (self.row + 0.5) * self.size[0]
        place[:, 1] = (self.column + 0.5) * self.size[1]
        return place

    def reach(self, length: float) -> tuple[int, int]:
        """Rows and columns, one at least, of a length (mm)."""
        rows, columns = (max(round(length / edge), 1) for edge in self.size)
        return rows, columns


def components(
    row: npt.NDArray[np.integer],
    column: npt.NDArray[np.integer],
    reach: tuple[int, int] = (1, 1),
    axis: Floats | None = None,
    bend: float = math.pi,
) -> npt.NDArray[np.int32]:
    """Connected components.

    Parameters
    ----------
    row, column : int arrays (n,)
        Different pixels, in any order.
    reach : (int, int)
        Rows and columns between neighbours, at most; (1, 1): the eight about a pixel.
    axis : array (n, 2), optional
        Unit vectors along lines; (0, 0): the pixel is on no line, and alone.
    bend : float
        Largest angle between the lines of neighbours (rad).

    Returns
    -------
    int32 array (n,)
        Number of each pixel's component, from 0, in the order of their first pixels in row-major
        order: it does not depend on the order of the pixels given.
    """
    order = np.lexsort((column, row))
    lines = np.ones((len(row), 2)) if axis is None else np.ascontiguousarray(axis[order])
    least = -1.0 if axis is None else math.cos(bend)
    parent = _connect(
        row[order].astype(np.int64), column[order].astype(np.int64), np.array(reach), lines, least
    )
    # The root of a component is its first pixel.
    number = np.empty(len(row), np.int32)
    number[order] = np.unique(parent, return_inverse=True)[1]
    return number


def image_components(sparse: Sparse, width: int, reach: int = 1) -> npt.NDArray[np.int32]:
    """Components of each image of a view: pixels' numbers (nnz,), from 0 in each image."""
    number = np.empty(len(sparse.pixel), np.int32)
    for start, stop in zip(sparse.offsets[:-1], sparse.offsets[1:], strict=True):
        row, column = np.divmod(sparse.pixel[start:stop].astype(np.int64), width)
        number[start:stop] = components(row, column, (reach, reach))
    return number


@njit(cache=True, nogil=True)
def row_starts(row):  # type: ignore[no-untyped-def]
    """Where the pixels of each row begin, and the last end; rows are from the first to the last."""
    if len(row) == 0:
        return np.zeros(1, np.int64)
    start = np.zeros(row[-1] - row[0] + 2, np.int64)
    for r in row:
        start[r - row[0] + 1] += 1
    return np.cumsum(start)


@njit(cache=True, nogil=True)
def _connect(row, column, reach, axis, least):  # type: ignore[no-untyped-def]
    """The first pixel of each pixel's component."""
    n = len(row)
    parent, start = np.arange(n), row_starts(row)
    for k in range(n):
        if axis[k, 0] == 0.0 and axis[k, 1] == 0.0:
            continue
        own = row[k] - row[0]
        for r in range(max(own - reach[0], 0), own + 1):
            columns = column[start[r] : start[r + 1]]
            first = start[r] + np.searchsorted(columns, column[k] - reach[1])
            for m in range(first, min(start[r + 1], k)):
                if column[m] > column[k] + reach[1]:
                    break
                if axis[m, 0] == 0.0 and axis[m, 1] == 0.0:
                    continue
                if abs(axis[k, 0] * axis[m, 0] + axis[k, 1] * axis[m, 1]) >= least:
                    unite(parent, k, m)
    for k in range(n):
        parent[k] = root(parent, k)
    return parent


class Surroundings(NamedTuple):
    """What is within a radius of each of n pixels."""

    axis: Floats
    """Principal axis of the charge, (n, 2) unit vectors."""
    linearity: Floats
    """1 − λ₂/λ₁ of the covariance's eigenvalues, (n,); 0 of fewer than three pixels."""
    pixels: Floats
    """How many pixels, with its own, (n,)."""
    charge: Floats
    """Their charge, (n,)."""


def surroundings(image: PlaneImage, radius: float) -> Surroundings:
    """Principal components of the charge within a radius (mm) of each pixel."""
    return Surroundings(
        *_surroundings(image.row, image.column, image.charge, np.array(image.size), radius)
    )


@njit(cache=True, nogil=True)
def principal(weight, x, y, xx, xy, yy):  # type: ignore[no-untyped-def]
    """Principal axis (unit vector) and eigenvalues of a covariance, from weighted sums."""
    mx, my = x / weight, y / weight
    xx, xy, yy = xx / weight - mx * mx, xy / weight - mx * my, yy / weight - my * my
    half, apart = 0.5 * (xx + yy), 0.5 * (xx - yy)
    root = math.hypot(apart, xy)
    angle = 0.5 * math.atan2(xy, apart)
    return math.cos(angle), math.sin(angle), half + root, max(half - root, 0.0)


@njit(cache=True, nogil=True)
def _surroundings(row, column, charge, size, radius):  # type: ignore[no-untyped-def]
    n = len(row)
    axis, linearity = np.zeros((n, 2)), np.zeros(n)
    pixels, total = np.zeros(n), np.zeros(n)
    start = row_starts(row)
    rows, columns = int(radius / size[0]), int(radius / size[1])
    for k in range(n):
        own = row[k] - row[0]
        weight = sx = sy = xx = xy = yy = 0.0
        for r in range(max(own - rows, 0), min(own + rows + 1, len(start) - 1)):
            near = column[start[r] : start[r + 1]]
            first = start[r] + np.searchsorted(near, column[k] - columns)
            x = (r - own) * size[0]
            for m in range(first, start[r + 1]):
                if column[m] > column[k] + columns:
                    break
                y, q = (column[m] - column[k]) * size[1], charge[m]
                if x * x + y * y <= radius * radius:
                    pixels[k] += 1.0
                    weight, sx, sy = weight + q, sx + q * x, sy + q * y
                    xx, xy, yy = xx + q * x * x, xy + q * x * y, yy + q * y * y
        total[k] = weight
        if pixels[k] > 2.0 and weight > 0.0:
            axis[k, 0], axis[k, 1], most, least = principal(weight, sx, sy, xx, xy, yy)
            linearity[k] = 1.0 - least / most if most > 0.0 else 0.0
    return axis, linearity, pixels, total
