"""Whether tracks' segments lie in the gas of a RICH, and their directions along them.

Segments in another unit or frame project somewhere on the panels all the same, and make images and
likelihoods that are wrong in silence.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hepcnn.detector.geometry import RichGeometry
from hepcnn.events.schema import RichEvents
from hepcnn.imaging.inside import NOWHERE, Inside, Range, Span

#: Fewer tracks may be odd by chance.
FEW = 20
#: A track's middle is in the gas, or so far before it (mm): alignment, and other frames of z.
_MARGIN = 100.0
#: The field in a RICH bends tracks of 1 GeV by some 10 mrad.
_LARGEST_ANGLE = 100.0


def segments_inside(events: RichEvents, geometry: RichGeometry, rich: str) -> list[Inside]:
    """Count the tracks whose segment is in the gas, and whose direction is along it.

    Parameters
    ----------
    events : RichEvents
        A chunk of events.
    geometry : RichGeometry
        The RICH.
    rich : str
        Its name.

    Returns
    -------
    list of Inside
        Nothing if the file gives projections alone.
    """
    if f"{rich}_entry" not in events.tracks:
        return []
    first, direction, last = (
        events.tracks[f"{rich}_{part}"].astype(np.float64)
        for part in ("entry", "direction", "exit")
    )
    there = np.isfinite(first[:, 0])
    middle = (first + last)[there, 2] / 2
    mirror = geometry.spherical_mirror
    gas = geometry.radiator.entry_z - _MARGIN, mirror.centre[2] + mirror.radius + _MARGIN
    along = (last - first)[there]
    with np.errstate(invalid="ignore", divide="ignore"):
        across = np.linalg.norm(np.cross(along, direction[there]), axis=1)
        angle = 1e3 * np.arctan2(across, np.einsum("ij,ij->i", along, direction[there]))
    return [
        _inside("segments of tracks", rich, Span("z of the middle", "mm", _range(middle), gas, gas),
                (middle > gas[0]) & (middle < gas[1])),
        _inside("directions of tracks", rich,
                Span("angle to exit - entry", "mrad", _range(angle), *2 * ((0, _LARGEST_ANGLE),)),
                angle < _LARGEST_ANGLE),
    ]  # fmt: skip


def _inside(what: str, rich: str, span: Span, good: NDArray[np.bool_]) -> Inside:
    return Inside(
        what=what,
        where=f"the gas of {rich}",
        read=len(good),
        seen=len(good),
        allowed=int(good.sum()),
        inside=len(good),
        images=len(good),
        empty=0,
        spans=(span,),
        few=FEW,
    )


def _range(values: NDArray[np.float64]) -> Range:
    return (float(values.min()), float(values.max())) if len(values) else NOWHERE
