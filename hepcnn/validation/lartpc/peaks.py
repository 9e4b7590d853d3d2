"""Where a distribution has its peak."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from hepcnn.validation.lartpc.setup import Floats

Histogram = tuple[Floats, Floats]


def histogram(
    values: ArrayLike, bounds: tuple[float, float], bins: int, weights: ArrayLike | None = None
) -> Histogram:
    """Centres and contents of bins."""
    contents, edges = np.histogram(values, bins, bounds, weights=weights)
    return (edges[1:] + edges[:-1]) / 2, contents.astype(np.float64)


def peak(found: Histogram, height: float = 0.6) -> float:
    """Where a polynomial through the bins above a part of the highest one has its maximum."""
    centre, contents = found
    high = contents > height * contents.max()
    curve = np.polynomial.Polynomial.fit(centre[high], contents[high], 4)
    fine = np.linspace(centre[high][0], centre[high][-1], 1000)
    return float(fine[np.argmax(curve(fine))])


def falling_edge(found: Histogram) -> float:
    """Where the contents last fall through half of the highest bin's."""
    centre, contents = found
    half = contents.max() / 2
    last = np.flatnonzero(contents >= half)[-1]
    share = (contents[last] - half) / (contents[last] - contents[last + 1])
    return float(centre[last] + share * (centre[last + 1] - centre[last]))
