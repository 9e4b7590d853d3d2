"""Anchors, the boxes that a region proposal network starts from, fitted to boxes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

#: More steps than Lloyd's algorithm takes on one axis.
_STEPS = 100


def fit_anchors(
    boxes: ArrayLike, sizes: int = 1, ratios: int = 1
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Fit sizes and aspect ratios of anchors to boxes.

    By k-means, with the intersection over union of boxes about one centre for nearness as in
    YOLOv2 (J. Redmon, A. Farhadi, arXiv:1612.08242), of the sizes of squares and of the ratios of
    boxes of equal area: that is nearness in their logarithms. It starts at quantiles.

    Parameters
    ----------
    boxes : array_like, (n, 4)
        Boxes (x1, y1, x2, y2), n > 0, of positive height and width.
    sizes, ratios : int
        How many of each.

    Returns
    -------
    sizes : tuple of float
        Square roots of areas, in pixels, increasing; fewer than asked for if there are fewer
        kinds of boxes.
    ratios : tuple of float
        Heights over widths, increasing.
    """
    x1, y1, x2, y2 = np.asarray(boxes, np.float64).T
    width, height = x2 - x1, y2 - y1
    if not len(width) or not (width > 0).all() or not (height > 0).all():
        raise ValueError("anchors are fitted to boxes of positive height and width")
    return _means(np.log(width * height) / 2, sizes), _means(np.log(height / width), ratios)


def _means(logarithm: NDArray[np.float64], number: int) -> tuple[float, ...]:
    """Geometric means of so many groups, each nearest to its own."""
    # What differs by less than a thousandth is of one kind.
    centres = np.unique(np.quantile(logarithm, (np.arange(number) + 0.5) / number).round(3))
    for _ in range(_STEPS):
        group = np.abs(logarithm[:, None] - centres).argmin(axis=1)
        moved = np.array([logarithm[group == k].mean() for k in np.unique(group)])
        if np.array_equal(moved, centres):
            break
        centres = moved
    return tuple(np.exp(centres).tolist())
