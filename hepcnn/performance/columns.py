"""What the tables of all tasks share: columns, mixtures, the words of captions."""

from __future__ import annotations

from collections.abc import Sequence

from hepcnn.performance.confusion import Mixture
from hepcnn.performance.sample import Sample
from hepcnn.performance.table import Column, Kind

METHOD = Column("method", "method")
MIXTURE = Column("mixture", "decided for mixture")


def percent(name: str, title: str, kind: Kind) -> Column:
    """A column of fractions, shown in %."""
    return Column(name, f"{title} (%)", kind, digits=2, scale=100.0)


def reference(misid: Sequence[float]) -> float:
    """The misID of the tables that look at one working point: the one nearest to 5 %."""
    return min(misid, key=lambda m: abs(m - 0.05))


def mixtures(sample: Sample) -> list[Mixture]:
    """The mixture of the tables, and the natural and the flat one, each once."""
    others = [sample.mixture_of("natural"), sample.mixture_of("flat")]
    return [sample.mixture, *(m for m in others if m.name != sample.mixture.name)]
