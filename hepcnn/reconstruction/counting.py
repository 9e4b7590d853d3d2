"""Threshold counting: does the ring of a hypothesis have the light that it should have?

Only numbers are looked at, as with a threshold Cherenkov counter: the hits around the angle that
each hypothesis expects, against those of a track that gives no light there. Where the hits lie
within that window, and whether windows share hits, plays no part.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Photons expected from others in a pixel, at least: less is not known better than that, and one
#: hit must not decide alone.
LOWEST_DENSITY = 1e-3


@dataclass(frozen=True, eq=False)
class Windows:
    """The windows of C hypotheses around N tracks in one RICH, each (N, C) float32.

    Attributes
    ----------
    angle : ndarray
        Angle θ that the hypothesis expects (rad); 0: no light.
    photons : ndarray
        Detected photons that it expects; 0: no light.
    counts : ndarray
        Hits within 3 σ of the angle.
    expected_other : ndarray
        Photons expected in those hits' pixels from all but the track.
    """

    angle: NDArray[np.float32]
    photons: NDArray[np.float32]
    counts: NDArray[np.float32]
    expected_other: NDArray[np.float32]

    def density(self) -> NDArray[np.float64]:
        """Mean of the photons that others are expected to put into a pixel of the window."""
        density = np.zeros(self.counts.shape)
        np.divide(self.expected_other, self.counts, out=density, where=self.counts > 0)
        return np.maximum(density, LOWEST_DENSITY)


@dataclass(frozen=True)
class Calibration:
    """What one RICH's windows hold.

    Attributes
    ----------
    efficiency : float
        Hits within the window for each photon expected.
    pixels : float
        Pixels of a window for each rad of its angle.
    """

    efficiency: float
    pixels: float


def calibrate(windows: Windows, labels: NDArray[np.integer]) -> Calibration:
    """Measure the efficiency and the size of the windows on tracks of known species.

    The background is measured on the tracks that are below threshold: all hits in the windows of
    the other species are from others. A RICH without such tracks, or without any that gives
    light, has an efficiency of 0 and will tell nothing.

    Parameters
    ----------
    windows : Windows
        Of the training split.
    labels : ndarray, (N,) int
        Index of the true species among the hypotheses; −1 (none of them) is left out.
    """
    light = windows.photons > 0
    own = np.zeros_like(light)
    own[np.flatnonzero(labels >= 0), labels[labels >= 0]] = True
    dark = light & ((own & ~light).any(axis=1, keepdims=True))
    size = windows.angle * windows.density()
    if not (windows.counts[dark].any() and light[own].any()):
        return Calibration(0.0, 1.0)
    occupied = dark & (windows.counts > 0)
    pixels = float(windows.counts[dark].sum() / size[occupied].sum())
    own &= light
    excess = windows.counts[own].sum() - pixels * size[own & (windows.counts > 0)].sum()
    return Calibration(max(float(excess / windows.photons[own].sum()), 0.0), pixels)


def log_likelihood(
    windows: Mapping[str, Windows], calibration: Mapping[str, Calibration]
) -> NDArray[np.float64]:
    """ln L of each hypothesis relative to no light at all, (N, C): a sum over the RICHes.

    With n hits in the window, S signal hits and B background hits expected in it, the ratio of
    the Poisson probabilities with and without the signal is ln L = n ln(1 + S/B) − S. B is the
    window's number of pixels times the mean density of the other tracks' photons at its hits.
    """
    total = np.zeros(next(iter(windows.values())).counts.shape)
    for name, w in windows.items():
        signal = calibration[name].efficiency * w.photons.astype(np.float64)
        background = calibration[name].pixels * w.angle * w.density()
        light = w.photons > 0
        gain = np.log1p(np.divide(signal, background, out=np.zeros_like(signal), where=light))
        total += w.counts * gain - signal
    return total
