"""A table of numbers, and the same numbers as JSON, CSV, Markdown and LaTeX.

CSV and JSON hold full precision in the units of storage (fractions, MeV); Markdown and LaTeX hold
the same numbers rounded, in the units of the headings (%, GeV/c). Equal tables give equal bytes.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from hepcnn.files import write_text
from hepcnn.performance.intervals import Proportion

Kind = Literal["text", "number", "estimate", "proportion", "weighted"]
#: What a cell of each kind becomes in CSV: columns NAME, NAME_err_low, …
_PROPORTION = ("", "err_low", "err_high", "n_pass", "n_total", "method")
PARTS: Mapping[Kind, tuple[str, ...]] = {
    "text": ("",),
    "number": ("",),
    "estimate": ("", "err_low", "err_high", "method"),
    "proportion": _PROPORTION,
    "weighted": (*_PROPORTION[:-1], "sumw", "sumw2", "n_eff", "method"),
}
FORMATS = ("json", "csv", "md", "tex")
#: What stands under tables of examples with weights.
WEIGHTED_EXAMPLES = (
    "all is of weighted examples (numbers of examples are not weighted): the errors are from the "
    "sums of squared weights, there are no exact binomial intervals, and negative weights can "
    "bring a fraction out of 0 to 100 %"
)


@dataclass(frozen=True)
class Number:
    """A number with errors, for a cell of kind ``estimate``."""

    value: float
    err_low: float
    err_high: float
    method: str


#: One cell: as its column's kind says.
Cell = str | int | float | Number | Proportion


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes
    ----------
    name : str
        In CSV and JSON.
    title : str
        In Markdown and LaTeX, with the unit.
    kind : {'text', 'number', 'estimate', 'proportion', 'weighted'}
        What its cells are: text, int or float, `Number`, scalar `Proportion`; ``weighted`` is a
        proportion that keeps its sums of weights.
    digits : int
        Decimals in Markdown and LaTeX.
    scale : float
        Factor from the unit of storage to the title's.
    """

    name: str
    title: str
    kind: Kind = "text"
    digits: int = 0
    scale: float = 1.0

    @property
    def names(self) -> list[str]:
        """Names of the columns in CSV."""
        return [f"{self.name}_{part}" if part else self.name for part in PARTS[self.kind]]

    def values(self, cell: Cell) -> list[str | int | float]:
        """The cell's values under `names`."""
        if isinstance(cell, (Number, Proportion)):
            return [_plain(getattr(cell, part or "value")) for part in PARTS[self.kind]]
        return [_plain(cell)]

    def shown(self, cell: Cell) -> tuple[str, ...]:
        """The cell for readers: one string, or the value and its two errors."""
        if isinstance(cell, (Number, Proportion)):
            parts = (cell.value, cell.err_low, cell.err_high)
            value, low, high = (self._rounded(float(v)) for v in parts)
            return (value,) if low == high == "n/a" else (value, low, high)
        return (cell if isinstance(cell, str) else self._rounded(cell),)

    def _rounded(self, value: int | float) -> str:
        if math.isnan(value):
            return "n/a"
        # A minus sign: a hyphen is not one in LaTeX's text.
        return f"{value * self.scale:.{self.digits}f}".replace("-", "−")


def _plain(value: Any) -> str | int | float:
    """A Python value for a numpy scalar or an array without dimensions."""
    return value.item() if hasattr(value, "item") else value


@dataclass(frozen=True)
class Table:
    """A named table with a caption.

    Attributes
    ----------
    name : str
        Name of its files.
    caption : str
        What the numbers are: units, method, population.
    columns : tuple of Column
    rows : tuple of tuple of Cell

    Raises
    ------
    ValueError
        If a row has another number of cells than there are columns.
    """

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def __post_init__(self) -> None:
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError(f"{self.name}: a row does not have {len(self.columns)} cells")

    def records(self) -> list[dict[str, str | int | float]]:
        """Rows as mappings from the names of CSV to plain values."""
        return [
            {
                name: value
                for column, cell in zip(self.columns, row, strict=True)
                for name, value in zip(column.names, column.values(cell), strict=True)
            }
            for row in self.rows
        ]

    def csv(self) -> str:
        """CSV: full precision, ``nan`` where nothing can be known."""
        text = io.StringIO()
        names = [name for column in self.columns for name in column.names]
        writer = csv.DictWriter(text, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.records())
        return text.getvalue()

    def json(self, provenance: Mapping[str, Any]) -> str:
        """JSON: the records, the cells as Markdown shows them, and where they come from.

        NaN is null, infinities are the strings ``inf`` and ``-inf``: JSON has neither.
        """
        content = {
            "name": self.name,
            "caption": self.caption,
            "columns": [{"name": c.name, "title": c.title, "kind": c.kind} for c in self.columns],
            "records": [{k: _finite(v) for k, v in r.items()} for r in self.records()],
            "shown": [[_joined(c) for c in row] for row in self._shown()],
            "provenance": provenance,
        }
        return json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False) + "\n"

    def markdown(self) -> str:
        """Markdown: a caption and a table; errors as ``value +high −low``."""
        lines = [self.caption, ""]
        lines.append("| " + " | ".join(c.title for c in self.columns) + " |")
        lines.append(
            "|" + "|".join(":--" if c.kind == "text" else "--:" for c in self.columns) + "|"
        )
        for row in self._shown():
            cells = [_joined(cell).replace("|", "\\|") for cell in row]
            lines.append("| " + " | ".join(cells) + " |")
        return "\n".join(lines) + "\n"

    def latex(self) -> str:
        """LaTeX, with the packages booktabs and longtable: errors as super- and subscripts."""
        align = "".join("l" if c.kind == "text" else "r" for c in self.columns)
        lines = [
            rf"\begin{{longtable}}{{{align}}}",
            rf"\caption{{{_escape(self.caption)}}}\label{{tab:{self.name}}} \\",
            r"\toprule",
            " & ".join(_escape(c.title) for c in self.columns) + r" \\",
            r"\midrule",
            r"\endhead",
            *(" & ".join(_latex(cell) for cell in row) + r" \\" for row in self._shown()),
            r"\bottomrule",
            r"\end{longtable}",
        ]
        return "\n".join(lines) + "\n"

    def _shown(self) -> list[list[tuple[str, ...]]]:
        return [
            [column.shown(cell) for column, cell in zip(self.columns, row, strict=True)]
            for row in self.rows
        ]


def with_weights(table: Table) -> Table:
    """The table of examples that have weights: with the sums of these, and a word on the errors."""
    columns = (replace(c, kind="weighted") if c.kind == "proportion" else c for c in table.columns)
    return replace(table, caption=f"{table.caption}; {WEIGHTED_EXAMPLES}", columns=tuple(columns))


def write_table(folder: Path, table: Table, provenance: Mapping[str, Any]) -> None:
    """Write a table in all `FORMATS`, each file atomically.

    Raises
    ------
    InputError
        If a file cannot be written.
    """
    texts = (table.json(provenance), table.csv(), table.markdown(), table.latex())
    for suffix, text in zip(FORMATS, texts, strict=True):
        write_text(folder / f"{table.name}.{suffix}", text)


def _finite(value: str | int | float) -> str | int | float | None:
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value


def _joined(cell: tuple[str, ...]) -> str:
    return cell[0] if len(cell) == 1 else f"{cell[0]} +{cell[2]} −{cell[1]}"


def _latex(cell: tuple[str, ...]) -> str:
    if len(cell) == 1:
        return _escape(cell[0])
    value, low, high = cell
    return f"${value.replace('−', '-')}^{{+{high}}}_{{-{low}}}$"


#: Characters that LaTeX reads as commands, and symbols that its text fonts lack.
_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        **{c: f"\\{c}" for c in "&%$#_{}"},
        "<": r"$<$",
        ">": r"$>$",
        "−": r"$-$",
        "∞": r"$\infty$",
        "π": r"$\pi$",
        "μ": r"$\mu$",
        "Δ": r"$\Delta$",
        "→": r"$\to$",
        "×": r"$\times$",
        "±": r"$\pm$",
    }
)


def _escape(text: str) -> str:
    return text.translate(_LATEX)
