"""Findings: what one method found in the images of one split, where it is not one class an event.

A finding is the class of each pixel, the particle of each pixel, the vertex, or key points; beside
it stands the truth, so that the tables need no images. In HDF5: ``/key``, ``/columns/NAME`` with
one row an event, ``/tables/NAME/{offsets,COLUMN}`` with any number of rows an event.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from hepcnn.detector.labels import PIXEL_CLASSES, POINTS
from hepcnn.errors import InputError, nearest
from hepcnn.store.results import check_array, check_cutflow, check_probabilities, opened, written
from hepcnn.store.shard import KEY, Rows

FORMAT = "hepcnn-findings"
VERSION = 2
TARGETS = ("semantic", "instance", "vertex", "points")
#: Coordinates of a place in an image; their floor is the pixel.
PLACE = ("row", "column", "depth")
#: How far the float16 scores of a pixel may be from a sum of 1.
TOLERANCE = 1e-2

_JSON = ("classes", "views", "pixel_mm", "shape", "cutflow", "provenance")
_TEXT = ("task", "method", "target", "altered")


class Kind(NamedTuple):
    """Type of a column, its width (None: one number a row), and whether it may be NaN."""

    dtype: str
    width: int | None = None
    unknown: bool = False


def columns_of(target: str, views: int, axes: int) -> dict[str, Kind]:
    """The columns with one row an event.

    Parameters
    ----------
    target : str
        One of `TARGETS`.
    views, axes : int
        Number of views, and of the axes of an image.
    """
    common = {"energy": Kind("float32", None, True), "n_hits": Kind("float32")}
    if target != "vertex":
        return common
    return common | {
        "vertex_pixel": Kind("float32", axes * views, True),
        "vertex": Kind("float32", 3, True),
        "interaction": Kind("int16"),
        "box": Kind("float32", 2 * axes * views, True),
        "found": Kind("float32", 3, True),
        "found_score": Kind("float32"),
    }


def tables_of(target: str, classes: int, axes: int) -> dict[str, dict[str, Kind]]:
    """The tables with any number of rows an event, and their columns; as `columns_of`."""
    pixels = {
        "view": Kind("uint8"),
        "pixel": Kind("uint32"),
        "value": Kind("float32"),
        "semantic": Kind("uint8"),
        "instance": Kind("int16"),
    }
    place = {"view": Kind("int8"), **{name: Kind("float32") for name in PLACE[:axes]}}
    if target == "semantic":
        more = {"boundary": Kind("bool"), "scores": Kind("float16", classes)}
        return {"pixels": pixels | more}
    if target == "instance":
        clusters = {"view": Kind("uint8"), "cluster": Kind("int32"), "score": Kind("float32")}
        return {"pixels": pixels | {"found": Kind("int32")}, "clusters": clusters}
    if target == "vertex":
        more = {"score": Kind("float32"), "box": Kind("float32", 2 * axes, True)}
        return {"candidates": place | more}
    kind = {"kind": Kind("uint8")}
    return {"candidates": place | {"score": Kind("float32")} | kind, "points": place | kind}


@dataclass(frozen=True, eq=False)
class Findings:
    """What one method found in N events, with the truth.

    Attributes
    ----------
    task, method : str
        Name of the task; name of the network or of the baseline.
    target : {'semantic', 'instance', 'vertex', 'points'}
        What was looked for.
    classes : tuple of str
        Of `semantic` the C classes of pixels, without ``other``; of `points` the kinds of points;
        else none.
    views : tuple of str
        Names of the V views.
    pixel_mm : tuple of float
        Length of a pixel along each axis of an image (mm).
    shape : tuple of int
        Shape of an image, of D axes.
    key : ndarray, (N,) of `hepcnn.store.shard.KEY`
        Names of the events, sorted.
    columns : dict of str to ndarray, (N, ...)
        ``energy`` (MeV; NaN: unknown), ``n_hits``; of a `vertex` the true ``interaction`` (into
        `hepcnn.detector.labels.INTERACTIONS`, −1: none of them), ``vertex`` (N, 3) in cm,
        ``vertex_pixel`` (N, D·V) and ``box`` about it (N, 2·D·V: the low corner, the high one),
        view by view; ``found`` (N, 3) in cm, NaN if nothing was, with its ``found_score``.
    tables : dict of str to Rows
        Of `semantic` and `instance` ``pixels``, sorted by view and pixel within an event:
        ``view``, ``pixel`` (index into the image, the last axis fastest), ``value``, true
        ``semantic`` (into `PIXEL_CLASSES`) and ``instance`` (−1: nobody's), and either
        ``boundary`` (a neighbour has another true class) and ``scores`` (n, C), probabilities,
        or ``found``: the number of the cluster in the view, −1 none. Of `instance` also
        ``clusters``: ``view``, ``cluster``, ``score``. Of `vertex` and `points` ``candidates``:
        ``view``, `PLACE`, ``score``, and ``box`` (NaN: the method has none) or ``kind`` (into
        `classes`). Of `points` also ``points``, the true ones, without a score.
    cutflow : tuple of (str, int)
        Counts from the events read down to ``("scored", N)``.
    provenance : dict
        See `hepcnn.provenance.record`.
    altered : str
        The sample, where it is another than the task's.

    Raises
    ------
    InputError
        If shapes, types or values contradict one another; it names the part.
    """

    task: str
    method: str
    target: str
    classes: tuple[str, ...]
    views: tuple[str, ...]
    pixel_mm: tuple[float, ...]
    shape: tuple[int, ...]
    key: NDArray[np.void]
    columns: dict[str, np.ndarray]
    tables: dict[str, Rows]
    cutflow: tuple[tuple[str, int], ...]
    provenance: Mapping[str, Any]
    altered: str = ""

    def __post_init__(self) -> None:
        if self.target not in TARGETS:
            raise InputError(f"target: '{self.target}'; {nearest(self.target, TARGETS)}")
        self._check_images()
        self._check_classes()
        n, axes = len(self.key), len(self.shape)
        check_array("key", self.key, (n,), KEY)
        if not _increasing(self.key):
            raise InputError("key: the events must be sorted by run, subrun and event, each once")
        check_cutflow(self.cutflow, n)
        _check_columns("columns", self.columns, columns_of(self.target, len(self.views), axes), n)
        wanted = tables_of(self.target, len(self.classes), axes)
        _check_names("tables", self.tables, wanted)
        for name, kinds in wanted.items():
            offsets = self.tables[name].offsets
            check_array(f"{name}/offsets", offsets, (n + 1,), np.dtype(np.int64))
            if offsets[0] != 0 or (np.diff(offsets) < 0).any():
                raise InputError(f"{name}/offsets: must begin with 0 and not decrease")
            _check_columns(name, self.tables[name].columns, kinds, int(offsets[-1]))
            self._check_ranges(name)
        if "pixels" in wanted:
            self._check_pixels()
        if "clusters" in wanted:
            self._check_clusters()

    def __len__(self) -> int:
        return len(self.key)

    def event_of(self, table: str) -> NDArray[np.int64]:
        """Number of the event of each row of a table."""
        return np.repeat(np.arange(len(self)), np.diff(self.tables[table].offsets))

    def image_of(self, table: str) -> NDArray[np.int64]:
        """Number of the image of each row of a table: event · V + view."""
        return self.event_of(table) * len(self.views) + self.tables[table].columns["view"]

    def _check_images(self) -> None:
        if not self.views or len(set(self.views)) < len(self.views):
            raise InputError(f"views: {self.views} must be distinct names, at least one")
        if len(self.shape) not in (2, 3) or min(self.shape) < 1:
            raise InputError(f"shape: {self.shape} must be two or three lengths of at least 1")
        if len(self.pixel_mm) != len(self.shape) or not all(0 < p < np.inf for p in self.pixel_mm):
            raise InputError(f"pixel_mm: {self.pixel_mm} must be {len(self.shape)} lengths above 0")

    def _check_classes(self) -> None:
        known = {"semantic": PIXEL_CLASSES[:-1], "points": POINTS}.get(self.target, ())
        for name in self.classes:
            if name not in known:
                raise InputError(f"classes: '{name}'; {nearest(name, known)}")
        if len(set(self.classes)) < len(self.classes) or (known and not self.classes):
            raise InputError(f"classes: {self.classes} must be distinct names, at least one")

    def _check_ranges(self, table: str) -> None:
        """Refuse indices of a table beyond what they are indices of."""
        limits = {
            "view": (0, len(self.views) - 1),
            "pixel": (0, prod(self.shape) - 1),
            "semantic": (0, len(PIXEL_CLASSES) - 1),
            "kind": (0, len(self.classes) - 1),
            "instance": (-1, np.iinfo(np.int16).max),
            "found": (-1, np.iinfo(np.int32).max),
            "cluster": (0, np.iinfo(np.int32).max),
        }
        columns = self.tables[table].columns
        for name, (low, high) in limits.items():
            column = columns.get(name, np.zeros(0))
            if column.size and not low <= column.min() <= column.max() <= high:
                raise InputError(
                    f"{table}/{name}: from {column.min()} to {column.max()}; must be {low} "
                    f"to {high}"
                )

    def _check_pixels(self) -> None:
        columns = self.tables["pixels"].columns
        place = self.image_of("pixels") * prod(self.shape) + columns["pixel"]
        if (np.diff(place) <= 0).any():
            raise InputError("pixels: must be sorted by view and pixel in an event, each once")
        if self.target == "semantic":
            check_probabilities("pixels/scores", columns["scores"], TOLERANCE)

    def _check_clusters(self) -> None:
        clusters, pixels = self.tables["clusters"].columns, self.tables["pixels"].columns
        most = 1 + max(
            (int(c.max()) for c in (clusters["cluster"], pixels["found"]) if c.size), default=0
        )
        known = self.image_of("clusters") * most + clusters["cluster"]
        if len(np.unique(known)) < len(known):
            raise InputError("clusters: a cluster of a view is in the table twice")
        found = pixels["found"] >= 0
        used = np.unique((self.image_of("pixels") * most + pixels["found"])[found])
        if lacking := int(np.count_nonzero(~np.isin(used, known))):
            raise InputError(f"clusters: {lacking} clusters of the pixels are not in the table")


def _increasing(key: NDArray[np.void]) -> bool:
    """Whether each key is above the one before, field by field."""
    above = np.zeros(max(len(key) - 1, 0), dtype=bool)
    equal = ~above
    for name in KEY.names or ():
        above |= equal & (key[name][1:] > key[name][:-1])
        equal &= key[name][1:] == key[name][:-1]
    return bool(above.all())


def _check_names(what: str, given: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    if set(given) != set(wanted):
        raise InputError(f"{what}: {sorted(given)} must be {sorted(wanted)}")


def _check_columns(
    where: str, given: Mapping[str, np.ndarray], wanted: Mapping[str, Kind], n: int
) -> None:
    _check_names(where, given, wanted)
    for name, kind in wanted.items():
        shape = (n,) if kind.width is None else (n, kind.width)
        check_array(f"{where}/{name}", given[name], shape, np.dtype(kind.dtype), kind.unknown)


def write_findings(path: str | Path, findings: Findings) -> None:
    """Write findings atomically; equal findings give equal bytes.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    f = findings
    arrays = {"key": f.key} | {f"columns/{name}": column for name, column in f.columns.items()}
    for table, rows in f.tables.items():
        arrays[f"tables/{table}/offsets"] = rows.offsets
        arrays |= {f"tables/{table}/{name}": column for name, column in rows.columns.items()}
    with written(path, FORMAT, VERSION) as file:
        for name in _TEXT:
            file.attrs[name] = getattr(f, name)
        for name in _JSON:
            file.attrs[name] = json.dumps(getattr(f, name), sort_keys=True)
        # Sorted: two dictionaries that are equal can be in another order.
        for name, array in sorted(arrays.items()):
            # gzip, not a plugin's filter: every HDF5 reader opens it.
            dataset = {"compression": "gzip", "shuffle": True, "fletcher32": True, "chunks": True}
            file.create_dataset(name, data=array, **dataset)


def holds_findings(path: str | Path) -> bool:
    """Whether a file is one of `write_findings`, of any version."""
    try:
        with h5py.File(path, "r") as file:
            return bool(file.attrs.get("format") == FORMAT)
    except OSError:
        return False


def read_findings(path: str | Path) -> Findings:
    """Read and check a file of `write_findings`.

    Raises
    ------
    InputError
        If the file cannot be read, is of another format or version, lacks a part, or its parts
        contradict one another.
    """
    with opened(path, FORMAT, VERSION, (*_TEXT, *_JSON), ("key",), ("columns", "tables")) as file:
        return _read(file)


def _read(file: h5py.File) -> Findings:
    text = {name: str(file.attrs[name]) for name in _TEXT}
    parts = {name: json.loads(file.attrs[name]) for name in _JSON}
    lists = {name: tuple(parts[name]) for name in ("classes", "views", "pixel_mm", "shape")}
    known: dict[str, Any] = {**text, **lists}
    tables = {}
    for name, group in file["tables"].items():
        columns = {column: values[()] for column, values in group.items()}
        tables[name] = Rows(columns.pop("offsets"), columns)
    return Findings(
        **known,
        key=file["key"][()],
        columns={name: values[()] for name, values in file["columns"].items()},
        tables=tables,
        cutflow=tuple((step, count) for step, count in parts["cutflow"]),
        provenance=parts["provenance"],
    )
