"""Check 3: the resolution of a single photon's angle, term by term."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from hepcnn.detector.geometry import RichGeometry
from hepcnn.detector.radiator import cherenkov_angle, detected_spectrum
from hepcnn.events.schema import RichEvents
from hepcnn.report.style import styled
from hepcnn.validation.checks import Check, Row
from hepcnn.validation.rich.setup import (
    OUTLIER,
    QUIET,
    SATURATED,
    TERMS,
    TITLES,
    Floats,
    Setup,
    expected,
    own_photons,
    velocity,
)

#: The terms that are on, by the name of what is measured with them.
_COMBINATIONS = {**{term: (term,) for term in TERMS}, "total": TERMS, "none": ()}


def single_photon_resolution(setup: Setup, rng: np.random.Generator) -> Check:
    """Check 3: each term alone and all together; the sum in quadrature; nothing if all are off."""
    residuals: dict[str, dict[str, Floats]] = {rich: {} for rich in setup.geometry}
    for name, on in _COMBINATIONS.items():
        switches = {term: term in on for term in TERMS}
        events = setup.simulate(rng, 800, **QUIET, **SATURATED, **switches)
        for rich, geometry in setup.geometry.items():
            residuals[rich][name] = 1e3 * _residuals(events, rich, geometry, "chromatic" in on)
    rows = []
    for rich, found in residuals.items():
        sigma = {name: float(residual.std()) for name, residual in found.items()}
        bands = setup.bands.riches[rich].sigma
        title = TITLES[rich]
        rows += [
            Row(f"{title}: σ(θ_C), {name} (mrad)", sigma[name], *bands[name]) for name in bands
        ]
        together = float(np.sqrt(sum(sigma[term] ** 2 for term in TERMS)))
        rows += [
            Row(
                f"{title}: total over the terms in quadrature",
                sigma["total"] / together,
                0.93,
                1.07,
            ),
            Row(f"{title}: σ(θ_C), all terms off (mrad)", sigma["none"], 0.0, 0.002),
        ]
    return Check(
        "resolution",
        "A photon's angle is as well known as published, term by term",
        tuple(rows),
        lambda: _draw(residuals),
    )


def _residuals(events: RichEvents, rich: str, geometry: RichGeometry, chromatic: bool) -> Floats:
    """Reconstructed minus expected angle (rad) of the photons of tracks."""
    angle, _ = expected(events, geometry)
    if not chromatic:
        angle = cherenkov_angle(detected_spectrum(geometry).mean_index, velocity(events))
    photons = own_photons(events, rich, geometry)
    residual = photons.theta - angle[photons.track]
    return residual[np.abs(residual) < OUTLIER]


@styled
def _draw(residuals: dict[str, dict[str, Floats]]) -> Figure:
    figure = Figure(figsize=(9.6, 3.8))
    panels = figure.subplots(1, 2)
    for axes, (rich, found), width in zip(panels, residuals.items(), (3.0, 2.0), strict=True):
        edges = np.linspace(-width, width, 121)
        for name in ("total", *TERMS):
            density, _ = np.histogram(found[name], edges, density=True)
            label = f"{name} {found[name].std():.2f}"
            axes.stairs(density, edges, label=label, linewidth=1.2 if name != "total" else 2)
        axes.set(
            xlabel=r"$\theta_C-\theta_\mathrm{expected}$ [mrad]",
            ylabel="photons per mrad (normalised)",
        )
        axes.legend(title=f"{TITLES[rich]}, $\\sigma$ [mrad]", fontsize=9, title_fontsize=9)
    return figure
