"""Points of events sorted by the panel that they lie on, in the panel's own coordinates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from hepcnn.detector.geometry import RichGeometry
from hepcnn.errors import InputError
from hepcnn.events.columns import event_name, row_hint
from hepcnn.events.schema import RICHES, RichEvents

#: Panels of a RICH.
PANELS = 2
#: A point this far from the photon plane (mm) is not one: alignment and a tube's depth are less,
#: a wrong unit, panel or geometry is more.
OFF_PLANE = 50.0


@dataclass(frozen=True)
class PanelPoints:
    """Points grouped by event and panel: group 2·event + panel.

    Attributes
    ----------
    plane : float32 array (m, 2)
        (u, v) in mm, as `hepcnn.detector.optics.plane_coordinates`.
    index : int64 array (m,)
        Rows of the points in what they were taken from; increasing within a group.
    offsets : int64 array (2 n_events + 1,)
        The points of group ``g`` are rows ``offsets[g]`` to ``offsets[g + 1]``.
    """

    plane: npt.NDArray[np.float32]
    index: npt.NDArray[np.int64]
    offsets: npt.NDArray[np.int64]


def panel_points(
    geometry: RichGeometry,
    point: npt.NDArray[np.floating],
    panel: npt.NDArray[np.int8],
    event_offsets: npt.NDArray[np.int64],
    name: Callable[[int], str] = "point {}".format,
) -> PanelPoints:
    """Group points by event and panel, and give their plane coordinates, in one pass.

    Parameters
    ----------
    geometry : RichGeometry
        The RICH.
    point : array (n, 3)
        Points on the photon plane (mm, LHCb frame).
    panel : int8 array (n,)
        Panel of each, 0 or 1; others (−1) are left out.
    event_offsets : int64 array (n_events + 1,)
        The points of event ``i`` are rows ``event_offsets[i]`` to ``event_offsets[i + 1]``.
    name : callable
        Names the point of a row, for the message.

    Raises
    ------
    InputError
        If a point is more than `OFF_PLANE` away from the plane; it names the farthest.
    """
    plane = np.empty((len(point), 2), np.float32)
    index = np.empty(len(point), np.int64)
    offsets = np.zeros(PANELS * (len(event_offsets) - 1) + 1, np.int64)
    farthest, row, beyond = _group(
        point,
        panel,
        event_offsets,
        np.array(geometry.photon_plane.centre),
        geometry.photon_plane.axes,
        geometry.split,
        plane,
        index,
        offsets,
    )
    if farthest > OFF_PLANE:
        raise InputError(
            f"{name(row)} lies {farthest:.0f} mm away from the photon plane, and {beyond:,} of "
            f"{offsets[-1]:,} lie more than {OFF_PLANE:.0f} mm away: are the positions in mm, in "
            "LHCb's frame, with the right hit_rich and hit_panel, and is 'geometry' that of the "
            "data? `selection: {hit: CONDITION}`, or of `track`, leaves odd ones out"
        )
    return PanelPoints(plane[: offsets[-1]], index[: offsets[-1]], offsets)


def check_sides(events: RichEvents, geometry: RichGeometry, rich: str) -> None:
    """Refuse hits that are not on the side of the panel that they are said to be on.

    A track's panel is the side that it projects on: hits of another panel would never be in its
    image.

    Parameters
    ----------
    events : RichEvents
        A chunk of events.
    geometry : RichGeometry
        The RICH.
    rich : str
        Its name.

    Raises
    ------
    InputError
        If a hit is more than `OFF_PLANE` away from its side.
    """
    number, panel = RICHES.index(rich) + 1, events.hits["panel"]
    along, axis = events.hits["position"][:, geometry.split], geometry.split_axis
    wrong = _wrong_side(events.hits["rich"], panel, along, number)
    if wrong < 0:
        return
    own = events.hits["rich"] == number
    other = np.count_nonzero((along[own] < 0) != (panel[own] == 1))
    event = int(np.searchsorted(events.hit_offsets, wrong, "right")) - 1
    raise InputError(
        f"{event_name(events.key[event])}: hit {wrong - events.hit_offsets[event]} is not on the "
        f"side of its panel, as {other:,} of {np.count_nonzero(own):,} hits of {rich} are not: it "
        f"has hit_panel = {panel[wrong]} and hit_{axis} = {along[wrong]:.0f} mm; hit_panel must be "
        f"0 where hit_{axis} is above 0, and 1 where it is below; {row_hint('hit')}"
    )


@njit(cache=True, nogil=True)
def _wrong_side(rich, panel, along, number):  # type: ignore[no-untyped-def]
    """First hit of a RICH that is far on the other side of its panel, or −1."""
    for i in range(len(rich)):
        if rich[i] == number and along[i] * (1 - 2 * panel[i]) < -OFF_PLANE:
            return i
    return -1


@njit(cache=True, nogil=True, error_model="numpy")
def _group(point, panel, event_offsets, centre, axes, split, plane, index, offsets):  # type: ignore[no-untyped-def]
    stored, farthest, row, beyond = np.uint64(0), 0.0, -1, 0
    for event in range(len(event_offsets) - 1):
        for side in range(PANELS):
            # Panel 1 is seen as in panel 0: mirrored.
            sign = np.ones(3)
            sign[split] = 1.0 - 2.0 * side
            for i in range(event_offsets[event], event_offsets[event + 1]):
                if panel[i] != side:
                    continue
                x = point[i, 0] * sign[0] - centre[0]
                y = point[i, 1] * sign[1] - centre[1]
                z = point[i, 2] * sign[2] - centre[2]
                plane[stored, 0] = x * axes[0, 0] + y * axes[0, 1] + z * axes[0, 2]
                plane[stored, 1] = x * axes[1, 0] + y * axes[1, 1] + z * axes[1, 2]
                away = abs(x * axes[2, 0] + y * axes[2, 1] + z * axes[2, 2])
                if away > OFF_PLANE:
                    beyond += 1
                    if away > farthest:
                        farthest, row = away, i
                index[stored] = i
                stored += np.uint64(1)
            offsets[PANELS * event + side + 1] = stored
    return farthest, row, beyond
