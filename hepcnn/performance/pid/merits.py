"""Figures of merit of identification: accuracies, and K efficiencies at fixed π misID.

K efficiencies are whole and by momentum, tied tracks accepted at random (see
`hepcnn.performance.curves`): what is worth nothing has the misID as its efficiency. In each
bootstrap sample the cut is found anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hepcnn.performance.bootstrap import Merits, accuracies, by_method, draw, joined, merits
from hepcnn.performance.intervals import Floats
from hepcnn.performance.pid.sample import PidSample


@dataclass(frozen=True, eq=False)
class MethodMerits:
    """Figures of merit of one method.

    Attributes
    ----------
    accuracy : Merits, (2,)
        Accuracy, and balanced accuracy.
    kaon : Merits, (1 + bins, misIDs)
        K efficiency of all tracks, then of each momentum bin.
    """

    accuracy: Merits
    kaon: Merits

    @property
    def overall(self) -> Merits:
        """Those of all tracks, as `merit_names` names them."""
        return joined([self.accuracy, self.kaon[0]])

    def with_bins(self, column: int) -> Merits:
        """Those, and the K efficiency at one misID in each bin, as `bin_names` names it."""
        bins = range(1, len(self.kaon.value))
        return joined([self.overall, *(self.kaon[k][column] for k in bins)])


def merit_names(misid: Sequence[float]) -> list[str]:
    """Names of the figures of merit of all tracks."""
    fixed = [f"K efficiency at {100 * m:g} % pi misID" for m in misid]
    return ["accuracy", "balanced accuracy", *fixed]


def bin_names(misid: float, edges: Sequence[float]) -> list[str]:
    """Names of the K efficiencies in momentum bins (MeV)."""
    (name,) = merit_names([misid])[2:]
    return [f"{name}, {low / 1e3:g} to {high / 1e3:g} GeV" for low, high in pairwise(edges)]


def bootstrap(
    sample: PidSample,
    misid: Sequence[float],
    edges: Sequence[float],
    generator: np.random.Generator,
) -> dict[str, MethodMerits]:
    """Find the figures of merit of all that predicts, in the sample and in bootstrap samples of it.

    Parameters
    ----------
    sample : PidSample
        Trainings and baselines on the same tracks.
    misid : sequence of float
        Fractions of pions at which kaon efficiencies are found.
    edges : sequence of float
        Edges of the momentum bins (MeV).
    generator : numpy.random.Generator
        Draws the bootstrap samples.
    """
    n = sample.n_events
    times = draw(n, generator)
    place = sample.place("p", edges)
    parts = [np.ones(len(sample), dtype=bool), *(place == k for k in range(len(edges) - 1))]
    return {
        m: MethodMerits(
            merits(accuracies(sample, m, times), n),
            merits(_kaons(sample, m, parts, misid, times), n),
        )
        for m in sample.scores
    }


def of_methods(merits: Mapping[str, MethodMerits]) -> dict[str, MethodMerits]:
    """Those of methods, from those of trainings: see `hepcnn.performance.bootstrap.by_method`."""
    accuracy = by_method({name: own.accuracy for name, own in merits.items()})
    kaon = by_method({name: own.kaon for name, own in merits.items()})
    return {method: MethodMerits(accuracy[method], kaon[method]) for method in accuracy}


def _kaons(
    sample: PidSample,
    method: str,
    parts: Sequence[NDArray[np.bool_]],
    misid: Sequence[float],
    times: NDArray[np.int16],
) -> Floats:
    """K efficiencies of parts of the tracks in each sample of events, (samples, parts, misIDs)."""
    kaon = sample.true("kaon")
    either = np.flatnonzero(kaon | sample.true("pion"))
    score = sample.log_ratio(method)[either]
    falling = np.argsort(-score, kind="stable")
    either, score = either[falling], score[falling]
    found = []
    for part in parts:
        own = part[either]
        chosen = either[own]
        found.append(
            efficiencies(
                score[own],
                kaon[chosen],
                sample.event[chosen],
                times,
                np.asarray(misid),
                None if sample.weight is None else sample.weight[chosen],
            )
        )
    return np.stack(found, axis=1)


def efficiencies(
    score: Floats,
    kaon: NDArray[np.bool_],
    event: NDArray[np.int64],
    times: NDArray[np.int16],
    misid: Floats,
    weight: Floats | None = None,
) -> Floats:
    """K efficiency at fixed π misIDs, tied tracks accepted at random, in samples of events.

    Parameters
    ----------
    score : ndarray, (N,)
        Of kaons and pions, falling.
    kaon : ndarray, (N,) bool
        Which of them are kaons.
    event : ndarray, (N,) int64
        Their events.
    times : ndarray, (samples, events) int16
        How often each event is in each sample.
    misid : ndarray, (M,)
        Fractions of pions.
    weight : ndarray, (N,), optional
        Of the tracks.

    Returns
    -------
    ndarray, (samples, M)
        As `hepcnn.performance.curves.Roc.efficiency_at` of the repeated tracks; NaN in a sample
        without kaons or without pions, or where the weights of either sum to nothing above 0.
    """
    last = np.ones(len(score), dtype=bool)
    last[:-1] = score[1:] != score[:-1]
    result = np.empty((len(times), len(misid)))
    order = np.argsort(misid, kind="stable")
    weight = np.ones(len(score)) if weight is None else weight
    result[:, order] = _efficiencies(kaon, event, last, times, misid[order], weight)
    return result


@njit(cache=True)
def _efficiencies(
    kaon: NDArray[np.bool_],
    event: NDArray[np.int64],
    last: NDArray[np.bool_],
    times: NDArray[np.int16],
    misid: Floats,
    weight: Floats,
) -> Floats:
    """`efficiencies` for rising misIDs: down the ROC curve until the last of them is passed."""
    result = np.full((len(times), len(misid)), np.nan)
    for r in range(len(times)):
        # Sums of whole numbers are exact: without weights these are counts.
        kaons = pions = 0.0
        for i in range(len(event)):
            w = times[r, event[i]] * weight[i]
            kaons += w if kaon[i] else 0.0
            pions += 0.0 if kaon[i] else w
        if kaons <= 0 or pions <= 0:
            continue
        done = 0
        x0 = y0 = 0.0
        k = n = 0.0
        for i in range(len(event)):
            w = times[r, event[i]] * weight[i]
            k += w if kaon[i] else 0.0
            n += 0.0 if kaon[i] else w
            if not last[i]:
                continue
            x1, y1 = n / pions, k / kaons
            while done < len(misid) and x1 > misid[done]:
                result[r, done] = y0 + (y1 - y0) * (misid[done] - x0) / (x1 - x0)
                done += 1
            if done == len(misid):
                break
            x0, y0 = x1, y1
        result[r, done:] = 1.0
    return result
