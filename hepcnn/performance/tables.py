"""Tables of the population and of decisions: each a function of the sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hepcnn.detector.particles import SPECIES
from hepcnn.performance.columns import (
    BIN,
    METHOD,
    MIXTURE,
    SPECIES_COLUMN,
    bins,
    mixture_names,
    mixtures,
    percent,
    population,
    span,
)
from hepcnn.performance.confusion import MISID_FROM, X, track_weights
from hepcnn.performance.intervals import clopper_pearson
from hepcnn.performance.sample import Sample, Variable
from hepcnn.performance.species import STANDARD_ERROR, loss
from hepcnn.performance.table import Cell, Column, Number, Table


def cutflow(
    sample: Sample, edges: Sequence[float], curve_bins: Mapping[Variable, Sequence[float]]
) -> Table:
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
        ("of them in no momentum bin", int(np.count_nonzero(sample.place("p", edges) < 0))),
        *(
            (f"of them in no bin of the curves in {v}", int(np.count_nonzero(place < 0)))
            for v, place in ((v, sample.place(v, e)) for v, e in curve_bins.items())
        ),
    )
    rows = [(method, step, count) for method, flow in flows for step, count in flow]
    rows += [("all", step, count) for step, count in last]
    columns = (METHOD, Column("step", "step"), Column("count", "count", "number"))
    return Table("cutflow", "Denominators: what is left at each step", columns, tuple(rows))


def abundances(sample: Sample) -> Table:
    """Species in the sample, in the mixture of the tables, and under each method's scores."""
    found = np.bincount(sample.label[sample.label >= 0], minlength=X)
    share = clopper_pearson(found, found.sum())
    weighted = found * track_weights(sample.label, sample.mixture)[:X]
    columns = (
        SPECIES_COLUMN,
        Column("particles", "# particles", "number"),
        percent("share", "share of the sample", "proportion"),
        percent("mixture", "abundance in the tables", "number"),
        *(percent(f"prior_{m}", f"prior of {m}", "number") for m in sample.methods),
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
    return Table(
        "abundances",
        f"Abundances, {population(sample)}",
        columns,
        rows,
    )


def species(sample: Sample) -> Table:
    """The lecture's table: particles, accuracy, loss; in each mixture."""
    columns = (
        METHOD,
        MIXTURE,
        SPECIES_COLUMN,
        Column("particles", "# particles", "number"),
        percent("accuracy", "accuracy", "weighted"),
        Column("loss", "loss", "estimate", 4),
    )
    rows: list[tuple[Cell, ...]] = []
    for method in sample.methods:
        for mixture in mixtures(sample):
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
        f"{span(sample)}, {mixture_names(sample)}"
    )
    return Table("species", caption, columns, tuple(rows))


def efficiency(sample: Sample, edges: Sequence[float]) -> Table:
    """Efficiency, purity and misID of every species, whole and by momentum, in each mixture."""
    columns = (
        METHOD,
        MIXTURE,
        SPECIES_COLUMN,
        *BIN,
        percent("efficiency", "efficiency", "proportion"),
        percent("purity", "purity", "weighted"),
        Column("misid_from", "misID of"),
        percent("misid", "misID", "proportion"),
    )
    cells, parts = zip(*bins(sample, edges), strict=True)
    rows: list[tuple[Cell, ...]] = []
    for method in sample.methods:
        for mixture in mixtures(sample):
            matrices = sample.confusions(method, mixture, parts)
            found = [(c.efficiency, c.purity, c.misid) for c in matrices]
            rows += [
                (method, mixture.name, name, *b, eff[i], pure[i], MISID_FROM[name], misid[i])
                for i, name in enumerate(SPECIES)
                for b, (eff, pure, misid) in zip(cells, found, strict=True)
            ]
    caption = (
        "Efficiency (true called so / true), purity (true called so / called so) and misID "
        "(true of another species called so / true of that species), "
        f"{span(sample)}, {mixture_names(sample)}"
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
        percent("rate", "of the true", "proportion"),
        percent("share", "of all tracks", "weighted"),
    )
    rows = tuple((names[t], names[c], rates[t, c], shares[t, c]) for t in true for c in called)
    return Table(
        f"confusion_{method}",
        f"{method}: {population(sample)}",
        columns,
        rows,
    )
