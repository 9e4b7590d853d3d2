"""Tables of cuts on a log ratio: kaons and pions, all pairs of species, and against p, η, tracks.

All proportions here are counts at a cut that an analysis can apply, rounded before it is evaluated,
with their intervals (of counts Clopper and Pearson's), which take the cut as given. The tables of
`hepcnn.performance.comparison` let the cut vary with the sample.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

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


def working_points(sample: PidSample, edges: Sequence[float], misid: Sequence[float]) -> Table:
    """Kaon efficiency and pion misID at stated cuts and at fixed misIDs, whole and by momentum.

    The cut for a misID is found in each bin of its own.
    """
    columns = (METHOD, *BIN, Column("asked", "asked"), *_CUT_AND_NOTE)
    rows: list[tuple[Cell, ...]] = []
    for method in sample.methods:
        score = sample.log_ratio(method)
        for cells, tracks in bins(sample, edges):
            kaons, pions, weights = _chosen(sample, score, tracks)
            points = [
                (f"{sample.variable(method)} > {cut:g}", at_cut(kaons, pions, cut, weights))
                for cut in CUTS
            ]
            points += [
                (f"misID {100 * m:g} %", at_misid(kaons, pions, m, weights=weights)) for m in misid
            ]
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
            names = first, second
            own, other, weights = _chosen(sample, score, names=names)
            points = [(m, at_misid(own, other, m, names, weights)) for m in misid]
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
        kaons, pions, weights = _chosen(sample, score)
        in_bins = [(v, low, high, _chosen(sample, score, t)) for v, low, high, t in parts]
        for m in misid:
            point = at_misid(kaons, pions, m, weights=weights)
            rows += [
                (method, m, point.cut, v, float(low), float(high), *_at(point, *chosen))
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
            (method, variable, cut, name, passing(score[own] > cut, sample.weights(own)))
            for cut in cuts
            for name, own in groups.items()
        ]
    caption = (
        "Scan of the cut: fractions of true kaons, pions and, if there are any, ghosts (tracks of "
        f"no particle) that pass; {sample.span}"
    )
    return Table("scan", caption, columns, tuple(rows))


def _at(
    point: WorkingPoint, kaons: Floats, pions: Floats, weights: Weights
) -> tuple[Proportion, Proportion]:
    """What the cut of a working point does to other tracks; NaN where there is no cut."""
    if point.note:
        return clopper_pearson(0, 0), clopper_pearson(0, 0)
    there = at_cut(kaons, pions, point.cut, weights)
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
        kaons, pions, weights = _chosen(own, own.log_ratio(method))
        point = at_misid(kaons, pions, asked, weights=weights)
        for name, sample in samples.items():
            cells = _at(point, *_chosen(sample, sample.log_ratio(method)))
            at_misids = merits[name][method].kaon[0].numbers
            accuracy = sample.confusion(method).accuracy
            rows.append((method, name, len(sample), *at_misids, point.cut, *cells, accuracy))
    caption = (
        "Altered samples, no method trained on them: K→K at fixed π→K with the cut found in each "
        "sample, tied tracks accepted at random, errors from a bootstrap of its events; then what "
        f"the task's own cut for {100 * asked:g} % does, and the accuracy; {own.span}"
    )
    return Table("robustness", caption, columns, tuple(rows))


def _chosen(
    sample: PidSample,
    score: Floats,
    tracks: NDArray[np.bool_] | None = None,
    names: tuple[str, str] = ("kaon", "pion"),
) -> tuple[Floats, Floats, Weights]:
    """Scores and weights of the tracks of two species, of some of all tracks."""
    one, other = (sample.true(n) if tracks is None else tracks & sample.true(n) for n in names)
    return score[one], score[other], (sample.weights(one), sample.weights(other))
