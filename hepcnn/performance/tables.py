"""The tables of a task: each a function of the sample that returns one `Table`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hepcnn.detector.particles import SPECIES
from hepcnn.performance.comparison import BOOTSTRAP, Comparison, Estimate
from hepcnn.performance.confusion import MISID_FROM, X, mixture_for, track_weights
from hepcnn.performance.curves import WorkingPoint, at_cut, at_misid
from hepcnn.performance.intervals import clopper_pearson
from hepcnn.performance.sample import Sample
from hepcnn.performance.species import STANDARD_ERROR, loss
from hepcnn.performance.table import Cell, Column, Kind, Number, Table

#: Cuts at which LHCb quotes kaon efficiencies: loose and tight.
CUTS = (0.0, 5.0)

_METHOD = Column("method", "method")
_SPECIES = Column("species", "species")
_BIN = (
    Column("bin", "bin"),
    Column("p_low", "p from (GeV/c)", "number", 1, 1e-3),
    Column("p_high", "to", "number", 1, 1e-3),
)


def _percent(name: str, title: str, kind: Kind) -> Column:
    return Column(name, f"{title} (%)", kind, digits=2, scale=100.0)


def _population(sample: Sample) -> str:
    """What every caption says: momentum range and mixture."""
    low, high = sample.momentum_range
    span = f"{low / 1000:g} <= p < {high / 1000:g} GeV/c"
    return f"{span}, {sample.mixture.name} mixture of species"


def _bins(
    sample: Sample, edges: Sequence[float]
) -> Iterator[tuple[tuple[Cell, Cell, Cell], NDArray[np.bool_]]]:
    """The whole range, then each momentum bin: its cells for `_BIN` and its tracks."""
    yield ("all", *sample.momentum_range), np.ones(len(sample), dtype=bool)
    place = sample.momentum_bin(edges)
    for number, (low, high) in enumerate(pairwise(edges)):
        yield (str(number + 1), low, high), place == number


def cutflow(sample: Sample, edges: Sequence[float]) -> Table:
    """Denominators: from the events read to the tracks in the tables and outside their bins."""
    flows = list(sample.cutflow.items())
    if all(flow == flows[0][1] for _, flow in flows):
        flows = [("all", flows[0][1])]
    six = int(np.count_nonzero(sample.label >= 0))
    low, high = sample.momentum_range
    last = (
        (f"p < {low:g} MeV, left out", sample.below),
        (f"p >= {high:g} MeV, left out", sample.above),
        ("in the tables", len(sample)),
        ("of them of the six species", six),
        ("of them of other species", len(sample) - six),
        (
            "of them in no momentum bin",
            int(np.count_nonzero(sample.momentum_bin(edges) < 0)),
        ),
    )
    rows = [(method, step, count) for method, flow in flows for step, count in flow]
    rows += [("all", step, count) for step, count in last]
    columns = (_METHOD, Column("step", "step"), Column("count", "count", "number"))
    return Table("cutflow", "Denominators: what is left at each step", columns, tuple(rows))


def abundances(sample: Sample) -> Table:
    """Species in the sample, in the mixture of the tables, and under each method's scores."""
    found = np.bincount(sample.label[sample.label >= 0], minlength=X)
    share = clopper_pearson(found, found.sum())
    weighted = found * track_weights(sample.label, sample.mixture)[:X]
    columns = (
        _SPECIES,
        Column("particles", "# particles", "number"),
        _percent("share", "share of the sample", "proportion"),
        _percent("mixture", "abundance in the tables", "number"),
        *(_percent(f"prior_{m}", f"prior of {m}", "number") for m in sample.methods),
    )
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (
            name,
            int(found[i]),
            share[i],
            float(weighted[i] / weighted.sum()),
            *(float(sample.prior[m][i]) for m in sample.methods),
        )
        for i, name in enumerate(SPECIES)
    )
    return Table("abundances", f"Abundances, {_population(sample)}", columns, rows)


def species(sample: Sample) -> Table:
    """The lecture's table: particles, accuracy, loss; in the tables' mixture and the flat one."""
    flat = mixture_for("flat", sample.label)
    mixtures = [sample.mixture] if sample.mixture.name == "flat" else [sample.mixture, flat]
    columns = (
        _METHOD,
        Column("mixture", "decided for mixture"),
        _SPECIES,
        Column("particles", "# particles", "number"),
        _percent("accuracy", "accuracy", "weighted"),
        Column("loss", "loss", "estimate", 4),
    )
    rows: list[tuple[Cell, ...]] = []
    for method in sample.methods:
        for mixture in mixtures:
            confusion = sample.confusion(method, mixture)
            efficiency = confusion.efficiency
            mean = loss(sample.posterior(method, mixture), sample.label)
            losses = [*zip(mean.value, mean.error, strict=True)]
            losses.append(mean.together(confusion.weights[:X]))
            accuracies = [*(efficiency[i] for i in range(X)), confusion.accuracy]
            particles = [*mean.n.tolist(), int(mean.n.sum())]
            rows += [
                (
                    method,
                    mixture.name,
                    name,
                    n,
                    a,
                    Number(float(v), float(e), float(e), STANDARD_ERROR),
                )
                for name, n, a, (v, e) in zip(
                    [*SPECIES, "all"], particles, accuracies, losses, strict=True
                )
            ]
    caption = (
        "Accuracy (of a species: its efficiency) and loss (mean of -ln P of the true species), "
        + _population(sample)
        + " and flat" * (len(mixtures) - 1)
    )
    return Table("species", caption, columns, tuple(rows))


def efficiency(sample: Sample, edges: Sequence[float]) -> Table:
    """Efficiency, purity and misID of every species, whole and by momentum."""
    columns = (
        _METHOD,
        _SPECIES,
        *_BIN,
        _percent("efficiency", "efficiency", "proportion"),
        _percent("purity", "purity", "weighted"),
        Column("misid_from", "misID of"),
        _percent("misid", "misID", "proportion"),
    )
    rows: list[tuple[Cell, ...]] = []
    for method in sample.methods:
        matrices = [(b, sample.confusion(method, which=w)) for b, w in _bins(sample, edges)]
        parts = [(b, c.efficiency, c.purity, c.misid) for b, c in matrices]
        rows += [
            (method, name, *b, eff[i], pure[i], MISID_FROM[name], misid[i])
            for i, name in enumerate(SPECIES)
            for b, eff, pure, misid in parts
        ]
    caption = (
        "Efficiency (true called so / true), purity (true called so / called so) and misID "
        f"(true of another species called so / true of that species), {_population(sample)}"
    )
    return Table("efficiency", caption, columns, tuple(rows))


def confusion(sample: Sample, method: str) -> Table:
    """Every true species by what it is called: over the true ones, and over all tracks."""
    matrix = sample.confusion(method)
    rates, shares = matrix.rates, matrix.shares
    names = [*SPECIES, "other"]
    true = [i for i in range(X + 1) if i < X or matrix.counts[X].any()]
    called = [i for i in range(X + 1) if i < X or matrix.counts[:, X].any()]
    columns = (
        Column("true", "true"),
        Column("called", "called"),
        _percent("rate", "of the true", "proportion"),
        _percent("share", "of all tracks", "weighted"),
    )
    rows = tuple((names[t], names[c], rates[t, c], shares[t, c]) for t in true for c in called)
    return Table(f"confusion_{method}", f"{method}: {_population(sample)}", columns, rows)


def working_points(sample: Sample, edges: Sequence[float], misid: Sequence[float]) -> Table:
    """Kaon efficiency and pion misID at stated cuts and at fixed misIDs, whole and by momentum.

    The cut for a misID is found in each bin of its own.
    """
    columns = (
        _METHOD,
        *_BIN,
        Column("asked", "asked"),
        Column("cut", "cut: NNDLLK >", "number", 3),
        _percent("efficiency", "K→K", "proportion"),
        _percent("misid", "π→K", "proportion"),
        Column("note", "note"),
    )
    rows: list[tuple[Cell, ...]] = []
    for method in sample.methods:
        score = sample.nndllk(method)
        for cells, tracks in _bins(sample, edges):
            kaons, pions = (score[tracks & sample.true(name)] for name in ("kaon", "pion"))
            points: list[tuple[str, WorkingPoint]] = [
                (f"NNDLLK > {cut:g}", at_cut(kaons, pions, cut)) for cut in CUTS
            ]
            points += [(f"misID {100 * m:g} %", at_misid(kaons, pions, m)) for m in misid]
            rows += [
                (method, *cells, asked, p.cut, p.efficiency, p.misid, p.note) for asked, p in points
            ]
    low, high = (f"{p / 1000:g}" for p in sample.momentum_range)
    caption = (
        "Working points: NNDLLK is ln(P_K / P_pi) at equal abundances; at a fixed misID the "
        "loosest cut that does not exceed it, rounded before it is evaluated; "
        f"{low} <= p < {high} GeV/c"
    )
    return Table("working_points", caption, columns, tuple(rows))


def comparison(sample: Sample, comparisons: Sequence[Comparison]) -> Table:
    """Each network against each control: both, the difference, whether the intervals are apart."""
    columns = (
        Column("figure", "figure of merit"),
        Column("network", "network"),
        Column("control", "control"),
        _percent("network_value", "network", "estimate"),
        _percent("control_value", "control", "estimate"),
        _percent("difference", "difference", "estimate"),
        Column("apart", "better, intervals apart"),
    )
    rows = tuple(
        (
            c.figure,
            c.network,
            c.control,
            *(_number(e) for e in (c.network_value, c.control_value, c.difference)),
            "yes" if c.apart else "no",
        )
        for c in comparisons
    )
    caption = (
        f"Networks against controls on the same {len(sample)} tracks of {sample.n_events} events; "
        f"the errors are from a paired {BOOTSTRAP}; accuracy for the {sample.mixture.name} "
        "mixture, balanced accuracy (mean efficiency of the species) decided for the flat one"
    )
    return Table("comparison", caption, columns, rows)


def _number(estimate: Estimate) -> Number:
    return Number(estimate.value, estimate.error, estimate.error, BOOTSTRAP)
