"""Tables of the classes of pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from hepcnn.performance.aligned import ENERGY, Part
from hepcnn.performance.bootstrap import BOOTSTRAP, Merits, joined, ratio
from hepcnn.performance.columns import METHOD, percent
from hepcnn.performance.pixels.counts import GROUPS, Counts
from hepcnn.performance.table import Cell, Column, Table

#: The counts of each method, by the task's classes and by track and shower.
ByMethod = Mapping[str, tuple[Counts, Counts]]
_CLASSES = Column("classes", "classes")
_PIXELS = Column("pixels", "# pixels", "number")
_WRONG = percent("wrong", "wrong pixels", "estimate")
_BY_EVENT = percent("wrong_by_event", "wrong pixels, mean of the events", "estimate")
_WORDS = (
    "a pixel is called the class of the greatest score, track or shower by the sums of the scores "
    "of their classes; pixels of no known particle (other) do not count; errors from a "
    f"{BOOTSTRAP}"
)
_GROUPS = " and ".join(f"{name} ({', '.join(members)})" for name, members in GROUPS.items())


def pixels(found: ByMethod, times: NDArray[np.int16]) -> Table:
    """Wrong pixels and mean IoU of each method."""
    columns = (
        *(METHOD, _CLASSES, Column("events", "# events", "number"), _PIXELS, _WRONG, _BY_EVENT),
        percent("mean_iou", "mean IoU", "estimate"),
    )
    rows: list[tuple[Cell, ...]] = []
    for method, groupings in found.items():
        for c in groupings:
            n = c.pixels.sum(axis=1)
            figures = (c.wrong(times), c.wrong_by_event(times), c.mean_iou(times))
            counted = (int(np.count_nonzero(n)), int(n.sum()))
            rows.append((method, c.name, *counted, *(f.number for f in figures)))
    caption = (
        "Wrong pixels, as a fraction of all pixels and as the mean of the fractions of the events "
        "that have pixels, and the mean over the classes of intersection over union of true and "
        f"called pixels; {_WORDS}"
    )
    return Table("pixels", caption, columns, tuple(rows))


def pixel_classes(found: ByMethod, times: NDArray[np.int16]) -> Table:
    """Efficiency, purity and IoU of each class."""
    columns = (
        *(METHOD, Column("class", "class"), Column("pixels", "# true pixels", "number")),
        *(percent(n, n, "estimate") for n in ("efficiency", "purity")),
        percent("iou", "IoU", "estimate"),
    )
    rows: list[tuple[Cell, ...]] = []
    for method, groupings in found.items():
        for c in groupings:
            true = c.cells.sum(axis=(0, 2))
            figures = [f(times).numbers for f in (c.efficiency, c.purity, c.iou)]
            rows += [
                (method, name, int(n), *cells)
                for name, n, *cells in zip(c.classes, true, *figures, strict=True)
            ]
    caption = (
        "Efficiency (true called so / true), purity (true called so / called so) and intersection "
        f"over union of each class of pixels, and of {_GROUPS}; {_WORDS}"
    )
    return Table("pixel_classes", caption, columns, tuple(rows))


def boundary(found: ByMethod, times: NDArray[np.int16]) -> Table:
    """Wrong pixels at boundaries of true classes, and elsewhere."""
    columns = (METHOD, _CLASSES, Column("where", "where"), _PIXELS, _WRONG)
    rows: list[tuple[Cell, ...]] = []
    for method, groupings in found.items():
        for c in groupings:
            wrong = ratio(times, c.pixels - c.right, c.pixels)
            for k in (1, 0):
                where = "at a boundary" if k else "elsewhere"
                n = int(c.pixels[:, k].sum())
                rows.append((method, c.name, where, n, wrong[k].number))
    caption = (
        "Wrong pixels at boundaries, where an occupied pixel beside or diagonally across has "
        f"another true class, and elsewhere; {_WORDS}"
    )
    return Table("boundary", caption, columns, tuple(rows))


def pixel_energy(found: ByMethod, parts: Sequence[Part], times: NDArray[np.int16]) -> Table:
    """Wrong pixels, whole and in bins of true energy."""
    columns = (METHOD, _CLASSES, *ENERGY, _PIXELS, _WRONG, _BY_EVENT)
    rows: list[tuple[Cell, ...]] = []
    for method, groupings in found.items():
        for c in groupings:
            for part in parts:
                own, drawn = c.take(part.events), times[:, part.events]
                figures = (own.wrong(drawn).number, own.wrong_by_event(drawn).number)
                rows.append((method, c.name, *part.cells, int(own.pixels.sum()), *figures))
    caption = (
        "Wrong pixels in bins of true energy, low <= E < high, and in the events without one, such "
        f"as cosmic rays (unknown); {_WORDS}"
    )
    return Table("pixel_energy", caption, columns, tuple(rows))


def compared(found: ByMethod, times: NDArray[np.int16]) -> tuple[list[str], dict[str, Merits]]:
    """Figures of merit, more of which is better, and their values by method."""
    groupings = next(iter(found.values()))
    names = [
        *(f"right pixels, {c.name}" for c in groupings),
        *(f"right pixels, {c.name}, mean of the events" for c in groupings),
        *(f"mean IoU, {c.name}" for c in groupings),
        *(f"efficiency of {name}" for c in groupings for name in c.classes),
    ]
    return names, {method: _figures(own, times) for method, own in found.items()}


def _figures(groupings: tuple[Counts, Counts], times: NDArray[np.int16]) -> Merits:
    wrong = joined(
        [c.wrong(times) for c in groupings] + [c.wrong_by_event(times) for c in groupings]
    )
    right = Merits(1 - wrong.value, 1 - wrong.draws)
    more = [c.mean_iou(times) for c in groupings] + [c.efficiency(times) for c in groupings]
    return joined([right, *more])


def confusion(method: str, counts: Counts, times: NDArray[np.int16]) -> Table:
    """Pixels by true and called class."""
    columns = (
        *(Column("true", "true"), Column("called", "called"), _PIXELS),
        percent("of_true", "of the true", "estimate"),
        percent("of_called", "of those called so", "estimate"),
    )
    cells = counts.cells
    of_true = ratio(times, cells, cells.sum(axis=2, keepdims=True)).numbers
    of_called = ratio(times, cells, cells.sum(axis=1, keepdims=True)).numbers
    pairs = product(counts.classes, repeat=2)
    number = cells.sum(axis=0).ravel()
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (*pair, int(n), *shares)
        for pair, n, *shares in zip(pairs, number, of_true, of_called, strict=True)
    )
    caption = f"{method}: pixels by true and called class; {_WORDS}"
    return Table(f"confusion_{method}", caption, columns, rows)
