"""How long pixels are: the axes' units, in mm, are part of the header of an image set."""

from __future__ import annotations

from hepcnn.detector.tpc import TPC
from hepcnn.store.shard import Axis, Header

#: Entry of a header's maker: the lengths (mm) of the units of its axes.
UNITS = "mm_per_unit"


def units_of(tpc: TPC) -> dict[str, dict[str, float]]:
    """What the maker of a TPC's images holds beside its settings: the lengths of axes' units."""
    return {UNITS: {"ticks": tpc.mm_per_tick, "wires": tpc.pitch, "mm": 1.0}}


def bin_width(axis: Axis) -> float:
    """Length of a bin, in the axis' unit."""
    return (axis.high - axis.low) / axis.bins


def pixel_size(header: Header, view: str) -> tuple[float, ...]:
    """Edges of a view's pixels (mm): along the drift and across the wires, or along x, y and z."""
    mm = header.maker[UNITS]
    return tuple(bin_width(axis) * mm[axis.unit] for axis in header.axes[view])
