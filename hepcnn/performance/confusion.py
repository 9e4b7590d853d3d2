"""What each true species is called: decisions for a mixture, counts, efficiency, purity, misID.

**Decisions** are for a stated population. Scores are posterior probabilities under the mixture
that the method was trained for (its `prior`: the sample's, or flat if the training was balanced);
multiplied by target/prior they are the posteriors in the target mixture, and the greatest wins. So
methods trained with and without class balance are compared on equal terms.

**Words**: efficiency of A is true A called A over true A; purity is true A called A over all
called A; misID(π→K) is true π called K over true π. Efficiencies and misIDs do not depend on the
mixture of the sample, given the decisions; purities do, and are those of the target mixture.

**Other species**: a track of none of the six (label −1) has no efficiency. In the natural mixture
it counts against the purity of what it is called, as it does in an analysis; a stated mixture
(flat, or by name) is of the six species alone, and there such tracks have no weight.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hepcnn.config import Species, abundances
from hepcnn.detector.particles import OTHER, SPECIES
from hepcnn.errors import InputError, nearest
from hepcnn.performance.intervals import (
    Floats,
    Proportion,
    clopper_pearson,
    weighted_proportion,
)

#: Last row and column of a confusion matrix: of none of the six species; called none of them.
X = len(SPECIES)
#: Relative difference up to which float32 scores tie.
_TIE = 1e-6

MixtureSetting = dict[Species, float] | Literal["natural", "flat"]


@dataclass(frozen=True, eq=False)
class Mixture:
    """The population that decisions and purities are for.

    Attributes
    ----------
    name : str
        ``natural`` (the sample's own), ``flat`` or ``stated``.
    abundances : ndarray, (6,) float64
        Fraction of each species; they sum to 1.
    """

    name: str
    abundances: Floats

    @property
    def natural(self) -> bool:
        """Whether tracks count as they are, without weights."""
        return self.name == "natural"


def mixture_for(setting: MixtureSetting, label: NDArray[np.int16]) -> Mixture:
    """Resolve a mixture's setting for a sample.

    Parameters
    ----------
    setting : dict or {'natural', 'flat'}
        See `hepcnn.config.Tables.mixture`.
    label : ndarray, (N,) int16
        True species of the sample; `OTHER` does not count.

    Raises
    ------
    InputError
        If there is no track of the six species, or of those of a stated mixture.
    """
    counts = np.bincount(label[label != OTHER], minlength=X)
    if not counts.any():
        raise InputError(f"no track of {', '.join(SPECIES)} is left to evaluate")
    if setting != "natural":
        mixture = Mixture("flat" if setting == "flat" else "stated", np.array(abundances(setting)))
        if not mixture.abundances[counts > 0].any():
            raise InputError("mixture: the sample has no track of any of its species")
        return mixture
    return Mixture("natural", counts / counts.sum())


def track_weights(label: NDArray[np.int16], mixture: Mixture) -> Floats:
    """Weight of a track of each true species that turns a sample's mixture into another.

    Parameters
    ----------
    label : ndarray, (N,) int16
        True species of the whole sample. Parts of it, such as momentum bins, keep its weights:
        then each species keeps its spectrum.
    mixture : Mixture
        The target.

    Returns
    -------
    ndarray, (7,)
        Ones in the natural mixture; else target over found fraction. The last is for tracks of
        other species, 0 in a stated mixture. A species that the sample lacks cannot be weighted
        into it: its weight is 0.
    """
    if mixture.natural:
        return np.ones(X + 1)
    found = np.bincount(label[label != OTHER], minlength=X)
    weights = np.zeros(X + 1)
    np.divide(mixture.abundances * found.sum(), found, out=weights[:X], where=found > 0)
    return weights


def posterior(scores: NDArray[np.floating], prior: Floats, mixture: Mixture) -> Floats:
    """Posterior probabilities in a mixture, from those under a prior.

    A species that the prior excludes was never learnt: it has no likelihood and is never called.

    Parameters
    ----------
    scores : ndarray, (N, 6)
        Posterior probabilities under `prior`.
    prior : ndarray, (6,)
        Abundances that the scores stand for.

    Returns
    -------
    ndarray, (N, 6) float64
        Rows sum to 1, or to 0 where all probability is with species that the mixture excludes.
    """
    ratio = np.divide(mixture.abundances, prior, out=np.zeros(X), where=prior > 0)
    weighted = scores.astype(np.float64) * ratio
    total = weighted.sum(axis=1, keepdims=True)
    return np.divide(weighted, total, out=np.zeros_like(weighted), where=total > 0)


def decide(scores: NDArray[np.floating], prior: Floats, mixture: Mixture) -> NDArray[np.int16]:
    """Call each track the species of the greatest posterior in the mixture.

    Ties, to float32 precision, go to the more abundant species of the mixture, then to the first
    in the order of `SPECIES`. A row without any probability in the mixture is called `OTHER`.

    Returns
    -------
    ndarray, (N,) int16
        Index into `SPECIES`, or `OTHER`.
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
    counts : ndarray, (7, 7) int64
        ``counts[t, c]``: tracks of true species t that are called c, in the order of `SPECIES`;
        the last row is of other species, the last column of tracks called none.
    mixture : Mixture
        See the module's text.
    weights : ndarray, (7,) float64
        Weight of a track of each true species and of the others, see `track_weights`.

    Raises
    ------
    ValueError
        If the counts have another shape or one is negative or not whole.
    """

    counts: NDArray[np.int64]
    mixture: Mixture
    weights: Floats

    def __post_init__(self) -> None:
        if self.counts.shape != (X + 1, X + 1):
            raise ValueError(f"counts have shape {self.counts.shape}, not {(X + 1, X + 1)}")
        clopper_pearson(0, self.counts)  # whole and not negative

    @classmethod
    def of_decisions(
        cls, label: ArrayLike, called: ArrayLike, mixture: Mixture, weights: Floats
    ) -> Confusion:
        """Count labels and decisions, both indices into `SPECIES` or `OTHER`."""
        # The remainder of −1 is X.
        true, call = np.asarray(label, np.int64) % (X + 1), np.asarray(called, np.int64) % (X + 1)
        counts = np.bincount(true * (X + 1) + call, minlength=(X + 1) ** 2)
        return cls(counts.reshape(X + 1, X + 1), mixture, weights)

    @classmethod
    def of_matrix(cls, counts: ArrayLike) -> Confusion:
        """Take a given square matrix, true in rows, in the order of `SPECIES`.

        Species left out at its end have no tracks; the mixture is natural.
        """
        given = np.asarray(counts)
        full = np.zeros((X + 1, X + 1), dtype=given.dtype)
        full[: len(given), : len(given)] = given
        label = np.repeat(np.arange(X), full[:X].sum(axis=1)).astype(np.int16)
        mixture = mixture_for("natural", label)
        return cls(full, mixture, track_weights(label, mixture))

    def rate(self, true: str, called: str | tuple[str, ...]) -> Proportion:
        """Fraction of a true species that is called one of some: an efficiency, or a misID."""
        row = self.counts[index(true)]
        columns = [index(c) for c in ((called,) if isinstance(called, str) else called)]
        return clopper_pearson(row[columns].sum(), row.sum())

    @property
    def rates(self) -> Proportion:
        """`rate` of each true species (and others) to each call, (7, 7)."""
        return clopper_pearson(self.counts, self.counts.sum(axis=1, keepdims=True))

    @property
    def efficiency(self) -> Proportion:
        """Efficiency of each species, (6,)."""
        return clopper_pearson(np.diagonal(self.counts)[:X], self.counts.sum(axis=1)[:X])

    @property
    def purity(self) -> Proportion:
        """Purity of each species, in the mixture, (6,)."""
        called = self.counts[:, :X]
        if self.mixture.natural:
            return clopper_pearson(np.diagonal(called), called.sum(axis=0))
        return weighted_proportion(called.T, self.weights, np.eye(X, X + 1, dtype=bool))

    @property
    def misid(self) -> Proportion:
        """For each species the misID into it from its `MISID_FROM`, (6,)."""
        source = [index(MISID_FROM[name]) for name in SPECIES]
        counts = self.counts[source]
        return clopper_pearson(counts[range(X), range(X)], counts.sum(axis=1))

    @property
    def shares(self) -> Proportion:
        """Each cell over all tracks, in the mixture, (7, 7)."""
        if self.mixture.natural:
            return clopper_pearson(self.counts, self.counts.sum())
        cell = np.eye((X + 1) ** 2, dtype=bool).reshape(X + 1, X + 1, -1)
        return weighted_proportion(self.counts.ravel(), np.repeat(self.weights, X + 1), cell)

    @property
    def accuracy(self) -> Proportion:
        """Fraction of the six species' tracks called rightly, in the mixture, a scalar."""
        own = self.counts[:X]
        right = np.eye(X, X + 1, dtype=bool)
        if self.mixture.natural:
            return clopper_pearson(own[right].sum(), own.sum())
        return weighted_proportion(own.ravel(), np.repeat(self.weights[:X], X + 1), right.ravel())


#: The species whose misidentification is the usual worry: pions, and for pions kaons.
MISID_FROM = {name: "kaon" if name == "pion" else "pion" for name in SPECIES}


def index(name: str) -> int:
    """Index of a species by name.

    Raises
    ------
    InputError
        If there is no such species.
    """
    if name not in SPECIES:
        raise InputError(f"no species '{name}'; {nearest(name, SPECIES)}")
    return SPECIES.index(name)
