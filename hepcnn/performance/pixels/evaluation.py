"""The tables of the classes of pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hepcnn.performance import aligned
from hepcnn.performance.bootstrap import draw
from hepcnn.performance.comparison import Compared
from hepcnn.performance.pixels import tables
from hepcnn.performance.pixels.counts import Counts, counts
from hepcnn.store.findings import Found

#: Tables of all methods together.
TABLES = ("pixels", "pixel_classes", "boundary", "pixel_energy", "comparison", "cutflow")


def table_names(methods: Sequence[str]) -> list[str]:
    """Names of the tables of these methods, in order."""
    return [*TABLES, *(f"confusion_{method}" for method in methods)]


def evaluate(
    findings: Sequence[Found],
    name: str,
    energy_bins: Sequence[float],
    generator: np.random.Generator,
) -> Compared:
    """Make the tables; see `hepcnn.performance.evaluate.FindingsEvaluation`."""
    findings = aligned.aligned(findings, name, "semantic")
    first, times = findings[0], draw(len(findings[0]), generator)
    found = {}
    for method, parts_of in aligned.measured(findings, counts).items():
        classes, groups = zip(*parts_of, strict=True)
        found[method] = Counts.join(classes), Counts.join(groups)
    methods = aligned.of_methods(found)
    figures, merits = tables.compared(found, times)
    parts = aligned.energy_parts(first, energy_bins)
    occupied = first.rows_of("pixels")
    known = found[first.method][0].pixels.sum(axis=0)
    last = (
        ("of them without an occupied pixel", int(np.count_nonzero(occupied == 0))),
        ("occupied pixels", int(occupied.sum())),
        ("of them of no known particle (other), not counted", int(occupied.sum() - known.sum())),
        ("of the others at a boundary", int(known[1])),
    )
    made = (
        tables.pixels(methods, times),
        tables.pixel_classes(methods, times),
        tables.boundary(methods, times),
        tables.pixel_energy(methods, parts, times),
        aligned.comparison(figures, merits, "pixels that are called right"),
        aligned.cutflow(findings, energy_bins, last),
        *(tables.confusion(method, own, times) for method, (own, _) in methods.items()),
    )
    return Compared(made, figures, merits)
