"""What each true class is called: decisions for a mixture, counts, efficiency, purity, misID.

**Decisions** are for a stated population. Scores are posterior probabilities under the mixture
that the method was trained for (its `prior`: the sample's, or flat if the training was balanced);
multiplied by target/prior they are the posteriors in the target mixture, and the greatest wins. So
methods trained with and without class balance are compared on equal terms.

**Words**: efficiency of A is true A called A over true A; purity is true A called A over all
called A; misID(π→K) is true π called K over true π. Efficiencies and misIDs do not depend on the
mixture of the sample, given the decisions; purities do, and are those of the target mixture.

**Others**: a track of none of the six species, or an event of none of the classes (label −1), has
no efficiency. In the natural mixture it counts against the purity of what it is called, as it does
in an analysis; a stated mixture (flat, or by name) is of the classes alone, and there such examples
have no weight.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hepcnn.config import abundances
from hepcnn.detector.particles import OTHER, SPECIES
from hepcnn.errors import InputError, nearest
from hepcnn.performance.intervals import Floats, Proportion, clopper_pearson
from hepcnn.performance.tally import Tally, fraction, mixed_fraction

#: Relative difference up to which float32 scores tie.
_TIE = 1e-6

MixtureSetting = Mapping[Any, float] | Literal["natural", "flat"]


@dataclass(frozen=True, eq=False)
class Mixture:
    """The population that decisions and purities are for.

    Attributes
    ----------
    name : str
        ``natural`` (the sample's own), ``flat`` or ``stated``.
    abundances : ndarray, (C,) float64
        Fraction of each class; they sum to 1.
    classes : tuple of str
        Their names.
    """

    name: str
    abundances: Floats
    classes: tuple[str, ...] = SPECIES

    @property
    def natural(self) -> bool:
        """Whether examples count as they are, without weights."""
        return self.name == "natural"

    def index(self, name: str) -> int:
        """Index of a class by name.

        Raises
        ------
        InputError
            If there is no such class.
        """
        if name not in self.classes:
            raise InputError(f"no class '{name}'; {nearest(name, self.classes)}")
        return self.classes.index(name)


def mixture_for(
    setting: MixtureSetting,
    label: NDArray[np.int16],
    classes: tuple[str, ...] = SPECIES,
    weight: Floats | None = None,
) -> Mixture:
    """Resolve a mixture's setting for a sample.

    Parameters
    ----------
    setting : dict or {'natural', 'flat'}
        See `mixture` of a task's tables.
    label : ndarray, (N,) int16
        True classes of the sample; `OTHER` does not count.
    classes : tuple of str
        Names of the C classes.
    weight : ndarray, (N,), optional
        Of each example. A class whose weights do not sum to more than 0 has no abundance.

    Raises
    ------
    InputError
        If there is no example of the classes, or of those of a stated mixture; or their weights
        sum to nothing above 0.
    """
    found = _found(label, len(classes), weight)
    if not found.n.any():
        raise InputError(f"no example of {', '.join(classes)} is left to evaluate")
    counts = found.w if weight is None else np.maximum(found.w, 0.0)
    if not counts.any():
        sums = ", ".join(f"{w:.6g} ({c})" for c, w in zip(classes, found.w, strict=True))
        raise InputError(f"weights: those of no class sum to more than 0: {sums}")
    if setting == "natural":
        return Mixture("natural", counts / counts.sum(), classes)
    name = "flat" if setting == "flat" else "stated"
    mixture = Mixture(name, np.array(abundances(setting, classes)), classes)
    if not mixture.abundances[counts > 0].any():
        raise InputError("mixture: the sample has no example of any of its classes")
    return mixture


def _found(label: NDArray[np.int16], classes: int, weight: Floats | None) -> Tally:
    """The examples of each class, (C,)."""
    known = label != OTHER
    return Tally.binned(label[known], classes, None if weight is None else weight[known])


def class_weights(
    label: NDArray[np.int16], mixture: Mixture, weight: Floats | None = None
) -> Floats:
    """Weight of an example of each true class that turns a sample's mixture into another.

    Parameters
    ----------
    label : ndarray, (N,) int16
        True classes of the whole sample. Parts of it, such as momentum bins, keep its weights:
        then each class keeps its spectrum.
    mixture : Mixture
        The target.
    weight : ndarray, (N,), optional
        Weights that the examples have of their own; what is returned multiplies them.

    Returns
    -------
    ndarray, (C + 1,)
        Ones in the natural mixture; else target over found fraction. The last is for examples of
        other classes, 0 in a stated mixture. A class that the sample lacks cannot be weighted into
        it: its weight is 0.
    """
    c = len(mixture.classes)
    if mixture.natural:
        return np.ones(c + 1)
    found = _found(label, c, weight).w
    weights = np.zeros(c + 1)
    np.divide(mixture.abundances * found.sum(), found, out=weights[:c], where=found > 0)
    return weights


def posterior(scores: NDArray[np.floating], prior: Floats, mixture: Mixture) -> Floats:
    """Posterior probabilities in a mixture, from those under a prior.

    A class that the prior excludes was never learnt: it has no likelihood and is never called.

    Parameters
    ----------
    scores : ndarray, (N, C)
        Posterior probabilities under `prior`.
    prior : ndarray, (C,)
        Abundances that the scores stand for.

    Returns
    -------
    ndarray, (N, C) float64
        Rows sum to 1, or to 0 where all probability is with classes that the mixture excludes.
    """
    ratio = np.divide(mixture.abundances, prior, out=np.zeros(len(prior)), where=prior > 0)
    weighted = scores.astype(np.float64) * ratio
    total = weighted.sum(axis=1, keepdims=True)
    return np.divide(weighted, total, out=np.zeros_like(weighted), where=total > 0)


def decide(scores: NDArray[np.floating], prior: Floats, mixture: Mixture) -> NDArray[np.int16]:
    """Call each example the class of the greatest posterior in the mixture.

    Ties, to float32 precision, go to the more abundant class of the mixture, then to the first
    in its order. A row without any probability in the mixture is called `OTHER`.

    Returns
    -------
    ndarray, (N,) int16
        Index of a class, or `OTHER`.
    """
    probability = posterior(scores, prior, mixture)
    greatest = probability.max(axis=1, keepdims=True)
    order = np.argsort(-mixture.abundances, kind="stable")
    ties = probability[:, order] >= greatest * (1 - _TIE)
    called = order[ties.argmax(axis=1)].astype(np.int16)
    called[greatest[:, 0] == 0] = OTHER
    return called


@dataclass(frozen=True, eq=False)
class Confusion:
    """Counts of true × called, with the mixture that purities are for.

    Attributes
    ----------
    cells : Tally, (C + 1, C + 1)
        ``cells[t, c]``: examples of true class t that are called c, in the mixture's order; the
        last row is of other classes, the last column of examples called none.
    mixture : Mixture
        See the module's text; it names the classes.
    weights : ndarray, (C + 1,) float64
        Weight of an example of each true class and of the others, see `class_weights`.

    Raises
    ------
    ValueError
        If the counts have another shape or one is negative or not whole.
    """

    cells: Tally
    mixture: Mixture
    weights: Floats

    def __post_init__(self) -> None:
        shape = (self.n_classes + 1, self.n_classes + 1)
        if self.counts.shape != shape:
            raise ValueError(f"counts have shape {self.counts.shape}, not {shape}")
        clopper_pearson(0, self.counts)  # whole and not negative

    @property
    def counts(self) -> NDArray[np.int64]:
        """Numbers of examples in the cells, whatever their weights, (C + 1, C + 1)."""
        return self.cells.n

    @property
    def n_classes(self) -> int:
        """Number of classes; the index of what is, or is called, none of them."""
        return len(self.mixture.classes)

    @classmethod
    def of_decisions(
        cls,
        label: ArrayLike,
        called: ArrayLike,
        mixture: Mixture,
        weights: Floats,
        weight: Floats | None = None,
    ) -> Confusion:
        """Count labels and decisions, both indices of classes or `OTHER`.

        `weight` are the examples' own weights, if they have any, (N,).
        """
        n = len(mixture.classes) + 1
        # The remainder of −1 is the last index.
        true, call = np.asarray(label, np.int64) % n, np.asarray(called, np.int64) % n
        cells = Tally.binned(true * n + call, n * n, weight)
        return cls(cells.each(lambda a: a.reshape(n, n)), mixture, weights)

    @classmethod
    def of_matrix(cls, counts: ArrayLike) -> Confusion:
        """Take a given square matrix of the six species, true in rows.

        Species left out at its end have no tracks; the mixture is natural.
        """
        given, x = np.asarray(counts), len(SPECIES)
        full = np.zeros((x + 1, x + 1), dtype=given.dtype)
        full[: len(given), : len(given)] = given
        label = np.repeat(np.arange(x), full[:x].sum(axis=1)).astype(np.int16)
        mixture = mixture_for("natural", label)
        return cls(Tally(full), mixture, class_weights(label, mixture))

    def rate(self, true: str, called: str | tuple[str, ...]) -> Proportion:
        """Fraction of a true class that is called one of some: an efficiency, or a misID."""
        index = self.mixture.index
        row = self.cells[index(true)]
        columns = [index(c) for c in ((called,) if isinstance(called, str) else called)]
        return fraction(row[columns].sum(), row.sum())

    @property
    def rates(self) -> Proportion:
        """`rate` of each true class (and others) to each call, (C + 1, C + 1)."""
        return fraction(self.cells, self.cells.sum(axis=1, keepdims=True))

    @property
    def efficiency(self) -> Proportion:
        """Efficiency of each class, (C,)."""
        true = self.cells[: self.n_classes]
        return fraction(true.each(np.diagonal), true.sum(axis=1))

    @property
    def purity(self) -> Proportion:
        """Purity of each class, in the mixture, (C,)."""
        c = self.n_classes
        called = self.cells[:, :c]
        if self.mixture.natural:
            return fraction(called.each(np.diagonal), called.sum(axis=0))
        own = np.eye(c, c + 1, dtype=bool)
        return mixed_fraction(called.each(np.transpose), self.weights, own)

    def misid(self, sources: Sequence[str]) -> Proportion:
        """For each class the misID into it, called so over true, from a class of its own, (C,)."""
        cells = self.cells[[self.mixture.index(name) for name in sources]]
        into = range(self.n_classes)
        return fraction(cells[into, into], cells.sum(axis=1))

    @property
    def shares(self) -> Proportion:
        """Each cell over all examples, in the mixture, (C + 1, C + 1)."""
        if self.mixture.natural:
            return fraction(self.cells, self.cells.sum())
        n = len(self.counts)
        cell = np.eye(n * n, dtype=bool).reshape(n, n, -1)
        return mixed_fraction(self.cells.each(np.ravel), np.repeat(self.weights, n), cell)

    @property
    def accuracy(self) -> Proportion:
        """Fraction of the classes' examples called rightly, in the mixture, a scalar."""
        c = self.n_classes
        own, right = self.cells[:c], np.eye(c, c + 1, dtype=bool)
        if self.mixture.natural:
            return fraction(own[right].sum(), own.sum())
        weights = np.repeat(self.weights[:c], c + 1)
        return mixed_fraction(own.each(np.ravel), weights, right.ravel())
