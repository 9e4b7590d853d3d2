"""Tables of decisions on events, as they are and in bins of true energy, and published figures."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from hepcnn.performance import population
from hepcnn.performance.classes.selection import scan
from hepcnn.performance.columns import METHOD, percent
from hepcnn.performance.intervals import clopper_pearson
from hepcnn.performance.sample import Sample
from hepcnn.performance.table import Cell, Column, Table

CLASS = Column("class", "class")
_EFFICIENCY_AND_PURITY = (
    percent("efficiency", "efficiency", "proportion"),
    percent("purity", "purity", "weighted"),
)
_WORDS = "Efficiency (true called so / true) and purity (true called so / called so)"

#: Single-particle accuracies of arXiv:1611.05531, images of the high resolution.
PARTICLES = {
    "AlexNet": {
        "electron": 0.736, "photon": 0.813, "muon": 0.848, "pion": 0.731, "proton": 0.872,
    },
    "GoogLeNet": {
        "electron": 0.778, "photon": 0.834, "muon": 0.897, "pion": 0.710, "proton": 0.912,
    },
}  # fmt: skip
#: Selections of neutrino events: whose, class, efficiency, purity.
INTERACTIONS = (
    ("NOvA CVN, arXiv:1604.01444", "nue_cc", 0.491, 0.866),
    ("NOvA CVN, arXiv:1604.01444", "numu_cc", 0.582, 0.964),
    ("DUNE CVN, arXiv:2006.15052, best energy", "nue_cc", 0.90, 0.90),
)


def classes(sample: Sample) -> Table:
    """Efficiency and purity of every class, and the accuracies of all together."""
    columns = (METHOD, CLASS, Column("events", "# events", "number"), *_EFFICIENCY_AND_PURITY)
    none = clopper_pearson(0, 0)
    rows: list[tuple[Cell, ...]] = []
    for method in sample.methods:
        matrix = sample.confusion(method)
        flat = sample.confusion(method, sample.mixture_of("flat"))
        efficiency, purity = matrix.efficiency, matrix.purity
        rows += [
            (method, name, int(efficiency.n_total[i]), efficiency[i], purity[i])
            for i, name in enumerate(sample.classes)
        ]
        known = int(efficiency.n_total.sum())
        rows.append((method, "accuracy", known, matrix.accuracy, none))
        rows.append((method, "balanced accuracy", known, flat.accuracy, none))
    caption = (
        f"{_WORDS}, and of all events accuracy and balanced accuracy, that is the mean efficiency "
        f"decided for the flat mixture; {sample.population}"
    )
    return Table("classes", caption, columns, tuple(rows))


def published(sample: Sample) -> Table:
    """Our efficiencies, and of neutrino events the best selections, beside published ones."""
    if set(sample.classes) == set(PARTICLES["AlexNet"]):
        return _published_particles(sample)
    return _published_interactions(sample)


def _published_particles(sample: Sample) -> Table:
    columns = (
        CLASS,
        *(percent(network.lower(), network, "number") for network in PARTICLES),
        *(percent(f"efficiency_{m}", m, "proportion") for m in sample.methods),
    )
    found = [sample.confusion(method).efficiency for method in sample.methods]
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (name, *(paper[name] for paper in PARTICLES.values()), *(e[i] for e in found))
        for i, name in enumerate(sample.classes)
    )
    caption = (
        "Efficiency of each class beside AlexNet and GoogLeNet of arXiv:1611.05531, which are of "
        "another detector simulation, other energies and another mixture: for scale, no comparison "
        f"of methods; ours: {sample.population}"
    )
    return Table("published", caption, columns, rows)


def _published_interactions(sample: Sample) -> Table:
    columns = (
        Column("source", "published by"),
        CLASS,
        percent("efficiency", "their efficiency", "number"),
        percent("purity", "their purity", "number"),
        *(
            percent(f"{column.name}_{m}", f"{column.name} of {m}", column.kind)
            for m in sample.methods
            for column in _EFFICIENCY_AND_PURITY
        ),
    )
    scans = [scan(sample, method) for method in sample.methods]
    rows: list[tuple[Cell, ...]] = []
    for source, name, efficiency, purity in INTERACTIONS:
        i = sample.mixture.index(name)
        ours = [p[i, int(s.best[i])] for s in scans for p in (s.efficiency, s.purity)]
        rows.append((source, name, efficiency, purity, *ours))
    caption = (
        "Selections of neutrino events beside ours at the cut of the best efficiency × purity; "
        "theirs are of other detectors, beams, cosmic fluxes and denominators: for scale, no "
        f"comparison of methods; ours: {sample.population}"
    )
    return Table("published", caption, columns, tuple(rows))


def energy(sample: Sample, edges: Sequence[float]) -> Table:
    """Efficiency and purity of every class, whole and in bins of true energy."""
    columns = (
        METHOD,
        CLASS,
        Column("bin", "bin"),
        Column("energy_low", "E from (GeV)", "number", 2, 1e-3),
        Column("energy_high", "to", "number", 2, 1e-3),
        *_EFFICIENCY_AND_PURITY,
    )
    place, unknown = sample.place("energy", edges), float("nan")
    bins = [("all", unknown, unknown)]
    bins += [(str(k + 1), *pair) for k, pair in enumerate(pairwise(edges))]
    parts = [np.ones(len(sample), dtype=bool), *(place == k for k in range(len(edges) - 1))]
    rows: list[tuple[Cell, ...]] = []
    for method in sample.methods:
        matrices = sample.confusions(method, None, parts)
        found = [(m.efficiency, m.purity) for m in matrices]
        rows += [
            (method, name, *cells, efficiency[i], purity[i])
            for i, name in enumerate(sample.classes)
            for cells, (efficiency, purity) in zip(bins, found, strict=True)
        ]
    caption = (
        f"{_WORDS} in bins of true energy, low <= E < high; events without a true energy, such as "
        f"cosmic rays, are in none, also not among those called so; {sample.population}"
    )
    return Table("energy", caption, columns, tuple(rows))


def cutflow(sample: Sample, edges: Sequence[float]) -> Table:
    """Denominators: from the events read to the events in the tables and outside their bins."""
    known = int(np.count_nonzero(sample.label >= 0))
    without = np.isnan(sample.features["energy"])
    outside = (sample.place("energy", edges) < 0) & ~without
    last = (
        ("in the tables", len(sample)),
        (f"of them of the {len(sample.classes)} classes", known),
        ("of them of none", len(sample) - known),
        ("of them without a true energy", int(np.count_nonzero(without))),
        ("of them in no bin of energy", int(np.count_nonzero(outside))),
    )
    return population.cutflow(sample, last)
