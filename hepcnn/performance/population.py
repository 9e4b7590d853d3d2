"""Tables of the population and of decisions that every task has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from hepcnn.performance.columns import METHOD, percent
from hepcnn.performance.confusion import class_weights
from hepcnn.performance.sample import Sample
from hepcnn.performance.table import Cell, Column, Table
from hepcnn.performance.tally import Tally, fraction


def cutflow(sample: Sample, last: Iterable[tuple[str, int]]) -> Table:
    """Denominators: from the events read to the examples in the tables and outside their bins.

    Parameters
    ----------
    sample : Sample
        Has the counts of each method, down to the examples scored.
    last : iterable of (str, int)
        Steps after that, the same for all methods.
    """
    return denominators(sample.cutflow, last)


def denominators(
    cutflow: Mapping[str, Sequence[tuple[str, int]]], last: Iterable[tuple[str, int]]
) -> Table:
    """As `cutflow`, of the counts of each method by its name."""
    flows = list(cutflow.items())
    if all(flow == flows[0][1] for _, flow in flows):
        flows = [("all", flows[0][1])]
    rows = [(method, step, count) for method, flow in flows for step, count in flow]
    rows += [("all", step, count) for step, count in last]
    columns = (METHOD, Column("step", "step"), Column("count", "count", "number"))
    return Table("cutflow", "Denominators: what is left at each step", columns, tuple(rows))


def abundances(sample: Sample, counted: str) -> Table:
    """Classes in the sample, in the mixture of the tables, and under each method's scores.

    Parameters
    ----------
    sample : Sample
        The examples.
    counted : str
        What they are, for the column of their numbers.
    """
    c = len(sample.classes)
    known = sample.label >= 0
    found = Tally.binned(sample.label[known], c, sample.weights(known))
    share = fraction(found, found.sum())
    weighted = found.w * class_weights(sample.label, sample.mixture, sample.weight)[:c]
    columns = (
        Column(sample.kind, sample.kind),
        Column(counted, f"# {counted}", "number"),
        percent("share", "share of the sample", "proportion"),
        percent("mixture", "abundance in the tables", "number"),
        *(percent(f"prior_{m}", f"prior of {m}", "number") for m in sample.methods),
    )
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (
            name,
            int(found.n[i]),
            share[i],
            float(weighted[i] / weighted.sum()),
            *(float(sample.prior[m][i]) for m in sample.methods),
        )
        for i, name in enumerate(sample.classes)
    )
    return Table("abundances", f"Abundances, {sample.population}", columns, rows)


def confusion(sample: Sample, method: str) -> Table:
    """Every true class by what it is called: over the true ones, and over all examples."""
    matrix = sample.confusion(method)
    rates, shares = matrix.rates, matrix.shares
    names, last = [*sample.classes, "other"], len(sample.classes)
    true = [i for i in range(last + 1) if i < last or matrix.counts[last].any()]
    called = [i for i in range(last + 1) if i < last or matrix.counts[:, last].any()]
    columns = (
        Column("true", "true"),
        Column("called", "called"),
        percent("rate", "of the true", "proportion"),
        percent("share", f"of all {sample.unit}s", "weighted"),
    )
    rows = tuple((names[t], names[c], rates[t, c], shares[t, c]) for t in true for c in called)
    return Table(f"confusion_{method}", f"{method}: {sample.population}", columns, rows)
