"""Tracks for tests, without a simulation."""

from __future__ import annotations

import numpy as np

from hepcnn.detector.geometry import RichGeometry
from hepcnn.detector.optics import to_sphere


def segments(rich: RichGeometry, n: int, rng: np.random.Generator):
    """Straight tracks from the origin over the whole acceptance: entry, direction, exit.

    Some fewer than n: none is nearer to the beam than the acceptance.
    """
    limits = rich.acceptance
    slope = rng.uniform(-1, 1, (n, 2)) * (limits.horizontal, limits.vertical)
    slope = slope[np.hypot(*slope.T) > limits.inner]
    direction = np.column_stack([slope, np.ones(len(slope))])
    entry = rich.radiator.entry_z * direction
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    return entry, direction, to_sphere(rich, entry, direction)
