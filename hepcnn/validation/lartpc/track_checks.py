"""Checks 1, 2 and 7: dE/dx of tracks, its rise before they stop, multiple scattering."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from hepcnn.detector.tpc import TPC
from hepcnn.report.style import INK, styled
from hepcnn.simulation.lartpc import argon
from hepcnn.validation.checks import Check, Row
from hepcnn.validation.lartpc.calorimetry import energy_loss
from hepcnn.validation.lartpc.gun import Gun, Shot
from hepcnn.validation.lartpc.peaks import Histogram, histogram, peak
from hepcnn.validation.lartpc.setup import Floats, Setup

MUON, PROTON = argon.CHARGED[13], argon.CHARGED[2212]
#: Minimum-ionising muons: so much energy (MeV), seen in this part of their path (mm).
_FLAT, _FLAT_PART = 450.0, (50.0, 650.0)
#: Tracks that stop: |PDG code|, mass, energy (MeV).
_STOPPING = {r"$\mu$": (13, MUON, 300.0), "p": (2212, PROTON, 250.0)}
#: Ranges that are left (cm), for the rows.
_LEFT = {r"$\mu$": ((3, 10), (10, 30), (30, 60)), "p": ((1, 3), (3, 10), (10, 25))}
#: Muons that scatter: energy (MeV), and lengths of path (mm).
_SCATTERED, _LENGTHS = 400.0, (100.0, 140.0, 200.0, 280.0, 400.0)


def _wire_losses(shot: Shot, tpc: TPC, model: str) -> tuple[Floats, Floats]:
    """z (mm) of the wires that see a track, and its dE/dx there (MeV/cm)."""
    own = shot.of(0)
    _, z = shot.points(own, tpc)
    place, wire = np.unique(z, return_inverse=True)
    electrons = np.bincount(wire, shot.electrons(own, tpc), len(place))
    return place, energy_loss(electrons, tpc.pitch / shot.direction[2], tpc, model)


def muon_loss(setup: Setup, rng: np.random.Generator) -> Check:
    """Check 1: most probable and mean dE/dx of minimum-ionising muons.

    With δ electrons as a part of the track, so that it loses Bethe's mean.
    """
    gun, losses = Gun(setup, rng, delta_rays=False), []
    for _ in range(setup.count(600)):
        shot = gun.shoot(13, _FLAT)
        z, loss = _wire_losses(shot, setup.tpc, setup.settings.recombination)
        low, high = shot.start[2] + shot.direction[2] * np.array(_FLAT_PART)
        losses.append(loss[(z > low) & (z < high)])
    all_losses = np.concatenate(losses)
    found = histogram(all_losses, (0.5, 5.0), 90)
    rows = (
        Row("most probable dE/dx of muons (MeV/cm)", peak(found), 1.6, 1.8),
        Row("mean dE/dx of muons (MeV/cm)", float(all_losses.mean()), 2.0, 2.2),
    )
    return Check(
        "muon_loss",
        "Minimum-ionising muons lose what Landau and Bethe say",
        rows,
        lambda: _draw_loss(found),
    )


@styled
def _draw_loss(found: Histogram) -> Figure:
    figure = Figure()
    axes = figure.subplots()
    axes.step(*found, where="mid")
    axes.axvline(1.7, color=INK, linestyle=":", linewidth=1)
    axes.set(xlabel="dE/dx [MeV/cm]", ylabel="wires", ylim=(0, None))
    return figure


def _energies(mass: float) -> Callable[[ArrayLike], Floats]:
    """Kinetic energy (MeV) by the range that is left (mm)."""
    energy = np.geomspace(0.1, 3000, 2000)
    reach = argon.csda_range(energy, argon.stopping_power(energy, mass))
    return lambda left: np.interp(np.asarray(left, np.float64), reach, energy)


def residual_range(setup: Setup, rng: np.random.Generator) -> Check:
    """Check 2: dE/dx of muons and protons against the range that is left: their Bragg peaks."""
    gun = Gun(setup, rng, hadronic=False, delta_rays=False)
    rows, points = [], {}
    for name, (pdg, mass, energy) in _STOPPING.items():
        parts = []
        for _ in range(setup.count(250)):
            shot = gun.shoot(pdg, energy)
            z, loss = _wire_losses(shot, setup.tpc, setup.settings.recombination)
            # Along the straight line to where it stopped.
            line = shot.particles.end[0] - shot.start
            left = (shot.particles.end[0, 2] - z) / (line[2] / np.linalg.norm(line))
            scale = line[2] / np.linalg.norm(line) / shot.direction[2]
            parts.append((left[left > 0], loss[left > 0] * scale))
        left, loss = (np.concatenate(column) for column in zip(*parts, strict=True))
        expected = 10 * argon.stopping_power(_energies(mass)(left), mass)
        points[name] = (left / 10, loss)
        for low, high in _LEFT[name]:
            near = (left >= 10 * low) & (left < 10 * high)
            rows.append(
                Row(
                    f"{'μ' if pdg == 13 else 'p'}: dE/dx over Bethe's, {low} to {high} cm "
                    "before the stop",
                    float(loss[near].mean() / expected[near].mean()),
                    0.93,
                    1.07,
                )
            )
    return Check(
        "residual_range",
        "Muons and protons lose more before they stop, as Bethe's formula says",
        tuple(rows),
        lambda: _draw_residual(points),
    )


@styled
def _draw_residual(points: Mapping[str, tuple[Floats, Floats]]) -> Figure:
    figure = Figure()
    axes = figure.subplots()
    edges = np.concatenate([np.arange(0.5, 5, 0.5), np.arange(5, 31, 1.0)])
    centre = (edges[1:] + edges[:-1]) / 2
    for (name, (left, loss)), marker in zip(points.items(), "os", strict=True):
        mass = _STOPPING[name][1]
        total = np.histogram(left, edges, weights=loss)[0]
        mean = total / np.maximum(np.histogram(left, edges)[0], 1)
        (line,) = axes.plot(centre, mean, marker, label=name)
        expected = 10 * argon.stopping_power(_energies(mass)(10 * centre), mass)
        axes.plot(centre, expected, color=line.get_color(), linewidth=1)
    axes.set(xlabel="residual range [cm]", ylabel="mean dE/dx [MeV/cm]", ylim=(0, None))
    axes.legend(loc="upper right")
    return figure


def multiple_scattering(setup: Setup, rng: np.random.Generator) -> Check:
    """Check 7: how far muons are from their first direction, over what Highland's angle gives.

    After a path L the RMS distance in a plane is L θ0/√3. Of it hits on the collection plane
    see, at the same z, the part in x.
    """
    gun, tpc = Gun(setup, rng, delta_rays=False), setup.tpc
    away: dict[float, list[float]] = {length: [] for length in _LENGTHS}
    for _ in range(setup.count(2000)):
        shot = gun.shoot(13, _SCATTERED)
        x, z = shot.points(shot.of(0), tpc)
        slope = shot.direction[0] / shot.direction[2]
        path = (z - shot.start[2]) / shot.direction[2]
        apart = (x - shot.start[0] - slope * (z - shot.start[2])) / np.hypot(1, slope)
        for length in _LENGTHS:
            near = np.abs(path - length) < 10
            if near.any():
                away[length].append(float(apart[near].mean()))
    energy = _energies(MUON)
    first = np.interp(_SCATTERED, energy(np.arange(3000.0)), np.arange(3000.0))
    rows, points = [], []
    for length, distances in away.items():
        # The first part of the path counts most.
        angle = argon.highland(energy(first - length / 4), MUON, length)
        found = np.sqrt(3) * float(np.std(distances)) / length
        points.append((length / 10, 1e3 * found, 1e3 * float(angle)))
        ratio = found / float(angle)
        rows.append(Row(f"scattering over Highland's, {length / 10:g} cm", ratio, 0.95, 1.05))
    return Check(
        "multiple_scattering",
        "Muons scatter as Highland's formula says",
        tuple(rows),
        lambda: _draw_scattering(np.array(points)),
    )


@styled
def _draw_scattering(points: Floats) -> Figure:
    figure = Figure()
    axes = figure.subplots()
    length, found, expected = points.T
    axes.plot(length, found, "o", label="hits")
    axes.plot(length, expected, color=INK, linewidth=1, label="Highland")
    axes.set(xlabel="path [cm]", ylabel=r"$3^{1/2}\times$ RMS displacement / path [mrad]")
    axes.legend(loc="upper left")
    return figure
