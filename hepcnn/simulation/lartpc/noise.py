"""Electronics noise, correlated as by the shaper, and the pulses that it makes by itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hepcnn.detector.tpc import TPC

Floats = NDArray[np.float64]
#: Samples of noise that waveforms take theirs from, each from a random place.
POOL = 1 << 20
#: Half the length of the shaper's response, in its widths.
_REACH = 5.0


def shaping(tpc: TPC) -> float:
    """Width σ of the shaper's response (ticks)."""
    return tpc.electronics.shaping / tpc.readout.tick


def noise_samples(tpc: TPC, size: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """White noise through the shaper, with the electronics' RMS (ADC), a sample a tick."""
    width = shaping(tpc)
    reach = int(np.ceil(_REACH * width))
    response = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)
    response *= tpc.electronics.noise / np.sqrt((response**2).sum())
    white = rng.standard_normal(size + 2 * reach)
    return np.convolve(white, response, "valid").astype(np.float32)


def noise_pulse_rate(tpc: TPC) -> float:
    """Pulses above threshold that noise alone makes, for each wire and tick.

    Upward crossings of a level u by Gaussian noise of RMS s and autocorrelation ρ:
    √(−ρ''(0)) / 2π exp(−u²/2s²) (S. O. Rice, Bell Syst. Tech. J. 24 (1945) 46), with
    ρ = exp(−t²/4σ²) behind a Gaussian shaper of width σ.
    """
    noise, threshold = tpc.electronics.noise, tpc.electronics.threshold
    if noise == 0:
        return 0.0
    curvature = np.sqrt(0.5) / shaping(tpc)
    return float(curvature / (2 * np.pi) * np.exp(-0.5 * (threshold / noise) ** 2))


def noise_pulses(
    tpc: TPC, live: NDArray[np.int64], rng: np.random.Generator
) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Pulses of noise away from all signals.

    A high peak of Gaussian noise stands above its level by an exponential amount, and has the
    shape of the autocorrelation (D. Slepian, 1963), here a Gaussian √2 as wide as the shaper's.

    Parameters
    ----------
    tpc : TPC
        The geometry.
    live : int64 array
        Numbers of the wires that are not dead.
    rng : Generator
        Source of the random numbers.

    Returns
    -------
    wire : int64 array (n,)
        Of `live`.
    tick, height : float64 array (n,)
        When, and how high (ADC).
    """
    n = rng.poisson(noise_pulse_rate(tpc) * len(live) * tpc.readout.ticks)
    noise, threshold = tpc.electronics.noise, tpc.electronics.threshold
    height = threshold + rng.exponential(noise**2 / threshold, n)
    return rng.choice(live, n), rng.uniform(0, tpc.readout.ticks, n), height
