"""Findings with given pixels, clusters, vertices and points; everything else is made up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hepcnn.detector.labels import PIXEL_CLASSES, POINTS
from hepcnn.store.findings import Findings, columns_of, tables_of
from hepcnn.store.shard import KEY, Rows

VIEWS = ("u", "y")
SHAPE = (16, 20)
PIXEL_MM = (5.0, 10.0)
CLASSES = {"semantic": PIXEL_CLASSES[:-1], "points": POINTS}


def keys(n: int) -> np.ndarray:
    key = np.zeros(n, KEY)
    key["run"], key["event"] = 7, np.arange(n)
    return key


def table(
    kinds: Mapping[str, Any], events: Sequence[Sequence[Mapping[str, Any]]], **default: Any
) -> Rows:
    """A table from each event's rows; what a row lacks is in `default`, or 0."""
    rows = [row for event in events for row in event]
    columns = {}
    for name, kind in kinds.items():
        shape = (len(rows),) if kind.width is None else (len(rows), kind.width)
        column = np.zeros(shape, kind.dtype)
        for i, row in enumerate(rows):
            column[i] = row.get(name, default.get(name, 0))
        columns[name] = column
    return Rows(np.cumsum([0, *map(len, events)], dtype=np.int64), columns)


def findings(
    target: str,
    tables: Mapping[str, Sequence[Sequence[Mapping[str, Any]]]],
    method: str = "net",
    columns: Mapping[str, Any] | None = None,
    shape: tuple[int, ...] = SHAPE,
    **changes: Any,
) -> Findings:
    """Findings with these tables, by event, and columns; those not given are NaN or 0."""
    n = len(next(iter(tables.values())))
    classes = changes.get("classes", CLASSES.get(target, ()))
    every = {}
    for name, kind in columns_of(target, len(VIEWS), len(shape)).items():
        size = (n,) if kind.width is None else (n, kind.width)
        empty = np.full(size, np.nan if kind.unknown else 0, kind.dtype)
        every[name] = np.asarray((columns or {}).get(name, empty), kind.dtype).reshape(size)
    none = {"box": np.nan, "instance": -1, "found": -1}
    parts: dict[str, Any] = {
        "task": "task",
        "method": method,
        "target": target,
        "classes": classes,
        "views": VIEWS,
        "pixel_mm": PIXEL_MM[: len(shape)] + (2.0,) * (len(shape) - 2),
        "shape": shape,
        "key": keys(n),
        "columns": every,
        "tables": {
            name: table(kinds, tables.get(name, [[]] * n), **none)
            for name, kinds in tables_of(target, len(classes), len(shape)).items()
        },
        "cutflow": (("events read", n + 1), ("scored", n)),
        "provenance": {"id": method},
    }
    return Findings(**(parts | changes))
