"""Checks 8 to 10: the width of pulses, the noise, the planes' charges, how busy the planes are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure

from hepcnn.detector.tpc import PLANES, TPC
from hepcnn.events.lartpc_schema import LArTPCEvents
from hepcnn.report.style import styled
from hepcnn.simulation.lartpc.noise import noise_pulse_rate, shaping
from hepcnn.simulation.lartpc.records import Deposits
from hepcnn.validation.checks import Check, Row
from hepcnn.validation.lartpc.setup import Floats, Setup, even_track

#: dE/dx of a minimum-ionising track (MeV/cm).
_MINIMUM = 2.1
#: Cosmic muons in a readout of MicroBooNE.
_COSMICS = 22.0
#: Ticks in a pixel of an image at full resolution: as long as the wires' pitch.
_TICKS = 6.0


def pulse_width(setup: Setup, rng: np.random.Generator) -> Check:
    """Check 8: σ² of the pulses of tracks along the planes grows linearly with the drift.

    Of the pulses' σ² the median counts: where noise prolongs a pulse, its RMS is far off.
    """
    tpc = setup.tpc
    depth = np.linspace(0.02, 0.98, 13) * tpc.volume.x[1]
    response = setup.response(rng, dead_wires=0.0)
    square = {plane: np.empty(len(depth)) for plane in PLANES}
    for i, x in enumerate(depth):
        for k, plane in enumerate(PLANES):
            hits = response.hits(_across(tpc, plane, x, setup.count(600)), 1, rng)
            own = (hits.plane == k) & (hits.particle == 0)
            square[plane][i] = np.median(hits.rms[own] ** 2)
    drift = depth / tpc.drift.velocity
    rows = []
    for plane, found in square.items():
        slope, start = np.polyfit(drift, found, 1)
        off = np.abs(found - start - slope * drift).max() / found.max()
        # ticks² a µs, in cm²/s.
        diffusion = 0.5 * slope * tpc.mm_per_tick**2 * 1e4
        wanted = tpc.drift.diffusion.longitudinal
        width = np.sqrt(max(start, 0.0)) * tpc.readout.tick
        title = plane.upper()
        rows += [
            Row(f"{title}: largest distance from a line over σ² at full drift", off, 0.0, 0.03),
            Row(f"{title}: D_L from the slope (cm²/s)", diffusion, 0.9 * wanted, 1.1 * wanted),
            Row(
                f"{title}: σ without drift (µs)",
                width,
                0.9 * tpc.electronics.shaping,
                1.1 * tpc.electronics.shaping,
            ),
        ]
    return Check(
        "pulse_width",
        "The square of the pulses' width grows linearly with the drift, as diffusion makes it",
        tuple(rows),
        lambda: _draw_width(tpc, drift, square),
    )


def _across(tpc: TPC, plane: str, x: float, wires: int) -> Deposits:
    """A minimum-ionising track at depth x, at right angles to a plane's wires."""
    angle = np.radians(tpc.plane(plane).angle)
    middle = np.array([x, *(np.mean(bounds) for bounds in (tpc.volume.y, tpc.volume.z))])
    reach = 0.5 * wires * tpc.pitch * np.array([0.0, np.sin(angle), np.cos(angle)])
    return even_track(middle - reach, middle + reach, _MINIMUM)


def noise(setup: Setup, rng: np.random.Generator) -> Check:
    """Check 9: the RMS of waveforms without signal, and the hits that noise alone makes."""
    tpc = setup.tpc
    response = setup.response(rng)
    # So little charge that there is a waveform, and noise only in it.
    faint = _across(tpc, "y", 0.5 * tpc.volume.x[1], setup.count(2000))
    faint = replace(faint, energy=1e-9 * faint.energy)
    samples = response.waveforms(faint, rng).samples.astype(np.float64)
    events = setup.count(100)
    hits = [len(response.hits(_nothing(), 0, rng)) for _ in range(events)]
    live = np.count_nonzero(~response.frame.dead)
    expected = noise_pulse_rate(tpc) * live * tpc.readout.ticks
    error = 4 * np.sqrt(expected / events)
    rms, wanted = float(samples.std()), tpc.electronics.noise
    rows = (
        Row("RMS of the noise (ADC)", rms, 0.95 * wanted, 1.05 * wanted),
        Row("RMS of the noise (electrons)", rms * tpc.electronics.electrons_per_adc, 300, 400),
        Row("correlation of neighbouring ticks over the shaper's",
            float(np.mean(samples[1:] * samples[:-1]) / rms**2 * np.exp(0.25 / shaping(tpc) ** 2)),
            0.95, 1.05),
        Row("hits of noise an event", float(np.mean(hits)), expected - error, expected + error),
    )  # fmt: skip
    return Check(
        "noise",
        "The noise is that of the electronics",
        rows,
        lambda: _draw_noise(samples, wanted),
    )


def _nothing() -> Deposits:
    empty = np.empty(0)
    return Deposits(np.empty((0, 3)), empty, empty, np.empty(0, np.int32), empty)


def planes(setup: Setup, rng: np.random.Generator) -> Check:
    """Check 10: the planes see the same charge; few of their pixels are occupied."""
    whole = setup.simulate(rng, 100, dead_wires=0.0, deposits=False)
    busy = setup.simulate(rng, 20, generator="interactions", mixture="flat", energy_range=None,
                          cosmics=_COSMICS, deposits=False)  # fmt: skip
    charge = _charges(whole)
    share = charge / charge.mean(axis=1, keepdims=True)
    rows = []
    for k, plane in enumerate(PLANES):
        ratio = float(charge[:, k].sum() / charge.mean(axis=1).sum())
        rows.append(Row(f"{plane.upper()}: charge over the planes' mean", ratio, 0.95, 1.05))
    occupied = occupancy(busy, setup.tpc)
    for plane, fraction in occupied.items():
        title = f"{plane.upper()}: occupied pixels with {_COSMICS:g} cosmic muons"
        rows.append(Row(title, float(fraction.mean()), 0.0005, 0.01))
    return Check(
        "planes",
        "The three planes see the same charge, on less than one pixel in a hundred",
        tuple(rows),
        lambda: _draw_planes(share, occupied),
    )


def _charges(events: LArTPCEvents) -> Floats:
    """Charge of the particles' hits in each event that has some, by plane (n, 3)."""
    own = events.hits["particle"] >= 0
    event = np.repeat(np.arange(len(events)), np.diff(events.hit_offsets))[own]
    cell = event * len(PLANES) + events.hits["plane"][own]
    sums = np.bincount(cell, events.hits["charge"][own], len(events) * len(PLANES))
    charge = sums.reshape(-1, len(PLANES)).astype(np.float64)
    return charge[charge.all(axis=1)]


def occupancy(events: LArTPCEvents, tpc: TPC) -> dict[str, Floats]:
    """Fraction of the pixels (a wire by `_TICKS`) within two RMS of a hit, by plane and event."""
    event = np.repeat(np.arange(len(events)), np.diff(events.hit_offsets))
    rows = int(np.ceil(tpc.readout.ticks / _TICKS))
    reach = 2 * events.hits["rms"].astype(np.float64)
    low = np.floor((events.hits["time"] - reach) / _TICKS).astype(np.int64).clip(0, rows - 1)
    high = np.floor((events.hits["time"] + reach) / _TICKS).astype(np.int64).clip(0, rows - 1)
    found = {}
    for k, plane in enumerate(PLANES):
        size = high - low + 1
        pixel = np.repeat(low - size.cumsum() + size, size) + np.arange(size.sum())
        mine = np.repeat(events.hits["plane"] == k, size)
        wire = np.repeat(event * tpc.wires(plane) + events.hits["wire"], size)
        distinct = np.unique((wire * rows + pixel)[mine])
        count = np.bincount(distinct // (rows * tpc.wires(plane)), minlength=len(events))
        found[plane] = count / (rows * tpc.wires(plane))
    return found


@styled
def _draw_width(tpc: TPC, drift: Floats, square: Mapping[str, Floats]) -> Figure:
    figure = Figure()
    axes = figure.subplots()
    milliseconds = drift / 1000
    for (plane, found), marker in zip(square.items(), "os^", strict=True):
        axes.plot(milliseconds, found, marker, fillstyle="none", label=plane.upper())
    slope = 2e-4 * tpc.drift.diffusion.longitudinal / tpc.mm_per_tick**2
    line = shaping(tpc) ** 2 + slope * drift
    label = f"shaper, $D_L={tpc.drift.diffusion.longitudinal:g}$ cm²/s"
    axes.plot(milliseconds, line, color="black", linewidth=1, label=label)
    axes.set(xlabel="drift time [ms]", ylabel=r"$\sigma^2$ of pulses [ticks²]", ylim=(0, None))
    axes.legend(loc="upper left")
    return figure


@styled
def _draw_noise(samples: Floats, wanted: float) -> Figure:
    figure = Figure()
    axes = figure.subplots()
    edges = np.linspace(-6 * wanted, 6 * wanted, 61)
    density, _ = np.histogram(samples, edges, density=True)
    axes.stairs(density, edges, label=f"waveforms, RMS {samples.std():.2f} ADC")
    at = np.linspace(edges[0], edges[-1], 300)
    gaussian = np.exp(-0.5 * (at / wanted) ** 2) / (np.sqrt(2 * np.pi) * wanted)
    axes.plot(at, gaussian, color="black", linewidth=1, label=f"Gaussian of {wanted:g} ADC")
    axes.set(xlabel="sample [ADC]", ylabel="samples per ADC (normalised)", yscale="log")
    axes.set_ylim(1e-7, 10)
    axes.legend(loc="upper right")
    return figure


@styled
def _draw_planes(share: Floats, occupied: Mapping[str, Floats]) -> Figure:
    figure = Figure(figsize=(9.6, 3.8))
    left, right = figure.subplots(1, 2)
    for k, (plane, fraction) in enumerate(occupied.items()):
        density = np.histogram(share[:, k], np.linspace(0.95, 1.05, 41))
        left.stairs(*density, label=plane.upper())
        right.stairs(*np.histogram(100 * fraction, np.linspace(0, 1, 41)), label=plane.upper())
    left.set(xlabel="charge over the planes' mean", ylabel="events")
    right.set(xlabel="occupied pixels [%]", ylabel="events")
    for axes in (left, right):
        axes.legend()
    return figure
