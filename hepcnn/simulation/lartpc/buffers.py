"""Buffers that the transport kernels work on: particles still to do, particles, deposits.

A kernel takes the uppermost item of the stack and works at it step by step. Before each step it
looks whether the buffers have room for what a step can make; if not, it puts the item back as it
is by then, and returns. The buffers are made larger and the kernel goes on where it was.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hepcnn.simulation.lartpc.compiled import inlined
from hepcnn.simulation.lartpc.records import Deposits, Particles, Primaries

Vector = tuple[float, float, float]
#: One entry of the buffers, a numpy record.
Record = Any

#: A particle that is still to be transported. `row` is the particle that its deposits belong to;
#: `head` says whether it is that particle itself, and not a part of its shower.
ITEM = np.dtype(
    [
        ("pdg", np.int32),
        ("row", np.int32),
        ("head", np.int64),
        ("energy", np.float64),
        ("position", np.float64, (3,)),
        ("direction", np.float64, (3,)),
        ("time", np.float64),
    ]
)
#: A row of `Particles`.
ROW = np.dtype(
    [
        ("pdg", np.int32),
        ("parent", np.int32),
        ("process", np.int32),
        ("origin", np.int32),
        ("energy", np.float64),
        ("start", np.float64, (3,)),
        ("end", np.float64, (3,)),
    ]
)
#: A row of `Deposits`.
DEPOSIT = np.dtype(
    [
        ("position", np.float64, (3,)),
        ("energy", np.float64),
        ("length", np.float64),
        ("time", np.float64),
        ("particle", np.int64),
    ]
)
#: Room that a step may need, in each buffer.
ROOM = 16
#: Indices into `Buffers.used`.
STACK, ROWS, DEPOSITS = 0, 1, 2
#: Entries that buffers begin with.
_FIRST = 4096


class Buffers(NamedTuple):
    """The three buffers, and how many entries of each are in use."""

    stack: NDArray[Any]
    rows: NDArray[Any]
    deposits: NDArray[Any]
    used: NDArray[np.int64]


@inlined
def has_room(buffers: Buffers) -> bool:
    """Whether all buffers can take what one step makes."""
    used = buffers.used
    return (
        used[STACK] + ROOM < buffers.stack.size
        and used[ROWS] + ROOM < buffers.rows.size
        and used[DEPOSITS] + ROOM < buffers.deposits.size
    )


@inlined
def set_vector(target: NDArray[np.float64], vector: Vector) -> None:
    """Write a vector into a record's."""
    target[0] = vector[0]
    target[1] = vector[1]
    target[2] = vector[2]


@inlined
def get_vector(source: NDArray[np.float64]) -> Vector:
    """Read a record's vector."""
    return (source[0], source[1], source[2])


@inlined
def push(
    buffers: Buffers,
    pdg: int,
    row: int,
    head: bool,
    energy: float,
    position: Vector,
    direction: Vector,
    time: float,
) -> None:
    """Put a particle on the stack."""
    item = buffers.stack[buffers.used[STACK]]
    item.pdg = pdg
    item.row = row
    item.head = head
    item.energy = energy
    set_vector(item.position, position)
    set_vector(item.direction, direction)
    item.time = time
    buffers.used[STACK] += 1


@inlined
def pop(buffers: Buffers) -> Record:
    """Take the uppermost item off the stack; what is pushed next overwrites it."""
    buffers.used[STACK] -= 1
    return buffers.stack[buffers.used[STACK]]


@inlined
def emit(
    buffers: Buffers,
    pdg: int,
    parent: int,
    process: int,
    energy: float,
    position: Vector,
    direction: Vector,
    time: float,
) -> None:
    """Make a particle with a row of its own, and put it on the stack."""
    number = buffers.used[ROWS]
    row = buffers.rows[number]
    row.pdg = pdg
    row.parent = parent
    row.process = process
    row.origin = buffers.rows[parent].origin
    row.energy = energy
    set_vector(row.start, position)
    set_vector(row.end, position)
    buffers.used[ROWS] += 1
    push(buffers, pdg, number, True, energy, position, direction, time)


@inlined
def end_at(buffers: Buffers, row: int, head: bool, position: Vector) -> None:
    """Note where a particle ended, unless it is only a part of its shower."""
    if head:
        set_vector(buffers.rows[row].end, position)


@inlined
def deposit(
    buffers: Buffers, row: int, energy: float, length: float, position: Vector, time: float
) -> None:
    """Leave energy at the middle of a step, if there is any."""
    if energy <= 0.0:
        return
    entry = buffers.deposits[buffers.used[DEPOSITS]]
    set_vector(entry.position, position)
    entry.energy = energy
    entry.length = length
    entry.time = time
    entry.particle = row
    buffers.used[DEPOSITS] += 1


def new_buffers() -> Buffers:
    """Make empty buffers."""
    return Buffers(
        np.zeros(_FIRST, ITEM),
        np.zeros(_FIRST, ROW),
        np.zeros(_FIRST, DEPOSIT),
        np.zeros(3, np.int64),
    )


def grown(buffers: Buffers) -> Buffers:
    """Give each buffer twice the size."""
    stack, rows, deposits = (np.concatenate([part, np.zeros_like(part)]) for part in buffers[:3])
    return Buffers(stack, rows, deposits, buffers.used)


def load(buffers: Buffers, primaries: Primaries) -> None:
    """Begin an event: the primaries are its first rows and all that is on the stack."""
    n = len(primaries)
    buffers.used[:] = n, n, 0
    rows, items = buffers.rows[:n], buffers.stack[:n]
    for part in (rows, items):
        part["pdg"], part["energy"] = primaries.pdg, primaries.energy
    rows["parent"], rows["process"], rows["origin"] = -1, 0, primaries.origin
    rows["start"] = rows["end"] = primaries.position
    items["row"], items["head"] = np.arange(n), True
    items["position"], items["direction"] = primaries.position, primaries.direction
    items["time"] = primaries.time


def unload(buffers: Buffers) -> tuple[Particles, Deposits]:
    """Copy an event's particles and deposits out."""
    rows = buffers.rows[: buffers.used[ROWS]]
    left = buffers.deposits[: buffers.used[DEPOSITS]]
    particles = Particles(
        rows["pdg"].copy(),
        rows["parent"].copy(),
        rows["process"].astype(np.int8),
        rows["origin"].astype(np.int8),
        rows["energy"].copy(),
        rows["start"].copy(),
        rows["end"].copy(),
    )
    deposits = Deposits(
        left["position"].copy(),
        left["energy"].copy(),
        left["length"].copy(),
        left["particle"].astype(np.int32),
        left["time"].copy(),
    )
    return particles, deposits
