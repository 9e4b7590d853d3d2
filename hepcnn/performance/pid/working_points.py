"""Tables of cuts on a log ratio: kaons and pions, all pairs of species, and against p, η, tracks.

All proportions here are counts at a cut that an analysis can apply, rounded before it is evaluated,
with their intervals (of counts Clopper and Pearson's, which know that tracks of an event belong
together, see `hepcnn.performance.clusters`), which take the cut as given. The tables of
`hepcnn.performance.comparison` let the cut vary with the sample.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hepcnn.performance.clusters import widened
from hepcnn.performance.columns import METHOD, percent, reference
from hepcnn.performance.curves import Weights, WorkingPoint, at_cut, at_misid, passing
from hepcnn.performance.intervals import Floats, Proportion, clopper_pearson
from hepcnn.performance.pid.columns import BIN, bins, kaon_columns
from hepcnn.performance.pid.merits import MethodMerits
from hepcnn.performance.pid.sample import PidSample, Variable
from hepcnn.performance.table import Cell, Column, Table

#: Cuts at which LHCb quotes kaon efficiencies: loose and tight.
CUTS = (0.0, 5.0)
#: Pairs of species to be told apart: the one looked for, and the one mistaken for it.
PAIRS = (
    ("electron", "pion"),
    ("muon", "pion"),
    ("kaon", "pion"),
    ("proton", "kaon"),
    ("deuteron", "proton"),
)

_ROUNDED = "the loosest cut that does not exceed a fixed misID, rounded before it is evaluated"
_CUT_AND_NOTE = (
    Column("cut", "cut >", "number", 3),
    percent("efficiency", "efficiency", "proportion"),
    percent("misid", "misID", "proportion"),
    Column("note", "note"),
)


def _cells(point: WorkingPoint) -> tuple[Cell, ...]:
    return point.cut, point.efficiency, point.misid, point.note


@dataclass(frozen=True, eq=False)
class Chosen:
    """The tracks that a working point is of: those of two species, of some of all tracks."""

    sample: PidSample
    score: Floats
    tracks: NDArray[np.bool_] | None = None
    names: tuple[str, str] = ("kaon", "pion")

    def at_cut(self, cut: float) -> WorkingPoint:
        """Evaluate a stated cut."""
        return self._known(at_cut(*self._scores, cut, self._weights))

    def at_misid(self, misid: float) -> WorkingPoint:
        """Find the loosest cut that at most a fraction of the second species passes."""
        return self._known(at_misid(*self._scores, misid, self.names, self._weights))

    @property
    def _sides(self) -> list[NDArray[np.bool_]]:
        """The tracks of each of the two species."""
        sides = [self.sample.true(name) for name in self.names]
        return sides if self.tracks is None else [own & self.tracks for own in sides]

    @property
    def _scores(self) -> tuple[Floats, Floats]:
        one, other = self._sides
        return self.score[one], self.score[other]

    @property
    def _weights(self) -> Weights:
        one, other = self._sides
        return self.sample.weights(one), self.sample.weights(other)

    def _known(self, point: WorkingPoint) -> WorkingPoint:
        """With intervals that know which tracks are of one event."""
        if point.note:
            return point
        passes = self.score > point.cut
        efficiency, misid = (_of_events(self.sample, own, passes) for own in self._sides)
        return replace(point, efficiency=efficiency, misid=misid)


def _of_events(sample: PidSample, own: NDArray[np.bool_], passes: NDArray[np.bool_]) -> Proportion:
    """The fraction of some tracks that pass; without weights, it knows which are of one event."""
    rate = passing(passes[own], sample.weights(own))
    if sample.weight is not None:
        return rate
    return widened(rate, sample.by_event(own & passes), sample.by_event(own))


def working_points(sample: PidSample, edges: Sequence[float], misid: Sequence[float]) -> Table:
    """Kaon efficiency and pion misID at stated cuts and at fixed misIDs, whole and by momentum.

    The cut for a misID is found in each bin of its own.
    """
    columns = (METHOD, *BIN, Column("asked", "asked"), *_CUT_AND_NOTE)
    rows: list[tuple[Cell, ...]] = []
    for method in sample.methods:
        score = sample.log_ratio(method)
        for cells, tracks in bins(sample, edges):
            chosen = Chosen(sample, score, tracks)
            variable = sample.variable(method)
            points = [(f"{variable} > {cut:g}", chosen.at_cut(cut)) for cut in CUTS]
            points += [(f"misID {100 * m:g} %", chosen.at_misid(m)) for m in misid]
            rows += [(method, *cells, asked, *_cells(point)) for asked, point in points]
    caption = (
        "Working points of K→K (efficiency) and π→K (misID): NNDLLK is ln(P_K / P_pi) at equal "
        "abundances, of a likelihood DLLK, its ln L_K - ln L_pi; "
        f"{_ROUNDED}; {sample.span}"
    )
    return Table("working_points", caption, columns, tuple(rows))


def pairs(sample: PidSample, misid: Sequence[float]) -> Table:
    """Efficiency of one species at fixed misIDs of another, by cuts on ln(P_one / P_other)."""
    columns = (
        METHOD,
        Column("species", "species"),
        Column("misid_from", "misID of"),
        Column("asked", "misID asked (%)", "number", 1, 100.0),
        *_CUT_AND_NOTE,
    )
    rows: list[tuple[Cell, ...]] = []
    for method in sample.methods:
        for first, second in PAIRS:
            score = sample.log_ratio(method, first, second)
            chosen = Chosen(sample, score, names=(first, second))
            points = [(m, chosen.at_misid(m)) for m in misid]
            rows += [(method, first, second, m, *_cells(point)) for m, point in points]
    caption = (
        "Pairs of species told apart by ln(P_one / P_other) at equal abundances: efficiency of the "
        f"one and misID of the other; {_ROUNDED}; {sample.span}"
    )
    return Table("pairs", caption, columns, tuple(rows))


def differential(
    sample: PidSample, curve_bins: Mapping[Variable, Sequence[float]], misid: Sequence[float]
) -> Table:
    """Kaon efficiency and pion misID in bins, at the cuts that give each misID to all tracks."""
    columns = (
        METHOD,
        Column("asked", "overall misID asked (%)", "number", 1, 100.0),
        Column("cut", "cut >", "number", 3),
        Column("variable", "variable"),
        Column("low", "from (MeV for p)", "number", 1),
        Column("high", "to", "number", 1),
        percent("efficiency", "K→K", "proportion"),
        percent("misid", "π→K", "proportion"),
    )
    parts = [
        (variable, low, high, sample.place(variable, edges) == k)
        for variable, edges in curve_bins.items()
        for k, (low, high) in enumerate(pairwise(edges))
    ]
    rows: list[tuple[Cell, ...]] = []
    for method in sample.methods:
        score = sample.log_ratio(method)
        every = Chosen(sample, score)
        in_bins = [(v, low, high, Chosen(sample, score, t)) for v, low, high, t in parts]
        for m in misid:
            point = every.at_misid(m)
            rows += [
                (method, m, point.cut, v, float(low), float(high), *_at(point, chosen))
                for v, low, high, chosen in in_bins
            ]
    caption = (
        "Efficiency and misID in bins of momentum, pseudorapidity and tracks in the event, at one "
        f"cut for all tracks ({_ROUNDED}); a bin is low <= value < high; {sample.span}"
    )
    return Table("differential", caption, columns, tuple(rows))


def scan(sample: PidSample, cuts: Sequence[float], charges: bool) -> Table:
    """K→K, π→K and ghost→K against the cut on the log ratio of kaon and pion."""
    columns = (
        METHOD,
        Column("variable", "variable"),
        Column("cut", "cut >", "number", 1),
        Column("true", "true"),
        percent("called", "passing", "proportion"),
    )
    groups = {
        name: tracks
        for name, tracks in sample.groups(charges).items()
        if name.rstrip("+-") in ("kaon", "pion", "ghost")
    }
    rows: list[tuple[Cell, ...]] = []
    for method in sample.methods:
        score, variable = sample.log_ratio(method), sample.variable(method)
        rows += [
            (method, variable, cut, name, _of_events(sample, own, score > cut))
            for cut in cuts
            for name, own in groups.items()
        ]
    caption = (
        "Scan of the cut: fractions of true kaons, pions and, if there are any, ghosts (tracks of "
        f"no particle) that pass; {sample.span}"
    )
    return Table("scan", caption, columns, tuple(rows))


def _at(point: WorkingPoint, tracks: Chosen) -> tuple[Proportion, Proportion]:
    """What the cut of a working point does to other tracks; NaN where there is no cut."""
    if point.note:
        return clopper_pearson(0, 0), clopper_pearson(0, 0)
    there = tracks.at_cut(point.cut)
    return there.efficiency, there.misid


def robustness(
    samples: Mapping[str, PidSample],
    merits: Mapping[str, Mapping[str, MethodMerits]],
    misid: Sequence[float],
) -> Table:
    """Every method on altered samples beside the task's own.

    Parameters
    ----------
    samples : mapping of str to PidSample
        By name; the first is the task's own.
    merits : mapping of str to mapping of str to MethodMerits
        By sample and method.
    misid : sequence of float
        Fractions of pions.
    """
    asked = reference(misid)
    columns = (
        METHOD,
        Column("sample", "sample"),
        Column("tracks", "tracks", "number"),
        *kaon_columns(misid),
        Column("cut", "cut >", "number", 3),
        percent("efficiency", "K→K at that cut", "proportion"),
        percent("misid", "π→K at that cut", "proportion"),
        percent("accuracy", "accuracy", "weighted"),
    )
    own = next(iter(samples.values()))
    rows: list[tuple[Cell, ...]] = []
    for method in own.methods:
        point = Chosen(own, own.log_ratio(method)).at_misid(asked)
        for name, sample in samples.items():
            cells = _at(point, Chosen(sample, sample.log_ratio(method)))
            at_misids = merits[name][method].kaon[0].numbers
            accuracy = sample.confusion(method).accuracy
            rows.append((method, name, len(sample), *at_misids, point.cut, *cells, accuracy))
    caption = (
        "Altered samples, no method trained on them: K→K at fixed π→K with the cut found in each "
        "sample, tied tracks accepted at random, errors from a bootstrap of its events; then what "
        f"the task's own cut for {100 * asked:g} % does, and the accuracy; {own.span}"
    )
    return Table("robustness", caption, columns, tuple(rows))
