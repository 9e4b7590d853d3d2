"""One class against another: the ROC curve, and working points at cuts and at fixed misID.

The variable is ln(P_one / P_other) at equal abundances of the two (the prior of the training
divided out), so that it does not depend on how classes were balanced. Of kaons and pions it is the
network's Δ log likelihood, NNDLLK; the name keeps it apart from DLLK of LHCb's likelihood. A track
passes a cut t if NNDLLK > t.

**Ties.** A method without an image gives many tracks the same score, and no cut can part them. A
*working point* is a cut that an analysis can apply, and keeps the misID at or below what was
asked: its achieved misID stands beside it, and where every cut that passes any track exceeds it,
it is "not reachable" (NaN). A *comparison* at equal misID instead accepts tied tracks at random,
which is a straight line on the ROC curve: a constant score then has an efficiency equal to the
misID, the diagonal, which is what knowing nothing is worth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hepcnn.performance.intervals import Floats, Proportion, clopper_pearson
from hepcnn.performance.tally import Tally, fraction

#: Decimals that a cut is rounded to before anything is evaluated with it.
DECIMALS = 3
#: Weights of kaons and of pions, each like their scores; None: all count alike.
Weights = tuple[Floats | None, Floats | None]
ALIKE: Weights = (None, None)


def log_ratio(scores: NDArray[np.floating], prior: Floats, first: int, second: int) -> Floats:
    """ln(P_first / P_second) at equal abundances; of kaon and pion: NNDLLK.

    Parameters
    ----------
    scores : ndarray, (N, C)
        Posterior probabilities.
    prior : ndarray, (C,)
        The abundances under which they are.
    first, second : int
        Two classes: the one looked for, and the one to be told from.

    Returns
    -------
    ndarray, (N,) float64
        +∞ where only P_second is 0, and −∞ where P_first is: such a track passes no cut, also
        where both are 0, that is, where the method is sure of a third class. Scores of float32
        are told apart to 1e-6, so that what ties still does after the prior is divided out.
    """
    if prior[first] == 0 or prior[second] == 0:
        # One of them was never learnt, so that its zeros say nothing.
        return np.zeros(len(scores))
    with np.errstate(divide="ignore", invalid="ignore"):
        one, other = (np.log(scores[:, i].astype(np.float64) / prior[i]) for i in (first, second))
        ratio = one - other
    return np.where(one > -np.inf, np.round(ratio, 6) + 0.0, -np.inf)


@dataclass(frozen=True, eq=False)
class Roc:
    """The ROC curve: efficiency against misID, from (0, 0) to (1, 1), neither ever falling.

    With negative weights either may fall, and be outside 0 to 1.

    Attributes
    ----------
    misid, efficiency : ndarray, (M,) float64
        Fractions of pions and of kaons with at least the score; NaN where there are none.
    score : ndarray, (M,) float64
        The distinct scores, falling, after +∞ for (0, 0).
    """

    misid: Floats
    efficiency: Floats
    score: Floats

    def efficiency_at(self, misid: float) -> float:
        """Kaon efficiency at a misID, with tied tracks accepted at random."""
        # Of equal misIDs the last: a vertical step is worth its top. The first that is above.
        above = self.misid > misid
        after = int(above.argmax()) if above.any() else len(self.misid)
        if np.isnan(self.misid[-1]) or after == len(self.misid):
            return float(self.efficiency[-1] + 0 * self.misid[-1])
        x0, x1 = self.misid[after - 1 : after + 1]
        y0, y1 = self.efficiency[after - 1 : after + 1]
        return float(y0 + (y1 - y0) * (misid - x0) / (x1 - x0))


def roc(kaons: Floats, pions: Floats, weights: Weights = ALIKE) -> Roc:
    """The ROC curve of the scores of true kaons and pions, (N_K,) and (N_π,)."""
    falling, rank = np.unique(-np.concatenate([kaons, pions]), return_inverse=True)

    def fractions(own: NDArray[np.intp], weight: Floats | None) -> Floats:
        passed = np.cumsum(np.bincount(own, weight, minlength=len(falling)))
        total = len(own) if weight is None else weight.sum()
        passed = np.concatenate([[0.0], passed])
        return passed / total if total > 0 else np.full(len(passed), np.nan)

    efficiency = fractions(rank[: len(kaons)], weights[0])
    misid = fractions(rank[len(kaons) :], weights[1])
    return Roc(misid, efficiency, np.concatenate([[np.inf], -falling]))


@dataclass(frozen=True, eq=False)
class WorkingPoint:
    """A cut with what passes above it; `note` says why there is none.

    `efficiency` (K→K, or of the species looked for) and `misid` (π→K, or of the other) are scalars.
    """

    cut: float
    efficiency: Proportion
    misid: Proportion
    note: str = ""


def at_cut(kaons: Floats, pions: Floats, cut: float, weights: Weights = ALIKE) -> WorkingPoint:
    """Evaluate a stated cut on the scores of true kaons and pions."""
    return WorkingPoint(cut, passing(kaons > cut, weights[0]), passing(pions > cut, weights[1]))


def passing(passes: NDArray[np.bool_], weight: Floats | None = None) -> Proportion:
    """The fraction of some examples that pass, a scalar."""
    return fraction(Tally.of(passes, weight), Tally.of(np.ones(len(passes), np.bool_), weight))


def at_misid(
    kaons: Floats,
    pions: Floats,
    misid: float,
    names: tuple[str, str] = ("kaon", "pion"),
    weights: Weights = ALIKE,
) -> WorkingPoint:
    """Find the loosest cut of `DECIMALS` decimals that at most a fraction of pions pass.

    The cut is rounded, upwards, before it is evaluated: the numbers are those that a reader gets
    who applies the cut as printed. With negative weights the misID need not fall with the cut: no
    tighter cut exceeds it either.

    Parameters
    ----------
    kaons, pions : ndarray, (N_K,) and (N_π,)
        Scores of the true kaons and pions, or of two other species.
    misid : float
        The misID asked for, 0 to 1.
    names : (str, str)
        What the two are, for the note.
    weights : (ndarray or None, ndarray or None)
        Of the kaons and of the pions.
    """
    if not len(kaons) or not len(pions):
        return _none(f"no true {names[1] if len(kaons) else names[0]}")
    for name, weight in zip(names, weights, strict=True):
        if weight is not None and weight.sum() <= 0:
            return _none(f"the weights of the {name}s sum to {weight.sum():.4g}")
    point = at_cut(kaons, pions, _round_up(_limit(pions, misid, weights[1])), weights)
    if not point.efficiency.n_pass and not point.misid.n_pass:
        tied = np.count_nonzero(pions == pions.max())
        return _none(f"not reachable: {tied} of {len(pions)} {names[1]}s share the highest score")
    return point


def _limit(pions: Floats, misid: float, weight: Floats | None) -> float:
    """The score above which the loosest cut lies; −∞: any cut does."""
    if weight is None:
        allowed = int(np.floor(misid * len(pions) + 1e-9))
        # Strictly above the next pion's score, at most `allowed` pions are left.
        return float(np.sort(pions)[::-1][allowed]) if allowed < len(pions) else -np.inf
    falling, rank = np.unique(-pions, return_inverse=True)
    passed = np.cumsum(np.bincount(rank, weight))
    exceeds = passed > misid * weight.sum() * (1 + 1e-9)
    return float(-falling[exceeds.argmax()]) if exceeds.any() else -np.inf


def _round_up(value: float) -> float:
    if not np.isfinite(value):
        return float(value)
    steps, scale = np.ceil(value * 10**DECIMALS), 10**DECIMALS
    # The product is rounded too, and must not let the cut fall below the value.
    return float(steps / scale if steps / scale >= value else (steps + 1) / scale)


def _none(note: str) -> WorkingPoint:
    return WorkingPoint(float("nan"), clopper_pearson(0, 0), clopper_pearson(0, 0), note)
