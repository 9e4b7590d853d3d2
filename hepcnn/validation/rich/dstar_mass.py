"""D* candidates made of an event's tracks, and the fit of the mass of the D⁰.

It is this mass that is fitted, in a window of Δm = m(Kππ) − m(Kπ) that the slow pion must make, and
not Δm: where one daughter is replaced by a slow track of another origin, Δm hardly changes, and
what is taken for signal in a fit of it is not. In m(Kπ) such candidates lie anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import ndtr

from hepcnn.detector.particles import MASSES
from hepcnn.events.schema import RichEvents
from hepcnn.performance.splot import sweights
from hepcnn.simulation.rich.dstar import D0_MASS, DSTAR_MASS, KAON, PION
from hepcnn.validation.rich.setup import Floats

#: Candidates: range of m(Kπ) about the D⁰'s, of Δm about the D*'s, least transverse momentum of the
#: D⁰, and largest momentum of the slow pion (all MeV).
D0_WINDOW = 100.0
DELTA_WINDOW = 2.5
D0_PT = 2500.0
SLOW_MOMENTUM = 15_000.0


class Candidates(NamedTuple):
    """D* candidates of a chunk, each array (n,).

    Attributes
    ----------
    kaon, pion, slow : int64 array
        Rows of their tracks.
    mass, delta : float64 array
        m(Kπ) and Δm (MeV).
    """

    kaon: NDArray[np.int64]
    pion: NDArray[np.int64]
    slow: NDArray[np.int64]
    mass: Floats
    delta: Floats


def candidates(events: RichEvents, direction: Floats) -> Candidates:
    """All D* candidates of the events' tracks, from their momenta and directions at the vertex.

    The slow pion's charge says which of the other two, of opposite charge, is the kaon.

    Parameters
    ----------
    events : RichEvents
        The events.
    direction : float64 array (tracks, 3)
        Measured directions; NaN for tracks that are left out.
    """
    found = [
        _of_event(events, direction, slice(*events.track_offsets[i : i + 2]), sign)
        for i in range(len(events))
        for sign in (1, -1)
    ]
    return Candidates(*(np.concatenate(column) for column in zip(*found, strict=True)))


def _of_event(events: RichEvents, direction: Floats, tracks: slice, sign: int) -> Candidates:
    """Those of one event whose slow pion has this charge."""
    p = events.tracks["p"][tracks].astype(np.float64)
    direction = direction[tracks]
    momentum = p[:, None] * direction
    charge, seen = events.tracks["charge"][tracks], np.isfinite(direction[:, 0])
    kaons, pions = np.flatnonzero(seen & (charge == -sign)), np.flatnonzero(seen & (charge == sign))
    slow = pions[p[pions] < SLOW_MOMENTUM]

    def energy(rows: NDArray[np.int64], particle: int) -> Floats:
        return np.asarray(np.sqrt(p[rows] ** 2 + MASSES[particle] ** 2))

    e = energy(kaons, KAON)[:, None] + energy(pions, PION)
    total = momentum[kaons][:, None] + momentum[pions]
    mass = np.sqrt(e**2 - (total**2).sum(axis=2))
    chosen = np.abs(mass - D0_MASS) < D0_WINDOW
    chosen &= np.hypot(total[..., 0], total[..., 1]) > D0_PT
    k, pi = chosen.nonzero()
    e_all = e[k, pi][:, None] + energy(slow, PION)
    all_three = total[k, pi][:, None] + momentum[slow]
    delta = np.sqrt(e_all**2 - (all_three**2).sum(axis=2)) - mass[k, pi][:, None]
    near = np.abs(delta - (DSTAR_MASS - D0_MASS)) < DELTA_WINDOW
    d0, s = (near & (pions[pi][:, None] != slow)).nonzero()
    k, pi, first = k[d0], pi[d0], tracks.start
    return Candidates(
        first + kaons[k], first + pions[pi], first + slow[s], mass[k, pi], delta[d0, s]
    )


@dataclass(frozen=True)
class Fit:
    """Densities of signal and background in m(Kπ).

    Attributes
    ----------
    mean, sigma, ratio, narrow : float
        Of the signal: two Gaussians of one mean (MeV), of widths σ (MeV) and `ratio` times σ, and
        the fraction of the first.
    slope : float
        Of the background: a straight line, 1 + slope at the upper end of the range and 1 − slope at
        the lower one, over their mean.
    """

    mean: float
    sigma: float
    ratio: float
    narrow: float
    slope: float

    def density(self, mass: Floats) -> Floats:
        """Of signal and background at values of m(Kπ), (2, n), normalised in the range."""
        signal = np.zeros(len(mass))
        for part, width in ((self.narrow, self.sigma), (1 - self.narrow, self.ratio * self.sigma)):
            low, high = ((D0_MASS + end - self.mean) / width for end in (-D0_WINDOW, D0_WINDOW))
            peak = np.exp(-0.5 * ((mass - self.mean) / width) ** 2) / np.sqrt(2 * np.pi) / width
            signal += part * peak / (ndtr(high) - ndtr(low))
        line = 1 + self.slope * (mass - D0_MASS) / D0_WINDOW
        return np.stack([signal, line / (2 * D0_WINDOW)])


#: Where the fit begins and how far it may go: the fraction of the signal, then `Fit`.
_START = (0.7, D0_MASS, 10.0, 2.0, 0.7, 0.0)
_BOUNDS = (
    (0.01, 0.99), (D0_MASS - 5, D0_MASS + 5), (4, 25), (1.3, 3), (0.1, 0.95), (-0.9, 0.9),
)  # fmt: skip


def fit(mass: Floats) -> Fit:
    """The unbinned likelihood fit of the m(Kπ) of candidates, (n,)."""

    def loss(parameters: Floats) -> float:
        share, *shape = parameters
        signal, background = Fit(*shape).density(mass)
        return -float(np.log(share * signal + (1 - share) * background).mean())

    found = minimize(loss, _START, method="L-BFGS-B", bounds=_BOUNDS)
    return Fit(*found.x[1:])


def signal_weights(mass: Floats) -> Floats:
    """sWeights of the signal from a fit of the m(Kπ) of candidates, (n,)."""
    return sweights(fit(mass).density(mass))[0]
