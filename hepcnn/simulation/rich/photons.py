"""Cherenkov photons of track segments, as far as the photon plane."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hepcnn.config import RichSimulation
from hepcnn.detector.geometry import RichGeometry
from hepcnn.detector.optics import trace_photons
from hepcnn.detector.radiator import DetectedSpectrum
from hepcnn.simulation.rich.misalignment import move_images
from hepcnn.simulation.rich.tracks import Segment

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Photons:
    """Photons that would be detected if they fall on a sensitive area.

    Attributes
    ----------
    track : int64 array (n,)
        Index of the particle that made the photon.
    panel : int8 array (n,)
        Half of the RICH.
    u, v : float64 array (n,)
        Point in the plane of the panel (mm); u is NaN for a photon that misses it.
    """

    track: NDArray[np.int64]
    panel: NDArray[np.int8]
    u: Floats
    v: Floats


@njit(cache=True, error_model="numpy", nogil=True)
def _cherenkov(
    quantiles: Floats,
    beta: Floats,
    offsets: NDArray[np.int64],
    energy: Floats,
    keep: Floats,
    cosine: Floats,
    kept: NDArray[np.int64],
) -> None:
    """Thin the photons of β = 1 to those of each track's β; give their angles, packed.

    `kept` gets the new offsets. `cosine` is filled from the front.
    """
    last = quantiles.size - 1
    n = 0
    kept[0] = 0
    for j in range(beta.size):
        inverse = 1.0 / (beta[j] * beta[j])
        for i in range(offsets[j], offsets[j + 1]):
            x = energy[i] * last
            k = min(int(x), last - 1)
            index = quantiles[k] + (x - k) * (quantiles[k + 1] - quantiles[k])
            square = 1.0 / (index * index)
            cosine2 = square * inverse
            if keep[i] * (1.0 - square) < 1.0 - cosine2:
                cosine[n] = np.sqrt(cosine2)
                n += 1
        kept[j + 1] = n


def sample_photons(
    settings: RichSimulation,
    geometry: RichGeometry,
    spectrum: DetectedSpectrum,
    segment: Segment,
    beta: Floats,
    rng: np.random.Generator,
) -> Photons:
    """Make the photons of segments in one RICH and trace them.

    Their number is Poisson about the path times the spectrum's yield times sin²θ. It is drawn by
    thinning, which is exact: photons of the spectrum of a particle with β = 1, each kept with
    probability sin²θ(E, β)/sin²θ(E, 1). Emission is uniform along the path and in azimuth.

    Parameters
    ----------
    settings : RichSimulation
        Whether emission points and photon energies spread, and how mirrors are turned.
    geometry, spectrum
        The RICH and its detected spectrum.
    segment : Segment
        Of n particles.
    beta : float64 array (n,)
        Their velocities.
    rng : Generator
        Source of random numbers.
    """
    (track,) = segment.crosses.nonzero()
    entry, exit, velocity = segment.entry[track], segment.exit[track], beta[track]
    length = np.linalg.norm(exit - entry, axis=1)
    offsets = np.concatenate([[0], rng.poisson(spectrum.per_mm * length).cumsum()])
    n = int(offsets[-1])
    if settings.chromatic:
        quantiles, energy = spectrum.quantiles, rng.random(n)
    else:
        quantiles, energy = np.full(2, spectrum.mean_index), np.zeros(n)
    cosine, kept = np.empty(n), np.empty_like(offsets)
    _cherenkov(quantiles, velocity, offsets, energy, rng.random(n), cosine, kept)
    n = int(kept[-1])
    along = rng.random(n) if settings.emission else np.full(n, 0.5)
    rays = (entry, exit, kept, cosine[:n], along, rng.random(n))
    u, v, panel = trace_photons(geometry, *rays)
    if settings.misalignment > 0:
        move_images(geometry, settings.misalignment, *rays, u, v)
    return Photons(np.repeat(track, np.diff(kept)), panel, u, v)
