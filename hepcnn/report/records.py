"""Reading the records of tables: rows as plain values, as JSON has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from hepcnn.report.curves import Points

Records = Iterable[Mapping[str, Any]]


def number(value: float | str | None) -> float:
    """A number of a record: null is not known, ``inf`` is text."""
    return float("nan") if value is None else float(value)


class Estimate(NamedTuple):
    """A fraction with its lower and its upper error; NaN: not known."""

    value: float
    err_low: float
    err_high: float

    @property
    def text(self) -> str:
        """In %, with half the interval's width."""
        if np.isnan(self.value):
            return "n/a"
        error = (self.err_low + self.err_high) / 2
        return f"{100 * self.value:.1f}" + ("" if np.isnan(error) else f" ± {100 * error:.1f}")


def estimate(record: Mapping[str, Any], column: str) -> Estimate:
    """A value of a record with its errors."""
    return Estimate(*(number(record[f"{column}{part}"]) for part in ("", "_err_low", "_err_high")))


def of(records: Records, **wanted: Any) -> list[Mapping[str, Any]]:
    """The records with these values."""
    return [r for r in records if all(r[name] == value for name, value in wanted.items())]


def distinct(records: Records, column: str) -> list[Any]:
    """The values of a column, each once, in order."""
    return list(dict.fromkeys(r[column] for r in records))


def columns(records: Records, *names: str) -> list[np.ndarray]:
    """Columns of numbers, each (rows,)."""
    rows = list(records)
    return [np.array([number(r[name]) for r in rows], dtype=np.float64) for name in names]


def points(
    records: Records,
    column: str,
    edges: tuple[str, str] = ("p_low", "p_high"),
    scale: float = 1e-3,
) -> Points:
    """A proportion's records by bin, without the row of the whole range.

    Parameters
    ----------
    records : iterable of dict
        Rows of a table.
    column : str
        The proportion.
    edges : (str, str)
        Columns of a bin's edges.
    scale : float
        Factor to the axis' unit; by default from MeV to GeV.
    """
    rows = [r for r in records if r.get("bin") != "all"]
    names = (*edges, column, f"{column}_err_low", f"{column}_err_high")
    low, high, *values = columns(rows, *names)
    return Points(scale * low, scale * high, *values)
