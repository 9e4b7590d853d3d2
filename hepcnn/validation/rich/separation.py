"""The separation of kaons and pions by the likelihood where photon statistics alone limit it."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from hepcnn.detector.geometry import RichGeometry
from hepcnn.detector.particles import SPECIES
from hepcnn.events.schema import RichEvents
from hepcnn.reconstruction.likelihood import BELOW, PION
from hepcnn.reconstruction.reconstruct import reconstruct
from hepcnn.report.style import styled
from hepcnn.validation.checks import Check, Row
from hepcnn.validation.rich.setup import MARGIN, QUIET, TITLES, Floats, Setup, chosen, contained

KAON = SPECIES.index("kaon")
#: Relative changes of the gas's density at which the likelihood is looked at: each changes a
#: saturated angle by half as much, all together by some 4 σ of a ring's angle to either side.
_SCAN = np.linspace(-0.02, 0.02, 9)
#: Points to either side of the highest through which a parabola gives the maximum.
_NEAR = 2
#: A value may be so far from the computed one.
_TOLERANCE = 0.15


def separation(setup: Setup, rng: np.random.Generator) -> Check:
    """The likelihood's K–π separation in σ without background and tracking error.

    The likelihood of a pion is looked at as a function of its expected angle, which the density of
    the gas changes. Its maximum is the track's angle as the likelihood sees it; the separation is
    the difference of the two species' expected angles over the spread of these maxima. (Above some
    10 σ the difference of ln L itself says less: a photon far from both rings is background.)
    """
    rows, points = [], {}
    for rich, published in ((r, b.separation) for r, b in setup.bands.riches.items()):
        geometry = _without_tracking(setup.geometry[rich])
        for momentum, sigmas in published.items():
            value = _sigmas(_alone(setup, rng, rich, momentum), rich, geometry)
            points[rich, momentum] = value
            low, high = (1 - _TOLERANCE) * sigmas, (1 + _TOLERANCE) * sigmas
            rows.append(Row(f"{TITLES[rich]}: K–π at {momentum:g} GeV (σ)", value, low, high))
    return Check(
        "separation",
        "Without background and tracking error the likelihood separates as photon statistics allow",
        tuple(rows),
        lambda: _draw(setup, points),
    )


def _without_tracking(geometry: RichGeometry) -> RichGeometry:
    """A RICH whose reconstruction expects no tracking error."""
    exact = geometry.resolution.model_copy(
        update={"tracking_angle": 0.0, "tracking_scattering": 0.0}
    )
    return geometry.model_copy(update={"resolution": exact})


def _denser(geometry: RichGeometry, change: float) -> RichGeometry:
    """A RICH whose gas has another density, relative to what it has."""
    gas = geometry.radiator.gas
    gas = gas.model_copy(update={"density": gas.density * (1 + change)})
    return geometry.model_copy(
        update={"radiator": geometry.radiator.model_copy(update={"gas": gas})}
    )


def _alone(setup: Setup, rng: np.random.Generator, rich: str, momentum: float) -> RichEvents:
    """Events of one pion of a momentum (GeV) whose whole ring is on a panel."""
    events = setup.simulate(
        rng, 12_000 if rich == "rich1" else 3_000, **QUIET | {"tracks": 1}, tracking=False,
        mixture={"pion": 1}, spectrum="flat",
        momentum_range=(999.9 * momentum, 1000.1 * momentum),
    )  # fmt: skip
    number = np.diff(events.track_offsets)
    keep = number == 1
    whole = contained(events, rich, setup.geometry[rich], MARGIN[rich])
    keep[keep] = whole[events.track_offsets[:-1][keep]]
    return chosen(events, keep)


def _sigmas(events: RichEvents, rich: str, geometry: RichGeometry) -> float:
    """Difference of the expected angles over the spread of the likelihood's maxima."""
    found = [
        reconstruct(events, {rich: _denser(geometry, x)}, [rich], background=False) for x in _SCAN
    ]
    # Relative to no light, which no angle changes.
    log_pion = -np.stack([one.log_local[:, BELOW] for one in found]).astype(np.float64)
    around = np.arange(-_NEAR, _NEAR + 1)
    top = np.clip(log_pion.argmax(axis=0), _NEAR, len(_SCAN) - 1 - _NEAR)
    heights = log_pion[top + around[:, None], np.arange(len(top))]
    curvature, slope, _ = np.polyfit(around, heights, 2)
    place = top + np.clip(-slope / (2 * curvature), -_NEAR, _NEAR)
    low, high = np.quantile(place, [0.1587, 0.8413])  # as ±1 σ of a Gaussian
    middle = found[len(_SCAN) // 2].angle[rich].astype(np.float64)
    angle = np.array([one.angle[rich][:, PION].mean(dtype=np.float64) for one in found])
    step = np.polyfit(np.arange(len(_SCAN)), angle, 1)[0]
    difference = np.nanmean(middle[:, PION] - middle[:, KAON])
    return float(difference / (step * (high - low) / 2))


@styled
def _draw(setup: Setup, points: dict[tuple[str, float], float]) -> Figure:
    figure = Figure()
    axes = figure.subplots()
    for (rich, bands), marker in zip(setup.bands.riches.items(), "os", strict=True):
        momentum: Floats = np.array(list(bands.separation))
        (line,) = axes.plot(
            momentum, [points[rich, p] for p in bands.separation], marker, label=TITLES[rich]
        )
        published = np.array(list(bands.separation.values()))
        axes.fill_between(
            momentum, (1 - _TOLERANCE) * published, (1 + _TOLERANCE) * published,
            color=line.get_color(), alpha=0.2, linewidth=0,
        )  # fmt: skip
    axes.set(xlabel=r"$p$ [GeV/$c$]", ylabel=r"K–$\pi$ separation [$\sigma$]", yscale="log")
    axes.legend(title="band: expected ± 15 %")
    return figure
