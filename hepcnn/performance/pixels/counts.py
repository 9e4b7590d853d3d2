"""Pixels counted by event, true class and called class: all that the tables need of them.

Pixels of none of the classes (``other``: noise, no known particle) are in no count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hepcnn.detector.labels import PIXEL_CLASSES, TWO_CLASSES
from hepcnn.performance.bootstrap import Merits, ratio
from hepcnn.performance.intervals import Floats
from hepcnn.store.findings import Findings

#: Of tracks and of showers the classes. "shower" alone is one of these: without the Michel and δ
#: electrons.
GROUPS = {f"all {name}s": members for name, members in TWO_CLASSES.items()}


@dataclass(frozen=True, eq=False)
class Counts:
    """The pixels of N events.

    Attributes
    ----------
    name : str
        What the classes are together.
    classes : tuple of str
        Names of the C classes.
    matrix : ndarray, (N, 2, C, C) float64
        Pixels by event, whether they are at a boundary, true class and called class.
    """

    name: str
    classes: tuple[str, ...]
    matrix: Floats

    @classmethod
    def join(cls, parts: Sequence[Counts]) -> Counts:
        """Put the counts of the events of several blocks after one another."""
        first = parts[0]
        return cls(first.name, first.classes, np.concatenate([part.matrix for part in parts]))

    @property
    def pixels(self) -> Floats:
        """Pixels by event and whether they are at a boundary, (N, 2)."""
        return np.asarray(self.matrix.sum(axis=(2, 3)))

    @property
    def right(self) -> Floats:
        """Pixels that are called what they are; as `pixels`."""
        return np.asarray(np.trace(self.matrix, axis1=2, axis2=3))

    @property
    def cells(self) -> Floats:
        """Pixels by event, true class and called class, (N, C, C)."""
        return np.asarray(self.matrix.sum(axis=1))

    def take(self, events: NDArray[np.bool_]) -> Counts:
        """Some of the events."""
        return Counts(self.name, self.classes, self.matrix[events])

    def wrong(self, times: NDArray[np.int16]) -> Merits:
        """Fraction of wrong pixels, of all pixels; a scalar."""
        pixels, right = self.pixels.sum(axis=1), self.right.sum(axis=1)
        return ratio(times, pixels - right, pixels)

    def wrong_by_event(self, times: NDArray[np.int16]) -> Merits:
        """Fraction of wrong pixels, the mean over the events that have pixels; a scalar."""
        pixels, right = self.pixels.sum(axis=1), self.right.sum(axis=1)
        some = pixels > 0
        return ratio(times, (pixels - right) / np.where(some, pixels, 1), some)

    def efficiency(self, times: NDArray[np.int16]) -> Merits:
        """True pixels called so over the true ones, by class, (C,)."""
        return ratio(times, self._own, self.cells.sum(axis=2))

    def purity(self, times: NDArray[np.int16]) -> Merits:
        """True pixels called so over those called so, by class, (C,)."""
        return ratio(times, self._own, self.cells.sum(axis=1))

    def iou(self, times: NDArray[np.int16]) -> Merits:
        """Intersection over union of the true pixels and those called so, by class, (C,)."""
        either = self.cells.sum(axis=1) + self.cells.sum(axis=2) - self._own
        return ratio(times, self._own, either)

    def mean_iou(self, times: NDArray[np.int16]) -> Merits:
        """Mean over the classes that have true or called pixels; a scalar."""
        iou = self.iou(times)
        return Merits(_mean(iou.value), _mean(iou.draws))

    @property
    def _own(self) -> Floats:
        return np.asarray(np.diagonal(self.cells, axis1=1, axis2=2))


def _mean(values: Floats) -> Floats:
    """Mean over the last axis of what is known; NaN if nothing is."""
    known = np.isfinite(values)
    n = known.sum(axis=-1)
    total = np.where(known, values, 0.0).sum(axis=-1)
    return np.asarray(np.where(n > 0, total / np.maximum(n, 1), np.nan))


def counts(findings: Findings) -> tuple[Counts, Counts]:
    """Count the pixels by the task's classes, and by track and shower.

    A pixel is called the class of the greatest score, of equals the first one; track or shower by
    the sums of the scores of their classes.
    """
    pixels, classes = findings.tables["pixels"].columns, findings.classes
    true = _index(PIXEL_CLASSES, {name: (name,) for name in classes})[pixels["semantic"]]
    group = _index(classes, GROUPS)
    # Pixels of the other classes have no true class: their scores need not be looked at.
    own = true >= 0
    true, scores = true[own], pixels["scores"][own].astype(np.float32)
    cell = 2 * findings.event_of("pixels")[own] + pixels["boundary"][own]
    sums = np.stack([scores[:, group == g].sum(axis=1) for g in range(len(GROUPS))], axis=1)
    n, names = len(findings), (f"{len(classes)} classes", "/".join(TWO_CLASSES))
    return (
        Counts(names[0], classes, _matrix(cell, true, scores, n)),
        Counts(names[1], tuple(GROUPS), _matrix(cell, group[true], sums, n)),
    )


def _index(names: tuple[str, ...], groups: Mapping[str, tuple[str, ...]]) -> NDArray[np.int64]:
    """Number of the group that each name is in, −1 for none."""
    found = np.full(len(names), -1)
    for g, members in enumerate(groups.values()):
        found[[i for i, name in enumerate(names) if name in members]] = g
    return found


def _matrix(
    cell: NDArray[np.int64], true: NDArray[np.int64], scores: NDArray[np.float32], n_events: int
) -> Floats:
    """As `Counts` has it, of pixels in ``cell`` 2 · event + at a boundary."""
    c = scores.shape[1]
    place = (cell * c + true) * c + scores.argmax(axis=1)
    pixels = np.bincount(place, minlength=n_events * 2 * c * c).astype(np.float64)
    return pixels.reshape(n_events, 2, c, c)
