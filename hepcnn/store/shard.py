"""Image shards: one HDF5 file of sparse images, self-describing, written whole or not at all.

A shard holds ``/key``, ``/views/NAME/{offsets,pixel,value}``, ``/truth/NAME``, ``/features/NAME``,
``/cutflow`` and ``/skipped``, and as JSON attributes of ``/`` all that a reader needs to know about
the images (`Header`) and where they came from.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence, Sized
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import h5py
import hdf5plugin
import numpy as np
import numpy.typing as npt

from hepcnn.detector.particles import SPECIES
from hepcnn.files import atomic_path

FORMAT = "hepcnn-images"
VERSION = 2
#: Name of an example: its event, and the index of its track in the event.
KEY = np.dtype([(name, np.int64) for name in ("run", "subrun", "event", "object")])
#: Columns of truth and their types; species is an index into the header's classes, −1 for others.
TRUTH: Mapping[str, type] = {"species": np.int16, "pdg": np.int32}
#: Features (float32) of all images: MeV, none, e, tracks in the event.
FEATURES = ("p", "eta", "charge", "n_tracks")

#: Unit of the channel `expected_other`, in photons.
DENSITY_UNIT = 1e-3


def analytic_features(riches: Sequence[str]) -> dict[str, int | None]:
    """Features that images in Cherenkov coordinates have from the analytic reconstruction.

    Of each RICH, for each of the six species: ``angle`` its expected θ (rad, 0: no light),
    ``photons`` the number of its photons expected, ``counts`` the hits within 3σ of its angle and
    ``expected_other`` the photons expected in these hits' pixels from all but the track; and
    ``theta_mean``, the mean θ (rad) of the hits within 3σ of any species' angle (0: none). Of all
    RICHes together ``log_local`` and ``log_global``: ln L of each species, and of a particle below
    threshold, less that of a pion.

    Parameters
    ----------
    riches : sequence of str
        The RICHes, which are the views.

    Returns
    -------
    dict of str to int or None
        Numbers of each feature, as `Header.features`.
    """
    each = ("angle", "photons", "counts", "expected_other")
    wide: dict[str, int | None] = {}
    for rich in riches:
        wide |= {f"{name}_{rich}": len(SPECIES) for name in each} | {f"theta_mean_{rich}": None}
    return wide | dict.fromkeys(("log_local", "log_global"), len(SPECIES) + 1)


#: Elements of a chunk.
CHUNK = 1 << 16
_TEXT = h5py.string_dtype()
CUTFLOW = np.dtype([("step", _TEXT), ("count", np.int64)])
SKIPPED = np.dtype([("file", _TEXT), ("reason", _TEXT), ("events", np.int64)])


class Skipped(NamedTuple):
    """A file that was left out, why, and how many events were lost (−1: unknown)."""

    file: str
    reason: str
    events: int


@dataclass(frozen=True)
class Axis:
    """One axis of an image: `bins` equal bins over [low, high) in `unit`."""

    name: str
    unit: str
    low: float
    high: float
    bins: int


@dataclass(frozen=True)
class Header:
    """What all images of a set have in common.

    Attributes
    ----------
    detector : str
        What made the events.
    views : tuple of str
        Names of the images of one example.
    shape : tuple of int
        Rows and columns of an image.
    channels : tuple of str
        What is counted.
    axes : dict of tuples of Axis
        For each view its row axis and its column axis.
    classes : tuple of str
        Names of the classes that ``truth/species`` indexes.
    maker : dict
        The image settings.
    features : dict of str to int or None
        For each feature how many numbers an example has, side by side; None: one, in a column
        without a second dimension.
    """

    detector: str
    views: tuple[str, ...]
    shape: tuple[int, int]
    channels: tuple[str, ...]
    axes: dict[str, tuple[Axis, Axis]]
    classes: tuple[str, ...]
    maker: dict[str, Any]
    features: dict[str, int | None] = field(default_factory=lambda: dict.fromkeys(FEATURES))

    @property
    def pixel_type(self) -> type[np.unsignedinteger[Any]]:
        """The smallest type that holds every pixel number, row·W + column."""
        return np.uint16 if self.shape[0] * self.shape[1] <= 1 << 16 else np.uint32

    def to_json(self) -> dict[str, Any]:
        """Plain lists and dictionaries, as stored."""
        return json.loads(json.dumps(asdict(self)))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`.

        Raises
        ------
        KeyError, TypeError
            If a part is missing or has another form.
        """
        height, width = data["shape"]
        axes = {view: (Axis(**row), Axis(**column)) for view, (row, column) in data["axes"].items()}
        return cls(
            detector=str(data["detector"]),
            views=tuple(data["views"]),
            shape=(int(height), int(width)),
            channels=tuple(data["channels"]),
            axes=axes,
            classes=tuple(data["classes"]),
            maker=dict(data["maker"]),
            features={name: width and int(width) for name, width in data["features"].items()},
        )


#: Names of the header's attributes in a file.
HEADER_KEYS = tuple(part.name for part in fields(Header))


@dataclass(frozen=True)
class Sparse:
    """Sparse images of one view: those pixels that are not zero in every channel.

    Attributes
    ----------
    offsets : int64 array (n + 1,)
        Image ``i`` is ``pixel[offsets[i]:offsets[i + 1]]``; the first offset is 0.
    pixel : uint16 or uint32 array (nnz,)
        row·W + column, increasing within an image.
    value : uint16 array (nnz, C)
        Counts in each channel.
    """

    offsets: npt.NDArray[np.int64]
    pixel: npt.NDArray[np.unsignedinteger[Any]]
    value: npt.NDArray[np.uint16]

    def __len__(self) -> int:
        return len(self.offsets) - 1


@dataclass(frozen=True)
class Images:
    """A block of examples in memory.

    Attributes
    ----------
    key : structured array (n,) of KEY
        Names of the examples.
    views : dict of Sparse
        The images, each of n examples.
    truth : dict of arrays (n,)
        The columns `TRUTH`.
    features : dict of float32 arrays (n,) or (n, k)
        The header's features.
    """

    key: npt.NDArray[np.void]
    views: dict[str, Sparse]
    truth: dict[str, np.ndarray]
    features: dict[str, npt.NDArray[np.float32]]

    def __len__(self) -> int:
        return len(self.key)


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
            # 1.10 files can hold attributes above 64 kB: the provenance of many inputs.
            self._file = stack.enter_context(h5py.File(temporary, "w", libver=("v110", "v110")))
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
        attributes = self._file.attrs
        attributes["format"] = FORMAT
        attributes["version"] = VERSION
        for name, value in self.header.to_json().items():
            attributes[name] = value if isinstance(value, str) else json.dumps(value)
        self._column("key", KEY)
        for name, kind in TRUTH.items():
            self._column(f"truth/{name}", kind)
        for name, width in self.header.features.items():
            self._column(f"features/{name}", np.float32, width)
        for view in self.header.views:
            self._column(f"views/{view}/offsets", np.int64)
            self._column(f"views/{view}/pixel", self.header.pixel_type)
            self._column(f"views/{view}/value", np.uint16, len(self.header.channels))
            self._extend(f"views/{view}/offsets", np.zeros(1, np.int64))

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
        column = self._columns[name]
        start = len(column)
        column.resize(start + len(rows), axis=0)
        column[start:] = rows

    def append(self, images: Images) -> None:
        """Add a block of examples.

        Raises
        ------
        ValueError
            If its views or columns are not the header's, or do not have one length.
        """
        self._check(images)
        self._extend("key", images.key)
        for name in TRUTH:
            self._extend(f"truth/{name}", images.truth[name])
        for name in self.header.features:
            self._extend(f"features/{name}", images.features[name])
        for view, sparse in images.views.items():
            stored = len(self._columns[f"views/{view}/pixel"])
            self._extend(f"views/{view}/offsets", sparse.offsets[1:] + stored)
            self._extend(f"views/{view}/pixel", sparse.pixel)
            self._extend(f"views/{view}/value", sparse.value)

    def _check(self, images: Images) -> None:
        for what, given, wanted in (
            ("views", images.views, self.header.views),
            ("truth", images.truth, TRUTH),
            ("features", images.features, self.header.features),
        ):
            if set(given) != set(wanted):
                raise ValueError(f"{what}: {sorted(given)} instead of {sorted(wanted)}")
        columns: dict[str, Sized] = {**images.truth, **images.features, **images.views}
        if wrong := [name for name, column in columns.items() if len(column) != len(images)]:
            raise ValueError(f"{', '.join(wrong)}: not as long as the key ({len(images)})")
        for name, width in self.header.features.items():
            if images.features[name].shape[1:] != (() if width is None else (width,)):
                raise ValueError(f"{name}: not {width or 1} numbers an example")
        for view, sparse in images.views.items():
            nnz = int(sparse.offsets[-1])
            if sparse.offsets[0] != 0 or (np.diff(sparse.offsets) < 0).any():
                raise ValueError(f"{view}: the offsets do not start at 0 or decrease")
            if sparse.pixel.shape != (nnz,) or sparse.value.shape != (
                nnz,
                len(self.header.channels),
            ):
                raise ValueError(f"{view}: {nnz} pixels by the offsets, but not in pixel or value")
            if not np.can_cast(sparse.pixel.dtype, self.header.pixel_type) or (
                sparse.value.dtype != np.uint16
            ):
                raise ValueError(f"{view}: pixel or value has another type than the format's")

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
        """
        self._file.attrs["provenance"] = json.dumps(provenance)
        self._file["cutflow"] = np.array(list(cutflow.items()), dtype=CUTFLOW)
        self._file["skipped"] = np.array([tuple(row) for row in skipped], dtype=SKIPPED)
        self._described = True
