"""The test sample that all methods of a task are compared on: the same examples, in one order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, Self, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from hepcnn.config import ClassTask, Control, PidTask, Task, network_of
from hepcnn.errors import InputError, nearest
from hepcnn.performance.clusters import EventConfusion
from hepcnn.performance.confusion import (
    Confusion,
    Mixture,
    class_weights,
    decide,
    mixture_for,
    posterior,
)
from hepcnn.performance.curves import log_ratio
from hepcnn.performance.intervals import Floats
from hepcnn.performance.tally import Tally
from hepcnn.performance.temperature import LEAST
from hepcnn.progress import note
from hepcnn.store.findings import Found
from hepcnn.store.predictions import WEIGHT, Predictions

#: Either kind of what a method says of examples.
Scored = TypeVar("Scored", Predictions, Found)


@dataclass(frozen=True, eq=False)
class Sample:
    """N examples, sorted by key, with each method's scores for C classes.

    Attributes
    ----------
    methods : tuple of str
        Networks, then baselines, in the order of the task.
    networks, controls : tuple of str
        The networks among them; the methods that see neither image nor hits.
    event : ndarray, (N,) int64
        Number of the example's event, from 0 without gaps.
    label : ndarray, (N,) int16
        True class, or −1.
    weight : ndarray, (N,) float64, or None
        Of each example, such as an sWeight; None: all count alike.
    features : dict of str to ndarray, (N,) float64
        What examples are binned in; NaN: unknown.
    scores : dict of str to ndarray, (N, C)
        Posterior probabilities by method, without temperature. Of a network that is trained several
        times there are those of its first training, and by their names those of the others.
    prior : dict of str to ndarray, (C,)
        The abundances under which they are.
    temperature : dict of str to float
        Each one's, for the calibration alone: see `hepcnn.performance.calibration`.
    mixture : Mixture
        The population that decisions and purities are for; it names the classes.
    cutflow : dict of str to tuple of (str, int)
        Each method's counts from the events read to the examples scored.
    """

    #: What an example is, and what it has one of, in the words of tables.
    unit: ClassVar[str] = "event"
    kind: ClassVar[str] = "class"

    methods: tuple[str, ...]
    networks: tuple[str, ...]
    controls: tuple[str, ...]
    event: NDArray[np.int64]
    label: NDArray[np.int16]
    weight: Floats | None
    features: Mapping[str, Floats]
    scores: Mapping[str, NDArray[np.floating]]
    prior: Mapping[str, Floats]
    temperature: Mapping[str, float]
    mixture: Mixture
    cutflow: Mapping[str, tuple[tuple[str, int], ...]]

    @classmethod
    def of(
        cls,
        ordered: Sequence[Predictions],
        task: PidTask | ClassTask,
        keep: NDArray[np.bool_],
        **own: Any,
    ) -> Self:
        """Take some of the examples of `aligned` predictions; `own` is what a subclass adds."""
        first = ordered[0]
        label = first.label[keep]
        event = first.key[keep][["run", "subrun", "event"]]
        first_of_event = np.concatenate([[False], event[1:] != event[:-1]])[: len(event)]
        methods = tuple(dict.fromkeys(network_of(p.method) for p in ordered))
        features = {f: v[keep].astype(np.float64) for f, v in first.features.items()}
        weight = features.pop(WEIGHT, None)
        if weight is not None and (weight == 1).all():
            weight = None
        sample = cls(
            methods=methods,
            networks=tuple(m for m in methods if m in task.networks),
            controls=tuple(m for m in methods if m in get_args(Control) and m in task.baselines),
            event=np.cumsum(first_of_event, dtype=np.int64),
            label=label,
            weight=weight,
            features=features,
            scores={p.method: _scores(p)[keep] for p in ordered},
            prior={p.method: p.prior for p in ordered},
            temperature={p.method: p.temperature for p in ordered},
            mixture=mixture_for(task.tables.mixture, label, first.classes, weight),
            cutflow={p.method: p.cutflow for p in ordered if p.method in methods},
            **own,
        )
        if sample.lacking:
            note(
                f"the sample has no {' and no '.join(sample.lacking)}, which the mixture of the "
                "tables names: purities are those without"
            )
        if sample.negative:
            note(
                f"the weights of {' and '.join(sample.negative)} do not sum to more than 0: "
                f"in the tables no {sample.unit} is called so"
            )
        return sample

    def __len__(self) -> int:
        return len(self.label)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self.mixture.classes

    @property
    def n_events(self) -> int:
        """Events with an example in the sample."""
        return int(self.event[-1]) + 1

    @property
    def described(self) -> str:
        """Which classes and which examples of them, for captions."""
        return f"{len(self.classes)} classes"

    @property
    def population(self) -> str:
        """Which examples in which mixture, for captions."""
        return self.mixed("classes")

    @property
    def lacking(self) -> tuple[str, ...]:
        """Classes that the mixture names and of which there is no example."""
        share = self.mixture.abundances
        there = np.isin(np.arange(len(share)), self.label)
        return tuple(np.array(self.classes)[(share > 0) & ~there].tolist())

    @property
    def negative(self) -> tuple[str, ...]:
        """Classes of which there are examples, but whose weights do not sum to more than 0."""
        if self.weight is None:
            return ()
        known = self.label >= 0
        found = Tally.binned(self.label[known], len(self.classes), self.weight[known])
        return tuple(np.array(self.classes)[(found.n > 0) & (found.w <= 0)].tolist())

    def weights(self, which: NDArray[np.bool_]) -> Floats | None:
        """Weights of some of the examples; None: all count alike."""
        return None if self.weight is None else self.weight[which]

    def mixed(self, classes: str) -> str:
        """The mixture of what is called so, and what of it there is not, for captions."""
        without = f", without {' and '.join(self.lacking)}, of which there is none"
        return f"{self.mixture.name} mixture of {classes}{without if self.lacking else ''}"

    def called(self, method: str, mixture: Mixture | None = None) -> NDArray[np.int16]:
        """What a method calls each example, for this sample's mixture or another, (N,)."""
        return decide(self.scores[method], self.prior[method], mixture or self.mixture)

    def posterior(self, method: str, mixture: Mixture | None = None) -> Floats:
        """A method's posterior probabilities in this sample's mixture or another, (N, C).

        For losses: of scores of at least `hepcnn.performance.temperature.LEAST`, which leaves a
        class at 0 only where the method was never taught it or the mixture has none.
        """
        scores = np.maximum(self.scores[method], LEAST)
        return posterior(scores, self.prior[method], mixture or self.mixture)

    def mixture_of(self, name: Literal["natural", "flat"]) -> Mixture:
        """The natural or the flat mixture of these examples."""
        return mixture_for(name, self.label, self.classes, self.weight)

    def confusions(
        self, method: str, mixture: Mixture | None, parts: Sequence[NDArray[np.bool_]]
    ) -> list[Confusion]:
        """A method's confusion matrices of parts of the examples, with the whole's weights."""
        mixture = mixture or self.mixture
        called = self.called(method, mixture)
        weights = class_weights(self.label, mixture, self.weight)
        return [
            EventConfusion.of_events(
                self.event[part],
                self.label[part],
                called[part],
                mixture,
                weights,
                self.weights(part),
            )
            for part in parts
        ]

    def by_event(self, which: NDArray[np.bool_]) -> Floats:
        """Number of the examples of each event that satisfy a condition, (E,)."""
        return np.bincount(self.event[which], minlength=self.n_events).astype(np.float64)

    def confusion(self, method: str, mixture: Mixture | None = None) -> Confusion:
        """A method's confusion matrix of all examples, with the sample's weights."""
        return self.confusions(method, mixture, [np.ones(len(self), dtype=bool)])[0]

    def log_ratio(self, method: str, first: str, second: str) -> Floats:
        """A method's ln(P_first / P_second) at equal abundances, (N,)."""
        index = self.mixture.index
        return log_ratio(self.scores[method], self.prior[method], index(first), index(second))

    def true(self, name: str) -> NDArray[np.bool_]:
        """The examples of a true class, (N,)."""
        return self.label == self.mixture.index(name)

    def place(self, variable: str, edges: Sequence[float]) -> NDArray[np.intp]:
        """Bin of each example, half-open [low, high); −1 outside all bins or unknown, (N,)."""
        place = np.searchsorted(edges, self.features[variable], side="right") - 1
        return np.where(place < len(edges) - 1, place, -1)


def aligned(
    predictions: Sequence[Predictions], task: Task, name: str, agreed: Sequence[str]
) -> list[Predictions]:
    """Put a task's predictions in the order of its methods, and their examples in that of keys.

    Parameters
    ----------
    predictions : sequence of Predictions
        One for each method, in any order, each sorted in any way.
    task : Task
        Its networks and baselines name and order the methods.
    name : str
        The task's name.
    agreed : sequence of str
        The features that all methods must have alike.

    Raises
    ------
    InputError
        If there are no predictions; one is of another task, of a method that the task lacks, or
        given twice; classes are not the task's; or two methods are not on the same examples.
    """
    ordered = [_sorted(p) for p in in_order(predictions, task, name)]
    first = ordered[0]
    key = first.key
    if len(key) > 1 and (twice := int(np.count_nonzero(key[1:] == key[:-1]))):
        raise InputError(f"{first.method}: {twice} examples are in the predictions twice")
    for p in ordered[1:]:
        _check_same(first, p, agreed)
    return ordered


def altered(
    predictions: Sequence[Predictions], task: Task, name: str
) -> dict[str, list[Predictions]]:
    """Part the predictions of each altered sample of a task, in the order of its `robustness`.

    Raises
    ------
    InputError
        If predictions are of a sample that the task does not name, or a method has them for the
        task's own sample and lacks them for an altered one.
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
    return by_sample


def _scores(predictions: Predictions) -> NDArray[np.floating]:
    """Posteriors under the method's prior, from its log likelihoods where it has them.

    They are those of the file but for what float32 takes for 0: below e^−100 or so, to which a
    likelihood of fifty photons gets, and where it still tells tracks apart.
    """
    if predictions.log_likelihood is None:
        return predictions.scores
    with np.errstate(divide="ignore"):  # a class that was not in the training: −∞
        prior = np.log(predictions.prior)
    log = predictions.log_likelihood[:, : len(prior)] + prior
    weight = np.exp(log - log.max(axis=1, keepdims=True))
    return np.asarray(weight / weight.sum(axis=1, keepdims=True))


def in_order(predictions: Sequence[Scored], task: Task, name: str) -> list[Scored]:
    """Sort by the task's list of trainings and baselines, each known and given once."""
    known = task.predictors
    found: dict[str, Scored] = {}
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
        if p.classes != task.classes:
            raise InputError(
                f"{p.method}: classes {', '.join(p.classes)}; needed: {', '.join(task.classes)}"
            )
        found[p.method] = p
    if not found:
        raise InputError("no predictions to evaluate")
    for training in task.trainings:
        given = [method for method in found if network_of(method) == network_of(training)]
        if given and training not in found:
            raise InputError(
                f"no predictions of '{training}', and of '{given[0]}' there are: the tables are of "
                f"all trainings of a network ('seeds' of task '{name}')"
            )
    return [found[method] for method in known if method in found]


def _sorted(p: Predictions) -> Predictions:
    """The same predictions, their examples in the order of the keys."""
    order = np.lexsort([p.key[name] for name in reversed(p.key.dtype.names or ())])
    return replace(
        p,
        key=p.key[order],
        scores=p.scores[order],
        label=p.label[order],
        features={name: values[order] for name, values in p.features.items()},
        log_likelihood=None if p.log_likelihood is None else p.log_likelihood[order],
    )


def _check_same(a: Predictions, b: Predictions, agreed: Sequence[str]) -> None:
    """Refuse two methods whose keys, labels or agreed features differ."""
    if len(a) != len(b) or (a.key != b.key).any():
        only_a = len(np.setdiff1d(a.key, b.key))
        only_b = len(np.setdiff1d(b.key, a.key))
        raise InputError(
            f"methods must be on the same examples: '{a.method}' has {len(a)}, {only_a} of them "
            f"not in '{b.method}'; '{b.method}' has {len(b)}, {only_b} of them not in '{a.method}'"
        )
    weighted = [p for p in (a, b) if WEIGHT in p.features]
    if len(weighted) == 1:
        (one,) = weighted
        raise InputError(
            f"of '{a.method}' and '{b.method}' only '{one.method}' has weights of its examples: "
            "their predictions are of image sets that were made with different `branches`"
        )
    pairs: dict[str, tuple[NDArray[Any], NDArray[Any]]] = {"label": (a.label, b.label)}
    alike = [*agreed, WEIGHT] if weighted else agreed
    pairs |= {f: (a.features[f], b.features[f]) for f in alike}
    for what, (x, y) in pairs.items():
        both_unknown = (x != x) & (y != y)
        if differ := int(np.count_nonzero((x != y) & ~both_unknown)):
            raise InputError(
                f"'{a.method}' and '{b.method}' disagree on the {what} of {differ} of {len(a)} "
                "examples: their predictions are of different image sets"
            )
