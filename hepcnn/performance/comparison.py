"""Networks against controls on the same tracks: by how much, with a paired interval.

Three kinds of figure, none of which rewards a method for how its classes were balanced in training:

- accuracy, with decisions for the tables' mixture;
- balanced accuracy, the mean efficiency of the species, with decisions for the flat mixture, in
  which always calling the same species is worth 1/6;
- K efficiency at each fixed π misID, from NNDLLK, tied tracks accepted at random (see
  `hepcnn.performance.curves`): what is worth nothing has the misID as its efficiency.

Errors are standard deviations over bootstrap samples of whole *events*: tracks of an event share
hits and are not independent. All methods are evaluated on the same bootstrap samples, so that the
error of a difference knows that the tracks are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hepcnn.performance.confusion import X, mixture_for
from hepcnn.performance.curves import Ranking
from hepcnn.performance.intervals import Floats
from hepcnn.performance.sample import Sample

#: Bootstrap samples: an error is then known to about 3 %.
REPLICATES = 500
BOOTSTRAP = f"bootstrap of events, {REPLICATES} samples, 1 sigma"

#: Figures of merit as a function of the weight of each event.
_Merit = Callable[[Floats], Floats]


class Estimate(NamedTuple):
    """A number with a symmetric error; NaN where it cannot be known."""

    value: float
    error: float

    @property
    def interval(self) -> tuple[float, float]:
        """One standard deviation to each side."""
        return self.value - self.error, self.value + self.error


class Comparison(NamedTuple):
    """One figure of merit of a network beside a control's, and their difference."""

    figure: str
    network: str
    control: str
    network_value: Estimate
    control_value: Estimate
    difference: Estimate

    @property
    def apart(self) -> bool:
        """Whether the network is better and the two intervals do not overlap."""
        return self.network_value.interval[0] > self.control_value.interval[1]


def compare(
    sample: Sample, misid: Sequence[float], generator: np.random.Generator
) -> list[Comparison]:
    """Compare every network with every control.

    Parameters
    ----------
    sample : Sample
        Methods on the same tracks.
    misid : sequence of float
        Fractions of pions at which kaon efficiencies are compared.
    generator : numpy.random.Generator
        Draws the bootstrap samples.

    Returns
    -------
    list of Comparison
        By network, control, figure; empty without a network or without a control. With fewer than
        two events all errors are NaN.
    """
    pairs = [(n, c) for n in sample.networks for c in sample.controls]
    if not pairs:
        return []
    merit = {m: _merit(sample, m, misid) for m in sample.methods}
    nominal = {m: f(np.ones(sample.n_events)) for m, f in merit.items()}
    draws = _bootstrap(merit, sample.n_events, len(misid), generator)
    result = []
    for network, control in pairs:
        columns = (
            _estimates(nominal[network], draws[network]),
            _estimates(nominal[control], draws[control]),
            _estimates(nominal[network] - nominal[control], draws[network] - draws[control]),
        )
        for name, *estimates in zip(figure_names(misid), *columns, strict=True):
            result.append(Comparison(name, network, control, *estimates))
    return result


def _bootstrap(
    merit: Mapping[str, _Merit], n_events: int, n_misid: int, generator: np.random.Generator
) -> dict[str, Floats]:
    """Figures of merit of each method in the same bootstrap samples, (samples, figures)."""
    draws = {m: np.full((REPLICATES, 2 + n_misid), np.nan) for m in merit}
    # One event drawn again and again would look as if it were known exactly.
    for row in range(REPLICATES if n_events > 1 else 0):
        drawn = generator.integers(n_events, size=n_events)
        times = np.bincount(drawn, minlength=n_events).astype(np.float64)
        for m, figures in merit.items():
            draws[m][row] = figures(times)
    return draws


def figure_names(misid: Sequence[float]) -> list[str]:
    """Names of the figures of merit, in the order of `compare`."""
    fixed = [f"K efficiency at {100 * m:g} % pi misID" for m in misid]
    return ["accuracy", "balanced accuracy", *fixed]


def _estimates(nominal: Floats, draws: Floats) -> list[Estimate]:
    """Each figure with its standard deviation over the bootstrap samples."""
    return [
        Estimate(float(v), float(e))
        for v, e in zip(nominal, draws.std(axis=0, ddof=1), strict=True)
    ]


def _merit(sample: Sample, method: str, misid: Sequence[float]) -> _Merit:
    """The figures of merit of a method as a function of the weight of each event."""
    called = sample.called(method)
    flat = sample.called(method, mixture_for("flat", sample.label))
    total = _by_event(sample, sample.label >= 0)
    right = _by_event(sample, called == sample.label)
    right_flat = _by_event(sample, flat == sample.label)
    mixture = sample.mixture
    score, kaon, pion = sample.nndllk(method), sample.true("kaon"), sample.true("pion")
    ranking = Ranking(score[kaon], score[pion])

    def figures(times: Floats) -> Floats:
        tracks = times @ total
        # The mean is over the species that there are: a bootstrap sample can miss a rare one.
        found = tracks > 0
        roc = ranking.roc(times[sample.event[kaon]], times[sample.event[pion]])
        # A stated mixture's abundances are given: they do not vary from sample to sample.
        share = (tracks if mixture.natural else mixture.abundances)[found]
        with np.errstate(invalid="ignore"):  # none at all: NaN
            accuracy = ((times @ right)[found] / tracks[found]) @ share / share.sum()
            balanced = ((times @ right_flat)[found] / tracks[found]).sum() / found.sum()
        return np.array([accuracy, balanced, *(roc.efficiency_at(m) for m in misid)])

    return figures


def _by_event(sample: Sample, which: NDArray[np.bool_]) -> Floats:
    """Count the tracks that satisfy a condition by event and true species, (events, 6)."""
    cell = sample.event * X + sample.label
    own = which & (sample.label >= 0)
    counts = np.bincount(cell[own], minlength=sample.n_events * X)
    return counts.reshape(sample.n_events, X).astype(np.float64)
