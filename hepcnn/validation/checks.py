"""Checks: measured quantities with the bands they must lie in, as a table and figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table as Grid

from hepcnn.performance.table import Column, Table, write_table
from hepcnn.report.style import save

#: What the column `result` says.
PASSED, FAILED = "pass", "FAIL"


@dataclass(frozen=True)
class Row:
    """One quantity.

    Attributes
    ----------
    quantity : str
        What it is, with its unit.
    value : float
        As measured.
    low, high : float
        The band, ends included.
    """

    quantity: str
    value: float
    low: float
    high: float

    @property
    def passed(self) -> bool:
        """Whether the value lies in the band; NaN does not."""
        return self.low <= self.value <= self.high


@dataclass(frozen=True)
class Check:
    """What one check found.

    Attributes
    ----------
    name : str
        Of its figure's files, and in the table.
    title : str
        What is checked, in a sentence.
    rows : tuple of Row
        The quantities.
    draw : callable
        Draws the figure.
    """

    name: str
    title: str
    rows: tuple[Row, ...]
    draw: Callable[[], Figure]

    @property
    def passed(self) -> bool:
        """Whether all rows did."""
        return all(row.passed for row in self.rows)


def checks_table(checks: Sequence[Check], caption: str) -> Table:
    """One row a quantity, in the order of the checks."""
    columns = (
        Column("check", "check"),
        Column("quantity", "quantity"),
        Column("value", "value", "number", digits=3),
        Column("low", "from", "number", digits=3),
        Column("high", "to", "number", digits=3),
        Column("result", "result"),
    )
    rows = (
        (check.name, r.quantity, r.value, r.low, r.high, PASSED if r.passed else FAILED)
        for check in checks
        for r in check.rows
    )
    return Table("checks", caption, columns, tuple(rows))


def write_checks(
    folder: Path, table: Table, checks: Sequence[Check], made: Mapping[str, Any]
) -> None:
    """Write ``checks.{json,csv,md,tex}``, and ``figures/NAME.{png,pdf}`` of each check.

    Parameters
    ----------
    folder : Path
        Where.
    table : Table
        Of `checks_table`.
    checks : sequence of Check
        Whose figures are drawn.
    made : mapping
        Provenance, of `provenance.record`.
    """
    for check in checks:
        save(check.draw(), folder / "figures", check.name)
    write_table(folder, table, made)


def show(table: Table) -> None:
    """Print a table of checks, with what failed in red where there is colour."""
    grid = Grid(*(column.title for column in table.columns))
    for row in table.rows:
        cells = (column.shown(cell)[0] for column, cell in zip(table.columns, row, strict=True))
        grid.add_row(*cells, style="bold red" if FAILED in row else None)
    # In a log, lines as long as they need to be.
    console = Console()
    Console(width=console.width if console.is_terminal else 160).print(grid)
