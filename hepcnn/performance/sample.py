"""The test sample that all methods of a task are compared on: the same tracks, in one order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from hepcnn.config import Control, PidTask
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
from hepcnn.performance.curves import log_ratio
from hepcnn.performance.intervals import Floats
from hepcnn.performance.temperature import LEAST
from hepcnn.store.predictions import FEATURES, Predictions

#: What tracks are binned in.
Variable = Literal["p", "eta", "n_tracks"]


@dataclass(frozen=True, eq=False)
class Sample:
    """N tracks in the momentum range of the tables, sorted by key, with each method's scores.

    Attributes
    ----------
    methods : tuple of str
        Networks, then baselines, in the order of the task.
    networks, controls : tuple of str
        The networks among them; the methods that see neither image nor hits.
    event : ndarray, (N,) int64
        Number of the track's event, from 0 without gaps.
    label : ndarray, (N,) int16
        True species, index into `SPECIES`, or −1.
    features : dict of str to ndarray, (N,) float64
        Momentum ``p`` (MeV), ``eta`` (NaN: unknown) and ``n_tracks`` in the event.
    scores : dict of str to ndarray, (N, 6)
        Posterior probabilities by method, without temperature.
    prior : dict of str to ndarray, (6,)
        The abundances under which they are.
    temperature : dict of str to float
        Each method's, for the calibration alone: see `hepcnn.performance.calibration`.
    likelihoods : frozenset of str
        The methods whose scores are from log likelihoods.
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
    networks: tuple[str, ...]
    controls: tuple[str, ...]
    event: NDArray[np.int64]
    label: NDArray[np.int16]
    features: Mapping[str, Floats]
    scores: Mapping[str, NDArray[np.floating]]
    prior: Mapping[str, Floats]
    temperature: Mapping[str, float]
    likelihoods: frozenset[str]
    mixture: Mixture
    momentum_range: tuple[float, float]
    cutflow: Mapping[str, tuple[tuple[str, int], ...]]
    below: int
    above: int

    def __len__(self) -> int:
        return len(self.label)

    @property
    def n_events(self) -> int:
        """Events with a track in the sample."""
        return int(self.event[-1]) + 1

    def called(self, method: str, mixture: Mixture | None = None) -> NDArray[np.int16]:
        """What a method calls each track, for this sample's mixture or another, (N,)."""
        return decide(self.scores[method], self.prior[method], mixture or self.mixture)

    def posterior(self, method: str, mixture: Mixture | None = None) -> Floats:
        """A method's posterior probabilities in this sample's mixture or another, (N, 6).

        For losses: of scores of at least `hepcnn.performance.temperature.LEAST`, which leaves a
        species at 0 only where the method was never taught it or the mixture has none.
        """
        scores = np.maximum(self.scores[method], LEAST)
        return posterior(scores, self.prior[method], mixture or self.mixture)

    def confusions(
        self, method: str, mixture: Mixture | None, parts: Sequence[NDArray[np.bool_]]
    ) -> list[Confusion]:
        """A method's confusion matrices of parts of the tracks, with the whole sample's weights."""
        mixture = mixture or self.mixture
        called, weights = self.called(method, mixture), track_weights(self.label, mixture)
        return [
            Confusion.of_decisions(self.label[part], called[part], mixture, weights)
            for part in parts
        ]

    def confusion(self, method: str, mixture: Mixture | None = None) -> Confusion:
        """A method's confusion matrix of all tracks, with the sample's weights."""
        return self.confusions(method, mixture, [np.ones(len(self), dtype=bool)])[0]

    def log_ratio(self, method: str, first: str = "kaon", second: str = "pion") -> Floats:
        """A method's ln(P_first / P_second) at equal abundances, (N,)."""
        return log_ratio(self.scores[method], self.prior[method], first, second)

    def variable(self, method: str) -> str:
        """Name of a method's `log_ratio` of kaon and pion: a likelihood's is LHCb's DLLK."""
        return "DLLK" if method in self.likelihoods else "NNDLLK"

    def true(self, species: str) -> NDArray[np.bool_]:
        """The tracks of a true species, (N,)."""
        return self.label == SPECIES.index(species)

    def place(self, variable: Variable, edges: Sequence[float]) -> NDArray[np.intp]:
        """Bin of each track, half-open [low, high); −1 outside all bins or unknown, (N,)."""
        place = np.searchsorted(edges, self.features[variable], side="right") - 1
        return np.where(place < len(edges) - 1, place, -1)


def select(predictions: Sequence[Predictions], task: PidTask, name: str) -> Sample:
    """Align the predictions of a task's methods and keep the momentum range of its tables.

    Parameters
    ----------
    predictions : sequence of Predictions
        One for each method, in any order, each sorted in any way. Those of altered samples are
        left to `select_altered`.
    task : PidTask
        Its networks and baselines name and order the methods; its tables set range and mixture.
    name : str
        The task's name.

    Raises
    ------
    InputError
        If there are no predictions; one is of another task, of a method that the task lacks, or
        given twice; classes are not the six species; or two methods are not on the same tracks.
    """
    return _aligned([p for p in predictions if not p.altered], task, name)


def select_altered(
    predictions: Sequence[Predictions], task: PidTask, name: str
) -> dict[str, Sample]:
    """Align the predictions of each altered sample of a task, in the order of its `robustness`.

    Raises
    ------
    InputError
        As `select`; or if predictions are of a sample that the task does not name, or a method
        has them for the task's own sample and lacks them for an altered one.
    """
    nominal = {p.method for p in predictions if not p.altered}
    by_sample: dict[str, list[Predictions]] = {sample: [] for sample in task.robustness}
    for p in predictions:
        if p.altered and p.altered not in by_sample:
            raise InputError(
                f"{p.method}: predictions for the altered sample '{p.altered}'; task '{name}' "
                f"names no such sample in 'robustness'; {nearest(p.altered, task.robustness)}"
            )
        if p.altered:
            by_sample[p.altered].append(p)
    for sample, found in by_sample.items():
        if missing := nominal - {p.method for p in found}:
            raise InputError(
                f"robustness: no predictions of {', '.join(sorted(missing))} for the altered "
                f"sample '{sample}'; they are made by 'hepcnn predict --altered {sample}'"
            )
    return {sample: _aligned(found, task, name) for sample, found in by_sample.items()}


def _aligned(predictions: Sequence[Predictions], task: PidTask, name: str) -> Sample:
    """Predictions of one sample, in the order of methods and keys."""
    ordered = _in_order(predictions, task, name)
    order = [_sorted(p.key) for p in ordered]
    first = ordered[0]
    key = first.key[order[0]]
    if len(key) > 1 and (twice := int(np.count_nonzero(key[1:] == key[:-1]))):
        raise InputError(f"{first.method}: {twice} tracks are in the predictions twice")
    for p, o in zip(ordered[1:], order[1:], strict=True):
        _same_tracks(first, order[0], p, o)
    features = {f: first.features[f][order[0]].astype(np.float64) for f in FEATURES}
    low, high = task.tables.momentum_range
    below, above = features["p"] < low, features["p"] >= high
    keep = ~(below | above)
    label = first.label[order[0]][keep]
    event = key[keep][["run", "subrun", "event"]]
    first_of_event = np.concatenate([[False], event[1:] != event[:-1]])[: len(event)]
    methods = tuple(p.method for p in ordered)
    return Sample(
        methods=methods,
        networks=tuple(m for m in methods if m in task.networks),
        controls=tuple(m for m in methods if m in get_args(Control) and m in task.baselines),
        event=np.cumsum(first_of_event, dtype=np.int64),
        label=label,
        features={f: values[keep] for f, values in features.items()},
        scores={p.method: _scores(p)[o][keep] for p, o in zip(ordered, order, strict=True)},
        prior={p.method: p.prior for p in ordered},
        temperature={p.method: p.temperature for p in ordered},
        likelihoods=frozenset(p.method for p in ordered if p.log_likelihood is not None),
        mixture=mixture_for(task.tables.mixture, label),
        momentum_range=(low, high),
        cutflow={p.method: p.cutflow for p in ordered},
        below=int(np.count_nonzero(below)),
        above=int(np.count_nonzero(above)),
    )


def _scores(predictions: Predictions) -> NDArray[np.floating]:
    """Posteriors under the method's prior, from its log likelihoods where it has them.

    They are those of the file but for what float32 takes for 0: below e^−100 or so, to which a
    likelihood of fifty photons gets, and where it still tells tracks apart.
    """
    if predictions.log_likelihood is None:
        return predictions.scores
    with np.errstate(divide="ignore"):  # a species that was not in the training: −∞
        log = predictions.log_likelihood[:, : len(SPECIES)] + np.log(predictions.prior)
    weight = np.exp(log - log.max(axis=1, keepdims=True))
    return np.asarray(weight / weight.sum(axis=1, keepdims=True))


def _in_order(predictions: Sequence[Predictions], task: PidTask, name: str) -> list[Predictions]:
    """Sort by the task's list of methods, each known and given once."""
    known = task.methods
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
