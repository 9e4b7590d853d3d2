"""Where LArCV's images lie and how large their pixels are, by the "meta" beside each.

Version 1 counts wires and ticks. In its original form an image's origin is its top left corner, and
rows count down from there; in later forks the origin is the lowest tick, and rows count up. No file
tells which: the sample's `rows` does. Version 2 says what it counts: wires and ticks, or
centimetres of any projection. In wires and ticks an image is a part of the wire planes of the
sample's geometry; in centimetres (or of a size that the configuration states) it is a plane of its
own. Either way one row is one tick, and one column one wire, of the TPC that `image_planes` gives.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import awkward as ak
import numpy as np
import numpy.typing as npt

from hepcnn.config import LArTPCSample
from hepcnn.config.samples import RowOrder
from hepcnn.detector.tpc import CM, PLANES, TPC, load_tpc
from hepcnn.errors import InputError, nearest
from hepcnn.events.chunk import EVENT_KEY, event_name
from hepcnn.events.sources import FileSpec, branch_names, decoding, open_tree
from hepcnn.events.streaming import in_steps

#: Branches that name the event, in every tree.
KEYS = ("_run", "_subrun", "_event")
#: The branch of the images' pixels, and of how many there are.
PIXELS = "_image_v._img"
ROWS, COLUMNS = "_image_v._meta._row_count", "_image_v._meta._col_count"
#: Origin and size in version 1, least and greatest coordinates in version 2.
_META_1 = tuple(f"_image_v._meta._{n}" for n in ("origin.x", "origin.y", "width", "height"))
_META_2 = tuple(f"_image_v._meta._{n}" for n in ("p1.x", "p1.y", "p2.x", "p2.y", "unit"))
#: LArCV 2's units of length that say how long a pixel is.
_CENTIMETRE, _WIRE_AND_TICK = 1, 2
#: Sizes that differ by less are rounded differently.
_ROUNDING = 1e-6
#: Arrays of some entries by the last part of their branches' names.
Arrays = Mapping[str, ak.Array]


class Frames(NamedTuple):
    """Where images lie, one after the other.

    Attributes
    ----------
    pixel : float64 array (n, 2)
        Length of a row and of a column (mm); NaN: the file does not say.
    first : float64 array (n, 2)
        Lowest tick and wire of the image, of the TPC that `image_planes` gives: whole numbers.
    units : float64 array (n, 2)
        Ticks in a row and wires in a column; NaN: it is a plane of its own.
    """

    pixel: npt.NDArray[np.float64]
    first: npt.NDArray[np.float64]
    units: npt.NDArray[np.float64]


@dataclass(frozen=True)
class ImagePlanes:
    """What the images of a file have in common.

    Attributes
    ----------
    tpc : TPC
        One row is one of its ticks, one column one of its wires.
    first : tuple of float
        Lowest tick and lowest wire of any image: whole numbers.
    shape : tuple of int
        Rows and columns from there to the end of the last image.
    """

    tpc: TPC
    first: tuple[float, float]
    shape: tuple[int, int]


def full_names(tree: Any, names: Iterable[str], spec: FileSpec) -> dict[str, str]:
    """Full names of branches by their last parts.

    Raises
    ------
    InputError
        If there is no such branch; it names the nearest.
    """
    known = branch_names(tree)
    for name in names:
        if name not in known:
            raise InputError(
                f"{spec}: no LArCV images or particles: no branch '{name}'; {nearest(name, known)}"
            )
    return {name: known[name] for name in names}


def key_of(arrays: Arrays) -> npt.NDArray[np.void]:
    """Names of entries, as the file has them."""
    key = np.empty(len(arrays["_run"]), EVENT_KEY)
    for name in EVENT_KEY.names or ():
        key[name] = ak.to_numpy(arrays[f"_{name}"])
    return key


def flat(array: ak.Array) -> np.ndarray:
    """Numbers of all lists, one after the other."""
    return np.asarray(ak.to_numpy(ak.flatten(array, axis=None)))


def refuse_image(
    key: npt.NDArray[np.void], event: np.ndarray, bad: npt.NDArray[np.bool_], what: str
) -> None:
    """Name the first image that is bad, if there is one, by its event and its number there."""
    if bad.any():
        i = int(np.argmax(bad))
        number = i - int(np.searchsorted(event, event[i]))
        raise InputError(f"{event_name(key[event[i]])}: image {number} {what}")


def meta_names(tree: Any) -> tuple[str, ...]:
    """The branches of a tree that say where its images lie; none if there are no such."""
    known = branch_names(tree)
    return next((m for m in (_META_1, _META_2) if all(n in known for n in m)), ())


def frames(meta: Arrays, tpc: TPC, rows: RowOrder) -> Frames:
    """Where the images of some entries lie, by what the file says.

    Pixels have whole numbers: an image that begins inside of one, as at wire 67 in columns of two
    wires, is moved to the nearest, upwards from the middle.

    Parameters
    ----------
    meta : mapping of str to Array
        Counts of rows and columns, and the branches of `meta_names`.
    tpc : TPC
        The sample's geometry.
    rows : {"up", "down"}
        Down: of version 1 the origin is where the last tick ends.
    """
    counts = np.stack([flat(meta[ROWS]), flat(meta[COLUMNS])], axis=1).astype(np.float64)
    if _META_1[0] in meta:
        x, y, width, height = (flat(meta[name]) for name in _META_1)
        y = y - height if rows == "down" else y
        unit = np.full(len(counts), _WIRE_AND_TICK)
    elif _META_2[0] in meta:
        x, y, right, top, unit = (flat(meta[name]) for name in _META_2)
        width, height = right - x, top - y
    else:
        nothing = np.full(counts.shape, np.nan)
        return Frames(nothing, np.zeros(counts.shape), nothing)
    with np.errstate(all="ignore"):
        size = np.stack([height, width], axis=1) / counts
        # Halves all upwards: images that are whole pixels apart stay so.
        first = np.floor(np.stack([y, x], axis=1) / size + 0.5)
    sized = (np.isfinite(size) & (size > 0) & np.isfinite(first)).all(axis=1)
    wires, lengths = (
        (sized & (unit == kind))[:, None] for kind in (_WIRE_AND_TICK, _CENTIMETRE)
    )  # fmt: skip
    of_wires = size * (tpc.mm_per_tick, tpc.pitch)
    pixel = np.where(wires, of_wires, np.where(lengths, CM * size, np.nan))
    return Frames(pixel, np.where(wires, first, 0.0), np.where(wires, size, np.nan))


def image_planes(spec: FileSpec, sample: LArTPCSample) -> ImagePlanes:
    """The planes that a file's images are of, and what they cover of them.

    Parameters
    ----------
    spec : FileSpec
        The file; its own tree, if it names one, goes before `sample.tree`.
    sample : LArTPCSample
        Name of the images' tree, geometry, and size of a pixel for files that do not say it.

    Raises
    ------
    InputError
        If the file has no images or is damaged; if it does not say how long their pixels are and
        the configuration does not either, or says something else; if they are not all alike, or
        one of version 1 ends beyond the readout.
    """
    geometry = load_tpc(sample.geometry)
    extent = _Extent(sample, geometry.readout.ticks)
    with open_tree(spec, sample.tree) as tree, decoding(f"{spec}: cannot read LArCV's images"):
        used = full_names(tree, (*KEYS, PIXELS, ROWS, COLUMNS, *meta_names(tree)), spec)
        del used[PIXELS]  # only seen to be there: they are most of the file
        for step in in_steps(tree, set(used.values()), None, str(spec)):
            arrays = {name: step[full] for name, full in used.items()}
            try:
                _check_numbers(arrays)
                extent.add(arrays, frames(arrays, geometry, sample.rows))
            except InputError as error:
                raise InputError(f"{spec}: {error}") from error
    if extent.pixel is None or extent.units is None:
        raise InputError(f"{spec}: no entry of '{spec.tree or sample.tree}' has an image")
    rows, columns = (int(n) for n in extent.end - extent.first)
    # Rounded, for files whose edges differ are not of another size because of the last bit.
    if np.isfinite(extent.units).all():
        tpc = _in_pixels(geometry, *(float(f"{unit:.9g}") for unit in extent.units))
    else:
        row, column = (float(f"{length:.9g}") for length in extent.pixel)
        tpc = _of_its_own(geometry, row, column, rows, columns)
    tick, wire = extent.first.tolist()
    return ImagePlanes(tpc, (tick, wire), (rows, columns))


def _check_numbers(arrays: Arrays) -> None:
    """Refuse meta that are not one of each image."""
    for name in sorted(arrays.keys() - set(KEYS)):
        if arrays[name].ndim != 2:
            raise InputError(f"'{name}' is no list: one number of each image is needed")
    number = ak.num(arrays[ROWS])
    for name in sorted(arrays.keys() - set(KEYS)):
        if (other := ak.to_numpy(ak.num(arrays[name]) != number)).any():
            i = int(np.argmax(other))
            raise InputError(
                f"{event_name(key_of(arrays)[i])}: there are {number[i]} of '{ROWS}' and "
                f"{len(arrays[name][i])} of '{name}': one of each image is needed"
            )


class _Extent:
    """Size of a file's pixels, all alike, and where its images begin and end."""

    def __init__(self, sample: LArTPCSample, ticks: int) -> None:
        self._stated = np.array(sample.pixel) if sample.pixel else None
        self._rows, self._ticks = sample.rows, ticks
        self.pixel: npt.NDArray[np.float64] | None = None
        self.units: npt.NDArray[np.float64] | None = None
        self.first, self.end = np.full(2, np.inf), np.full(2, -np.inf)

    def add(self, arrays: Arrays, found: Frames) -> None:
        """Add the images of some entries; those without any pixel say nothing."""
        key = key_of(arrays)
        event = np.repeat(np.arange(len(key)), ak.to_numpy(ak.num(arrays[ROWS])))
        counts = np.stack([flat(arrays[ROWS]), flat(arrays[COLUMNS])], axis=1).astype(np.float64)
        some = np.asarray((counts > 0).all(axis=1))
        if not some.any():
            return
        pixel = found.pixel
        unsaid = np.asarray(np.isnan(pixel).any(axis=1))
        if self._stated is None:
            refuse_image(
                key, event, some & unsaid,
                "does not say how long its pixels are: give `pixel: [ROW, COLUMN]` (mm) in the "
                "sample",
            )  # fmt: skip
        else:
            other = ~unsaid & ~_alike(pixel, self._stated)
            row, column = pixel[np.argmax(some & other)]
            refuse_image(
                key, event, some & other,
                f"has pixels of {row:g} mm × {column:g} mm by the file itself, and the "
                f"configuration says `pixel: [{self._stated[0]:g}, {self._stated[1]:g}]`: leave "
                "that out",
            )  # fmt: skip
            pixel = np.where(unsaid[:, None], self._stated, pixel)
        if self.pixel is None or self.units is None:
            self.pixel, self.units = pixel[np.argmax(some)], found.units[np.argmax(some)]
        row, column = self.pixel
        own = np.isnan(found.units).any(axis=1) != np.isnan(self.units).any()
        refuse_image(
            key, event, some & (own | ~_alike(pixel, self.pixel)),
            f"has pixels of another size or unit than the file's first image, {row:g} mm × "
            f"{column:g} mm: all must be alike",
        )  # fmt: skip
        if _META_1[0] in arrays:
            origin, height = (flat(arrays[name]) for name in (_META_1[1], _META_1[3]))
            row = np.where(some, found.units[:, 0], np.nan)  # not a number is not beyond
            bad, why = _beyond(origin, height, row, self._rows, self._ticks)
            refuse_image(key, event, bad, why)
        self.first = np.minimum(self.first, found.first[some].min(axis=0))
        self.end = np.maximum(self.end, (found.first + counts)[some].max(axis=0))


def _beyond(
    origin: np.ndarray, height: np.ndarray, row: np.ndarray, rows: RowOrder, ticks: int
) -> tuple[npt.NDArray[np.bool_], str]:
    """Which images of version 1 have whole rows outside of the readout, and why the first has."""
    starts = {"up": origin, "down": origin - height}
    bad = np.asarray((starts[rows] <= -row) | (starts[rows] + height - row >= ticks))
    i = np.argmax(bad)
    spans = {key: f"{low[i]:g} to {low[i] + height[i]:g}" for key, low in starts.items()}
    return bad, (
        f"covers the ticks {spans[rows]}, beyond the geometry's readout, 0 to {ticks}. With `rows: "
        f"up`, as in later forks of LArCV 1, rows count up from the origin: ticks {spans['up']}; "
        "with `rows: down`, as in the original LArCV 1, down from it: ticks "
        f"{spans['down']}. Give the right one in the sample, or the right geometry"
    )


def _alike(sizes: npt.NDArray[np.float64], size: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Which rows of sizes are a size, but for rounding; NaN is none."""
    return np.asarray(np.isclose(sizes, size, rtol=_ROUNDING, atol=0).all(axis=1))


def _in_pixels(tpc: TPC, ticks: float, wires: float) -> TPC:
    """A TPC with so many of its ticks in one, and of its wires."""
    readout = tpc.readout
    planes = {
        name: plane.model_copy(
            update={
                "wires": math.ceil(plane.wires / wires),
                "offset": (plane.offset + 0.5) / wires - 0.5,
            }
        )
        for name in PLANES
        for plane in [tpc.plane(name)]
    }
    times = {
        "tick": readout.tick * ticks,
        "ticks": math.ceil(readout.ticks / ticks),
        "trigger": readout.trigger / ticks,
    }
    return tpc.model_copy(
        update={
            "pitch": tpc.pitch * wires,
            "planes": tpc.planes.model_copy(update=planes),
            "readout": readout.model_copy(update=times),
        }
    )


def _of_its_own(tpc: TPC, row: float, column: float, rows: int, columns: int) -> TPC:
    """A TPC with planes of so many rows and columns of a length (mm)."""
    planes = {
        name: tpc.plane(name).model_copy(update={"wires": columns, "offset": 0.0})
        for name in PLANES
    }
    times = {"tick": row / tpc.drift.velocity, "ticks": rows, "trigger": 0.0}
    return tpc.model_copy(
        update={
            "drift_volumes": 1,
            "volume": tpc.volume.model_copy(update={"x": (0.0, row * rows)}),
            "pitch": column,
            "planes": tpc.planes.model_copy(update=planes),
            "readout": tpc.readout.model_copy(update=times),
        }
    )
