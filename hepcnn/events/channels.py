"""Channel maps: which plane and wire a channel of the readout is."""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hepcnn.errors import InputError, nearest
from hepcnn.events.checks import refuse
from hepcnn.events.lartpc_schema import LArTPCEvents

#: What the columns of the file are called, in lower case; others are not used.
_COLUMNS = {"channel": ("channel", "id"), "plane": ("plane",), "tpc": ("tpc",)}


@dataclass(frozen=True)
class ChannelMap:
    """Plane and wire by channel number.

    Wires are numbered in each plane by TPC and then by channel: planes of TPCs that stand side
    by side are one plane with the wires of both.

    Attributes
    ----------
    plane : int8 array (n_channels,)
        Plane, 0 to 2; -1 where there is no such channel.
    wire : int32 array (n_channels,)
        Wire in the plane.
    """

    plane: npt.NDArray[np.int8]
    wire: npt.NDArray[np.int32]


def on_wires(events: LArTPCEvents, channels: ChannelMap) -> LArTPCEvents:
    """Put hits and vertices that are on channels on planes and wires.

    Where the vertex has no channel (-1: outside the plane) it has no wire: NaN; with no channel
    at all it has no tick either.

    Raises
    ------
    InputError
        If a channel is not in the map, or one of the vertex is of another plane.
    """
    hits, truth = dict(events.hits), dict(events.truth)
    channel = hits.pop("channel")
    hits["plane"] = _plane_of(channels, channel)
    bad = hits["plane"] < 0
    refuse(events, "hit", "channel", bad, "there is no such channel in the channel map")
    hits["wire"] = channels.wire[channel]
    if "vertex_channel" in truth:
        channel = truth.pop("vertex_channel")
        none = channel == -1
        bad = ~none & (_plane_of(channels, channel) != np.arange(3))
        rule = "each must be a channel of its plane, or -1: none"
        refuse(events, "event", "vertex_channel", bad.any(axis=1), rule)
        wire = channels.wire[np.where(none, 0, channel)].astype(np.float32)
        truth["vertex_wire"] = np.where(none, np.float32(np.nan), wire)
        if "vertex_tick" in truth:
            nowhere = none.all(axis=1)
            truth["vertex_tick"] = np.where(nowhere, np.float32(np.nan), truth["vertex_tick"])
    return replace(events, hits=hits, truth=truth)


def _plane_of(channels: ChannelMap, channel: np.ndarray) -> npt.NDArray[np.int8]:
    """Plane of channels; -1 of what is no channel."""
    there = (channel >= 0) & (channel < len(channels.plane))
    return np.where(there, channels.plane[np.where(there, channel, 0)], np.int8(-1))


def load_channel_map(path: str | Path) -> ChannelMap:
    """Read a channel map.

    Parameters
    ----------
    path : str or Path
        CSV file with a header: ``channel`` (or ``ID``), ``plane`` (0, 1, 2) and ``TPC``, in any
        case and order; other columns are not used.

    Raises
    ------
    InputError
        If it cannot be read, a column is missing, a value is no such number, or a channel
        appears twice; it names the line.
    """
    try:
        with Path(path).open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            header = {name.strip().lower(): name for name in reader.fieldnames or ()}
            used = [_header_of(name, header, path) for name in _COLUMNS]
            rows = np.array([_numbers(row, used, path, reader.line_num) for row in reader])
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"channel map '{path}' cannot be read: {error}") from error
    if not len(rows):
        raise InputError(f"channel map '{path}' has no channels")
    channel, plane, tpc = rows.T
    if len(np.unique(channel)) < len(channel):
        values, counts = np.unique(channel, return_counts=True)
        raise InputError(f"channel map '{path}': channel {values[counts > 1][0]} appears twice")
    planes = np.full(channel.max() + 1, -1, np.int8)
    wires = np.zeros(channel.max() + 1, np.int32)
    planes[channel] = plane
    for number in range(3):
        (of_plane,) = np.nonzero(plane == number)
        order = of_plane[np.lexsort((channel[of_plane], tpc[of_plane]))]
        wires[channel[order]] = np.arange(len(order))
    return ChannelMap(planes, wires)


def _header_of(name: str, header: dict[str, str], path: str | Path) -> str:
    for alias in _COLUMNS[name]:
        if alias in header:
            return header[alias]
    raise InputError(f"channel map '{path}': no column '{name}'; {nearest(name, header)}")


def _numbers(
    row: dict[str, str], used: list[str], path: str | Path, line: int
) -> tuple[int, int, int]:
    """Channel, plane and TPC of a line."""
    try:
        channel, plane, tpc = (int(row[name]) for name in used)
    except (TypeError, ValueError) as error:
        shown = ", ".join(f"{name} = {row[name]}" for name in used)
        raise InputError(f"channel map '{path}', line {line}: {shown}: not integers") from error
    if not (0 <= channel < 2**24 and 0 <= plane <= 2 and abs(tpc) < 2**31):
        raise InputError(
            f"channel map '{path}', line {line}: channel {channel}, plane {plane}, TPC {tpc}; "
            "channels are 0 to 16777215, planes 0 to 2, TPCs small numbers"
        )
    return channel, plane, tpc
