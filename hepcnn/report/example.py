"""One example of an image set as arrays that can be drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepcnn.errors import InputError
from hepcnn.store.images import ImageSet
from hepcnn.store.shard import KEY, Axis, Header, Images, Sparse

#: Particles that are marked: those with the most charge.
MARKED = 6


@dataclass(frozen=True)
class Particle:
    """A particle that is marked: its place in the table (the pixels' `instance`), and what it is.

    `energy` (MeV) is kinetic, at its start.
    """

    row: int
    pdg: int
    energy: float


@dataclass(frozen=True, eq=False)
class Marks:
    """Places in one image, in the units of its axes, (row, column); NaN: not there.

    Attributes
    ----------
    vertex : ndarray (2,)
        The interaction.
    start, end : ndarray (P, 2)
        Of the marked particles.
    box : ndarray (P, 4)
        Low row, low column, high row, high column of the particle's pixels.
    """

    vertex: NDArray[np.float64]
    start: NDArray[np.float64]
    end: NDArray[np.float64]
    box: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Panel:
    """An image that can be drawn: a view, or a projection of a three-dimensional one.

    Attributes
    ----------
    title : str
        The view.
    rows, columns : Axis
        The axes; those of a window say where it is.
    values : ndarray (C, H, W)
        Each channel; 0 where there is nothing.
    truth : dict of str to ndarray (H, W) int
        The pixels' truth, −1 where there is nothing.
    marks : Marks
        Places in it.
    """

    title: str
    rows: Axis
    columns: Axis
    values: NDArray[np.float64]
    truth: dict[str, NDArray[np.int64]]
    marks: Marks


@dataclass(frozen=True, eq=False)
class Example:
    """One example.

    Attributes
    ----------
    index : int
        In the image set.
    detector : str
        What made the event.
    key : tuple of int
        Run, subrun, event, object.
    classes : dict of str to str
        By target its class, where it has one.
    energy : float
        True energy (MeV), NaN where there is none.
    channels : tuple of str
        What the pixels hold.
    panels : sequence of Panel
        The images.
    particles : sequence of Particle
        The marked ones.
    pixel_classes : tuple of str
        Names of the pixels' classes.
    """

    index: int
    detector: str
    key: tuple[int, ...]
    classes: dict[str, str]
    energy: float
    channels: tuple[str, ...]
    panels: Sequence[Panel]
    particles: Sequence[Particle]
    pixel_classes: tuple[str, ...]

    @property
    def name(self) -> str:
        """Which example it is, in words."""
        run, subrun, event, track = self.key
        whole = f"run {run}, subrun {subrun}, event {event}"
        return f"{whole}, track {track}" if self.detector == "rich" else whole


def find(images: ImageSet, wanted: Sequence[int]) -> int:
    """Find an example by run, subrun, event and, where an event has several, object.

    Raises
    ------
    InputError
        If there is none, with the nearest; or if the event has several.
    """
    key, names = images.key, KEY.names or ()
    columns = [key[name] for name in names[: len(wanted)]]
    found = np.flatnonzero(
        np.logical_and.reduce([c == n for c, n in zip(columns, wanted, strict=True)])
    )
    if len(found) == 1:
        return int(found[0])
    name = ":".join(map(str, wanted))
    if len(found):
        raise InputError(
            f"{images.paths[0]}: event {name} has {len(found)} examples; name one: "
            + _names(key[found[:3]], 4)
        )
    distance = [np.abs(c - n) for c, n in zip(columns, wanted, strict=True)]
    nearest = key[np.lexsort(distance[::-1])[:3]]
    there = f"; the nearest: {_names(nearest, len(wanted))}" if len(key) else "; there is none"
    raise InputError(f"{images.paths[0]}: no event {name}{there}")


def _names(keys: NDArray[np.void], parts: int) -> str:
    return ", ".join(dict.fromkeys(":".join(str(n) for n in list(key)[:parts]) for key in keys))


def read_example(images: ImageSet, index: int) -> Example:
    """Read one example with all its truth."""
    header, one = images.header, images.read(index, index + 1)
    energy = one.truth.get("energy")
    chosen, particles = _particles(one)
    panels = [
        panel
        for v, view in enumerate(header.views)
        for panel in _panels(header, one, v, view, chosen)
    ]
    return Example(
        index=index,
        detector=header.detector,
        key=tuple(int(n) for n in one.key[0]),
        classes={
            target: names[label]
            for target, names in header.classes.items()
            if target in one.truth and (label := int(one.truth[target][0])) >= 0
        },
        energy=float(energy[0]) if energy is not None else np.nan,
        channels=header.channels,
        panels=panels,
        particles=particles,
        pixel_classes=header.classes.get("semantic", ()),
    )


def _particles(one: Images) -> tuple[NDArray[np.int64], list[Particle]]:
    """Rows of the particles with the most charge, and what they are."""
    table = one.tables.get("particles")
    if table is None:
        return np.empty(0, np.int64), []
    columns = table.columns
    amount = columns["charge"] if "charge" in columns else columns["deposited"]  # planes, voxels
    charge = np.nansum(np.atleast_2d(amount.T), axis=0)
    chosen = np.argsort(-charge, kind="stable")[:MARKED]
    energy = columns.get("energy", np.full(len(charge), np.nan))
    return chosen, [Particle(int(r), int(columns["pdg"][r]), float(energy[r])) for r in chosen]


def _panels(
    header: Header, one: Images, v: int, view: str, chosen: NDArray[np.int64]
) -> list[Panel]:
    """A view as it is, or projected along each of its three axes."""
    dimensions, corner = len(header.shape), one.truth.get("corner")
    axes = [
        axis if corner is None else _moved(axis, float(corner[0, dimensions * v + d]))
        for d, axis in enumerate(header.axes[view])
    ]
    panels = []
    for kept in combinations(range(dimensions), 2):
        title = view.upper() if dimensions == 2 else "".join(axes[d].name for d in kept)
        marks = _marks(one, dimensions * v, dimensions, kept, axes, chosen)
        panels.append(_panel(title, header, one.views[view], axes, kept, marks))
    return panels


def _moved(axis: Axis, low: float) -> Axis:
    return replace(axis, low=axis.low + low, high=axis.high + low) if np.isfinite(low) else axis


def _panel(
    title: str,
    header: Header,
    sparse: Sparse,
    axes: Sequence[Axis],
    kept: tuple[int, ...],
    marks: Marks,
) -> Panel:
    """The pixels on two of the image's axes; of several in one place the truth of the largest."""
    shape = tuple(header.shape[d] for d in kept)
    place = np.unravel_index(sparse.pixel.astype(np.int64), header.shape)
    pixel = np.ravel_multi_index(tuple(place[d] for d in kept), shape)
    size = shape[0] * shape[1]
    values = [np.bincount(pixel, column, size) for column in sparse.value.T.astype(np.float64)]
    order = np.argsort(sparse.value[:, 0], kind="stable")
    truth = {name: np.full(size, -1, np.int64) for name in sparse.truth}
    for name, column in sparse.truth.items():
        truth[name][pixel[order]] = column[order]
    return Panel(
        title,
        axes[kept[0]],
        axes[kept[1]],
        np.array(values, np.float64).reshape(-1, *shape),
        {name: column.reshape(shape) for name, column in truth.items()},
        marks,
    )


def _marks(
    one: Images,
    first: int,
    dimensions: int,
    kept: tuple[int, ...],
    axes: Sequence[Axis],
    chosen: NDArray[np.int64],
) -> Marks:
    """Places on two axes of a view whose coordinates begin in column `first`, in their units."""
    low = np.array([axes[d].low for d in kept])
    step = np.array([(axes[d].high - axes[d].low) / axes[d].bins for d in kept])
    point = [first + d for d in kept]
    corners = [[2 * first + d for d in kept], [2 * first + dimensions + d for d in kept]]

    def places(column: NDArray[Any] | None, where: list[int]) -> NDArray[np.float64]:
        return np.empty((0, 2)) if column is None else low + column[:, where] * step

    table = one.tables.get("particles")
    columns = {} if table is None else {n: c[chosen] for n, c in table.columns.items()}
    vertex = one.truth.get("vertex_pixel")
    return Marks(
        vertex=np.full(2, np.nan) if vertex is None else places(vertex, point)[0],
        start=places(columns.get("start"), point),
        end=places(columns.get("end"), point),
        box=np.concatenate([places(columns.get("box"), where) for where in corners], axis=1),
    )
