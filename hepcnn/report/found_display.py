"""What the page's own event display draws: events as plain values, for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hepcnn.report.found_events import NOBODY, FoundEvent, Plane
from hepcnn.report.found_pictures import FOUND, POINT, RIGHT, TRUE, WRONG

#: Colours that are not those of labels.
_COLOURS = {
    "true": TRUE,
    "found": FOUND,
    "wrong": WRONG,
    "right": RIGHT,
    "kinds": {kind: colour for kind, (colour, _) in POINT.items()},
}


def display(events: Sequence[FoundEvent]) -> dict[str, Any]:
    """Events with their pixels and points, as `found_display.js` reads them."""
    return {"colours": _COLOURS, "events": [_event(event) for event in events]}


def _event(event: FoundEvent) -> dict[str, Any]:
    labelled = any((plane.found != NOBODY).any() for plane in event.planes)
    modes = ["charge", "truth", *(["prediction", "errors"] if labelled else [])]
    return {
        "name": event.name,
        "rank": event.rank,
        "words": event.words,
        "method": event.method,
        "target": event.target,
        "labels": [list(label) for label in event.labels],
        "modes": modes,
        "planes": [_plane(plane) for plane in event.planes],
    }


def _plane(plane: Plane) -> dict[str, Any]:
    positive = plane.value[plane.value > 0]
    known = np.isfinite(plane.score)
    return {
        "title": plane.title,
        "axes": list(plane.axes),
        "pixel": [round(side, 6) for side in plane.pixel],
        "low": list(plane.low),
        "high": list(plane.high),
        "full": _short(np.quantile(positive, 0.98)) if len(positive) else 1.0,
        "row": plane.place[:, 0].tolist(),
        "column": plane.place[:, 1].tolist(),
        "value": [_short(v) for v in plane.value],
        "true": plane.true.tolist(),
        "found": plane.found.tolist(),
        "wrong": plane.wrong.astype(int).tolist(),
        "score": [round(100 * s) for s in plane.score.tolist()] if known.all() else [],
        "marks": [
            [
                m.kind,
                round(m.row, 2),
                round(m.column, 2),
                None if m.score is None else _short(m.score),
            ]
            for m in plane.marks
        ],
        "boxes": [[[round(c, 2) for c in box.corners], box.true] for box in plane.boxes],
    }


def _short(value: float) -> float:
    """Three digits."""
    return float(f"{value:.3g}")
