"""The tracks that the methods of an identification task are compared on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from hepcnn.config import PidTask
from hepcnn.detector.particles import OTHER
from hepcnn.performance.intervals import Floats
from hepcnn.performance.sample import Sample, aligned, altered
from hepcnn.store.predictions import Predictions

#: What tracks are binned in.
Variable = Literal["p", "eta", "n_tracks"]
#: What two image sets of the same tracks have alike.
_AGREED = ("p", "n_tracks")


@dataclass(frozen=True, eq=False)
class PidSample(Sample):
    """Tracks in the momentum range of the tables: classes are the six species.

    Attributes
    ----------
    features : dict of str to ndarray, (N,) float64
        Momentum ``p`` (MeV), ``eta`` (NaN: unknown), ``n_tracks`` in the event, ``charge``, and
        ``ghost`` (1: no particle).
    likelihoods : frozenset of str
        The methods whose scores are from log likelihoods.
    momentum_range : (float, float)
        low <= p < high (MeV).
    below, above : int
        Tracks scored, but below and above the momentum range.
    """

    unit: ClassVar[str] = "track"
    kind: ClassVar[str] = "species"

    likelihoods: frozenset[str]
    momentum_range: tuple[float, float]
    below: int
    above: int

    @property
    def span(self) -> str:
        """The momentum range, for captions."""
        low, high = (f"{p / 1000:g}" for p in self.momentum_range)
        return f"{low} <= p < {high} GeV/c"

    @property
    def described(self) -> str:
        """Which species and which tracks of them, for captions."""
        return f"six species, {self.span}"

    @property
    def population(self) -> str:
        """Momentum range and mixture, for captions."""
        return f"{self.span}, {self.mixed('species')}"

    def log_ratio(self, method: str, first: str = "kaon", second: str = "pion") -> Floats:
        """A method's ln(P_first / P_second) at equal abundances, (N,)."""
        return super().log_ratio(method, first, second)

    def groups(self, charges: bool) -> dict[str, NDArray[np.bool_]]:
        """Tracks by what they are, as far as there are any: the species, and ``ghost``.

        With `charges` each species is parted: ``kaon+`` and ``kaon-``.
        """
        charge = self.features["charge"]
        signs = {"+": charge > 0, "-": charge < 0} if charges else {"": np.ones(len(self), bool)}
        found = {
            f"{name}{sign}": self.true(name) & own
            for name in self.classes
            for sign, own in signs.items()
        }
        found["ghost"] = (self.label == OTHER) & (self.features["ghost"] == 1)
        return {name: tracks for name, tracks in found.items() if tracks.any()}

    def variable(self, method: str) -> str:
        """Name of a method's `log_ratio` of kaon and pion: a likelihood's is LHCb's DLLK."""
        return "DLLK" if method in self.likelihoods else "NNDLLK"


def select(predictions: Sequence[Predictions], task: PidTask, name: str) -> PidSample:
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
        See `hepcnn.performance.sample.aligned`; or if no track is left.
    """
    return _in_range([p for p in predictions if not p.altered], task, name)


def select_altered(
    predictions: Sequence[Predictions], task: PidTask, name: str
) -> dict[str, PidSample]:
    """Align the predictions of each altered sample of a task, in the order of its `robustness`.

    Raises
    ------
    InputError
        As `select`; or see `hepcnn.performance.sample.altered`.
    """
    parts = altered(predictions, task, name)
    return {sample: _in_range(found, task, name) for sample, found in parts.items()}


def _in_range(predictions: Sequence[Predictions], task: PidTask, name: str) -> PidSample:
    ordered = aligned(predictions, task, name, _AGREED)
    low, high = task.tables.momentum_range
    p = ordered[0].features["p"].astype(np.float64)
    below, above = p < low, p >= high
    return PidSample.of(
        ordered,
        task,
        ~(below | above),
        likelihoods=frozenset(p.method for p in ordered if p.log_likelihood is not None),
        momentum_range=(low, high),
        below=int(np.count_nonzero(below)),
        above=int(np.count_nonzero(above)),
    )
