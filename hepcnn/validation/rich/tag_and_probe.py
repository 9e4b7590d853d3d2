"""Tag and probe: efficiencies found without truth, as PIDCalib does, held against the true ones.

D* decays are among the tracks of simulated events. Candidates are made of all tracks by their
charges and masses; sWeights from a fit of m(Kπ) take the background away; what is left passes or
not.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from hepcnn.config import RichSimulation
from hepcnn.events.schema import RichEvents
from hepcnn.performance.tally import Tally, fraction
from hepcnn.reconstruction.reconstruct import reconstruct
from hepcnn.report.style import SPECIES_COLOUR, SYMBOL, styled
from hepcnn.simulation.rich.dstar import D0_MASS, KAON, sample_dstars
from hepcnn.simulation.rich.generate import simulate_chunk
from hepcnn.simulation.rich.measure import smear_direction, usual_angle
from hepcnn.simulation.rich.tracks import Particles
from hepcnn.validation.checks import Check, Row
from hepcnn.validation.rich.dstar_mass import D0_WINDOW, candidates, fit, signal_weights
from hepcnn.validation.rich.setup import Floats, Setup

#: Events, simulated so many at a time, and decays in each.
_EVENTS, _CHUNK, _DECAYS = 1200, 15, 20
#: Fraction of the sample's tracks that an event has beside the 60 of the decays, and of all tracks
#: the number that are not reconstructed, relative to the sample's: of 100 tracks all is as before.
_ORDINARY, _UNRECONSTRUCTED = 0.4, 2.5
#: Of the candidates whose kaon and pion are of no D⁰ the fraction that is kept: the others are
#: taken to fail the cuts on its flight, which is not simulated.
_RANDOM = 0.1
#: The cuts on ln L(K) − ln L(π), and edges of the bins in momentum (GeV).
CUTS = {"kaon": 5.0, "pion": 0.0}
_ARROWS = {"kaon": "K→K", "pion": "π→K"}
_EDGES = (3.0, 9.3, 15.6, 30.0, 50.0, 100.0)
#: How far what is found may be from the truth; with few events, so many of its errors.
_CLOSURE, _ERRORS = 0.01, 3.0
#: Largest error of what is found less the truth, with all events.
_LARGEST_ERROR = 0.005


class Probes(NamedTuple):
    """Kaons, or pions, of candidates, each array (n,): momentum (GeV), m(Kπ) (MeV), what passes
    and, for the truth alone, which are of a D⁰."""

    p: Floats
    mass: Floats
    passes: NDArray[np.bool_]
    signal: NDArray[np.bool_]


class Bin(NamedTuple):
    """The efficiency in a bin: found with its error, the truth, and the error of the difference."""

    found: float
    error: float
    true: float
    difference_error: float


def tag_and_probe(setup: Setup, rng: np.random.Generator) -> Check:
    """Efficiencies of a cut found without truth are the true ones in each bin of momentum."""
    probes = _simulated(setup, rng)
    found = {name: [closure(p) for p in _binned(own)] for name, own in probes.items()}
    rows = []
    for name, bins in found.items():
        for (low, high), b in zip(pairwise(_EDGES), bins, strict=True):
            off = max(_CLOSURE, _ERRORS * b.difference_error)
            what = f"{_ARROWS[name]} of Δ ln L > {CUTS[name]:g}"
            quantity = f"{what} without truth, {low:g} to {high:g} GeV"
            rows.append(Row(quantity, b.found, b.true - off, b.true + off))
    errors = [b.difference_error for own in found.values() for b in own]
    largest = _LARGEST_ERROR / np.sqrt(min(setup.statistics, 1.0))
    rows.append(Row("largest error of found less true", max(errors), 0.0, largest))
    return Check(
        "tag_and_probe",
        "Efficiencies found by tag and probe with sWeights are the true ones (bands: truth ± 1 %)",
        tuple(rows),
        lambda: _draw(probes["kaon"], found),
    )


def _simulated(setup: Setup, rng: np.random.Generator) -> dict[str, Probes]:
    """Candidates of events with D* decays among their tracks."""
    parts: dict[str, list[Probes]] = {"kaon": [], "pion": []}
    settings = setup.settings.model_copy(
        update={
            "tracks": _ORDINARY * setup.settings.tracks,
            "unreconstructed": _UNRECONSTRUCTED * setup.settings.unreconstructed,
        }
    )
    for _ in range(max(1, round(setup.statistics * _EVENTS / _CHUNK))):
        given = sample_dstars(np.repeat(np.arange(_CHUNK), _DECAYS), rng)
        events = simulate_chunk(settings, setup.geometry, rng, _CHUNK, given=given)
        delta_log = reconstruct(events, setup.geometry, list(setup.geometry)).log_global[:, KAON]
        made = candidates(events, _directions(settings, events, given, rng))
        event = np.searchsorted(events.track_offsets, made.kaon, side="right") - 1
        place = made.kaon - events.track_offsets[event]
        # The decays' tracks are the first of an event: kaon, pion, slow pion.
        signal = (place % 3 == 0) & (place < 3 * _DECAYS) & (made.pion == made.kaon + 1)
        kept = signal | (rng.random(len(signal)) < _RANDOM)
        for name, track in (("kaon", made.kaon[kept]), ("pion", made.pion[kept])):
            p, passes = events.tracks["p"][track] / 1e3, delta_log[track] > CUTS[name]
            parts[name].append(Probes(p, made.mass[kept], passes, signal[kept]))
    return {
        name: Probes(*(np.concatenate(column) for column in zip(*own, strict=True)))
        for name, own in parts.items()
    }


def _directions(
    settings: RichSimulation, events: RichEvents, given: Particles, rng: np.random.Generator
) -> Floats:
    """Measured directions at the vertex of the tracks that cross RICH1, (n, 3).

    What the vertex detector measures does not have the tails of a line that is extrapolated into a
    RICH, so the decays' masses do not know which of them are in these. Of tracks that are of no
    decay the line in RICH1 is as good: their masses mean nothing.
    """
    direction = events.tracks["rich1_direction"].astype(np.float64)
    row = (events.track_offsets[:-1, None] + np.arange(3 * _DECAYS)).ravel()
    seen = np.isfinite(direction[row])
    measured = smear_direction(given.direction, usual_angle(settings, given.p), rng)
    direction[row] = np.where(seen, measured, np.nan)
    return direction


def _binned(probes: Probes) -> list[Probes]:
    place = np.searchsorted(_EDGES, probes.p, side="right") - 1
    return [Probes(*(column[place == k] for column in probes)) for k in range(len(_EDGES) - 1)]


def closure(probes: Probes) -> Bin:
    """Find the efficiency of the signal among probes without truth, and with it.

    The error of the difference is that of Σ (w − t)(passes − ε) / Σ t, in which t is 1 for the
    signal: the two are of the same tracks.
    """
    weight = signal_weights(probes.mass)
    passed = Tally.of(probes.passes, weight)
    found = fraction(passed, Tally.of(np.ones(len(weight), bool), weight))
    true = float(probes.passes[probes.signal].mean())
    terms = (weight - probes.signal) * (probes.passes - true)
    error = np.sqrt((terms**2).sum()) / probes.signal.sum()
    return Bin(float(found.value), float(found.error), true, float(error))


@styled
def _draw(probes: Probes, found: Mapping[str, list[Bin]]) -> Figure:
    figure = Figure(figsize=(10.5, 3.9))
    masses, efficiencies = figure.subplots(1, 2)
    counts, edges = np.histogram(probes.mass, 80, (D0_MASS - D0_WINDOW, D0_MASS + D0_WINDOW))
    centres = (edges[1:] + edges[:-1]) / 2
    masses.errorbar(centres, counts, np.sqrt(counts), fmt=".", color="black", label="candidates")
    weight = signal_weights(probes.mass)
    signal, background = fit(probes.mass).density(centres) * (edges[1] - edges[0])
    below = (len(weight) - weight.sum()) * background
    masses.plot(centres, weight.sum() * signal + below, label="fit")
    masses.plot(centres, below, linestyle="--", label="background")
    masses.set(xlabel=r"$m(K\pi)$ [MeV/$c^2$]", ylabel="candidates")
    masses.legend()
    middle = np.sqrt(np.multiply(_EDGES[1:], _EDGES[:-1]))
    for name, bins in found.items():
        values, errors, truth, _ = np.transpose(bins)
        label = rf"{SYMBOL[name]} $\to$ K, $\Delta\ln L>{CUTS[name]:g}$"
        efficiencies.stairs(truth, _EDGES, baseline=None, color=SPECIES_COLOUR[name],
                            label=f"{label}, true")  # fmt: skip
        efficiencies.errorbar(middle, values, errors, fmt="o", color=SPECIES_COLOUR[name],
                              label=f"{label}, without truth")  # fmt: skip
    efficiencies.set(xscale="log", xlabel=r"$p$ [GeV/$c$]", ylim=(0, 1.05))
    efficiencies.set_ylabel("fraction that passes")
    efficiencies.set_xticks([3, 5, 10, 20, 50, 100], labels=["3", "5", "10", "20", "50", "100"])
    efficiencies.legend()
    return figure
