"""How long pixels are, and where: an image set's header says so, with the TPC's geometry."""

from __future__ import annotations

from typing import Any

from hepcnn.detector.tpc import TPC
from hepcnn.errors import InputError
from hepcnn.store.shard import Axis, Header

#: Entries of a header's maker: the lengths (mm) of the units of its axes, and the geometry.
UNITS, GEOMETRY = "mm_per_unit", "geometry"


def units_of(tpc: TPC) -> dict[str, dict[str, Any]]:
    """What the maker of a TPC's images holds beside its settings."""
    units = {"ticks": tpc.mm_per_tick, "wires": tpc.pitch, "mm": 1.0}
    return {UNITS: units, GEOMETRY: tpc.model_dump(mode="json")}


def tpc_of(header: Header) -> TPC:
    """The TPC that images are of.

    Raises
    ------
    InputError
        If the header does not say: an older hepcnn made them.
    """
    if GEOMETRY not in header.maker:
        raise InputError("the images do not say of which geometry they are: convert them again")
    return TPC.model_validate(header.maker[GEOMETRY])


def bin_width(axis: Axis) -> float:
    """Length of a bin, in the axis' unit."""
    return (axis.high - axis.low) / axis.bins


def pixel_size(header: Header, view: str) -> tuple[float, ...]:
    """Edges of a view's pixels (mm): along the drift and across the wires, or along x, y and z."""
    mm = header.maker[UNITS]
    return tuple(bin_width(axis) * mm[axis.unit] for axis in header.axes[view])
