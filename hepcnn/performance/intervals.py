"""Proportions with their intervals, vectorised; each result names its method.

Two statistical assumptions, never mixed: counts are binomial (`clopper_pearson`); sums of weights
are sums of independent weighted tracks (`weighted_fraction` of tracks with weights of their own,
`weighted_proportion` of groups of equal weight). An empty denominator gives NaN.
`hepcnn.performance.clusters` widens either where tracks without weights come several in an event.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv

Floats = NDArray[np.float64]

#: Central coverage of one standard deviation of a normal distribution.
LEVEL = 0.6827
CLOPPER_PEARSON = "Clopper-Pearson 68.27 %"
WEIGHTED = "weighted binomial, 1 sigma"


@dataclass(frozen=True, eq=False)
class Proportion:
    """Proportions of any shape, with asymmetric errors and counts.

    Attributes
    ----------
    value, err_low, err_high : ndarray of float64
        The proportion and its errors, both ≥ 0; NaN where the denominator is empty.
    n_pass, n_total : ndarray of int64
        Tracks in the numerator and in the denominator, unweighted.
    sumw, sumw2 : ndarray of float64
        Sum of the weights and of their squares in the denominator (`n_total` if unweighted).
    method : str
        How the errors were found.
    """

    value: Floats
    err_low: Floats
    err_high: Floats
    n_pass: NDArray[np.int64]
    n_total: NDArray[np.int64]
    sumw: Floats
    sumw2: Floats
    method: str

    @property
    def n_eff(self) -> Floats:
        """Unweighted tracks that would know as much: (Σw)² / Σw²; 0 where there are none."""
        return np.divide(
            self.sumw**2, self.sumw2, out=np.zeros_like(self.sumw), where=self.sumw2 > 0
        )

    @property
    def error(self) -> Floats:
        """Half the interval's width: the one number of ``xx.xx ± x.xx``."""
        return (self.err_low + self.err_high) / 2

    def __getitem__(self, index: int | slice | tuple[int | slice, ...]) -> Proportion:
        return Proportion(
            self.value[index],
            self.err_low[index],
            self.err_high[index],
            self.n_pass[index],
            self.n_total[index],
            self.sumw[index],
            self.sumw2[index],
            self.method,
        )


def clopper_pearson(n_pass: ArrayLike, n_total: ArrayLike) -> Proportion:
    """Binomial proportions with the central Clopper–Pearson interval at 68.27 %.

    Assumes that the tracks pass or fail independently. The interval covers at least at its level
    for any true proportion; none passing has a lower error of 0, all passing an upper one of 0.

    Parameters
    ----------
    n_pass, n_total : array_like of int
        Counts, of shapes that broadcast.

    Raises
    ------
    ValueError
        If a count is not a whole number ≥ 0 or more pass than there are.

    References
    ----------
    C. J. Clopper and E. S. Pearson, Biometrika 26 (1934) 404.
    """
    k, n = np.broadcast_arrays(_counts(n_pass), _counts(n_total))
    if (k > n).any():
        raise ValueError("more tracks pass than there are")
    tail = (1 - LEVEL) / 2
    some = n > 0
    value = np.divide(k, n, out=np.full(k.shape, np.nan), where=some)
    # The beta quantiles need both parameters above 0: at the ends the interval ends at 0 or 1.
    low = np.where(k > 0, betaincinv(np.maximum(k, 1), n - k + 1, tail), 0.0)
    high = np.where(k < n, betaincinv(k + 1, np.maximum(n - k, 1), 1 - tail), 1.0)
    return Proportion(
        value=value,
        err_low=np.where(some, value - low, np.nan),
        err_high=np.where(some, high - value, np.nan),
        n_pass=k.copy(),
        n_total=n.copy(),
        sumw=n.astype(np.float64),
        sumw2=n.astype(np.float64),
        method=CLOPPER_PEARSON,
    )


def weighted_fraction(
    passed: tuple[ArrayLike, ArrayLike, ArrayLike], total: tuple[ArrayLike, ArrayLike, ArrayLike]
) -> Proportion:
    """Fractions of tracks with weights, such as sWeights: some may be negative.

    ε = W_pass / W with W = Σw, and of independent tracks that pass with probability ε the variance
    Σ_pass w² (1 − ε)² + Σ_fail w² ε² over W², which is |(1 − 2ε) Σw²_pass + ε² Σw²| / W²: that of
    ROOT's ``TH1::Divide`` with option ``B``, and the binomial ε(1 − ε)/n where all weights are 1.
    With negative weights ε may lie outside 0 to 1 and is left there. Where W is not above 0 there
    is no ε: NaN.

    Parameters
    ----------
    passed, total : (n, Σw, Σw²)
        Of the tracks that pass, and of all; shapes broadcast.
    """
    n_pass, w_pass, w2_pass, n, sumw, sumw2 = np.broadcast_arrays(*passed, *total)
    positive = sumw > 0
    value = np.divide(w_pass, sumw, out=np.full(sumw.shape, np.nan), where=positive)
    variance = (1 - 2 * value) * w2_pass + value**2 * sumw2
    error = np.sqrt(np.abs(variance)) / np.where(positive, sumw, np.nan)
    return Proportion(
        value=value,
        err_low=error,
        err_high=error,
        n_pass=n_pass.copy(),
        n_total=n.copy(),
        sumw=sumw.copy(),
        sumw2=sumw2.copy(),
        method=WEIGHTED,
    )


def weighted_proportion(
    counts: ArrayLike,
    weights: ArrayLike,
    passing: ArrayLike,
    axis: int = -1,
    sums: tuple[ArrayLike, ArrayLike] | None = None,
) -> Proportion:
    """Proportions of tracks that come in groups of equal weight, such as the true species.

    ε = Σw_pass / W with the error √|((1 − 2ε) Σw²_pass + ε² Σw²) / W²|, as ROOT's ``TH1::Divide``
    with option ``B`` has it. It is a normal approximation: at ε of 0 or 1 the formula's error
    is 0, and `n_total` and `n_eff` say what that is worth.

    Parameters
    ----------
    counts : array_like of int
        Tracks of each group.
    weights : array_like of float
        Weight of each track of a group; broadcasts against `counts`.
    passing : array_like of bool
        The groups in the numerator; broadcasts against `counts`.
    axis : int
        The axis of `counts` that runs over groups; it is summed over.
    sums : (array_like, array_like), optional
        Of tracks that have weights of their own too: their Σw and Σw² in each group, which take the
        place of the counts.

    Raises
    ------
    ValueError
        If a count is not a whole number ≥ 0 or a weight not finite and ≥ 0.
    """
    w = np.asarray(weights, dtype=np.float64)
    if not (np.isfinite(w) & (w >= 0)).all():
        raise ValueError("weights must be finite and not negative")
    passes, number = np.asarray(passing, dtype=bool), _counts(counts)
    own, own2 = (number, number) if sums is None else sums
    n, w, passes, own, own2 = np.broadcast_arrays(number, w, passes, own, own2)
    sumw, sumw2 = (own * w).sum(axis), (own2 * w**2).sum(axis)
    value = np.divide(
        (own * w * passes).sum(axis), sumw, out=np.full(sumw.shape, np.nan), where=sumw > 0
    )
    variance = (1 - 2 * value) * (own2 * w**2 * passes).sum(axis) + value**2 * sumw2
    error = np.sqrt(np.abs(variance)) / np.where(sumw > 0, sumw, np.nan)
    return Proportion(
        value=value,
        err_low=error,
        err_high=error,
        n_pass=(n * (passes & (w > 0))).sum(axis),
        n_total=(n * (w > 0)).sum(axis),
        sumw=sumw,
        sumw2=sumw2,
        method=WEIGHTED,
    )


def _counts(values: ArrayLike) -> NDArray[np.int64]:
    array = np.asarray(values)
    counts = array.astype(np.int64)
    if (counts != array).any() or (counts < 0).any():
        raise ValueError("counts must be whole numbers, not negative")
    return counts
