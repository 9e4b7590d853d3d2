"""Tables of decisions and denominators of tracks: each a function of the sample."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hepcnn.config.tasks import PidTables
from hepcnn.detector.particles import SPECIES
from hepcnn.performance import population
from hepcnn.performance.columns import METHOD, MIXTURE, mixtures, percent
from hepcnn.performance.loss import STANDARD_ERROR, loss
from hepcnn.performance.pid.columns import BIN, SPECIES_COLUMN, bins, mixture_names
from hepcnn.performance.pid.sample import PidSample
from hepcnn.performance.table import Cell, Column, Number, Table

#: The species whose misidentification is the usual worry: pions, and for pions kaons.
MISID_FROM = {name: "kaon" if name == "pion" else "pion" for name in SPECIES}


def cutflow(sample: PidSample, settings: PidTables) -> Table:
    """Denominators: from the events read to the tracks in the tables and outside their bins."""
    six = int(np.count_nonzero(sample.label >= 0))
    low, high = sample.momentum_range
    edges = settings.momentum_bins
    last = [
        (f"p < {low:g} MeV, left out", sample.below),
        (f"p >= {high:g} MeV, left out", sample.above),
        ("in the tables", len(sample)),
        ("of them of the six species", six),
        ("of them of other species", len(sample) - six),
        ("of them in no momentum bin", int(np.count_nonzero(sample.place("p", edges) < 0))),
        *(
            (f"of them in no bin of the curves in {v}", int(np.count_nonzero(place < 0)))
            for v, place in ((v, sample.place(v, e)) for v, e in settings.curve_bins.items())
        ),
    ]
    if settings.cuts:
        outside = [sample.place(v, e) < 0 for v, e in settings.map_bins.items()]
        last.append(("of them in no bin of the maps", int(np.any(outside, axis=0).sum())))
    if ghosts := int((sample.features["ghost"] == 1).sum()):
        last.append(("of other species: ghosts, of no particle", ghosts))
    if sample.weight is not None:
        last.append(("of them with a negative weight", int((sample.weight < 0).sum())))
    return population.cutflow(sample, last)


def species(sample: PidSample) -> Table:
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
            mean = loss(sample.posterior(method, mixture), sample.label, sample.weight)
            losses = [*zip(mean.value, mean.error, strict=True)]
            losses.append(mean.together(confusion.weights[: len(SPECIES)]))
            accuracies = [*(efficiency[i] for i in range(len(SPECIES))), confusion.accuracy]
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
        f"{sample.span}, {mixture_names(sample)}"
    )
    return Table("species", caption, columns, tuple(rows))


def efficiency(sample: PidSample, edges: Sequence[float]) -> Table:
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
    sources = [MISID_FROM[name] for name in SPECIES]
    rows: list[tuple[Cell, ...]] = []
    for method in sample.methods:
        for mixture in mixtures(sample):
            matrices = sample.confusions(method, mixture, parts)
            found = [(c.efficiency, c.purity, c.misid(sources)) for c in matrices]
            rows += [
                (method, mixture.name, name, *b, eff[i], pure[i], sources[i], misid[i])
                for i, name in enumerate(SPECIES)
                for b, (eff, pure, misid) in zip(cells, found, strict=True)
            ]
    caption = (
        "Efficiency (true called so / true), purity (true called so / called so) and misID "
        "(true of another species called so / true of that species), "
        f"{sample.span}, {mixture_names(sample)}"
    )
    return Table("efficiency", caption, columns, tuple(rows))
