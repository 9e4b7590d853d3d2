"""What the tables of tracks share: columns and momentum bins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hepcnn.performance.columns import mixtures, percent
from hepcnn.performance.pid.sample import PidSample
from hepcnn.performance.table import Cell, Column

SPECIES_COLUMN = Column("species", "species")
BIN = (
    Column("bin", "bin"),
    Column("p_low", "p from (GeV/c)", "number", 1, 1e-3),
    Column("p_high", "to", "number", 1, 1e-3),
)


def kaon_columns(misid: Sequence[float]) -> tuple[Column, ...]:
    """Kaon efficiencies at fixed pion misIDs, side by side."""
    return tuple(percent(f"at_{100 * m:g}", f"K→K at {100 * m:g} % π→K", "estimate") for m in misid)


def spread_columns(misid: Sequence[float]) -> tuple[Column, ...]:
    """Standard deviations of those over the trainings of a network."""
    percents = [f"{100 * m:g}" for m in misid]
    return tuple(percent(f"spread_{m}", f"spread at {m} %", "number") for m in percents)


def mixture_names(sample: PidSample) -> str:
    """The words for `hepcnn.performance.columns.mixtures` in captions."""
    return " and ".join(m.name for m in mixtures(sample)) + " mixture of species"


def bins(
    sample: PidSample, edges: Sequence[float]
) -> Iterator[tuple[tuple[Cell, Cell, Cell], NDArray[np.bool_]]]:
    """The whole range, then each momentum bin: its cells for `BIN` and its tracks."""
    yield ("all", *sample.momentum_range), np.ones(len(sample), dtype=bool)
    place = sample.place("p", edges)
    for number, (low, high) in enumerate(pairwise(edges)):
        yield (str(number + 1), low, high), place == number
