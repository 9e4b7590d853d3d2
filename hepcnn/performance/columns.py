"""What the tables share: columns, the words of captions, and momentum bins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hepcnn.performance.confusion import Mixture, mixture_for
from hepcnn.performance.sample import Sample
from hepcnn.performance.table import Cell, Column, Kind

METHOD = Column("method", "method")
MIXTURE = Column("mixture", "decided for mixture")
SPECIES_COLUMN = Column("species", "species")
BIN = (
    Column("bin", "bin"),
    Column("p_low", "p from (GeV/c)", "number", 1, 1e-3),
    Column("p_high", "to", "number", 1, 1e-3),
)


def percent(name: str, title: str, kind: Kind) -> Column:
    """A column of fractions, shown in %."""
    return Column(name, f"{title} (%)", kind, digits=2, scale=100.0)


def kaon_columns(misid: Sequence[float]) -> tuple[Column, ...]:
    """Kaon efficiencies at fixed pion misIDs, side by side."""
    return tuple(percent(f"at_{100 * m:g}", f"K→K at {100 * m:g} % π→K", "estimate") for m in misid)


def reference(misid: Sequence[float]) -> float:
    """The misID of the tables that look at one working point: the one nearest to 5 %."""
    return min(misid, key=lambda m: abs(m - 0.05))


def population(sample: Sample) -> str:
    """Momentum range and mixture, for captions."""
    return f"{span(sample)}, {sample.mixture.name} mixture of species"


def span(sample: Sample) -> str:
    """The momentum range, for captions."""
    low, high = (f"{p / 1000:g}" for p in sample.momentum_range)
    return f"{low} <= p < {high} GeV/c"


def mixtures(sample: Sample) -> list[Mixture]:
    """The mixture of the tables, and the natural and the flat one, each once."""
    others = [mixture_for(name, sample.label) for name in ("natural", "flat")]
    return [sample.mixture, *(m for m in others if m.name != sample.mixture.name)]


def mixture_names(sample: Sample) -> str:
    """The words for `mixtures` in captions."""
    return " and ".join(m.name for m in mixtures(sample)) + " mixture of species"


def bins(
    sample: Sample, edges: Sequence[float]
) -> Iterator[tuple[tuple[Cell, Cell, Cell], NDArray[np.bool_]]]:
    """The whole range, then each momentum bin: its cells for `BIN` and its tracks."""
    yield ("all", *sample.momentum_range), np.ones(len(sample), dtype=bool)
    place = sample.place("p", edges)
    for number, (low, high) in enumerate(pairwise(edges)):
        yield (str(number + 1), low, high), place == number
