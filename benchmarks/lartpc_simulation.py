"""Waveforms of wires against their numpy form, and events a second of the simulation, in one run.

python -m benchmarks lartpc_simulation
"""

from __future__ import annotations

import numpy as np
from scipy import stats

from benchmarks.harness import row, seconds, sized
from hepcnn.config import LArTPCSimulation
from hepcnn.detector.tpc import TPC, load_tpc
from hepcnn.simulation.lartpc.drift import Clouds, drift
from hepcnn.simulation.lartpc.generate import Simulator, simulate
from hepcnn.simulation.lartpc.noise import shaping
from hepcnn.simulation.lartpc.response import Response
from hepcnn.simulation.lartpc.waveforms import BLOCK, REACH, Frame, Waveforms, make_waveforms

SAMPLES = {
    "single particles": (LArTPCSimulation(), sized(200, 4)),
    "interactions with three cosmic muons": (
        LArTPCSimulation(generator="interactions", cosmics=3.0),
        sized(60, 2),
    ),
}


def numpy_waveforms(
    clouds: Clouds, frame: Frame, width: float, area: float
) -> tuple[np.ndarray, np.ndarray]:
    """`make_waveforms` in vectorised numpy: keys of the samples with charge, and their values.

    Every cloud is given as many wires and ticks as the largest needs.
    """
    spread = np.hypot(clouds.along, width)
    reach = int(np.ceil(REACH * spread.max()))
    ticks = np.rint(clouds.tick).astype(np.int64)[:, None] + np.arange(-reach, reach + 1)
    density = stats.norm.pdf(ticks, clouds.tick[:, None], spread[:, None])
    reach = int(np.ceil(REACH * clouds.across.max() + 0.5))
    keys, values = [], []
    for plane, wire in enumerate(clouds.wire):
        wires = np.rint(wire).astype(np.int64)[:, None] + np.arange(-reach, reach + 1)
        across = clouds.across[:, None]
        below, above = (stats.norm.cdf(wires + s, wire[:, None], across) for s in (-0.5, 0.5))
        charge = area * clouds.electrons[:, None] * (above - below)
        inside = (wires >= 0) & (wires < np.diff(frame.first)[plane])
        number = np.where(inside, wires, 0) + frame.first[plane]
        inside &= ~frame.dead[number]
        use = inside[:, :, None] & ((ticks >= 0) & (ticks < frame.ticks))[:, None, :]
        key = number[:, :, None] * frame.ticks + ticks[:, None, :]
        keys.append(key[use])
        values.append((charge[:, :, None] * density[:, None, :])[use])
    found, index = np.unique(np.concatenate(keys), return_inverse=True)
    return found, np.bincount(index, np.concatenate(values))


def same(ours: Waveforms, frame: Frame, keys: np.ndarray, values: np.ndarray) -> None:
    """Fail if both forms do not make the same waveforms."""
    wire, block = np.divmod(ours.key, frame.blocks)
    tick = (block[:, None] * BLOCK + np.arange(BLOCK)).ravel()
    flat = np.zeros(len(frame.dead) * frame.ticks)
    flat[(wire.repeat(BLOCK) * frame.ticks + tick)] = ours.samples
    flat[keys] -= values
    assert np.abs(flat).max() < 1e-3 * ours.samples.max()


def waveforms(tpc: TPC) -> None:
    """The waveforms of an interaction with cosmic muons, in both forms."""
    settings, _ = SAMPLES["interactions with three cosmic muons"]
    rng = np.random.default_rng(0)
    deposits = Simulator(settings, tpc, rng)().deposits
    response = Response(settings, tpc, rng)
    arguments = (
        drift(deposits, settings, tpc),
        response.frame,
        shaping(tpc),
        response.electron_area,
    )
    same(make_waveforms(*arguments), response.frame, *numpy_waveforms(*arguments))
    taken = seconds(
        {
            "ours": lambda: make_waveforms(*arguments),
            "numpy": lambda: numpy_waveforms(*arguments),
        },
        3,
    )
    millions = len(arguments[0].tick) / 1e6
    row(
        "waveforms of deposits / numpy",
        f"{millions / taken['ours']:.2f} M clouds/s",
        f"{millions / taken['numpy']:.3f} M clouds/s",
        taken["numpy"] / taken["ours"],
        goal=50,
    )


def main() -> None:
    """Print all rows."""
    tpc = load_tpc("microboone")
    waveforms(tpc)
    for name, (settings, events) in SAMPLES.items():

        def work(settings: LArTPCSimulation = settings, events: int = events) -> None:
            for _ in simulate(settings, tpc, np.random.default_rng(1), events):
                pass

        taken = seconds({"events": work}, 3)["events"]
        print(f"simulation: {events / taken:.0f} events/s of {name}, one core")
