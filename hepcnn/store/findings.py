"""Findings: what one method found in the images of one split, where it is not one class an event.

A finding is the class of each pixel, the particle of each pixel, the vertex, or key points; beside
it stands the truth, so that the tables need no images. They can be many: nothing has to hold those
of all events at once. Files of them are in `hepcnn.store.findings_file`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hepcnn.detector.labels import PIXEL_CLASSES, POINTS
from hepcnn.errors import InputError, nearest
from hepcnn.store.results import check_array, check_cutflow, check_probabilities
from hepcnn.store.shard import KEY, Rows

TARGETS = ("semantic", "instance", "vertex", "points")
#: Coordinates of a place in an image; their floor is the pixel.
PLACE = ("row", "column", "depth")
#: How far the float16 scores of a pixel may be from a sum of 1.
TOLERANCE = 1e-2
#: Events of a block.
EVENTS = 32


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


@dataclass(frozen=True, eq=False, kw_only=True)
class Found(ABC):
    """What one method found in N events, wherever its tables are: in memory or in a file.

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

    def __len__(self) -> int:
        return len(self.key)

    @abstractmethod
    def rows_of(self, table: str) -> NDArray[np.int64]:
        """Number of rows of a table that each event has, (N,)."""

    @abstractmethod
    def take(self, which: NDArray[np.integer]) -> Findings:
        """The findings of some events, whose indices must increase."""

    def blocks(self) -> Iterator[Findings]:
        """The findings of `EVENTS` events at a time; at least one block."""
        return map(self.take, self.indices_of_blocks())

    def indices_of_blocks(self) -> Iterator[NDArray[np.int64]]:
        """Indices of the events of each of the `blocks`."""
        for start in range(0, max(len(self), 1), EVENTS):
            yield np.arange(start, min(start + EVENTS, len(self)))

    def described(self) -> dict[str, Any]:
        """All fields of findings but those of events: key, columns, tables and cutflow."""
        names = {field.name for field in fields(Found)} - {"key", "columns", "cutflow"}
        return {name: getattr(self, name) for name in names}

    def cutflow_of(self, scored: int) -> tuple[tuple[str, int], ...]:
        """The cutflow of another number of these events."""
        return (*self.cutflow[:-1], ("scored", scored))

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


@dataclass(frozen=True, eq=False, kw_only=True)
class Findings(Found):
    """What one method found in N events, in memory, with the truth.

    Attributes
    ----------
    tables : dict of str to Rows
        Of `semantic` and `instance` ``pixels``, sorted by view and pixel within an event:
        ``view``, ``pixel`` (index into the image, the last axis fastest), ``value``, true
        ``semantic`` (into `PIXEL_CLASSES`) and ``instance`` (−1: nobody's), and either
        ``boundary`` (a neighbour has another true class) and ``scores`` (n, C), probabilities,
        or ``found``: the number of the cluster in the view, −1 none. Of `instance` also
        ``clusters``: ``view``, ``cluster``, ``score``. Of `vertex` and `points` ``candidates``:
        ``view``, `PLACE`, ``score``, and ``box`` (NaN: the method has none) or ``kind`` (into
        `classes`). Of `points` also ``points``, the true ones, without a score.

    Raises
    ------
    InputError
        If shapes, types or values contradict one another; it names the part.
    """

    tables: dict[str, Rows]

    def __post_init__(self) -> None:
        super().__post_init__()
        n, wanted = len(self), tables_of(self.target, len(self.classes), len(self.shape))
        check_names("tables", self.tables, wanted)
        for name, kinds in wanted.items():
            offsets = self.tables[name].offsets
            check_offsets(name, offsets, n)
            _check_columns(name, self.tables[name].columns, kinds, int(offsets[-1]))
            self._check_ranges(name)
        if "pixels" in wanted:
            self._check_pixels()
        if "clusters" in wanted:
            self._check_clusters()

    def rows_of(self, table: str) -> NDArray[np.int64]:
        """See `Found`."""
        return np.diff(self.tables[table].offsets)

    def take(self, which: NDArray[np.integer]) -> Findings:
        """See `Found`."""
        return Findings(
            **self.described(),
            key=self.key[which],
            columns={name: column[which] for name, column in self.columns.items()},
            tables={name: rows.take(which) for name, rows in self.tables.items()},
            cutflow=self.cutflow_of(len(which)),
        )

    def event_of(self, table: str) -> NDArray[np.int64]:
        """Number of the event of each row of a table."""
        return np.repeat(np.arange(len(self)), np.diff(self.tables[table].offsets))

    def image_of(self, table: str) -> NDArray[np.int64]:
        """Number of the image of each row of a table: event · V + view."""
        return self.event_of(table) * len(self.views) + self.tables[table].columns["view"]

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


def check_names(what: str, given: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Refuse other names than those wanted."""
    if set(given) != set(wanted):
        raise InputError(f"{what}: {sorted(given)} must be {sorted(wanted)}")


def _check_columns(
    where: str, given: Mapping[str, np.ndarray], wanted: Mapping[str, Kind], n: int
) -> None:
    check_names(where, given, wanted)
    for name, kind in wanted.items():
        shape = (n,) if kind.width is None else (n, kind.width)
        check_array(f"{where}/{name}", given[name], shape, np.dtype(kind.dtype), kind.unknown)


def check_offsets(table: str, offsets: np.ndarray, n: int) -> None:
    """Refuse offsets of a table that are not those of n events."""
    check_array(f"{table}/offsets", offsets, (n + 1,), np.dtype(np.int64))
    if offsets[0] != 0 or (np.diff(offsets) < 0).any():
        raise InputError(f"{table}/offsets: must begin with 0 and not decrease")
