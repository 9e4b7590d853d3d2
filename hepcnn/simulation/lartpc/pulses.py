"""Find pulses in waveforms: hits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hepcnn.simulation.lartpc.waveforms import BLOCK, Waveforms

Ints = NDArray[np.int64]
Samples = NDArray[np.float32]


@dataclass(frozen=True)
class Pulses:
    """Pulses, in order of wire and time.

    Attributes
    ----------
    wire : int64 array (n,)
        Number in the series of all planes.
    time, rms : float32 array (n,)
        Mean and RMS of the samples' ticks.
    area : float32 array (n,)
        Sum of the samples (ADC × tick).
    particle : int32 array (n,)
        The particle with most of the charge; −1: none.
    """

    wire: Ints
    time: NDArray[np.float32]
    rms: NDArray[np.float32]
    area: NDArray[np.float32]
    particle: NDArray[np.int32]


@njit(cache=True, error_model="numpy", nogil=True)
def _add_noise(key: Ints, ticks: int, samples: Samples, pool: Samples, start: Ints) -> None:
    """Add noise from random places of a pool, continuous over neighbouring blocks of a wire."""
    blocks = -(-ticks // BLOCK)
    at = 0
    for n in range(key.size):
        follows = n > 0 and key[n] == key[n - 1] + 1 and key[n] % blocks != 0
        at = at + BLOCK if follows and at + 2 * BLOCK <= pool.size else start[n]
        for k in range(min(BLOCK, ticks - key[n] % blocks * BLOCK)):
            samples[n * BLOCK + k] += pool[at + k]


@njit(cache=True, error_model="numpy", nogil=True)
def _split(
    samples: Samples, begin: int, end: int, threshold: float, cuts: Ints
) -> int:  # fmt: skip
    """Divide samples at minima that lie a threshold below the maxima on both sides.

    Writes the ends of the parts to `cuts`; returns how many there are.
    """
    n = 0
    peak = valley = samples[begin]
    where = begin
    for i in range(begin + 1, end):
        value = samples[i]
        if value < valley:
            valley, where = value, i
        elif peak - valley >= threshold and value - valley >= threshold:
            cuts[n] = where
            n += 1
            peak = valley = value
        elif value > peak:
            peak = valley = value
    cuts[n] = end
    return n + 1


@njit(cache=True, error_model="numpy", nogil=True)
def _largest(
    begin: int, end: int, head: NDArray[np.int32], before: NDArray[np.int32],
    particle: NDArray[np.int32], place: NDArray[np.int8], charge: Samples, sums: Samples,
) -> int:  # fmt: skip
    """The particle with most of the charge between two samples; `sums` is 0 before and after."""
    best, most = -1, np.float32(0.0)
    for empty in (False, True):
        for block in range(begin // BLOCK, (end - 1) // BLOCK + 1):
            at = head[block]
            while at >= 0:
                if begin <= block * BLOCK + place[at] < end:
                    whose = particle[at]
                    if empty:
                        sums[whose] = 0.0
                    else:
                        sums[whose] += charge[at]
                        if sums[whose] > most:
                            best, most = whose, sums[whose]
                at = before[at]
    return best


@njit(cache=True, error_model="numpy", nogil=True)
def _moments(samples: Samples, begin: int, end: int) -> tuple[float, float, float]:
    """Sum of samples, and mean and RMS of their places from `begin`."""
    total = first = second = 0.0
    for i in range(begin, end):
        place = i - begin
        total += samples[i]
        first += samples[i] * place
        second += samples[i] * place * place
    mean = first / total
    return total, mean, np.sqrt(max(second / total - mean * mean, 0.0))


@njit(cache=True, error_model="numpy", nogil=True)
def _find(
    key: Ints, blocks: int, samples: Samples, head: NDArray[np.int32],
    before: NDArray[np.int32], particle: NDArray[np.int32], place: NDArray[np.int8],
    charge: Samples, sums: Samples, edge: float, threshold: float, longest: int,
    wire: Ints, time: Samples, rms: Samples, area: Samples, whose: NDArray[np.int32],
) -> int:  # fmt: skip
    """Fill the columns of pulses; returns how many there are."""
    found = 0
    cuts = np.empty(samples.size + 1, np.int64)
    i = 0
    while i < samples.size:
        if samples[i] <= edge:
            i += 1
            continue
        begin, peak = i, samples[i]
        while i < samples.size and samples[i] > edge:
            n = i // BLOCK
            if i > begin and i % BLOCK == 0 and (key[n] != key[n - 1] + 1 or key[n] % blocks == 0):
                break
            peak = max(peak, samples[i])
            i += 1
        if peak < threshold:
            continue
        for part in range(_split(samples, begin, i, threshold, cuts)):
            pieces = (cuts[part] - begin - 1) // longest + 1
            for piece in range(pieces):
                end = begin + (cuts[part] - begin) // (pieces - piece)
                first = key[begin // BLOCK]
                total, mean, width = _moments(samples, begin, end)
                wire[found] = first // blocks
                time[found] = (first % blocks) * BLOCK + begin % BLOCK + mean
                rms[found], area[found] = width, total
                whose[found] = _largest(begin, end, head, before, particle, place, charge, sums)
                found += 1
                begin = end
    return found


def find_pulses(
    waveforms: Waveforms, blocks: int, particles: int, edge: float, threshold: float, longest: int
) -> Pulses:
    """Find the pulses of one event.

    A pulse is a stretch of samples above `edge` whose highest is at least `threshold`, divided at
    minima that lie a threshold below the maxima beside them, and into equal parts if it is longer
    than `longest`, as of a track along the drift.

    Parameters
    ----------
    waveforms : Waveforms
        Samples, with or without noise.
    blocks : int
        Blocks of a wire.
    particles : int
        How many there are.
    edge, threshold : float
        Levels (ADC).
    longest : int
        Ticks.
    """
    # A pulse has at least one sample above the edge, and one below lies between two.
    most = len(waveforms.samples)
    wire, whose = np.empty(most, np.int64), np.empty(most, np.int32)
    time, rms, area = np.empty((3, most), np.float32)
    n = _find(
        waveforms.key, blocks, waveforms.samples, waveforms.head, waveforms.before,
        waveforms.particle, waveforms.place, waveforms.charge, np.zeros(particles, np.float32),
        edge, threshold, longest, wire, time, rms, area, whose,
    )  # fmt: skip
    return Pulses(
        wire[:n].copy(), time[:n].copy(), rms[:n].copy(), area[:n].copy(), whose[:n].copy()
    )


def add_noise(waveforms: Waveforms, ticks: int, pool: Samples, rng: np.random.Generator) -> None:
    """Add noise to waveforms, in place.

    Parameters
    ----------
    waveforms : Waveforms
        Of one event.
    ticks : int
        Ticks of the readout.
    pool : float32 array
        Of `noise.noise_samples`.
    rng : Generator
        Chooses the places of the pool.
    """
    start = rng.integers(0, len(pool) - BLOCK, len(waveforms.key))
    _add_noise(waveforms.key, ticks, waveforms.samples, pool, start)
