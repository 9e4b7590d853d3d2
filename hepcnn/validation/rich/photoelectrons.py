"""Checks 2 and 5: how many photons a ring has, and how large it is."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.stats import poisson

from hepcnn.detector.radiator import detected_spectrum
from hepcnn.report.style import INK, styled
from hepcnn.validation.checks import Check, Row
from hepcnn.validation.rich.setup import (
    MARGIN,
    QUIET,
    SATURATED,
    TITLES,
    Floats,
    Setup,
    contained,
    expected,
    own_photons,
    path,
    segment,
)

#: Species and momenta (MeV) whose light goes from nothing to 95 % of saturation.
_RISE = {"rich1": ("pion", (2.5e3, 15e3)), "rich2": ("kaon", (14.5e3, 80e3))}
#: Edges of the bins in sin²θ over its largest; the last bin is the reference.
_SINE_EDGES = np.array([0.1, 0.3, 0.5, 0.7, 0.9, 1.0])
#: Tracks whose ring is compared: |x/z| or |y/z| across the split (from, to) and along it (up to);
#: the radius falls with the slope by the optics, so it is given for the middle of the panel.
_SLOPES = {"rich1": ((0.05, 0.15), 0.10), "rich2": ((0.04, 0.10), 0.08)}


def photoelectrons(setup: Setup, rng: np.random.Generator) -> Check:
    """Check 2: detected photons of whole rings: their mean, their spread, and the sin²θ law.

    The mean counts hits; spread and law count photons, of which some share a pixel. The spread is
    wider than Poisson's by the gaps between tubes, of which a ring sees more or fewer.
    """
    hits = setup.simulate(rng, 800, **QUIET, **SATURATED)
    photons = setup.simulate(rng, 800, **QUIET, **SATURATED, pixel=False)
    rows, counts, laws = [], {}, {}
    for rich, geometry in setup.geometry.items():
        bands = setup.bands.riches[rich]
        published = bands.photoelectrons
        per_track = {}
        for name, events in (("hits", hits), ("photons", photons)):
            number = np.bincount(
                own_photons(events, rich, geometry).track, minlength=events.n_tracks
            )
            per_track[name] = number[contained(events, rich, geometry, MARGIN[rich])]
        counts[rich] = number = per_track["photons"]
        laws[rich] = _sine_law(setup, rng, rich)
        title = TITLES[rich]
        mean = float(per_track["hits"].mean())
        rows += [
            Row(f"{title}: hits of a saturated ring", mean, 0.9 * published, 1.1 * published),
            Row(f"{title}: variance over mean", float(number.var() / number.mean()), *bands.spread),
            Row(
                f"{title}: largest |yield / sin²θ law − 1|",
                float(np.abs(laws[rich][1] / laws[rich][0] - 1).max()),
                0.0,
                0.06,
            ),
        ]
    return Check(
        "photoelectrons",
        "Photoelectrons are Poisson, go as sin²θ and saturate where published",
        tuple(rows),
        lambda: _draw_photoelectrons(counts, laws),
    )


def _sine_law(setup: Setup, rng: np.random.Generator, rich: str) -> tuple[Floats, Floats]:
    """Expected and seen yield a mm in bins of sin²θ, relative to saturation."""
    (species, momenta), geometry = _RISE[rich], setup.geometry[rich]
    events = setup.simulate(
        rng, 2500, **QUIET, mixture={species: 1}, spectrum="flat", momentum_range=momenta,
        pixel=False, tracking=False,
    )  # fmt: skip
    number = np.bincount(own_photons(events, rich, geometry).track, minlength=events.n_tracks)
    law = expected(events, geometry)[1] / detected_spectrum(geometry).per_mm
    whole = contained(events, rich, geometry, MARGIN[rich])
    which = np.digitize(law[whole], _SINE_EDGES)
    length = path(events, rich)[whole]
    wanted, seen, lengths = (
        np.bincount(which, x, len(_SINE_EDGES) + 1)[1:-1]
        for x in (length * law[whole], number[whole], length)
    )
    scale = wanted[-1] / seen[-1]
    return wanted / lengths, scale * seen / lengths


@styled
def _draw_photoelectrons(
    counts: dict[str, NDArray[np.int64]], laws: dict[str, tuple[Floats, Floats]]
) -> Figure:
    figure = Figure(figsize=(9.6, 3.8))
    (left, right) = figure.subplots(1, 2)
    for rich, marker in zip(counts, "os", strict=True):
        number = counts[rich]
        k = np.arange(int(number.max()) + 8)
        left.stairs(np.bincount(number, minlength=len(k)) / len(number), label=TITLES[rich])
        left.plot(k + 0.5, poisson.pmf(k, number.mean()), ":", color=INK)
        right.plot(*laws[rich], marker, label=TITLES[rich])
    right.plot([0, 1], [0, 1], ":", color=INK)
    left.set(xlabel="photoelectrons of a saturated ring", ylabel="fraction of tracks")
    right.set(xlabel=r"$\sin^2\theta_C$ / saturated", ylabel="photoelectrons / saturated")
    left.legend(title="Poisson: dotted")
    right.legend(loc="upper left")
    return figure


def ring_radii(setup: Setup, rng: np.random.Generator) -> Check:
    """Check 5: mean distance of the photons from the track's image on the photon plane."""
    events = setup.simulate(
        rng, 800, **QUIET, **SATURATED | {"momentum_range": (10e3, 60e3)}, tracking=False
    )
    rows, radii = [], {}
    for rich, geometry in setup.geometry.items():
        photons = own_photons(events, rich, geometry)
        entry, _, exit = segment(events, rich)
        slope = np.abs((entry + exit)[:, :2] / (entry + exit)[:, 2:])
        across, along = slope[:, geometry.split], slope[:, 1 - geometry.split]
        (low, high), largest = _SLOPES[rich]
        middle = contained(events, rich, geometry, MARGIN[rich])
        middle &= (low < across) & (across < high) & (along < largest)
        same = middle[photons.track] & np.isfinite(photons.radius)
        total = np.bincount(photons.track[same], photons.radius[same])
        number = np.bincount(photons.track[same])
        radii[rich] = total[number > 0] / number[number > 0]
        band = setup.bands.riches[rich].radius
        rows.append(
            Row(
                f"{TITLES[rich]}: mean radius of saturated rings (mm)",
                float(radii[rich].mean()),
                *band,
            )
        )
    return Check(
        "radius",
        "Rings have the radius that the optics give",
        tuple(rows),
        lambda: _draw_radii(setup, radii),
    )


@styled
def _draw_radii(setup: Setup, radii: dict[str, Floats]) -> Figure:
    figure = Figure(figsize=(9.6, 3.8))
    panels = figure.subplots(1, 2)
    for axes, (rich, radius) in zip(panels, radii.items(), strict=True):
        axes.hist(radius, bins=40, histtype="step")
        axes.axvspan(*setup.bands.riches[rich].radius, alpha=0.15, linewidth=0)
        axes.set(xlabel="radius of a track's ring [mm]", ylabel="tracks")
        axes.set_title(TITLES[rich])
    return figure
