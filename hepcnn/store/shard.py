"""Image shards: one HDF5 file of sparse images, self-describing, written whole or not at all.

A shard holds ``/key``, ``/views/NAME/{offsets,pixel,value}`` and with them the pixels' truth,
``/truth/NAME``, ``/features/NAME``, ``/tables/NAME/{offsets,COLUMN}``, ``/cutflow``, ``/skipped``
and ``/warnings``, and as JSON attributes of ``/`` all that a reader needs to know about the images
(`Header`) and where they came from.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import h5py
import hdf5plugin
import numpy as np
import numpy.typing as npt

from hepcnn.files import atomic_path
from hepcnn.rows import Rows as Rows
from hepcnn.store.hdf5 import made_hdf5, set_text, table, text_array
from hepcnn.store.header import Axis as Axis
from hepcnn.store.header import Header as Header
from hepcnn.store.header import Kind as Kind

FORMAT = "hepcnn-images"
VERSION = 3
#: Name of an example: its event, and the index of its track in the event (0: the whole event).
KEY = np.dtype([(name, np.int64) for name in ("run", "subrun", "event", "object")])

#: Elements of a chunk.
CHUNK = 1 << 16


class Skipped(NamedTuple):
    """A file that was left out, why, and how many events were lost (−1: unknown)."""

    file: str
    reason: str
    events: int


@dataclass(frozen=True, init=False)
class Sparse(Rows):
    """Sparse images of one view: those pixels that are not zero in every channel.

    The rows of an image are its pixels.

    Attributes
    ----------
    pixel : uint16 or uint32 array (nnz,)
        row·W + column, increasing within an image; in three dimensions (x·Y + y)·Z + z.
    value : uint16 or float32 array (nnz, C)
        Counts or measurements in each channel.
    truth : dict of arrays (nnz,)
        The pixels' truth: all other columns.
    """

    def __init__(
        self,
        offsets: npt.NDArray[np.int64],
        pixel: npt.NDArray[np.unsignedinteger[Any]],
        value: npt.NDArray[Any],
        truth: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        super().__init__(offsets, {"pixel": pixel, "value": value, **(truth or {})})

    @classmethod
    def of(cls, offsets: npt.NDArray[np.int64], columns: dict[str, np.ndarray]) -> Self:
        """Make images of their pixels as the rows of a table."""
        truth = dict(columns)
        return cls(offsets, truth.pop("pixel"), truth.pop("value"), truth)

    @property
    def pixel(self) -> npt.NDArray[np.unsignedinteger[Any]]:
        return self.columns["pixel"]

    @property
    def value(self) -> npt.NDArray[Any]:
        return self.columns["value"]

    @property
    def truth(self) -> dict[str, np.ndarray]:
        return {name: c for name, c in self.columns.items() if name not in ("pixel", "value")}


@dataclass(frozen=True)
class Images:
    """A block of examples in memory.

    Attributes
    ----------
    key : structured array (n,) of KEY
        Names of the examples.
    views : dict of Sparse
        The images, each of n examples.
    truth : dict of arrays (n,) or (n, k)
        The header's columns of truth.
    features : dict of float32 arrays (n,) or (n, k)
        The header's features.
    tables : dict of Rows
        The header's tables, each of n examples.
    """

    key: npt.NDArray[np.void]
    views: dict[str, Sparse]
    truth: dict[str, np.ndarray]
    features: dict[str, npt.NDArray[np.float32]]
    tables: dict[str, Rows] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.key)

    @property
    def columns(self) -> dict[str, np.ndarray]:
        """The columns with one row an example, by path, as `Header.columns`."""
        return {f"truth/{name}": column for name, column in self.truth.items()} | {
            f"features/{name}": column for name, column in self.features.items()
        }

    @property
    def ragged(self) -> dict[str, Rows]:
        """What has any number of rows an example, by path, as `Header.ragged`."""
        views: dict[str, Rows] = {f"views/{view}": own for view, own in self.views.items()}
        return views | {f"tables/{name}": rows for name, rows in self.tables.items()}

    def take(self, which: npt.NDArray[np.integer]) -> Self:
        """Some of the examples."""
        return replace(
            self,
            key=self.key[which],
            views={name: sparse.take(which) for name, sparse in self.views.items()},
            truth={name: column[which] for name, column in self.truth.items()},
            features={name: column[which] for name, column in self.features.items()},
            tables={name: rows.take(which) for name, rows in self.tables.items()},
        )


class ShardWriter:
    """Writes one shard, appending in bounded memory.

    The file appears under its name when the ``with`` block ends without an exception; otherwise
    nothing is left behind and an older file stays as it was.

    Parameters
    ----------
    path : path
        The shard.
    header : Header
        What all images have in common.

    Examples
    --------
    >>> with ShardWriter("shard.h5", header) as writer:  # doctest: +SKIP
    ...     writer.append(images)
    ...     writer.describe(record, cutflow={"kept": len(images)})
    """

    def __init__(self, path: str | Path, header: Header) -> None:
        self.path = Path(path)
        self.header = header
        self._stack = ExitStack()
        self._columns: dict[str, h5py.Dataset] = {}
        self._described = False

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            temporary = stack.enter_context(atomic_path(self.path))
            self._file = stack.enter_context(made_hdf5(temporary))
            self._create()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None and not self._described:
            error = ValueError(f"{self.path}: a shard must be described before it is closed")
            self._stack.__exit__(type(error), error, None)
            raise error
        self._stack.__exit__(kind, error, trace)

    def __len__(self) -> int:
        return len(self._columns["key"])

    def _create(self) -> None:
        """Write the header and make all columns, empty."""
        set_text(self._file, "format", FORMAT)
        self._file.attrs["version"] = VERSION
        for name, value in self.header.to_json().items():
            text = value if isinstance(value, str) else json.dumps(value)
            set_text(self._file, name, text)
        self._column("key", KEY)
        for name, (dtype, width) in self.header.columns.items():
            self._column(name, dtype, width)
        for group, columns in self.header.ragged.items():
            self._column(f"{group}/offsets", np.int64)
            self._extend(f"{group}/offsets", np.zeros(1, np.int64))
            for name, (dtype, width) in columns.items():
                self._column(f"{group}/{name}", dtype, width)

    def _column(self, name: str, dtype: npt.DTypeLike, width: int | None = None) -> None:
        tail = () if width is None else (width,)
        self._columns[name] = self._file.create_dataset(
            name,
            shape=(0, *tail),
            maxshape=(None, *tail),
            dtype=dtype,
            chunks=(max(CHUNK // (width or 1), 1), *tail),
            compression=hdf5plugin.Bitshuffle(cname="lz4"),
            # A damaged chunk is an error: decompressed unchecked, it is garbage or a crash.
            fletcher32=True,
            # Room for the chunk that is being filled: HDF5's own choice keeps megabytes of each
            # column, so that memory would grow with the file.
            rdcc_nbytes=CHUNK * np.dtype(dtype).itemsize,
        )

    def _extend(self, name: str, rows: np.ndarray) -> None:
        # By HDF5's own functions: h5py's indexing takes longer than a small block's compression.
        column, rows = self._columns[name].id, np.ascontiguousarray(rows)
        start, *tail = column.shape
        column.set_extent((start + len(rows), *tail))
        if len(rows):
            space = column.get_space()
            space.select_hyperslab((start, *(0 for _ in tail)), rows.shape)
            column.write(h5py.h5s.create_simple(rows.shape), space, rows)

    def append(self, images: Images) -> None:
        """Add a block of examples.

        Raises
        ------
        ValueError
            If its columns are not the header's, or do not have one length.
        """
        self._check(images)
        self._extend("key", images.key)
        for name, column in images.columns.items():
            self._extend(name, column)
        for group, rows in images.ragged.items():
            stored = self._columns[f"{group}/offsets"][-1]
            self._extend(f"{group}/offsets", rows.offsets[1:] + stored)
            for name, column in rows.columns.items():
                self._extend(f"{group}/{name}", column)

    def _check(self, images: Images) -> None:
        n, ragged = len(images), images.ragged
        _check_names("the images", ragged, self.header.ragged)
        _check_columns("", images.columns, self.header.columns, n)
        for group, kinds in self.header.ragged.items():
            offsets, columns = ragged[group].offsets, ragged[group].columns
            if len(offsets) != n + 1 or offsets[0] != 0 or (np.diff(offsets) < 0).any():
                raise ValueError(f"{group}: the offsets do not start at 0, decrease or are not {n}")
            _check_columns(f"{group}/", columns, kinds, int(offsets[-1]))

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """Take back what was appended in this block if an exception leaves it."""
        lengths = {name: len(column) for name, column in self._columns.items()}
        try:
            yield
        except BaseException:
            for name, length in lengths.items():
                self._columns[name].resize(length, axis=0)
            raise

    def describe(
        self,
        provenance: Mapping[str, Any],
        cutflow: Mapping[str, int],
        skipped: Sequence[Skipped] = (),
        warnings: Sequence[str] = (),
    ) -> None:
        """Say where the images came from and what was lost on the way; once, at the end.

        Parameters
        ----------
        provenance : mapping
            A record by `hepcnn.provenance.record`.
        cutflow : mapping
            Counts by step, in order.
        skipped : sequence of Skipped
            Files that were left out.
        warnings : sequence of str
            What looks wrong.
        """
        set_text(self._file, "provenance", json.dumps(provenance))
        self._file["cutflow"] = table({"step": list(cutflow)}, {"count": list(cutflow.values())})
        self._file["skipped"] = table(
            {"file": [row.file for row in skipped], "reason": [row.reason for row in skipped]},
            {"events": [row.events for row in skipped]},
        )
        self._file["warnings"] = text_array(warnings)
        self._described = True


def _check_names(what: str, given: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    if set(given) != set(wanted):
        raise ValueError(f"{what}: {sorted(given)} instead of {sorted(wanted)}")


def _check_columns(
    where: str, given: Mapping[str, np.ndarray], wanted: Mapping[str, Kind], n: int
) -> None:
    """Refuse columns that are not those wanted, or not of n rows, or would lose by a cast."""
    _check_names(where or "the columns", given, wanted)
    for name, (dtype, width) in wanted.items():
        column, shape = given[name], (n,) if width is None else (n, width)
        if column.shape != shape or not np.can_cast(column.dtype, dtype):
            raise ValueError(
                f"{where}{name}: {column.dtype} {column.shape} instead of {dtype} {shape}"
            )
