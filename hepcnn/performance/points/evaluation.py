"""The tables of key points."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hepcnn.performance import aligned
from hepcnn.performance.bootstrap import draw
from hepcnn.performance.comparison import Compared
from hepcnn.performance.points import tables
from hepcnn.performance.points.distances import SCORE, Distances, distances
from hepcnn.store.findings import Found

#: Tables of all methods together.
TABLES = ("points", "point_scores", "point_distances", "comparison", "cutflow")


def table_names(methods: Sequence[str]) -> list[str]:
    """Names of the tables, in order: the same for all methods."""
    return list(TABLES)


def evaluate(
    findings: Sequence[Found],
    name: str,
    energy_bins: Sequence[float],
    generator: np.random.Generator,
) -> Compared:
    """Make the tables; see `hepcnn.performance.evaluate.FindingsEvaluation`.

    The bins of energy are for the denominators.
    """
    findings = aligned.aligned(findings, name, "points")
    first, times = findings[0], draw(len(findings[0]), generator)
    found = {
        method: Distances.join(parts)
        for method, parts in aligned.measured(findings, distances).items()
    }
    points = first.rows_of("points")
    true, inside = int(points.sum()), len(found[first.method].true_event)
    last = (
        ("of them without a true point", int(np.count_nonzero(points == 0))),
        ("true points in views", true),
        ("of them outside the image, not counted", true - inside),
    )
    words = f"key points, candidates with a score of at least {SCORE:g}"
    methods = aligned.of_methods(found)
    figures, merits = tables.compared(found, times)
    made = (
        tables.points(methods, times),
        tables.scores(methods, times),
        tables.histogram(methods, times),
        aligned.comparison(figures, merits, words),
        aligned.cutflow(findings, energy_bins, last),
    )
    return Compared(made, figures, merits)
