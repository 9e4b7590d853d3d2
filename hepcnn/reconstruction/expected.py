"""What light a track should give in a RICH if it is of a species: angle, photons, resolution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from hepcnn.detector.geometry import RichGeometry
from hepcnn.detector.optics import trace_photons
from hepcnn.detector.particles import MASSES
from hepcnn.detector.pixels import sensitive_part
from hepcnn.detector.radiator import DetectedSpectrum, detected_spectrum
from hepcnn.reconstruction.resolution import photon_sigma, tracking_sigma

Floats = NDArray[np.float64]

#: Photons traced of each ring to see how much of it falls on pixels; a multiple of 4.
RING_PHOTONS = 32
#: Points of the tables of angle and yield against 1/(βγ)², and energies that they sum over.
_CURVE_POINTS = 1024
_ENERGIES = 256
#: Fewer detected photons than this on a fully sensitive plane are no light.
MIN_PHOTONS = 1e-3
#: Errors of the momentum, in RMS, and their weights: the Gauss–Hermite rule, that of none first.
_MIDDLE_FIRST = [1, 0, 2]
ERRORS, _WEIGHTS = (values[_MIDDLE_FIRST] for values in np.polynomial.hermite_e.hermegauss(3))
WEIGHTS = _WEIGHTS / _WEIGHTS.sum()
#: An error of the momentum of 1 RMS is of no account if it changes a ring's radius by less than
#: this part of what its photons know it to.
_NO_ACCOUNT = 0.2


class AtMomenta(NamedTuple):
    """Expected light of n tracks in one RICH at K momenta: the measured one and `ERRORS`.

    Attributes
    ----------
    angle, emitted, photons : float64 array (K, n, 6)
        As in `Expected`, which has those of the first.
    own : float64 array (K, n, 6)
        A photon's RMS about its angle (rad) without the tracking's part.
    matters : bool array (n, 6)
        Where the others tell anything else than the first.
    """

    angle: Floats
    own: Floats
    emitted: Floats
    photons: Floats
    matters: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Expected:
    """Expected light of n tracks in one RICH, for each of the six species.

    Attributes
    ----------
    angle, sigma : float64 array (n, 6)
        Mean Cherenkov angle and a photon's RMS about it (rad); NaN where there is no light.
    spread : float64 array (n,)
        The tracking's part: RMS (rad) of the track's direction along each axis.
    emitted : float64 array (n, 6)
        Photons that would be detected if all of the photon plane were sensitive; 0 without light.
    photons : float64 array (n, 6)
        Expected detected photons: those that fall on pixels.
    around : AtMomenta
        The same at momenta that differ from the measured one by its error.
    """

    angle: Floats
    sigma: Floats
    spread: Floats
    emitted: Floats
    photons: Floats
    around: AtMomenta


def expected_light(
    geometry: RichGeometry,
    entry: ArrayLike,
    direction: ArrayLike,
    exit: ArrayLike,
    momentum: ArrayLike,
) -> Expected:
    """Expect angle and photons of tracks at their measured momenta.

    The number of photons is the path in the gas times the spectrum's yield at the velocity, of
    which the part counts that falls on pixels: some photons of each ring are traced.

    Parameters
    ----------
    geometry : RichGeometry
        The RICH.
    entry, direction, exit : array (n, 3)
        The tracks' segments (mm, LHCb frame); NaN: not in this RICH.
    momentum : array (n,)
        In MeV.
    """
    first, last = np.asarray(entry, np.float64), np.asarray(exit, np.float64)
    p, resolution = np.asarray(momentum, np.float64)[:, None], geometry.resolution
    length = np.linalg.norm(last - first, axis=1)[:, None]
    momenta = p * (1 + resolution.tracking_momentum * ERRORS[:, None, None])
    angles, per_mm = angle_and_yield(_coarse(detected_spectrum(geometry)), (MASSES / momenta) ** 2)
    emitted = np.nan_to_num(length * per_mm)
    # A track that has none at its measured momentum has none.
    lit = (emitted >= MIN_PHOTONS) & (emitted[0] >= MIN_PHOTONS)
    emitted, angles = np.where(lit, emitted, 0.0), np.where(lit, angles, np.nan)
    own, spread = photon_sigma(resolution, angles), tracking_sigma(resolution, p)
    sigma = np.hypot(own[0], spread)
    track, species = lit[0].nonzero()
    seen = np.zeros(lit[0].shape)
    seen[track, species] = _fraction_on_pixels(
        geometry, first[track], last[track], angles[0][track, species], sigma[track, species]
    )
    photons = emitted * seen
    known = own[0] / np.sqrt(np.maximum(photons[0], 1.0))
    moved = np.abs(np.diff(np.nan_to_num(angles[[0, -1]]), axis=0)[0]) / ERRORS[-1]
    around = AtMomenta(angles, own, emitted, photons, lit[0] & (moved > _NO_ACCOUNT * known))
    return Expected(angles[0], sigma, spread[:, 0], emitted[0], photons[0], around)


def angle_and_yield(spectrum: DetectedSpectrum, x: Floats) -> tuple[Floats, Floats]:
    """Mean angle (rad) and detected photons a mm at x = 1/(βγ)² = (m/p)²; 0 without light.

    Linear between points: near the threshold θ² goes as x, like the yield.
    """
    grid = np.linspace(0.0, float(spectrum.index[-1]) ** 2 - 1, _CURVE_POINTS)
    velocity = 1 / np.sqrt(1 + grid)
    square = np.nan_to_num(spectrum.mean_angle(velocity) ** 2)
    angle = np.sqrt(np.interp(x, grid, square, right=0.0))
    return angle, np.interp(x, grid, spectrum.photons_per_mm(velocity), right=0.0)


def _coarse(spectrum: DetectedSpectrum) -> DetectedSpectrum:
    """The spectrum with fewer energies: good enough for the tables, and quicker."""
    step = len(spectrum.index) // _ENERGIES
    return DetectedSpectrum(
        spectrum.index.reshape(-1, step).mean(1),
        spectrum.density.reshape(-1, step).sum(1),
        spectrum.quantiles,
        spectrum.mean_index,
    )


def _ring() -> tuple[Floats, Floats, Floats]:
    """Azimuth (turns), emission point (fraction of the path) and residual (σ) of a ring's photons.

    Even steps in azimuth; the other two are quasi-random, the same in each quadrant, so that the
    halves of a RICH stay mirror images.
    """
    k = np.arange(RING_PHOTONS)
    quarter = RING_PHOTONS // 4
    q = k % quarter
    q = np.where(k // quarter % 2 == 0, q, quarter - 1 - q)
    along = np.mod(0.5 + q * 0.7548776662, 1.0)  # the R2 sequence
    normal = ndtri(np.mod(0.5 + q * 0.5698402910, 1.0))
    return (k + 0.5) / RING_PHOTONS, along, normal


def _fraction_on_pixels(
    geometry: RichGeometry, entry: Floats, exit: Floats, angle: Floats, sigma: Floats
) -> Floats:
    """Which fraction of the photons of rings (n,) falls on pixels."""
    turns, along, normal = _ring()
    n = len(angle)
    cosine = np.cos(angle[:, None] + sigma[:, None] * normal).ravel()
    offsets = np.arange(n + 1) * RING_PHOTONS
    u, v, _ = trace_photons(
        geometry, entry, exit, offsets, cosine, np.tile(along, n), np.tile(turns, n)
    )
    # Each stands for a square as wide as the steps along the ring, 2π · R θ/2 in all: that gives
    # the part on pixels to 2 %, where points in or out of the gaps would give it to 7 %.
    step = np.pi * geometry.spherical_mirror.radius * angle / RING_PHOTONS
    part = sensitive_part(geometry, u, v, np.repeat(step, RING_PHOTONS))
    return part.reshape(n, RING_PHOTONS).mean(axis=1)
