"""Checks 3 to 5: how showers start, where photons convert, how deep and wide showers are."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from scipy.optimize import curve_fit
from scipy.stats import gamma

from hepcnn.detector.labels import BEAM
from hepcnn.detector.tpc import CM
from hepcnn.report.style import COLOURS, INK, styled
from hepcnn.simulation.lartpc import argon
from hepcnn.simulation.lartpc.records import Primaries
from hepcnn.simulation.lartpc.transport import Transport
from hepcnn.validation.checks import Check, Row
from hepcnn.validation.lartpc.calorimetry import shower_energy
from hepcnn.validation.lartpc.gun import Gun, Shot
from hepcnn.validation.lartpc.peaks import Histogram, histogram
from hepcnn.validation.lartpc.setup import Floats, Setup

_NAMES = {11: "e", 22: "γ"}
#: Energy (MeV) of the showers whose starts are seen, and the part that is looked at (mm).
_START_ENERGY, _START_PART = 500.0, (3.0, 33.0)
#: Energies of photons (MeV), and where their mean free path must lie (cm): within 5 % of
#: NIST's attenuation at 10 and 20 MeV, of 9/7 X0 at high energy, and between.
_FREE_PATHS = {10.0: (24.3, 26.9), 20.0: (23.4, 26.0), 100.0: (20.5, 25.0), 5000.0: (17.1, 18.9)}
#: A volume as thin as a thread (mm): all that a photon makes leaves at once.
_THREAD = np.array([[-1e-2, 1e-2], [-1e-2, 1e-2], [0.0, 1e7]])
#: Energy (MeV) of the showers whose shapes are looked at.
_SHAPE_ENERGY = 2000.0


def _start_loss(shot: Shot, setup: Setup) -> float:
    """Mean dE/dx (MeV/cm) at the start of a shower; of photons', where they convert."""
    start = shot.start if shot.particles.pdg[0] == 11 else shot.particles.end[0]
    own = shot.of(0)
    _, z = shot.points(own, setup.tpc)
    path = (z - start[2]) / shot.direction[2]
    low, high = _START_PART
    near = (path >= low) & (path < high)
    electrons = float(shot.electrons(own, setup.tpc)[near].sum())
    energy = shower_energy(electrons, setup.tpc, setup.settings.recombination)
    return energy / (high - low) * CM


def shower_start(setup: Setup, rng: np.random.Generator) -> Check:
    """Check 3: the first 3 cm of electrons look like one particle, of photons like two."""
    gun = Gun(setup, rng)
    losses = {
        pdg: np.array(
            [_start_loss(gun.shoot(pdg, _START_ENERGY), setup) for _ in range(setup.count(300))]
        )
        for pdg in _NAMES
    }
    rows = (
        Row("e: median dE/dx of the first 3 cm (MeV/cm)", float(np.median(losses[11])), 1.8, 2.5),
        Row("γ: median dE/dx of the first 3 cm (MeV/cm)", float(np.median(losses[22])), 3.6, 4.8),
        Row("e below 3.2 MeV/cm", float(np.mean(losses[11] < 3.2)), 0.75, 1.0),
        Row("γ above 3.2 MeV/cm", float(np.mean(losses[22] > 3.2)), 0.75, 1.0),
    )
    return Check(
        "shower_start",
        "Showers of electrons start with one particle's dE/dx, those of photons with two's",
        rows,
        lambda: _draw_start(losses),
    )


@styled
def _draw_start(losses: Mapping[int, Floats]) -> Figure:
    figure = Figure()
    axes = figure.subplots()
    for pdg, values in losses.items():
        axes.step(*histogram(values, (0, 9), 36), where="mid", label=_NAMES[pdg])
    axes.set(xlabel="dE/dx of the first 3 cm [MeV/cm]", ylabel="showers", ylim=(0, None))
    axes.legend(loc="upper right")
    return figure


def conversion(setup: Setup, rng: np.random.Generator) -> Check:
    """Check 4: how far photons come, and that hits show where they convert."""
    transport = Transport(setup.settings, _THREAD)
    count, rows, points = setup.count(4000), [], []
    for energy, (low, high) in _FREE_PATHS.items():
        ends = [transport(_photon(energy), rng)[0].end[0, 2] for _ in range(count)]
        mean = float(np.mean(ends)) / CM
        points.append((energy, mean))
        rows.append(Row(f"mean free path of photons, {energy:g} MeV (cm)", mean, low, high))
    gun = Gun(setup, rng)
    seen = [_seen(gun.shoot(22, _START_ENERGY), setup) for _ in range(setup.count(100))]
    rows.append(Row("conversions with a hit within 1 cm", float(np.mean(seen)), 0.95, 1.0))
    return Check(
        "conversion",
        "Photons come as far as their attenuation lets them",
        tuple(rows),
        lambda: _draw_conversion(np.array(points)),
    )


def _photon(energy: float) -> Primaries:
    return Primaries(
        np.array([22], np.int32), np.array([energy]), np.zeros((1, 3)), np.array([[0, 0, 1.0]]),
        np.zeros(1), np.array([BEAM], np.int8),
    )  # fmt: skip


def _seen(shot: Shot, setup: Setup) -> bool:
    """Whether a hit is where the photon converted."""
    x, z = shot.points(shot.of(0), setup.tpc)
    end = shot.particles.end[0]
    return bool(np.hypot(x - end[0], z - end[2]).min(initial=np.inf) < CM)


@styled
def _draw_conversion(points: Floats) -> Figure:
    figure = Figure()
    axes = figure.subplots()
    energy = np.geomspace(1.1, 1e4, 300)
    pairs, compton = argon.pair_attenuation(energy), argon.compton_attenuation(energy)
    axes.plot(energy, 1 / (pairs + compton) / CM, color=INK, linewidth=1, label="attenuation")
    axes.plot(energy, 1 / np.maximum(pairs, 1e-9) / CM, ":", color=INK, linewidth=1, label="pairs")
    axes.plot(*points.T, "o", color=COLOURS[0], label="simulated")
    axes.set(xscale="log", xlabel="photon energy [MeV]", ylabel="mean free path [cm]")
    axes.set_ylim(0, 60)
    axes.legend(loc="upper right")
    return figure


def _deepest(profile: Histogram) -> float:
    """Depth of the maximum (a − 1)/b of the profile t^(a−1) exp(−bt) that fits best."""
    depth, charge = profile

    def shape(t: Floats, a: float, b: float) -> Floats:
        return np.asarray(gamma.pdf(t, a, scale=1 / b))

    share = charge / charge.sum() / (depth[1] - depth[0])
    (a, b), _ = curve_fit(shape, depth, share, p0=(3.0, 0.5))
    return float((a - 1) / b)


def shower_shape(setup: Setup, rng: np.random.Generator) -> Check:
    """Check 5: depth of the shower's maximum, by hits; its width, by energy deposits."""
    gun, profiles = Gun(setup, rng), {}
    inside = total = charge = 0.0
    for pdg in _NAMES:
        depths, weights = [], []
        for _ in range(setup.count(250)):
            shot = gun.shoot(pdg, _SHAPE_ENERGY)
            own, deposits = shot.of(0), shot.deposits
            _, z = shot.points(own, setup.tpc)
            depths.append((z - shot.start[2]) / shot.direction[2] / argon.RADIATION_LENGTH)
            weights.append(shot.electrons(own, setup.tpc))
            away = np.cross(deposits.position - shot.start, shot.direction)
            near = np.linalg.norm(away, axis=1) < argon.MOLIERE_RADIUS
            charge += float(weights[-1].sum())
            total += float(deposits.energy.sum())
            inside += float(deposits.energy[near].sum())
        profiles[pdg] = histogram(
            np.concatenate(depths), (0, 20), 40, weights=np.concatenate(weights)
        )
    depth = {pdg: _deepest(profile) for pdg, profile in profiles.items()}
    middle = np.log(_SHAPE_ENERGY / argon.CRITICAL_ENERGY)
    seen = shower_energy(charge, setup.tpc, setup.settings.recombination) / total
    rows = (
        Row("e: depth of the maximum less ln(E/E_c) (X0)", depth[11] - middle, -1.1, 0.1),
        Row("γ: depth of the maximum less ln(E/E_c) (X0)", depth[22] - middle, -0.2, 1.1),
        Row("γ: maximum deeper than of e (X0)", depth[22] - depth[11], 0.5, 1.5),
        Row("energy within Molière's radius", inside / total, 0.83, 0.97),
        Row("energy by the charge over the energy deposited", seen, 0.95, 1.02),
    )
    return Check(
        "shower_shape",
        "Showers have their maximum at ln(E/E_c) ∓ 0.5 and are as wide as Molière's radius",
        rows,
        lambda: _draw_shape(profiles),
    )


@styled
def _draw_shape(profiles: Mapping[int, Histogram]) -> Figure:
    figure = Figure()
    axes = figure.subplots()
    for pdg, (depth, charge) in profiles.items():
        axes.step(depth, charge / charge.sum(), where="mid", label=_NAMES[pdg])
    axes.set(xlabel=r"depth [$X_0$]", ylabel="share of the charge", ylim=(0, None))
    axes.legend(loc="upper right")
    return figure
