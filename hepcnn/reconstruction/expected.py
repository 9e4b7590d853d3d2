"""What light a track should give in a RICH if it is of a species: angle, photons, resolution."""

from __future__ import annotations

from dataclasses import dataclass

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


@dataclass(frozen=True, eq=False)
class Expected:
    """Expected light of n tracks in one RICH, for each of the six species.

    Attributes
    ----------
    angle, sigma, own : float64 array (n, 6)
        Mean Cherenkov angle and a photon's RMS about it (rad), with and without the tracking's
        part; NaN where there is no light.
    spread : float64 array (n,)
        The tracking's part: RMS (rad) of the track's direction along each axis.
    emitted : float64 array (n, 6)
        Photons that would be detected if all of the photon plane were sensitive; 0 without light.
    photons : float64 array (n, 6)
        Expected detected photons: those that fall on pixels.
    """

    angle: Floats
    sigma: Floats
    own: Floats
    spread: Floats
    emitted: Floats
    photons: Floats


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
    p = np.asarray(momentum, np.float64)[:, None]
    length = np.linalg.norm(last - first, axis=1)[:, None]
    angle, per_mm = angle_and_yield(_coarse(detected_spectrum(geometry)), (MASSES / p) ** 2)
    emitted = np.nan_to_num(length * per_mm)
    light = emitted >= MIN_PHOTONS
    emitted = np.where(light, emitted, 0.0)
    angle = np.where(light, angle, np.nan)
    own, spread = photon_sigma(geometry.resolution, angle), tracking_sigma(geometry.resolution, p)
    sigma = np.hypot(own, spread)
    track, species = light.nonzero()
    seen = np.zeros(light.shape)
    seen[track, species] = _fraction_on_pixels(
        geometry, first[track], last[track], angle[track, species], sigma[track, species]
    )
    return Expected(angle, sigma, own, spread[:, 0], emitted, emitted * seen)


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
