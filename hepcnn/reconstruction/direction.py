"""The likelihood of a track marginalised over the errors of its direction and momentum.

The error of a track's direction moves all of its photons together: by δ = (δ_a, δ_b) along the axes
a and b of `hepcnn.reconstruction.photons` a photon at azimuth φ is found at

    θ = θ_h + δ_a cos φ + δ_b sin φ,

to first order in δ/θ. A likelihood that adds that error to each photon's own, as if it were another
one for each, does not know that a whole ring can tell where its middle is. Here the photons have
their own resolution alone, and

    L(h) = Σ_k w_k Π_RICH ∫ dδ N(δ; 0, s²) L(h | δ, p_k),

where p_k are momenta about the measured one (the Gauss–Hermite rule): the error of the momentum is
common to the radii of a track's rings in all RICHes.

The integral is taken by Laplace's approximation about the δ that is most likely. It is found by
expectation–maximisation: the weights are the photons of the track that a hit, where there is one,
lets expect. With w = (1 + y)/y, where y = exp(ν) − 1 of all but the track, and its signal a, that
is r = w a eᵃ/(1 + w (eᵃ − 1)), and −∂²ln L/∂u² = r (1 − (1 + a − r) t²)/σ² for a shift u of a hit
of the pull t.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.special import logsumexp

from hepcnn.detector.particles import SPECIES
from hepcnn.reconstruction.expected import WEIGHTS
from hepcnn.reconstruction.likelihood import BELOW, CUT, PION

Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]
Indices = NDArray[np.int32]
Offsets = NDArray[np.int64]

_SPECIES = len(SPECIES)
#: Steps of the expectation–maximisation at most, and the square of the last one, in errors of δ.
_STEPS, _STILL = 6, 0.01
#: A direction without an error is known so well (rad).
_EXACT = 1e-8


class Ring(NamedTuple):
    """Where the hits that signals are expected in lie about their tracks, in one RICH.

    Attributes
    ----------
    theta : float32 array (m,)
        Cherenkov angle (rad).
    cosine, sine : float32 array (m,)
        Of the azimuth.
    density : float32 array (m,)
        Area of the hit's pixel in dθ dφ (rad²).
    """

    theta: Floats32
    cosine: Floats32
    sine: Floats32
    density: Floats32


@njit(inline="always")
def _told(
    theta: float,
    shift: float,
    density: float,
    angle: float,
    sigma: float,
    emitted: float,
    weight: float,
) -> tuple[float, float, float, float]:
    """Of a hit the signal a, the pull of its pixel's middle, 1 + w (eᵃ − 1), and r."""
    pull = (theta - angle - shift) / sigma
    if not abs(pull) < CUT:
        return 0.0, 0.0, 1.0, 0.0
    a = emitted * density / sigma * math.exp(-0.5 * pull * pull) * (2 * math.pi) ** -1.5
    grown = math.exp(a)
    whole = 1.0 + weight * (grown - 1.0)
    return a, pull, whole, weight * a * grown / whole


@njit(cache=True, error_model="numpy", nogil=True)
def marginalised(
    offsets: Offsets,
    hit: Indices,
    x: Floats32,
    ring: tuple[Floats32, Floats32, Floats32, Floats32],
    around: tuple[Floats, Floats, Floats, Floats, NDArray[np.bool_]],
    spread: Floats,
    nu: Floats,
    choice: NDArray[np.int8],
) -> Floats:
    """ln L(h) − ln L(no light) of each track in one RICH, the other tracks as chosen, (K, n, 7).

    Parameters
    ----------
    offsets, hit, x
        The `Signals` in this RICH.
    ring : Ring
        Of these signals.
    around : AtMomenta
        Light of these tracks at K momenta.
    spread : float64 array (n,)
        RMS s (rad) of the track's direction along each axis.
    nu : float64 array (k,)
        Expected photons ν in the hits' pixels, for this choice and with the background.
    choice : int8 array (n,)
        A hypothesis for each track.
    """
    theta, cosine, sine, density = ring
    angle, sigma, emitted, photons, matters = around
    y = np.expm1(nu)
    log = np.zeros((len(angle), choice.size, _SPECIES + 1))
    most = 0
    for j in range(choice.size):
        most = max(most, offsets[j + 1] - offsets[j])
    weight = np.empty(most)
    for j in range(choice.size):
        first, end = offsets[j], offsets[j + 1]
        for c in range(first, end):
            own = x[c, choice[j]] if choice[j] != BELOW else np.float32(0.0)
            weight[c - first] = (1.0 + y[hit[c]]) / max(y[hit[c]] - own, 1e-12)
        for h in range(_SPECIES):
            for k in range(len(angle)):
                if k > 0 and not matters[j, h]:
                    log[k, j, h] = log[0, j, h]
                elif emitted[k, j, h] > 0.0:
                    log[k, j, h] = -photons[k, j, h] + _of_ring(
                        first, end, theta, cosine, sine, density, weight,
                        angle[k, j, h], sigma[k, j, h], emitted[k, j, h], max(spread[j], _EXACT),
                    )  # fmt: skip
    return log


def over_momenta(log: Floats) -> Floats:
    """ln L(h) − ln L(pion), (n, 7), of likelihoods at K momenta, (K, n, 7), all RICHes together."""
    total = logsumexp(log, axis=0, b=WEIGHTS[:, None, None])
    return np.asarray(total - total[:, PION, None])


@njit(cache=True, error_model="numpy", nogil=True)
def _of_ring(
    first: int,
    end: int,
    theta: Floats32,
    cosine: Floats32,
    sine: Floats32,
    density: Floats32,
    weight: Floats,
    angle: float,
    sigma: float,
    emitted: float,
    spread: float,
) -> float:
    """The logarithm of the marginal likelihood of one track's hits for one hypothesis."""
    prior, known = 1.0 / (spread * spread), 1.0 / (sigma * sigma)
    along = across = 0.0
    for _ in range(_STEPS):
        # What is known of δ, and where the hits would have it.
        aa = bb = prior
        ab = ga = gb = 0.0
        for c in range(first, end):
            u, v = cosine[c], sine[c]
            a, _, _, r = _told(
                theta[c], along * u + across * v, density[c], angle, sigma, emitted,
                weight[c - first],
            )  # fmt: skip
            if a == 0.0:
                continue
            aa += r * u * u * known
            ab += r * u * v * known
            bb += r * v * v * known
            free = r * (theta[c] - angle) * known
            ga += free * u
            gb += free * v
        scale = aa * bb - ab * ab
        new_along, new_across = (bb * ga - ab * gb) / scale, (aa * gb - ab * ga) / scale
        moved = aa * (new_along - along) ** 2 + bb * (new_across - across) ** 2
        along, across = new_along, new_across
        if moved < _STILL:
            break
    return _about(
        first, end, theta, cosine, sine, density, weight,
        angle, sigma, emitted, prior, along, across,
    )  # fmt: skip


@njit(cache=True, error_model="numpy", nogil=True)
def _about(
    first: int,
    end: int,
    theta: Floats32,
    cosine: Floats32,
    sine: Floats32,
    density: Floats32,
    weight: Floats,
    angle: float,
    sigma: float,
    emitted: float,
    prior: float,
    along: float,
    across: float,
) -> float:
    """Laplace's approximation about a direction."""
    known = 1.0 / (sigma * sigma)
    value = -0.5 * prior * (along * along + across * across)
    # The information of complete data on δ, and that of what is observed.
    aa = bb = oaa = obb = prior
    ab = oab = 0.0
    for c in range(first, end):
        u, v = cosine[c], sine[c]
        a, pull, whole, r = _told(
            theta[c], along * u + across * v, density[c], angle, sigma, emitted, weight[c - first]
        )
        if a == 0.0:
            continue
        value += math.log(whole)
        seen = r * known * (1.0 - (1.0 + a - r) * pull * pull)
        aa += r * u * u * known
        ab += r * u * v * known
        bb += r * v * v * known
        oaa += seen * u * u
        oab += seen * u * v
        obb += seen * v * v
    information = oaa * obb - oab * oab
    if not (information > 0.0 and oaa > 0.0):
        information = aa * bb - ab * ab
    return value - 0.5 * math.log(information) + math.log(prior)
