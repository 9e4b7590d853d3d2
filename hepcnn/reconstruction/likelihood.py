"""The likelihood of an event's hits: signals, one track's hypotheses, and the best combination.

Pixels are binary. With ν_i photons expected in pixel i and μ_j expected of track j,

    ln L = Σ_hit ln(exp(ν_i) − 1) − Σ_j μ_j,   ν_i = b_i + Σ_j a_ij

[LHCb; R. Forty and O. Schneider, RICH pattern recognition, LHCb 98-040]. All RICHes of an event are
one list of hits here, and a track's signals in all of them one list of signals.

Nothing is exponentiated while tracks change: what is kept of a hit is exp(ν) − 1 and of a signal
x = exp(a) − 1. With y = exp(ν) − 1 of all but one track, that track of signal x changes the
hit's term by ln(1 + x (1 + y)/y).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hepcnn.detector.particles import SPECIES
from hepcnn.reconstruction.photon_kernels import Mirrors, block_angles, prepare_track
from hepcnn.reconstruction.quartic import FAST

Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]
Indices = NDArray[np.int32]
Offsets = NDArray[np.int64]

#: The hypotheses: the species, and no light at all.
HYPOTHESES = (*SPECIES, "below")
PION = HYPOTHESES.index("pion")
BELOW = HYPOTHESES.index("below")
_SPECIES = len(SPECIES)
#: A photon is expected within so many σ of a hypothesis' angle and nowhere else.
CUT = 5.0
#: A change of a track must gain so much ln L.
MIN_GAIN = 0.01
#: Factors of a product of which the logarithm is taken: each is below 1e10.
_BLOCK = 16
#: Below this angle (rad) the magnification is that of the optical axis at this angle.
_SMALL_ANGLE = 2e-3
#: Step of the numerical derivatives of the angles, in mirror radii.
_STEP = 1e-4


class Signals(NamedTuple):
    """Expected signals of an event's tracks in its hits.

    Attributes
    ----------
    offsets : int64 array (n + 1,)
        Rows ``offsets[j]`` to ``offsets[j + 1]`` of the other two are track j's.
    hit : int32 array (m,)
        Index of the hit.
    x : float32 array (m, 6)
        exp(a) − 1 of the signal a of each species: expected photons in the hit's pixel.
    """

    offsets: Offsets
    hit: Indices
    x: Floats32


@njit(cache=True, error_model="numpy", nogil=True)
def signals(
    o: Mirrors,
    axes: Floats,
    emission: Floats,
    direction: Floats,
    hits: Floats,
    split: int,
    area: Floats,
    offsets: Offsets,
    hit: Indices,
    theta: Floats32,
    phi: Floats32,
    angle: Floats,
    sigma: Floats,
    emitted: Floats,
) -> tuple[Offsets, Indices, Floats32, Indices, Floats32]:
    """Expected signals of tracks in one RICH, from their photon candidates.

    A track's photons are spread evenly in φ and as a Gaussian in θ, so that in a pixel of area A
    at (θ, φ) there are

        a = A μ |∂(θ, φ)/∂(u, v)| / 2π · exp(−(θ − θ_h)²/2σ²) / (√2π σ)

    with μ the photons if all of the plane were sensitive. The derivatives are those of the
    reconstructed angles; about the optical axis they are 4/(R²θ).

    Parameters
    ----------
    o : Mirrors
        The RICH.
    axes : float64 array (2, 3)
        Axes u and v of the photon plane in the frame of `hits`.
    emission, direction : float64 array (n, 3)
        Of the tracks.
    hits, split, offsets, hit, theta, phi
        As in `photon_kernels.candidates`.
    area : float64 array (k,)
        Area of the hits' pixels in units of R².
    angle, sigma, emitted : float64 array (n, 6)
        Of `Expected`.

    Returns
    -------
    The three of `Signals`, those of no species left out; and of each of them
    where : int32 array (m,)
        Index of the candidate.
    density : float32 array (m,)
        Area A of its pixel in dθ dφ (rad²).
    """
    n = 0
    first = np.zeros_like(offsets)
    number, where = np.empty(hit.size, np.int32), np.empty(hit.size, np.int32)
    x, solid = np.empty((hit.size, _SPECIES), np.float32), np.empty(hit.size, np.float32)
    point, shifted = np.empty((3, hits.shape[1])), np.empty((4, hits.shape[1]))
    for j in range(offsets.size - 1):
        for c in range(offsets[j], offsets[j + 1]):
            near = False
            for h in range(_SPECIES):
                near |= abs(theta[c] - angle[j, h]) < CUT * sigma[j, h]
            where[n], number[n] = c, hit[c]
            n += 1 if near else 0
        first[j + 1] = n
        # Candidates of panel 0 come first.
        start = first[j]
        for panel in range(2):
            end = start
            while end < n and (number[end] < split) == (panel == 0):
                end += 1
            track = prepare_track(o, 1.0 - 2.0 * panel, emission[j], direction[j])
            m = end - start
            for axis in range(2):
                for i in range(m):
                    for d in range(3):
                        point[d, i] = hits[d, number[start + i]] + _STEP * axes[axis, d]
                block_angles(
                    o, track, point[0, :m], point[1, :m], point[2, :m],
                    shifted[2 * axis, :m], shifted[2 * axis + 1, :m],
                )  # fmt: skip
            for i in range(m):
                c = where[start + i]
                density = area[number[start + i]] * _angular_density(
                    theta[c], phi[c], shifted[0, i], shifted[1, i], shifted[2, i], shifted[3, i]
                )
                solid[start + i] = density
                for h in range(_SPECIES):
                    pull = (theta[c] - angle[j, h]) / sigma[j, h]
                    x[start + i, h] = 0.0
                    if abs(pull) < CUT:
                        a = emitted[j, h] * density / sigma[j, h] * math.exp(-0.5 * pull * pull)
                        x[start + i, h] = math.expm1(a * (2 * math.pi) ** -1.5)
            start = end
    return first, number[:n].copy(), x[:n].copy(), where[:n].copy(), solid[:n].copy()


@njit(inline="always")
def _angular_density(
    theta: float, phi: float, theta_u: float, phi_u: float, theta_v: float, phi_v: float
) -> float:
    """dθ dφ over the area (in R²), from the angles at a point and at steps along two axes."""
    du, dv = phi_u - phi, phi_v - phi
    du -= 2 * math.pi * np.round(du / (2 * math.pi))
    dv -= 2 * math.pi * np.round(dv / (2 * math.pi))
    density = abs((theta_u - theta) * dv - (theta_v - theta) * du) / (_STEP * _STEP)
    good = density > 0.0 and theta > _SMALL_ANGLE
    return density if good else 4.0 / max(theta, _SMALL_ANGLE)


@njit(cache=True, error_model="numpy", nogil=True)
def total(
    offsets: Offsets, hit: Indices, x: Floats32, choice: NDArray[np.int8], hits: int
) -> Floats:
    """Photons that all tracks at their chosen hypotheses make expect in each hit's pixel."""
    nu = np.zeros(hits)
    for j in range(choice.size):
        if choice[j] != BELOW:
            for c in range(offsets[j], offsets[j + 1]):
                nu[hit[c]] += math.log1p(x[c, choice[j]])
    return nu


@njit(cache=True, error_model="numpy", fastmath=FAST, nogil=True)
def _track(
    first: int,
    end: int,
    hit: Indices,
    x: Floats32,
    photons: Floats,
    chosen: int,
    y: Floats,
    log: Floats,
) -> None:
    """Logarithms (7,) of one track's likelihoods, with the others as they are."""
    for h in range(_SPECIES):
        log[h] = -photons[h]
    log[BELOW] = 0.0
    for start in range(first, end, _BLOCK):
        p0 = p1 = p2 = p3 = p4 = p5 = 1.0
        for c in range(start, min(start + _BLOCK, end)):
            own = x[c, chosen] if chosen != BELOW else np.float32(0.0)
            k = hit[c]
            weight = (1.0 + y[k]) / max(y[k] - own, 1e-12)
            p0 *= 1.0 + weight * x[c, 0]
            p1 *= 1.0 + weight * x[c, 1]
            p2 *= 1.0 + weight * x[c, 2]
            p3 *= 1.0 + weight * x[c, 3]
            p4 *= 1.0 + weight * x[c, 4]
            p5 *= 1.0 + weight * x[c, 5]
        log[0] += math.log(p0)
        log[1] += math.log(p1)
        log[2] += math.log(p2)
        log[3] += math.log(p3)
        log[4] += math.log(p4)
        log[5] += math.log(p5)


@njit(cache=True, error_model="numpy", nogil=True)
def each_alone(
    offsets: Offsets,
    hit: Indices,
    x: Floats32,
    photons: Floats,
    nu: Floats,
    choice: NDArray[np.int8],
) -> Floats:
    """ln L(h) − ln L(pion) of each track and hypothesis, (n, 7), the other tracks as chosen.

    Parameters
    ----------
    offsets, hit, x
        The `Signals`.
    photons : float64 array (n, 6)
        Expected detected photons.
    nu : float64 array (k,)
        Expected photons ν in the hits' pixels: `total` for this choice, and the background.
    choice : int8 array (n,)
        A hypothesis for each track.
    """
    y = np.expm1(nu)
    log = np.empty((choice.size, _SPECIES + 1))
    for j in range(choice.size):
        _track(offsets[j], offsets[j + 1], hit, x, photons[j], choice[j], y, log[j])
        # One by one: numba takes seconds to compile the subtraction from a row.
        pion = log[j, PION]
        for h in range(_SPECIES + 1):
            log[j, h] -= pion
    return log


@njit(cache=True, error_model="numpy", nogil=True)
def maximise(
    offsets: Offsets,
    hit: Indices,
    x: Floats32,
    photons: Floats,
    nu: Floats,
    choice: NDArray[np.int8],
) -> None:
    """Change `choice`, one track at a time, until no change of one track gains ln L.

    The track that gains most changes first. What the others gain is looked at again only when
    they come first or none is left: a change of one seldom makes another gain more. Parameters as
    in `each_alone`; `choice` starts where the search starts.
    """
    n = choice.size
    y = np.expm1(nu)
    log = np.empty(_SPECIES + 1)
    gain, best = np.empty(n), np.empty(n, np.int8)
    known = np.zeros(n, np.bool_)
    gain[:] = np.inf
    while n > 0:
        j = int(np.argmax(gain))
        if not known[j]:
            _track(offsets[j], offsets[j + 1], hit, x, photons[j], choice[j], y, log)
            best[j] = np.argmax(log)
            gain[j] = log[best[j]] - log[choice[j]]
            known[j] = True
        elif gain[j] > MIN_GAIN:
            for c in range(offsets[j], offsets[j + 1]):
                new = x[c, best[j]] if best[j] != BELOW else np.float32(0.0)
                old = x[c, choice[j]] if choice[j] != BELOW else np.float32(0.0)
                k = hit[c]
                y[k] = (y[k] * (1.0 + new) + (np.float64(new) - old)) / (1.0 + old)
            choice[j], gain[j] = best[j], 0.0
            known[:] = False
            known[j] = True
        elif known.all():
            return
        else:
            for i in range(n):
                gain[i] = gain[i] if known[i] else np.inf


@njit(cache=True, error_model="numpy", nogil=True)
def expected_from_others(
    offsets: Offsets,
    hit: Offsets,
    signals_of: tuple[Offsets, Indices, Floats32],
    choice: NDArray[np.int8],
    nu: Floats,
    background: Floats,
) -> Floats32:
    """For each photon candidate: ν in its pixel less the track's own signal.

    `hit` is the hit that counts in the candidate's pixel.
    """
    other = np.empty(hit.size, np.float32)
    first, number, x = signals_of
    own = np.zeros(nu.size)
    for j in range(choice.size):
        lit = choice[j] != BELOW
        for c in range(first[j], first[j + 1]):
            own[number[c]] = math.log1p(x[c, choice[j]]) if lit else 0.0
        for c in range(offsets[j], offsets[j + 1]):
            other[c] = max(nu[hit[c]] - own[hit[c]], background[hit[c]])
        for c in range(first[j], first[j + 1]):
            own[number[c]] = 0.0
    return other
