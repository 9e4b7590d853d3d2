"""Photomultiplier tubes that give no hit: the same ones always, since a broken tube stays so."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hepcnn.detector.geometry import RichGeometry

#: Seed of the choice, of its own: no other random number, and no setting, changes which tubes.
SEED = 8

Flags = NDArray[np.bool_]


def _parts(geometry: RichGeometry) -> list[NDArray[np.float64]]:
    """Half size (mm) of the part of the panel within which each type of pixel counts."""
    whole = geometry.photon_plane.half_size
    return [np.array(pixels.half_size or whole) for pixels in geometry.pixels]


def dead_tubes(geometry: RichGeometry, fraction: float) -> list[Flags]:
    """Choose the dead tubes of one RICH.

    Parameters
    ----------
    geometry : RichGeometry
        The RICH.
    fraction : float
        Fraction of the tubes of each type, of both panels together; those of a smaller fraction
        are among those of a larger.

    Returns
    -------
    list of bool array (2, columns, lines)
        For each type of pixel the dead tubes by panel, and by place along u and v from the
        panel's corner. Places where the panel has another type are never dead.
    """
    half = np.array(geometry.photon_plane.half_size)
    rng = np.random.default_rng(SEED)
    maps, inner = [], np.zeros(2)
    for pixels, part in zip(geometry.pixels, _parts(geometry), strict=True):
        shape = tuple(np.ceil(2 * half / pixels.pitch).astype(int).tolist())
        centre = np.abs((np.moveaxis(np.indices(shape), 0, -1) + 0.5) * pixels.pitch - half)
        used = (centre < part).all(axis=-1) & (centre > inner).any(axis=-1)
        chosen = np.zeros((2, *shape), np.bool_)
        panel, column, line = np.broadcast_to(used, chosen.shape).nonzero()
        order = rng.permutation(len(panel))[: round(fraction * len(panel))]
        chosen[panel[order], column[order], line[order]] = True
        maps.append(chosen)
        inner = part
    return maps


def on_dead_tube(
    geometry: RichGeometry,
    fraction: float,
    panel: NDArray[np.int8],
    plane: NDArray[np.float64],
) -> Flags:
    """Which points lie on a dead tube.

    Parameters
    ----------
    geometry, fraction
        As of `dead_tubes`.
    panel : int8 array (n,)
        The points' panels.
    plane : float64 array (n, 2)
        (u, v) on the panel (mm).
    """
    half = np.array(geometry.photon_plane.half_size)
    dead, left = np.zeros(len(panel), np.bool_), np.ones(len(panel), np.bool_)
    maps, parts = dead_tubes(geometry, fraction), _parts(geometry)
    for pixels, part, chosen in zip(geometry.pixels, parts, maps, strict=True):
        here = left & (np.abs(plane) < part).all(axis=1)
        column, line = ((plane[here] + half) / pixels.pitch).astype(int).T
        dead[here] = chosen[panel[here], column, line]
        left &= ~here
    return dead
