"""Deposits of straight tracks and of points, made by hand."""

import numpy as np

from hepcnn.simulation.lartpc.records import Deposits


def straight(start, direction, steps=300, step=3.0, loss=0.21, particle=0, time=0.0):
    """A track of equal steps (mm) with a loss in MeV/mm."""
    direction = np.array(direction, dtype=float)
    direction /= np.linalg.norm(direction)
    along = (np.arange(steps) + 0.5) * step
    return Deposits(
        np.array(start, dtype=float) + along[:, None] * direction,
        np.full(steps, loss * step),
        np.full(steps, float(step)),
        np.full(steps, particle, np.int32),
        np.full(steps, float(time)),
    )


def points(position, energy=1.0, particle=0, time=0.0):
    """Deposits at points."""
    position = np.atleast_2d(np.array(position, dtype=float))
    n = len(position)
    return Deposits(
        position,
        np.full(n, float(energy)),
        np.zeros(n),
        np.full(n, particle, np.int32),
        np.full(n, float(time)),
    )


def joined(*parts):
    """All deposits of some sets."""
    names = Deposits.__dataclass_fields__
    return Deposits(*(np.concatenate([getattr(p, name) for p in parts]) for name in names))


NOTHING = straight((0, 0, 0), (0, 0, 1), steps=0)
