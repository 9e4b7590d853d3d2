"""Checks 6 and 11: electrons of muons at rest, and the mass of neutral pions."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from hepcnn.detector.labels import PROCESSES
from hepcnn.detector.tpc import PLANES
from hepcnn.report.style import INK, styled
from hepcnn.simulation.lartpc.decays import MICHEL_EDGE
from hepcnn.simulation.lartpc.masses import NEUTRAL_PION_MASS
from hepcnn.validation.checks import Check, Row
from hepcnn.validation.lartpc.calorimetry import drifted_electrons, shower_energy
from hepcnn.validation.lartpc.gun import Gun, Shot
from hepcnn.validation.lartpc.peaks import Histogram, falling_edge, histogram, peak
from hepcnn.validation.lartpc.setup import Floats, Setup

#: Energies (MeV) of the muons that stop, and of the pions.
_MUON, _PION = 20.0, (100.0, 400.0)
#: Muons that decay earlier (ns) may have been in flight.
_AT_REST = 10.0


def _energy(shot: Shot, row: int, setup: Setup) -> float:
    """Energy (MeV) of a shower by its hits on the collection plane."""
    electrons = float(shot.electrons(shot.of(row), setup.tpc).sum())
    return shower_energy(electrons, setup.tpc, setup.settings.recombination)


def michel_edge(setup: Setup, rng: np.random.Generator) -> Check:
    """Check 6: the spectrum of electrons of positive muons at rest ends at half their mass."""
    gun, seen, true = Gun(setup, rng), [], []
    for _ in range(setup.count(3000)):
        shot = gun.shoot(-13, _MUON)
        particles = shot.particles
        born = (particles.process == PROCESSES.index("decay")) & (np.abs(particles.pdg) == 11)
        for row in np.flatnonzero(born).tolist():
            if shot.deposits.time[shot.deposits.particle == row].min(initial=np.inf) < _AT_REST:
                continue
            seen.append(_energy(shot, row, setup))
            true.append(particles.energy[row])
    found = histogram(seen, (0, 70), 28)
    rows = (
        Row("highest energy (MeV)", float(np.max(true)), MICHEL_EDGE - 1.5, MICHEL_EDGE),
        Row("mean energy (MeV)", float(np.mean(true)), 35.5, 37.5),
        Row("edge of the spectrum by hits (MeV)", falling_edge(found), 49.0, 56.0),
    )
    return Check(
        "michel_edge",
        "Electrons of muons at rest have energies up to half the muon's mass",
        rows,
        lambda: _draw_michel(found),
    )


@styled
def _draw_michel(found: Histogram) -> Figure:
    figure = Figure()
    axes = figure.subplots()
    centre, contents = found
    axes.step(centre, contents, where="mid", label="hits")
    x = np.minimum(centre / MICHEL_EDGE, 1)
    shape = np.where(centre < MICHEL_EDGE, x**2 * (3 - 2 * x), 0)
    axes.plot(centre, shape / shape.sum() * contents.sum(), color=INK, linewidth=1, label="decay")
    axes.set(xlabel="energy [MeV]", ylabel="electrons", ylim=(0, None))
    axes.legend(loc="upper left")
    return figure


def _direction(shot: Shot, row: int, setup: Setup) -> Floats:
    """Direction from the start to the mean of a shower's charge, by all three planes."""
    tpc, hits = setup.tpc, shot.hits
    mean = {name: _mean(shot, (hits.particle == row) & (hits.plane == k), setup)
            for k, name in enumerate(PLANES)}  # fmt: skip
    across = (mean["u"][0] - tpc.plane("u").offset) - (mean["v"][0] - tpc.plane("v").offset)
    y = across * tpc.pitch / (2 * np.sin(np.radians(tpc.plane("u").angle)))
    z = (mean["y"][0] - tpc.plane("y").offset) * tpc.pitch
    x = float(tpc.x_of(np.mean([each[1] for each in mean.values()])))
    away = np.array([x, y, z]) - shot.start
    return np.asarray(away / np.linalg.norm(away))


def _mean(shot: Shot, chosen: NDArray[np.bool_], setup: Setup) -> tuple[float, float]:
    """Mean wire and tick of some hits, by charge; NaN without hits."""
    wire, tick = shot.hits.wire[chosen], shot.hits.time[chosen]
    electrons = drifted_electrons(shot.hits.charge[chosen], tick, setup.tpc)
    if electrons.sum() == 0:
        return np.nan, np.nan
    return float(np.average(wire, weights=electrons)), float(np.average(tick, weights=electrons))


def pion_mass(setup: Setup, rng: np.random.Generator) -> Check:
    """Check 11: the mass of two photons by the energies and directions of their hits."""
    gun, masses = Gun(setup, rng), []
    for _ in range(setup.count(800)):
        shot = gun.shoot(111, float(rng.uniform(*_PION)))
        first, second = np.flatnonzero(shot.particles.parent == 0).tolist()
        product = _energy(shot, first, setup) * _energy(shot, second, setup)
        cosine = np.dot(_direction(shot, first, setup), _direction(shot, second, setup))
        masses.append(np.sqrt(2 * product * (1 - cosine)))
    found = histogram(masses, (60, 220), 64)
    low, middle, high = np.nanpercentile(masses, [16, 50, 84])
    rows = (
        Row("peak of the mass of two photons (MeV)", peak(found, 0.4), 125.0, 145.0),
        Row("median mass (MeV)", float(middle), 120.0, 145.0),
        Row("half of the central 68 % (MeV)", float(high - low) / 2, 0.0, 30.0),
    )
    return Check(
        "pion_mass",
        "Two photons of a neutral pion have its mass",
        rows,
        lambda: _draw_mass(found),
    )


@styled
def _draw_mass(found: Histogram) -> Figure:
    figure = Figure()
    axes = figure.subplots()
    axes.step(*found, where="mid")
    axes.axvline(NEUTRAL_PION_MASS, color=INK, linestyle=":", linewidth=1)
    axes.set(xlabel=r"$m_{\gamma\gamma}$ [MeV/$c^2$]", ylabel="pions", ylim=(0, None))
    return figure
