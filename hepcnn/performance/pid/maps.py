"""Maps of what passes cuts in bins of p × η × tracks, as PIDCalib makes them.

In each bin: the tracks of each true species that pass and all of them, as numbers and as sums of
weights and of their squares, and the efficiency. What is called ghost are tracks of no particle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np

from hepcnn.config.cuts import Cut
from hepcnn.performance.columns import METHOD
from hepcnn.performance.intervals import Proportion
from hepcnn.performance.pid.sample import PidSample, Variable
from hepcnn.performance.table import Cell, Column, Table
from hepcnn.performance.tally import Tally, fraction

EMPTY, NO_WEIGHT, OUTSIDE = "empty", "weights sum to nothing above 0", "outside 0 to 1"


@dataclass(frozen=True, eq=False)
class Maps:
    """What passes each cut of each method in each bin.

    Attributes
    ----------
    methods, cuts, true : tuple of str
        Names of M methods, texts of K cuts, and names of G groups of true tracks: the species that
        there are, ``kaon+`` and ``kaon-`` if by charge, and ``ghost`` if there are any.
    edges : dict of str to list of float
        Of the bins by variable.
    passed : Tally, (M, K, G, ...)
        What passes, by bins.
    total : Tally, (G, ...)
        All tracks.
    """

    methods: tuple[str, ...]
    cuts: tuple[str, ...]
    true: tuple[str, ...]
    edges: Mapping[Variable, Sequence[float]]
    passed: Tally
    total: Tally

    @property
    def efficiency(self) -> Proportion:
        """Passed over total, (M, K, G, ...)."""
        return fraction(self.passed, self.total)


def make_maps(
    sample: PidSample,
    cuts: Sequence[Cut],
    edges: Mapping[Variable, Sequence[float]],
    charges: bool,
) -> Maps:
    """Count what passes cuts.

    Parameters
    ----------
    sample : PidSample
        The tracks.
    cuts : sequence of Cut
        On a method's log ratios, see `PidSample.log_ratio`.
    edges : mapping of str to sequence of float
        Of the bins; tracks outside of them are in no map.
    charges : bool
        Part each species by charge.
    """
    groups = sample.groups(charges)
    shape = tuple(len(e) - 1 for e in edges.values())
    size = int(np.prod(shape))
    places = [sample.place(variable, e) for variable, e in edges.items()]
    cell = np.full(len(sample), -1)
    inside = np.all([place >= 0 for place in places], axis=0)
    flat = np.ravel_multi_index([np.maximum(place, 0) for place in places], shape)
    for number, tracks in enumerate(groups.values()):
        cell[tracks & inside] = number * size + flat[tracks & inside]

    def count(tracks: np.ndarray) -> Tally:
        tally = Tally.binned(cell[tracks], len(groups) * size, sample.weights(tracks))
        return tally.each(lambda a: a.reshape(len(groups), *shape))

    known = cell >= 0
    passed = [
        [
            count(known & cut.passes(lambda a, b, m=method: sample.log_ratio(m, a, b)))  # type: ignore[misc]
            for cut in cuts
        ]
        for method in sample.methods
    ]
    return Maps(
        methods=sample.methods,
        cuts=tuple(cut.text for cut in cuts),
        true=tuple(groups),
        edges=edges,
        passed=Tally.stacked([Tally.stacked(row) for row in passed]),
        total=count(known),
    )


def maps_table(maps: Maps) -> Table:
    """A row a bin: too many for readers, so that only its CSV is of use."""
    columns = (
        METHOD,
        Column("cut", "cut"),
        Column("true", "true"),
        *(Column(f"{v}_{end}", f"{v} {end}", "number") for v in maps.edges for end in _ENDS),
        Column("efficiency", "efficiency", "weighted"),
        Column("passed_sumw", "weights that pass", "number"),
        Column("passed_sumw2", "their squares", "number"),
        Column("note", "note"),
    )
    efficiency, passed = maps.efficiency, maps.passed
    bins = [list(enumerate(pairwise(edges))) for edges in maps.edges.values()]
    rows: list[tuple[Cell, ...]] = []
    heads = product(*(enumerate(names) for names in (maps.methods, maps.cuts, maps.true)))
    for head in heads:
        for place in product(*bins):
            index = tuple(i for i, _ in (*head, *place))
            ends = (end for _, span in place for end in span)
            value = efficiency[index]
            names = (name for _, name in head)
            sums = (passed.w[index], passed.w2[index])
            rows.append((*names, *ends, value, *sums, note(value)))
    caption = "Tracks that pass cuts in bins; a bin is low <= value < high"
    return Table("maps", caption, columns, tuple(rows))


_ENDS = ("low", "high")


def note(efficiency: Proportion) -> str:
    """What is odd about a bin's efficiency, if anything."""
    if not efficiency.n_total:
        return EMPTY
    if np.isnan(efficiency.value):
        return NO_WEIGHT
    return "" if 0 <= efficiency.value <= 1 else OUTSIDE
