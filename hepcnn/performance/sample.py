"""The test sample that all methods of a task are compared on: the same tracks, in one order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hepcnn.config import Task
from hepcnn.detector.particles import SPECIES
from hepcnn.errors import InputError, nearest
from hepcnn.performance.confusion import (
    Confusion,
    Mixture,
    decide,
    mixture_for,
    posterior,
    track_weights,
)
from hepcnn.performance.curves import nndllk
from hepcnn.performance.intervals import Floats
from hepcnn.store.predictions import Predictions


@dataclass(frozen=True, eq=False)
class Sample:
    """N tracks in the momentum range of the tables, sorted by key, with each method's scores.

    Attributes
    ----------
    methods : tuple of str
        Networks, then baselines, in the order of the task.
    controls : tuple of str
        The baselines among them: methods without an image.
    event : ndarray, (N,) int64
        Number of the track's event, from 0 without gaps.
    label : ndarray, (N,) int16
        True species, index into `SPECIES`, or −1.
    p : ndarray, (N,) float64
        Momentum (MeV).
    n_tracks : ndarray, (N,) float32
        Tracks in the event.
    scores : dict of str to ndarray, (N, 6) float32
        Posterior probabilities by method.
    prior : dict of str to ndarray, (6,)
        The abundances under which they are.
    mixture : Mixture
        The population that decisions and purities are for.
    momentum_range : (float, float)
        low <= p < high (MeV).
    cutflow : dict of str to tuple of (str, int)
        Each method's counts from the events read to the tracks scored.
    below, above : int
        Tracks scored, but below and above the momentum range.
    """

    methods: tuple[str, ...]
    controls: tuple[str, ...]
    event: NDArray[np.int64]
    label: NDArray[np.int16]
    p: Floats
    n_tracks: NDArray[np.float32]
    scores: Mapping[str, NDArray[np.float32]]
    prior: Mapping[str, Floats]
    mixture: Mixture
    momentum_range: tuple[float, float]
    cutflow: Mapping[str, tuple[tuple[str, int], ...]]
    below: int
    above: int

    def __len__(self) -> int:
        return len(self.label)

    @property
    def networks(self) -> tuple[str, ...]:
        """The methods that are not controls."""
        return tuple(m for m in self.methods if m not in self.controls)

    @property
    def n_events(self) -> int:
        """Events with a track in the sample."""
        return int(self.event[-1]) + 1

    def called(self, method: str, mixture: Mixture | None = None) -> NDArray[np.int16]:
        """What a method calls each track, for this sample's mixture or another, (N,)."""
        return decide(self.scores[method], self.prior[method], mixture or self.mixture)

    def posterior(self, method: str, mixture: Mixture | None = None) -> Floats:
        """A method's posterior probabilities in this sample's mixture or another, (N, 6)."""
        return posterior(self.scores[method], self.prior[method], mixture or self.mixture)

    def confusion(
        self,
        method: str,
        mixture: Mixture | None = None,
        which: NDArray[np.bool_] | slice = slice(None),
    ) -> Confusion:
        """A method's confusion matrix, of all tracks or some, with the sample's weights."""
        mixture = mixture or self.mixture
        called, weights = self.called(method, mixture), track_weights(self.label, mixture)
        return Confusion.of_decisions(self.label[which], called[which], mixture, weights)

    def nndllk(self, method: str) -> Floats:
        """A method's NNDLLK, (N,)."""
        return nndllk(self.scores[method], self.prior[method])

    def true(self, species: str) -> NDArray[np.bool_]:
        """The tracks of a true species, (N,)."""
        return self.label == SPECIES.index(species)

    def momentum_bin(self, edges: Sequence[float]) -> NDArray[np.intp]:
        """Bin of each track, half-open [low, high); −1 outside all bins, (N,)."""
        place = np.searchsorted(edges, self.p, side="right") - 1
        return np.where(place < len(edges) - 1, place, -1)


def select(predictions: Sequence[Predictions], task: Task, name: str) -> Sample:
    """Align the predictions of a task's methods and keep the momentum range of its tables.

    Parameters
    ----------
    predictions : sequence of Predictions
        One for each method, in any order, each sorted in any way.
    task : Task
        Its networks and baselines name and order the methods; its tables set range and mixture.
    name : str
        The task's name.

    Raises
    ------
    InputError
        If there are no predictions; one is of another task, of a method that the task lacks, or
        given twice; classes are not the six species; or two methods are not on the same tracks.
    """
    ordered = _in_order(predictions, task, name)
    order = [_sorted(p.key) for p in ordered]
    first = ordered[0]
    key = first.key[order[0]]
    if len(key) > 1 and (twice := int(np.count_nonzero(key[1:] == key[:-1]))):
        raise InputError(f"{first.method}: {twice} tracks are in the predictions twice")
    for p, o in zip(ordered[1:], order[1:], strict=True):
        _same_tracks(first, order[0], p, o)
    momentum = first.features["p"][order[0]].astype(np.float64)
    low, high = task.tables.momentum_range
    keep = (momentum >= low) & (momentum < high)
    label = first.label[order[0]][keep]
    event = key[keep][["run", "subrun", "event"]]
    first_of_event = np.concatenate([[False], event[1:] != event[:-1]])[: len(event)]
    return Sample(
        methods=tuple(p.method for p in ordered),
        controls=tuple(p.method for p in ordered if p.method in task.baselines),
        event=np.cumsum(first_of_event, dtype=np.int64),
        label=label,
        p=momentum[keep],
        n_tracks=first.features["n_tracks"][order[0]][keep],
        scores={p.method: p.scores[o][keep] for p, o in zip(ordered, order, strict=True)},
        prior={p.method: p.prior for p in ordered},
        mixture=mixture_for(task.tables.mixture, label),
        momentum_range=(low, high),
        cutflow={p.method: p.cutflow for p in ordered},
        below=int(np.count_nonzero(momentum < low)),
        above=int(np.count_nonzero(momentum >= high)),
    )


def _in_order(predictions: Sequence[Predictions], task: Task, name: str) -> list[Predictions]:
    """Sort by the task's list of methods, each known and given once."""
    known = [*task.networks, *task.baselines]
    found: dict[str, Predictions] = {}
    for p in predictions:
        if p.task != name:
            raise InputError(f"{p.method}: predictions for task '{p.task}', not '{name}'")
        if p.method not in known:
            raise InputError(
                f"predictions of '{p.method}', which task '{name}' has neither as a network nor "
                f"as a baseline; {nearest(p.method, known)}"
            )
        if p.method in found:
            raise InputError(f"predictions of '{p.method}' are given twice")
        if p.classes != SPECIES:
            raise InputError(
                f"{p.method}: classes {', '.join(p.classes)}; needed: {', '.join(SPECIES)}"
            )
        found[p.method] = p
    if not found:
        raise InputError("no predictions to evaluate")
    return [found[method] for method in known if method in found]


def _sorted(key: NDArray[np.void]) -> NDArray[np.intp]:
    names = key.dtype.names or ()
    return np.lexsort([key[name] for name in reversed(names)])


def _same_tracks(
    a: Predictions, a_order: NDArray[np.intp], b: Predictions, b_order: NDArray[np.intp]
) -> None:
    """Refuse two methods whose sorted keys, labels or momenta differ."""
    if len(a) != len(b) or (a.key[a_order] != b.key[b_order]).any():
        only_a = len(np.setdiff1d(a.key, b.key))
        only_b = len(np.setdiff1d(b.key, a.key))
        raise InputError(
            f"methods must be on the same tracks: '{a.method}' has {len(a)}, {only_a} of them not "
            f"in '{b.method}'; '{b.method}' has {len(b)}, {only_b} of them not in '{a.method}'"
        )
    for what, x, y in (
        ("label", a.label, b.label),
        ("p", a.features["p"], b.features["p"]),
        ("n_tracks", a.features["n_tracks"], b.features["n_tracks"]),
    ):
        if differ := int(np.count_nonzero(x[a_order] != y[b_order])):
            raise InputError(
                f"'{a.method}' and '{b.method}' disagree on the {what} of {differ} of {len(a)} "
                "tracks: their predictions are of different image sets"
            )
