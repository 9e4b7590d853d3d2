"""What the checks of a liquid-argon TPC share: the sample's settings, changed as they need."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hepcnn.config import LArTPCSimulation
from hepcnn.detector.tpc import TPC
from hepcnn.events.lartpc_schema import LArTPCEvents
from hepcnn.simulation.lartpc.generate import simulate
from hepcnn.simulation.lartpc.records import Deposits
from hepcnn.simulation.lartpc.response import Response
from hepcnn.simulation.lartpc.transport import Transport

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Setup:
    """What is validated.

    Attributes
    ----------
    settings : LArTPCSimulation
        The sample's; checks override what they need otherwise.
    tpc : TPC
        The geometry.
    statistics : float
        Events, relative to those that the bands are made for.
    """

    settings: LArTPCSimulation
    tpc: TPC
    statistics: float = 1.0

    def count(self, events: int) -> int:
        """So many events at full statistics; at least one."""
        return max(1, round(self.statistics * events))

    def changed(self, **changes: object) -> LArTPCSimulation:
        """The sample's settings with some changed."""
        return LArTPCSimulation.model_validate(self.settings.model_dump() | changes)

    def simulate(self, rng: np.random.Generator, events: int, **changes: object) -> LArTPCEvents:
        """Simulate events of the sample, in one chunk, with some settings changed."""
        settings, count = self.changed(**changes), self.count(events)
        (chunk,) = simulate(settings, self.tpc, rng, count, chunk=count)
        return chunk

    def transport(self, **changes: object) -> Transport:
        """The transport in the active volume, with some settings changed."""
        return Transport(self.changed(**changes), self.tpc.volume.bounds)

    def response(self, rng: np.random.Generator, **changes: object) -> Response:
        """The response, with some settings changed."""
        return Response(self.changed(**changes), self.tpc, rng)


def even_track(start: ArrayLike, end: ArrayLike, loss: float, step: float = 3.0) -> Deposits:
    """Deposits of a straight track that loses energy evenly.

    Parameters
    ----------
    start, end : array_like (3,)
        Its ends (mm).
    loss : float
        MeV/cm.
    step : float
        Distance of the deposits (mm).
    """
    start, end = np.asarray(start, float), np.asarray(end, float)
    length = float(np.linalg.norm(end - start))
    steps = max(1, round(length / step))
    along = (np.arange(steps) + 0.5) / steps
    return Deposits(
        start + along[:, None] * (end - start),
        np.full(steps, 0.1 * loss * length / steps),
        np.full(steps, length / steps),
        np.zeros(steps, np.int32),
        np.zeros(steps),
    )
