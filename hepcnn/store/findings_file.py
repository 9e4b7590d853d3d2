"""Files of findings, written and read a block of events at a time.

In HDF5: ``/key``, ``/columns/NAME`` with one row an event, ``/tables/NAME/{offsets,COLUMN}`` with
any number of rows an event. The events are in the order in which they were written; who reads them
gets them sorted by key.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from hepcnn.errors import InputError
from hepcnn.store.findings import Findings, Found, check_names, check_offsets, tables_of
from hepcnn.store.hdf5 import DAMAGE, get_text, open_hdf5, set_text
from hepcnn.store.results import CHUNK, opened, written
from hepcnn.store.shard import Rows

FORMAT = "hepcnn-findings"
VERSION = 3

_JSON = ("classes", "views", "pixel_mm", "shape", "cutflow", "provenance")
_TEXT = ("task", "method", "target", "altered")
_Columns = Mapping[str, h5py.Dataset]


def write_findings(path: str | Path, blocks: Iterable[Findings]) -> None:
    """Write findings block by block, atomically; equal blocks give equal bytes.

    Parameters
    ----------
    path : path
        The file.
    blocks : iterable of Findings
        At least one; of the same method, each of other events, in any order. The file's cutflow
        is that of the blocks, with all events scored.

    Raises
    ------
    InputError
        If the file cannot be written, or an event is in two blocks.
    """
    with written(path, FORMAT, VERSION) as file:
        keys, first = [], None
        # Open to the end: a dataset that is closed packs its last chunk, however few its rows.
        datasets: dict[str, h5py.Dataset] = {}
        for block in blocks:
            if first is None:
                first = block
            elif block.described() != first.described():
                raise InputError(f"{path}: the blocks must be of the same method and images")
            keys.append(block.key)
            for name, array in sorted(_arrays(block).items()):
                if name in datasets:
                    _append(datasets[name], array, name.endswith("/offsets"))
                else:
                    datasets[name] = _made(file, name, array)
        if first is None:
            raise InputError(f"{path}: no findings to write")
        key = np.concatenate(keys)
        if twice := len(key) - len(np.unique(key)):
            raise InputError(f"{path}: {twice} events are found in twice")
        for name in _TEXT:
            set_text(file, name, getattr(first, name))
        for name in _JSON:
            set_text(file, name, json.dumps(getattr(first, name), sort_keys=True))
        set_text(file, "cutflow", json.dumps(first.cutflow_of(len(key))))


def _arrays(block: Findings) -> dict[str, np.ndarray]:
    """All datasets of a file, as this block has them."""
    arrays = {"key": block.key} | {f"columns/{n}": column for n, column in block.columns.items()}
    for table, rows in block.tables.items():
        arrays[f"tables/{table}/offsets"] = rows.offsets
        arrays |= {f"tables/{table}/{name}": column for name, column in rows.columns.items()}
    return arrays


def _made(file: h5py.File, name: str, array: np.ndarray) -> h5py.Dataset:
    """Make a dataset that can grow."""
    shape = array.shape[1:]
    # gzip, not a plugin's filter: every HDF5 reader opens it.
    dataset = {"compression": "gzip", "shuffle": True, "fletcher32": True}
    rows = max(CHUNK // (array.dtype.itemsize * math.prod(shape)), 1)
    dataset |= {"chunks": (rows, *shape), "maxshape": (None, *shape)}
    return file.create_dataset(name, data=array, **dataset)


def _append(stored: h5py.Dataset, array: np.ndarray, offsets: bool) -> None:
    """Append rows to a dataset; offsets go on from the last one."""
    n = len(stored)
    if offsets:
        array = array[1:] + stored[n - 1]
    stored.resize(n + len(array), axis=0)
    stored[n:] = array


def holds_findings(path: str | Path) -> bool:
    """Whether a file is one of `write_findings`, of any version."""
    try:
        with open_hdf5(path) as file:
            return get_text(file, "format") == FORMAT
    except DAMAGE:
        return False


@dataclass(frozen=True, eq=False, kw_only=True)
class FindingsFile(Found):
    """Findings whose tables stay in a file of `write_findings` until they are asked for.

    Attributes
    ----------
    path : Path
        The file.
    order : ndarray, (N,) int64
        Where in the file each event is.
    offsets : dict of str to ndarray, (N + 1,) int64
        Of each table, in the order of the file.

    Raises
    ------
    InputError
        Here and in all methods: if the file cannot be read, or its parts contradict one another.
    """

    path: Path
    order: NDArray[np.int64]
    offsets: dict[str, NDArray[np.int64]]

    def __post_init__(self) -> None:
        super().__post_init__()
        wanted = tables_of(self.target, len(self.classes), len(self.shape))
        check_names("tables", self.offsets, wanted)
        for name, offsets in self.offsets.items():
            check_offsets(name, offsets, len(self))

    def rows_of(self, table: str) -> NDArray[np.int64]:
        """See `Found`."""
        return np.diff(self.offsets[table])[self.order]

    def take(self, which: NDArray[np.integer]) -> Findings:
        """Read the findings of some events, whose indices must increase."""
        with _opened(self.path) as file:
            return self._read(_columns(file), which)

    def blocks(self) -> Iterator[Findings]:
        """See `Found`."""
        with _opened(self.path) as file:
            # Open to the end: chunks that two blocks have parts of are unpacked once.
            stored = _columns(file)
            for which in self.indices_of_blocks():
                yield self._read(stored, which)

    def _read(self, stored: Mapping[str, _Columns], which: NDArray[np.integer]) -> Findings:
        at = self.order[which]
        # Events that follow one another in the file are read at once.
        runs = np.split(at, np.flatnonzero(np.diff(at) != 1) + 1)
        return Findings(
            **self.described(),
            key=self.key[which],
            columns={name: column[which] for name, column in self.columns.items()},
            tables={
                name: Rows.join([_rows(stored[name], offsets, run) for run in runs])
                for name, offsets in self.offsets.items()
            },
            cutflow=self.cutflow_of(len(which)),
        )


def _columns(file: h5py.File) -> dict[str, _Columns]:
    """The columns of each table."""
    return {
        name: {column: values for column, values in table.items() if column != "offsets"}
        for name, table in file["tables"].items()
    }


def _rows(table: _Columns, offsets: NDArray[np.int64], run: NDArray[np.int64]) -> Rows:
    """Read the rows of events that follow one another."""
    start, stop = (int(run[0]), int(run[-1]) + 1) if len(run) else (0, 0)
    own = offsets[start : stop + 1]
    return Rows(own - own[0], {name: column[own[0] : own[-1]] for name, column in table.items()})


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    parts = (*_TEXT, *_JSON), ("key",), ("columns", "tables")
    with opened(path, FORMAT, VERSION, *parts) as file:
        yield file


def open_findings(path: str | Path) -> FindingsFile:
    """Read of a file of `write_findings` what there is one of an event; the tables stay there.

    Raises
    ------
    InputError
        If the file cannot be read, is of another format or version, lacks a part, or its parts
        contradict one another.
    """
    path = Path(path)
    with _opened(path) as file:
        parts: dict[str, Any] = {name: json.loads(get_text(file, name)) for name in _JSON}
        cutflow = tuple((step, count) for step, count in parts.pop("cutflow"))
        lists = {name: tuple(parts[name]) for name in ("classes", "views", "pixel_mm", "shape")}
        key = file["key"][()]
        order = np.argsort(key, order=key.dtype.names, kind="stable")
        offsets = {}
        for name, table in file["tables"].items():
            offsets[name] = table["offsets"][()]
            _check_lengths(name, table, int(offsets[name][-1]))
        text: dict[str, Any] = {name: get_text(file, name) for name in _TEXT}
        return FindingsFile(
            **text,
            **(parts | lists),
            key=key[order],
            columns={name: column[()][order] for name, column in file["columns"].items()},
            cutflow=cutflow,
            path=path,
            order=order,
            offsets=offsets,
        )


def _check_lengths(name: str, table: h5py.Group, rows: int) -> None:
    """Refuse columns of another length than the offsets tell."""
    for column, values in table.items():
        if column != "offsets" and len(values) != rows:
            raise InputError(f"{name}/{column}: {len(values)} rows where the offsets tell {rows}")


def read_findings(path: str | Path) -> Findings:
    """Read a whole file of `write_findings` into memory; as `open_findings`."""
    found = open_findings(path)
    return found.take(np.arange(len(found)))
