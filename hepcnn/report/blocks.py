"""What a page is put together from: figures with their words, and tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from hepcnn.report import style
from hepcnn.report.packed import File
from hepcnn.report.reading import TableFile

#: Rows above which a table loads folded, and scrolls in a frame of its own.
LONG = 16
#: Rows above which a table is only handed on as a file.
HUGE = 300


@dataclass(frozen=True)
class Picture:
    """A figure with its words.

    Attributes
    ----------
    source : File
        The figure itself.
    size : (int, int)
        Its width and height on the page (CSS pixels), or less.
    alt : str
        What it shows, for who cannot see it.
    caption : str
    wide : bool
        Takes the page's whole width.
    """

    source: File
    size: tuple[int, int]
    alt: str
    caption: str
    wide: bool = False


@dataclass(frozen=True)
class Studio:
    """Writes figures into a folder and hands them to the page."""

    folder: Path

    def picture(
        self, figure: Figure, name: str, *, alt: str, caption: str, wide: bool = False
    ) -> Picture:
        """Save a figure as `name`.pdf and .png and give it to the page."""
        style.save(figure, self.folder, name)
        return Picture(style.for_page(figure), style.page_size(figure), alt, caption, wide)


#: A cell: its text, or a value with its upper and its lower error.
Cell = str | tuple[str, str, str]


@dataclass(frozen=True)
class Grid:
    """A table for the page.

    Attributes
    ----------
    caption : str
    titles : sequence of str
    numeric : sequence of bool
        By column: aligned to the right.
    rows : sequence of sequence of Cell
    downloads : dict of str to File
        By their names.
    """

    caption: str
    titles: Sequence[str]
    numeric: Sequence[bool]
    rows: Sequence[Sequence[Cell]]
    downloads: dict[str, File] = field(default_factory=dict)

    @property
    def long(self) -> bool:
        """Whether it loads folded, and scrolls in a frame of its own."""
        return len(self.rows) > LONG

    @property
    def huge(self) -> bool:
        """Whether it is only handed on as a file."""
        return len(self.rows) > HUGE


def grid(caption: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Grid:
    """A table of plain values: whole numbers with separators, to the right where all are."""
    numeric = [
        bool(rows) and all(isinstance(row[i], int) for row in rows) for i in range(len(columns))
    ]
    shown = [[f"{v:,}" if isinstance(v, int) else str(v) for v in row] for row in rows]
    return Grid(caption, columns, numeric, shown)


def from_file(
    table: TableFile,
    keep: Callable[[Mapping[str, Any]], bool] = lambda _: True,
    drop: Sequence[str] = (),
) -> Grid:
    """A table of `hepcnn evaluate`, as it shows itself, with its files to download.

    Parameters
    ----------
    table : TableFile
        As read.
    keep : callable
        Which of its records are shown.
    drop : sequence of str
        Columns that are not shown.
    """
    places = [i for i, column in enumerate(table.columns) if column["name"] not in drop]
    columns = [table.columns[i] for i in places]
    numeric = [column["kind"] != "text" for column in columns]
    rows = [
        [row[i] for i in places]
        for record, row in zip(table.records, table.shown, strict=True)
        if keep(record)
    ]
    # JSON of a huge table would be half of the page: CSV has the same numbers.
    files = {s: text for s, text in table.files.items() if s == "csv" or len(table.shown) <= HUGE}
    return Grid(
        caption=table.caption.replace("<=", "≤"),
        titles=[column["title"] for column in columns],
        numeric=numeric,
        rows=[
            [_cell(c) if number else c for c, number in zip(row, numeric, strict=True)]
            for row in rows
        ],
        downloads={f"{table.name}.{s}": File(text, s) for s, text in files.items()},
    )


def _cell(shown: str) -> Cell:
    """Part ``value +high −low``; equal errors become one."""
    value, *errors = shown.split(" ")
    if len(errors) != 2:
        return shown
    high, low = errors
    return f"{value} ± {high[1:]}" if high[1:] == low[1:] else (value, high, low)
