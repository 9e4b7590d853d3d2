"""Findings of several methods on the same events, and the bins of energy of these."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from hepcnn.config import network_of
from hepcnn.errors import InputError
from hepcnn.performance.bootstrap import BOOTSTRAP, Merits, by_method
from hepcnn.performance.comparison import COLUMNS, SIGNIFICANCE, against_first
from hepcnn.performance.population import denominators
from hepcnn.performance.table import Column, Table
from hepcnn.store.findings import Findings, Found

T = TypeVar("T")

#: What methods on the same images have alike.
_IMAGES = ("classes", "views", "shape", "pixel_mm")
_TABLES = {
    "pixels": ("view", "pixel", "semantic", "instance", "boundary"),
    "points": ("view", "row", "column", "depth", "kind"),
}
#: The bins of energy in tables.
ENERGY = (
    Column("bin", "bin"),
    Column("energy_low", "E from (GeV)", "number", 2, 1e-3),
    Column("energy_high", "to", "number", 2, 1e-3),
    Column("events", "# events", "number"),
)


def check_images(a: Found, b: Found) -> None:
    """Refuse two methods that are not of the same classes, views and pixels.

    Raises
    ------
    InputError
        It names what differs.
    """
    for part in _IMAGES:
        x, y = getattr(a, part), getattr(b, part)
        if x != y:
            raise InputError(f"{part}: '{a.method}' has {x}, '{b.method}' has {y}")


def _check_tables(a: Findings, b: Findings) -> None:
    """Refuse two methods with other occupied pixels, or other truth in their tables."""
    for table, columns in _TABLES.items():
        if table not in a.tables:
            continue
        one, other = a.tables[table], b.tables[table]
        check_truth(a, b, f"number of {table}", one.offsets, other.offsets)
        for column in columns:
            if column in one.columns:
                what = f"{column} of the {table}"
                check_truth(a, b, what, one.columns[column], other.columns[column])


def aligned(
    findings: Sequence[Found],
    name: str,
    target: str,
    check: Callable[[Found, Found], None] = check_images,
) -> tuple[Found, ...]:
    """Check that findings belong together; their tables are checked by `measured`.

    Parameters
    ----------
    findings : sequence of Found
        One for each method, in the order of the tables.
    name : str
        The task's name.
    target : str
        What the methods look for.
    check : callable
        Refuses two methods on the same events that the target's tables cannot compare.

    Raises
    ------
    InputError
        If there are none; one is of another task or target, or of a method that was given before;
        or two methods are not on the same events, or not of what `check` asks for.
    """
    if not findings:
        raise InputError("no findings to evaluate")
    known: dict[str, Found] = {}
    for f in findings:
        if f.task != name:
            raise InputError(f"{f.method}: findings for task '{f.task}', not '{name}'")
        if f.target != target:
            raise InputError(f"{f.method}: findings of '{f.target}', not of '{target}'")
        if f.method in known:
            raise InputError(f"findings of '{f.method}' are given twice")
        known[f.method] = f
        _check_events(findings[0], f)
        check(findings[0], f)
    return tuple(findings)


def measured(findings: Sequence[Found], measure: Callable[[Findings], T]) -> dict[str, list[T]]:
    """Measure the tables of aligned findings, a block of events of all methods at a time.

    Parameters
    ----------
    findings : sequence of Found
        One for each method.
    measure : callable
        What is wanted of a block.

    Returns
    -------
    dict of str to list
        By method, what is measured of each block.

    Raises
    ------
    InputError
        If the true pixels or points of two methods differ.
    """
    parts: dict[str, list[T]] = {f.method: [] for f in findings}
    for blocks in zip(*(f.blocks() for f in findings), strict=True):
        for block in blocks:
            _check_tables(blocks[0], block)
            parts[block.method].append(measure(block))
    return parts


def _check_events(a: Found, b: Found) -> None:
    """Refuse two methods with other events."""
    if len(a) != len(b) or (a.key != b.key).any():
        only_a, only_b = len(np.setdiff1d(a.key, b.key)), len(np.setdiff1d(b.key, a.key))
        raise InputError(
            f"methods must be on the same events: '{a.method}' has {len(a)}, {only_a} of them "
            f"not in '{b.method}'; '{b.method}' has {len(b)}, {only_b} of them not in '{a.method}'"
        )
    check_truth(a, b, "energy", a.columns["energy"], b.columns["energy"])


def check_truth(a: Found, b: Found, what: str, of_a: np.ndarray, of_b: np.ndarray) -> None:
    """Refuse two methods that disagree on the truth that `what` names.

    Raises
    ------
    InputError
        If the two arrays are not equal, NaN and NaN taken as equal.
    """
    if not np.array_equal(of_a, of_b, equal_nan=of_a.dtype.kind == "f"):
        raise InputError(
            f"'{a.method}' and '{b.method}' disagree on the true {what}: their findings are "
            "of different image sets, or after different steps"
        )


class Part(NamedTuple):
    """Some of the events: the cells of `ENERGY`, and which they are."""

    cells: tuple[str, float, float, int]
    events: NDArray[np.bool_]


def energy_parts(findings: Found, edges: Sequence[float]) -> list[Part]:
    """All events, those in each bin of energy, low <= E < high, and those without an energy."""
    energy, nan = findings.columns["energy"].astype(np.float64), float("nan")
    bins: list[tuple[str, float, float, NDArray[np.bool_]]] = [
        ("all", nan, nan, np.ones(len(findings), dtype=bool))
    ]
    for k, (low, high) in enumerate(pairwise(edges)):
        bins.append((str(k + 1), low, high, (energy >= low) & (energy < high)))
    bins.append(("unknown", nan, nan, np.isnan(energy)))
    return [Part((*cells, int(own.sum())), own) for *cells, own in bins]  # type: ignore[arg-type]


def cutflow(
    findings: Sequence[Found], edges: Sequence[float], last: Sequence[tuple[str, int]]
) -> Table:
    """Denominators: from the events read to those in the tables, and `last` what is theirs."""
    energy = findings[0].columns["energy"].astype(np.float64)
    unknown = np.isnan(energy)
    outside = ~unknown & ~((energy >= edges[0]) & (energy < edges[-1]))
    steps = (
        ("in the tables", len(findings[0])),
        ("of them without a true energy", int(unknown.sum())),
        ("of them in no bin of energy", int(outside.sum())),
        *last,
    )
    return denominators(of_methods({f.method: f.cutflow for f in findings}), steps)


def of_methods(trained: Mapping[str, T]) -> dict[str, T]:
    """Of what is known of all trainings and baselines, that of networks' first ones alone."""
    return {name: own for name, own in trained.items() if network_of(name) == name}


def comparison(figures: Sequence[str], merits: Mapping[str, Merits], words: str) -> Table:
    """Each method against the first, paired.

    Parameters
    ----------
    figures : sequence of str
        Names of the F figures of merit, for all of which more is better.
    merits : mapping of str to Merits, (F,)
        By training or baseline, from the same bootstrap samples.
    words : str
        What the figures are, for the caption.
    """
    caption = (
        f"Each method against the first on the same events: {words}; the errors are from a paired "
        f"{BOOTSTRAP}; {SIGNIFICANCE}"
    )
    return Table("comparison", caption, COLUMNS, tuple(against_first(figures, by_method(merits))))
