"""The tables of the particles of pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hepcnn.detector.labels import PIXEL_CLASSES
from hepcnn.performance import aligned
from hepcnn.performance.average_precision import WORDS
from hepcnn.performance.bootstrap import BOOTSTRAP, Merits, draw, joined
from hepcnn.performance.columns import METHOD, percent
from hepcnn.performance.comparison import Compared
from hepcnn.performance.instances.figures import FIGURES, figures
from hepcnn.performance.instances.overlaps import MIN_PIXELS, Overlaps, overlaps
from hepcnn.performance.table import Cell, Column, Table
from hepcnn.store.findings import Found

#: Tables of all methods together.
TABLES = ("instances", "instance_classes", "instance_energy", "comparison", "cutflow")
_COUNTS = (
    Column("instances", "# instances", "number"),
    Column("clusters", "# clusters", "number"),
)
_FIGURES = tuple(percent(name, title, "estimate") for name, title in FIGURES.items())
_WORDS = (
    f"An instance is a true particle with at least {MIN_PIXELS} pixels in a view; it is found, and "
    "the cluster right, if the two share at least half of the pixels of each. Efficiency: found "
    f"instances; purity: right clusters, of those of at least {MIN_PIXELS} pixels; pixel "
    "efficiency and purity, in the manner of arXiv:2201.05705: the mean over instances, or "
    "clusters, of the largest fraction of the pixels in one of the other; adjusted Rand index "
    "(Hubert and Arabie 1985): the mean over images, a pixel in no cluster being one by itself; "
    f"{WORDS}, a cluster being right above an intersection over union of pixels; smaller instances "
    "that a cluster matches, and smaller clusters that match none, count neither way; every pixel "
    f"counts once, whatever its charge, those of no known particle never; errors from a {BOOTSTRAP}"
)


def table_names(methods: Sequence[str]) -> list[str]:
    """Names of the tables, in order: the same for all methods."""
    return list(TABLES)


def evaluate(
    findings: Sequence[Found],
    name: str,
    energy_bins: Sequence[float],
    generator: np.random.Generator,
) -> Compared:
    """Make the tables; see `hepcnn.performance.evaluate.FindingsEvaluation`."""
    findings = aligned.aligned(findings, name, "instance")
    times = draw(len(findings[0]), generator)
    found = {
        method: Overlaps.join(parts)
        for method, parts in aligned.measured(findings, overlaps).items()
    }
    whole = {method: figures(own, times) for method, own in found.items()}
    methods = aligned.of_methods(found)
    parts = aligned.energy_parts(findings[0], energy_bins)
    classes, by_class = _classes(found, times)
    names = [*FIGURES.values(), *(f"efficiency of {kind}" for kind in PIXEL_CLASSES[:-1])]
    merits = {method: joined([whole[method], *by_class[method]]) for method in found}
    made = (
        _instances(methods, whole),
        classes,
        _energy(methods, whole, parts, times),
        aligned.comparison(names, merits, "clusters and instances"),
        aligned.cutflow(findings, energy_bins, _last(findings[0], found[findings[0].method])),
    )
    return Compared(made, names, merits)


def _counts(found: Overlaps) -> tuple[int, int]:
    """Instances and clusters of enough pixels."""
    sizes = (found.instances["size"], found.clusters["size"])
    instances, clusters = (int(np.count_nonzero(size >= MIN_PIXELS)) for size in sizes)
    return instances, clusters


def _instances(found: Mapping[str, Overlaps], whole: Mapping[str, Merits]) -> Table:
    columns = (METHOD, *_COUNTS, Column("images", "# images", "number"), *_FIGURES)
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (method, *_counts(own), len(own.images["ari"]), *whole[method].numbers)
        for method, own in found.items()
    )
    return Table("instances", _WORDS, columns, rows)


def _classes(
    found: Mapping[str, Overlaps], times: NDArray[np.int16]
) -> tuple[Table, dict[str, list[Merits]]]:
    """The table by class, and of each training and baseline the efficiencies."""
    kept = [k for k, name in enumerate(FIGURES) if name != "ari"]
    columns = (METHOD, Column("class", "class"), *_COUNTS, *(_FIGURES[k] for k in kept))
    methods = aligned.of_methods(found)
    rows: list[tuple[Cell, ...]] = []
    efficiencies: dict[str, list[Merits]] = {method: [] for method in found}
    for method, every in found.items():
        for k, name in enumerate(PIXEL_CLASSES[:-1]):
            own = every.of_class(k)
            merits = figures(own, times)
            efficiencies[method].append(merits[0])
            cells = merits.numbers
            if method in methods:
                rows.append((method, name, *_counts(own), *(cells[i] for i in kept)))
    caption = (
        "Instances by the class of most of their pixels, clusters by the true class of most of "
        f"theirs. {_WORDS}"
    )
    return Table("instance_classes", caption, columns, tuple(rows)), efficiencies


def _energy(
    found: Mapping[str, Overlaps],
    whole: Mapping[str, Merits],
    parts: Sequence[aligned.Part],
    times: NDArray[np.int16],
) -> Table:
    columns = (METHOD, *aligned.ENERGY, *_COUNTS, *_FIGURES)
    rows: list[tuple[Cell, ...]] = []
    for method, every in found.items():
        for part in parts:
            own, merits = every, whole[method]
            if not part.events.all():
                own = every.take(part.events)
                merits = figures(own, times[:, part.events])
            rows.append((method, *part.cells, *_counts(own), *merits.numbers))
    caption = (
        "In bins of true energy of the event, low <= E < high, and in the events without one, such "
        f"as cosmic rays (unknown). {_WORDS}"
    )
    return Table("instance_energy", caption, columns, tuple(rows))


def _last(findings: Found, found: Overlaps) -> list[tuple[str, int]]:
    """Denominators after the events."""
    pixels, size = int(findings.rows_of("pixels").sum()), found.instances["size"]
    return [
        ("images of them", len(findings) * len(findings.views)),
        ("images of two pixels or more of particles", len(found.images["ari"])),
        ("occupied pixels", pixels),
        ("of them of no known particle (other), not counted", pixels - int(size.sum())),
        ("true particles in views", len(size)),
        (f"of them of fewer than {MIN_PIXELS} pixels", int(np.count_nonzero(size < MIN_PIXELS))),
    ]
