"""Waveforms of the wires that see charge, in blocks of ticks: regions of interest.

The wires of all planes are counted in one series, U, V, Y. A block is a few ticks of one wire;
only those blocks are kept that charge reaches, in order of wire and time, so that neighbouring
blocks of a wire are one stretch of memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import stats

from hepcnn.simulation.lartpc.drift import Clouds

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Ticks of a block.
BLOCK = 32
#: Clouds are followed so many widths σ from their middle: but for 6e-5 of their charge.
REACH = 4
#: Least width of a cloud across the wires (wires), in the place of 0.
_LEAST = 1e-3
#: Normal distribution function from −REACH to REACH, in so many steps a unit: exact to 2e-6.
_STEPS = 128
_NORMAL = stats.norm.cdf(np.arange(-REACH * _STEPS, REACH * _STEPS + 1) / _STEPS)


@dataclass(frozen=True)
class Frame:
    """The readout's size, and where waveforms stand.

    Attributes
    ----------
    first : int64 array (planes + 1,)
        Number of each plane's first wire in the common series.
    dead : bool array (wires,)
        Wires that give nothing.
    ticks : int
        Ticks of the readout.
    rank : int32 array (wires * blocks of a wire,)
        For each possible block its place among those kept, −1: none. All are −1 between events.
    """

    first: Ints
    dead: NDArray[np.bool_]
    ticks: int
    rank: NDArray[np.int32]

    @property
    def blocks(self) -> int:
        """Blocks of a wire; the last may be longer than the readout."""
        return -(-self.ticks // BLOCK)


def new_frame(planes: Sequence[NDArray[np.bool_]], ticks: int) -> Frame:
    """The frame of a readout, from each plane's dead wires and the number of ticks."""
    first = np.cumsum([0, *(len(dead) for dead in planes)], dtype=np.int64)
    frame = Frame(first, np.concatenate(planes), ticks, np.empty(0, np.int32))
    return replace(frame, rank=np.full(first[-1] * frame.blocks, -1, np.int32))


@dataclass(frozen=True)
class Waveforms:
    """The blocks of one event.

    Attributes
    ----------
    key : int64 array (n,)
        wire * blocks of a wire + block, rising.
    samples : float32 array (n * BLOCK,)
        ADC.
    head : int32 array (n,)
        The last of each block's contributions; −1: none.
    before, particle : int32 array (c,)
        Of each contribution: the one before it in its block (−1: none), and its particle.
    place : int8 array (c,)
        The tick of its block at which it is largest.
    charge : float32 array (c,)
        How large it is (electrons).
    """

    key: Ints
    samples: NDArray[np.float32]
    head: NDArray[np.int32]
    before: NDArray[np.int32]
    particle: NDArray[np.int32]
    place: NDArray[np.int8]
    charge: NDArray[np.float32]


@njit(cache=True, error_model="numpy", nogil=True)
def _window(centre: float, width: float, size: int) -> tuple[int, int]:
    """First integer that a cloud reaches, and one after the last, within 0 to size."""
    low = int(np.ceil(max(centre - REACH * width, 0.0)))
    high = int(np.floor(min(centre + REACH * width, size - 1.0))) + 1
    return low, high


@njit(cache=True, error_model="numpy", nogil=True)
def _touch(
    tick: Floats, width: Floats, wire: Floats, across: Floats,
    first: Ints, dead: NDArray[np.bool_], ticks: int, rank: NDArray[np.int32],
) -> tuple[Ints, int]:  # fmt: skip
    """Find the blocks that clouds reach, and how often at most a cloud meets a wire.

    Neighbouring clouds of a track often reach the same blocks: those are looked for once.
    """
    blocks = -(-ticks // BLOCK)
    keys = np.empty(1024, np.int64)
    latest = np.full((wire.shape[0], 4), -1)
    n = contributions = 0
    for i in range(tick.size):
        low, high = _window(tick[i], width[i], ticks)
        if low >= high:
            continue
        for plane in range(wire.shape[0]):
            reach = REACH * across[i] + 0.5
            begin, end = _window(wire[plane, i], reach / REACH, first[plane + 1] - first[plane])
            contributions += max(end - begin, 0)
            seen, early, late = latest[plane], low // BLOCK, (high - 1) // BLOCK
            if seen[0] == begin and seen[1] == end and seen[2] == early and seen[3] == late:
                continue
            seen[0], seen[1], seen[2], seen[3] = begin, end, early, late
            for w in range(first[plane] + begin, first[plane] + end):
                if dead[w]:
                    continue
                for block in range(early, late + 1):
                    key = w * blocks + block
                    if rank[key] >= 0:
                        continue
                    if n == keys.size:
                        keys = np.concatenate((keys, np.empty(n, np.int64)))
                    rank[key] = 0
                    keys[n] = key
                    n += 1
    return np.sort(keys[:n]), contributions


@njit(cache=True, error_model="numpy", nogil=True)
def _below(distance: float, scale: float) -> float:
    """Part of a cloud below a distance from its middle; `scale` is `_STEPS` over its width."""
    at = min(max(distance * scale, -_STEPS * REACH), _STEPS * REACH) + _STEPS * REACH
    index = min(int(at), _NORMAL.size - 2)
    return _NORMAL[index] + (at - index) * (_NORMAL[index + 1] - _NORMAL[index])


@njit(cache=True, error_model="numpy", nogil=True)
def _gaussian(centre: float, width: float, low: int, profile: NDArray[np.float32]) -> None:
    """Values of a Gaussian of area 1 at integers from `low`, each from the one before it."""
    offset = low - centre
    scale = 1.0 / (width * width)
    value = np.exp(-0.5 * offset * offset * scale) / (np.sqrt(2.0 * np.pi) * width)
    ratio = np.exp(-(offset + 0.5) * scale)
    change = np.exp(-scale)
    for k in range(profile.size):
        profile[k] = value
        value *= ratio
        ratio *= change


@njit(cache=True, error_model="numpy", nogil=True)
def _fill(
    electrons: Floats, tick: Floats, width: Floats, wire: Floats, across: Floats,
    particle: NDArray[np.int32], first: Ints, dead: NDArray[np.bool_], ticks: int,
    rank: NDArray[np.int32], area: float, samples: NDArray[np.float32],
    head: NDArray[np.int32], before: NDArray[np.int32], whose: NDArray[np.int32],
    place: NDArray[np.int8], charge: NDArray[np.float32],
) -> int:  # fmt: skip
    """Add clouds to the samples of their blocks, and to their lists; returns the lists' length."""
    blocks = -(-ticks // BLOCK)
    profile = np.empty(ticks, np.float32)
    n = 0
    for i in range(tick.size):
        low, high = _window(tick[i], width[i], ticks)
        if low >= high:
            continue
        size = high - low
        _gaussian(tick[i], width[i], low, profile[:size])
        middle = min(max(int(np.rint(tick[i])), low), high - 1)
        for plane in range(wire.shape[0]):
            reach = REACH * across[i] + 0.5
            begin, end = _window(wire[plane, i], reach / REACH, first[plane + 1] - first[plane])
            scale = _STEPS / across[i]
            lower = _below(begin - 0.5 - wire[plane, i], scale)
            for number in range(begin, end):
                upper = _below(number + 0.5 - wire[plane, i], scale)
                part = electrons[i] * (upper - lower)
                lower = upper
                w = first[plane] + number
                if dead[w]:
                    continue
                start = rank[w * blocks + low // BLOCK] * BLOCK + low % BLOCK
                height = np.float32(part * area)
                for k in range(size):
                    samples[start + k] += height * profile[k]
                block = rank[w * blocks + middle // BLOCK]
                before[n], whose[n] = head[block], particle[i]
                place[n], charge[n] = middle % BLOCK, part
                head[block] = n
                n += 1
    return n


def make_waveforms(clouds: Clouds, frame: Frame, width: float, area: float) -> Waveforms:
    """Waveforms of one event, without noise.

    Parameters
    ----------
    clouds : Clouds
        Electrons at the wires; what comes outside the readout or beyond the wires is lost.
    frame : Frame
        The readout.
    width : float
        Width σ of the shaper's response (ticks), to which that of each cloud is added in squares.
    area : float
        Area of an electron's pulse (ADC × tick).
    """
    spread = np.hypot(clouds.along, width)
    where = (clouds.tick, spread, clouds.wire, np.maximum(clouds.across, _LEAST))
    readout = (frame.first, frame.dead, frame.ticks, frame.rank)
    key, most = _touch(*where, *readout)
    frame.rank[key] = np.arange(len(key))
    samples = np.zeros(len(key) * BLOCK, np.float32)
    head = np.full(len(key), -1, np.int32)
    lists = tuple(np.empty(most, t) for t in (np.int32, np.int32, np.int8, np.float32))
    n = _fill(
        clouds.electrons, *where, clouds.particle, *readout, area, samples, head, *lists
    )  # fmt: skip
    frame.rank[key] = -1
    return Waveforms(key, samples, head, *(column[:n] for column in lists))
