"""Checks 1 and 4: the Cherenkov angle against momentum, and its bias against azimuth."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from hepcnn.detector.geometry import RichGeometry
from hepcnn.detector.optics import from_plane, to_sphere, trace_photons
from hepcnn.detector.particles import MASSES, PARTICLES, SPECIES, species_of
from hepcnn.detector.radiator import beta, detected_spectrum, threshold_momentum
from hepcnn.reconstruction.photons import photon_angles
from hepcnn.report.style import INK, SPECIES_COLOUR, SYMBOL, styled
from hepcnn.validation.checks import Check, Row
from hepcnn.validation.rich.setup import (
    OUTLIER,
    QUIET,
    SATURATED,
    TITLES,
    Floats,
    Setup,
    expected,
    own_photons,
)

#: Turn-ons are looked for at these momenta, relative to the threshold.
_TURN_ON = (0.8, 2.5)
#: From so far above the threshold all photon energies radiate, and θ² is linear in 1/p².
_CLEAR = 1.1
#: Edges of the bins in momentum of the curves (MeV), and photons that make a point.
_EDGES = np.geomspace(1e3, 150e3, 25)
_POINT = 800
#: Slices of the azimuth.
_SLICES = 16


def angle_against_momentum(setup: Setup, rng: np.random.Generator) -> Check:
    """Check 1: six species on arccos(1/nβ), and where their light turns on.

    The turn-on is the momentum where θ², which is linear in 1/p², extrapolates to 0. Electrons of
    the threshold's momentum do not come through the magnet to RICH2.
    """
    curves = setup.simulate(
        rng, 2500, **QUIET, mixture="flat", tracking=False,
        momentum_median=40e3, momentum_width=2.0, momentum_range=(1e3, 150e3),
    )  # fmt: skip
    species, p = species_of(curves.tracks["pdg"]), curves.tracks["p"].astype(np.float64)
    rows, points, below = [], {}, 0
    for rich, geometry in setup.geometry.items():
        photons = own_photons(curves, rich, geometry)
        residual = photons.theta - expected(curves, geometry)[0][photons.track]
        for index, particle in enumerate(PARTICLES):
            mine = species[photons.track] == index
            limit = _CLEAR * _threshold(geometry, particle.mass)
            points[rich, index] = _binned(p[photons.track][mine], photons.theta[mine])
            clear = mine & (p[photons.track] > limit) & (np.abs(residual) < OUTLIER)
            mean = _binned(p[photons.track][clear], residual[clear])[1]
            rows.append(
                Row(
                    f"{TITLES[rich]} {particle.symbol}: largest |θ_C − arccos(1/nβ)| of momentum "
                    "bins (mrad)",
                    1e3 * float(np.abs(mean).max()) if mean.size else np.nan,
                    0.0,
                    0.1,
                )
            )
        for index, particle in enumerate(PARTICLES):
            if rich == "rich1" or particle.name != "electron":
                ratio, dark = _turn_on(setup, rng, rich, index)
                below += dark
                quantity = f"{TITLES[rich]} {particle.symbol}: turn-on over m/√(n² − 1)"
                rows.append(Row(quantity, ratio, 0.98, 1.02))
    rows.append(Row("photons of tracks 5 % or more below the turn-on", below, 0, 0))
    return Check(
        "angle",
        "The Cherenkov angle of six species lies on arccos(1/nβ)",
        tuple(rows),
        lambda: _draw_curves(setup, points),
    )


def _threshold(geometry: RichGeometry, mass: float) -> float:
    return float(threshold_momentum(detected_spectrum(geometry).mean_index, mass))


def _binned(p: Floats, values: Floats) -> tuple[Floats, Floats]:
    """Mean of p and of the values in bins of p, where there are enough."""
    which = np.digitize(p, _EDGES)
    count = np.bincount(which, minlength=len(_EDGES) + 1)
    full = count >= _POINT
    means = (np.bincount(which, x, len(count))[full] / count[full] for x in (p, values))
    p_mean, mean = means
    return p_mean, mean


def _turn_on(setup: Setup, rng: np.random.Generator, rich: str, index: int) -> tuple[float, int]:
    """Measured over expected turn-on of a species, and photons of tracks clearly below it."""
    particle, geometry = PARTICLES[index], setup.geometry[rich]
    limit = _threshold(geometry, particle.mass)
    bounds = tuple(factor * limit for factor in _TURN_ON)
    events = setup.simulate(
        rng, 300, **QUIET, mixture={particle.name: 1}, tracking=False,
        spectrum="flat", momentum_range=bounds,
    )  # fmt: skip
    photons = own_photons(events, rich, geometry)
    p = events.tracks["p"].astype(np.float64)[photons.track] / limit
    clear = p > _CLEAR
    if np.count_nonzero(clear) < _POINT:
        return np.nan, int(np.count_nonzero(p < 0.95))
    slope, constant = np.polyfit(p[clear] ** -2, photons.theta[clear] ** 2, 1)
    return float(np.sqrt(-slope / constant)), int(np.count_nonzero(p < 0.95))


@styled
def _draw_curves(setup: Setup, points: dict[tuple[str, int], tuple[Floats, Floats]]) -> Figure:
    figure = Figure(figsize=(9.6, 3.8))
    panels = figure.subplots(1, 2, sharex=True)
    momentum = np.geomspace(1e3, 150e3, 400)
    for axes, (rich, geometry) in zip(panels, setup.geometry.items(), strict=True):
        spectrum = detected_spectrum(geometry)
        for index, name in enumerate(SPECIES):
            colour = SPECIES_COLOUR[name]
            angle = spectrum.mean_angle(beta(momentum, MASSES[index]))
            axes.plot(momentum / 1e3, 1e3 * angle, color=colour, linewidth=1)
            p, theta = points[rich, index]
            axes.plot(p / 1e3, 1e3 * theta, "o", color=colour, markersize=3.5, label=SYMBOL[name])
        axes.set(xscale="log", xlabel=r"$p$ [GeV/$c$]", ylabel=r"$\theta_C$ [mrad]", ylim=(0, None))
        axes.set_title(TITLES[rich])
        axes.legend(loc="lower right", ncols=2)
    return figure


def bias_and_closure(setup: Setup, rng: np.random.Generator) -> Check:
    """Check 4: no bias at any azimuth; a known emission point gives the angle that was traced."""
    events = setup.simulate(rng, 1500, **QUIET, **SATURATED)
    edges = np.linspace(-np.pi, np.pi, _SLICES + 1)
    rows: list[Row] = []
    means: dict[str, Floats] = {}
    for rich, geometry in setup.geometry.items():
        photons = own_photons(events, rich, geometry)
        residual = photons.theta - expected(events, geometry)[0][photons.track]
        near = np.abs(residual) < OUTLIER
        which = np.digitize(photons.phi[near], edges[1:-1])
        total = np.bincount(which, 1e3 * residual[near], _SLICES)
        means[rich] = total / np.bincount(which, minlength=_SLICES)
        rows += [
            Row(
                f"{TITLES[rich]}: largest |θ_C − expected| of {_SLICES} slices of φ (mrad)",
                float(np.abs(means[rich]).max()),
                0.0,
                0.2,
            ),
            Row(
                f"{TITLES[rich]}: largest error at a known emission point (μrad)",
                1e6 * _closure(geometry, rng),
                0.0,
                1.0,
            ),
        ]
    return Check(
        "bias",
        "The reconstructed angle has no bias in azimuth and closes on the ray tracer",
        tuple(rows),
        lambda: _draw_bias((edges[1:] + edges[:-1]) / 2, means),
    )


def _closure(geometry: RichGeometry, rng: np.random.Generator) -> float:
    """Largest |θ − traced θ| (rad) of photons all over the acceptance and along the path."""
    n, limits = 20_000, geometry.acceptance
    slope = rng.uniform(-1, 1, (n, 2)) * (limits.horizontal, limits.vertical)
    direction = np.column_stack([slope, np.ones(n)])
    entry = geometry.radiator.entry_z * direction
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    exit = to_sphere(geometry, entry, direction)
    theta, along, turns = rng.uniform(1e-3, 0.08, n), rng.random(n), rng.random(n)
    u, v, panel = trace_photons(
        geometry, entry, exit, np.arange(n + 1), np.cos(theta), along, turns
    )
    hit = from_plane(geometry, np.column_stack([u, v]), panel)
    emission = entry + along[:, None] * (exit - entry)
    found, _ = photon_angles(geometry, emission, direction, hit, panel)
    return float(np.abs(found - theta).max())


@styled
def _draw_bias(centre: Floats, means: dict[str, Floats]) -> Figure:
    figure = Figure()
    axes = figure.subplots()
    for (rich, mean), marker in zip(means.items(), "os", strict=True):
        axes.plot(centre, mean, marker, label=TITLES[rich])
    for edge in (-0.2, 0.2):
        axes.axhline(edge, color=INK, linestyle=":", linewidth=1)
    axes.set(xlabel=r"$\phi_C$ [rad]", ylabel=r"mean $\theta_C-\theta_\mathrm{expected}$ [mrad]")
    axes.set_ylim(-0.35, 0.35)
    axes.legend(loc="upper right", ncols=2)
    return figure
