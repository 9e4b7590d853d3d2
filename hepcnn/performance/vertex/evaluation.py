"""The tables of vertices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hepcnn.performance import aligned
from hepcnn.performance.bootstrap import draw
from hepcnn.performance.comparison import Compared
from hepcnn.performance.vertex import tables
from hepcnn.performance.vertex.boxes import Boxes, boxes
from hepcnn.performance.vertex.vertices import (
    Vertices,
    check_vertices,
    in_space,
    in_view,
    inside,
    without,
)
from hepcnn.store.findings import Findings, Found

#: Tables of all methods together.
TABLES = (
    *("vertex", "vertex_gain", "vertex_planes", "vertex_resolution", "vertex_energy"),
    *("vertex_interactions", "comparison", "cutflow"),
)


def table_names(methods: Sequence[str]) -> list[str]:
    """Names of the tables, in order: the same for all methods."""
    return list(TABLES)


def evaluate(
    findings: Sequence[Found],
    name: str,
    energy_bins: Sequence[float],
    generator: np.random.Generator,
    baselines: Sequence[str] = (),
) -> Compared:
    """Make the tables; see `hepcnn.performance.evaluate.FindingsEvaluation`.

    Methods are of the same vertices, in images that may differ: see
    `hepcnn.performance.vertex.vertices.check_vertices`.

    Parameters
    ----------
    baselines : sequence of str
        The methods of which the best is what the others are measured by.
    """
    findings = aligned.aligned(findings, name, "vertex", check_vertices)
    first, times = findings[0], draw(len(findings[0]), generator)
    found = {f.method: in_space(f) for f in findings}
    counted, none, seen = found[first.method].true, without(first), inside(first)
    last = (
        ("of them with a true vertex in the images of all views", int(counted.sum())),
        ("of them with a true vertex elsewhere", int((~counted & ~none).sum())),
        ("of them without a true vertex", int(none.sum())),
        *(
            (f"of them with a true vertex in the image of view {view}", int(seen[:, v].sum()))
            for v, view in enumerate(first.views)
        ),
    )
    words = "vertices found in space, and near the true one"
    methods = aligned.of_methods(found)
    own = [f for f in findings if f.method in methods]
    figures, merits = tables.compared(found, times)
    made = (
        tables.vertex(own, methods, times),
        tables.gain(methods, baselines, times),
        tables.planes(first.views, _planes(own), times),
        tables.resolution(own, methods, times),
        tables.energy(methods, aligned.energy_parts(first, energy_bins), times),
        tables.interactions(methods, first.columns["interaction"], times),
        aligned.comparison(figures, merits, words),
        aligned.cutflow(findings, energy_bins, last),
    )
    return Compared(made, figures, merits)


def _planes(findings: Sequence[Found]) -> dict[str, list[tuple[Vertices, Boxes]]]:
    """What was found in each view, by method."""

    def views(block: Findings) -> list[tuple[Vertices, Boxes]]:
        return [(in_view(block, v), boxes(block, v)) for v in range(len(block.views))]

    found = {}
    for method, parts in aligned.measured(findings, views).items():
        found[method] = [
            (Vertices.join([v for v, _ in view]), Boxes.join([b for _, b in view]))
            for view in zip(*parts, strict=True)
        ]
    return found
