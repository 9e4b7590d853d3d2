"""Check 7: what the global likelihood makes of the events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from hepcnn.detector.particles import SPECIES, species_of
from hepcnn.reconstruction.reconstruct import reconstruct
from hepcnn.report.style import SPECIES_COLOUR, styled
from hepcnn.validation.checks import Check, Row
from hepcnn.validation.rich.setup import Floats, Setup

#: Momenta (GeV), ln L(K) − ln L(π) and whether they are kaons, of kaons and pions.
_Tracks = tuple[Floats, Floats, NDArray[np.bool_]]
KAON, PION = SPECIES.index("kaon"), SPECIES.index("pion")
#: Pions and kaons alike, at all momenta alike.
_MIXTURE = {
    "mixture": {"pion": 1, "kaon": 1},
    "momentum_median": 15e3,
    "momentum_width": 1.5,
    "momentum_range": (2e3, 100e3),
}
#: Events, natural and of that mixture, reconstructed so many at a time.
_NATURAL, _EVENTS, _CHUNK = 210, 210, 15
#: Fraction of the pions of a momentum bin that pass the tighter cut.
MISID = 0.05
#: Edges of the bins in momentum (GeV); thresholds of both gases are among them.
_EDGES = (2, 2.65, 3.3, 4.4, 6, 8, 9.3, 10.5, 12.5, 15.6, 17.5, 20, 25, 30, 40, 50, 60, 80, 100)
#: Where nothing is near a threshold or too fast, and where something is (GeV).
_PLATEAU, _SLOW, _TURN_ON, _FAST = (15.6, 50), (2, 2.65), (8, 10.5), (60, 100)
#: Cuts on Δ ln L that are to do as LHCb's, and the momenta (GeV): where identification is best, a
#: firm cut wherever there is light, and at the end. The last has few tracks in the natural spectra.
CUTS = {"best": (0.0, (10, 40)), "firm": (5.0, (3, 100)), "last": (0.0, (80, 100))}


def identification(setup: Setup, rng: np.random.Generator) -> Check:
    """Check 7: K→K and π→K of the global likelihood against momentum.

    Below the pions' threshold of RICH1 nothing tells the two apart; kaons that do not yet shine,
    or hardly, are told by light that is missing; above 60 GeV the rings become alike. The cuts of
    `CUTS` do as LHCb's in the sample's own spectra and mixture.
    """
    wide = _reconstructed(setup, rng, _EVENTS, _MIXTURE)
    plateau, slow, turn_on, fast = (
        rates(*wide, np.array(edges))
        for edges in (_PLATEAU, _SLOW, _TURN_ON, _FAST)
    )  # fmt: skip
    at = f"K→K at {100 * MISID:g} % π→K"
    rows = (
        Row(f"K→K of Δ ln L > 0, {_span(_PLATEAU)}", plateau["efficiency"][0], 0.85, 1.0),
        Row(f"π→K of Δ ln L > 0, {_span(_PLATEAU)}", plateau["misid"][0], 0.0, 0.1),
        Row(f"{at}, {_span(_PLATEAU)}", plateau["tight"][0], 0.85, 1.0),
        Row(f"{at}, {_span(_SLOW)} less that", slow["tight"][0] - plateau["tight"][0], -1.0, -0.4),
        Row(
            f"K→K of Δ ln L > 0, {_span(_TURN_ON)} less {_span(_PLATEAU)}",
            turn_on["efficiency"][0] - plateau["efficiency"][0],
            -0.5,
            0.0,
        ),
        Row(f"{at}, {_span(_FAST)} less {_span(_PLATEAU)}",
            fast["tight"][0] - plateau["tight"][0], -0.8, -0.05),
        *_cut_rows(setup, rng, wide),
    )  # fmt: skip
    curve = rates(*wide, np.array(_EDGES))
    return Check(
        "identification",
        "K→K and π→K against momentum: as LHCb's, dips near the thresholds, loss above 60 GeV",
        rows,
        lambda: _draw(curve),
    )


def _cut_rows(setup: Setup, rng: np.random.Generator, wide: _Tracks) -> Iterator[Row]:
    """K→K and π→K of the cuts of which bands are known."""
    if not setup.bands.kaons:
        return
    natural = _reconstructed(setup, rng, _NATURAL, {})
    for name, bands in setup.bands.kaons.items():
        least, edges = CUTS[name]
        found = rates(*(wide if name == "last" else natural), np.array(edges), least)
        for kind, label, band in zip(("efficiency", "misid"), ("K→K", "π→K"), bands, strict=True):
            quantity = f"{label} of Δ ln L > {least:g}, {_span(edges)}, as published"
            yield Row(quantity, found[kind][0], *band)


def _reconstructed(
    setup: Setup, rng: np.random.Generator, events: int, changes: Mapping[str, object]
) -> _Tracks:
    """Momentum (GeV), ln L(K) − ln L(π) and truth of the kaons and pions that cross a RICH."""
    parts = []
    for _ in range(events // _CHUNK):
        made = setup.simulate(rng, _CHUNK, **changes)
        found = reconstruct(made, setup.geometry, list(setup.geometry))
        species = species_of(made.tracks["pdg"])
        seen = np.any([np.isfinite(made.tracks[f"{r}_entry"][:, 0]) for r in setup.geometry], 0)
        seen &= (species == KAON) | (species == PION)
        columns = (made.tracks["p"] / 1e3, found.log_global[:, KAON], species == KAON)
        parts.append([column[seen] for column in columns])
    p, delta, kaon = (np.concatenate(column) for column in zip(*parts, strict=True))
    return p, delta, kaon


def _span(edges: tuple[float, float]) -> str:
    return f"{edges[0]:g} to {edges[1]:g} GeV"


def rates(
    p: Floats, delta: Floats, kaon: NDArray[np.bool_], edges: Floats, least: float = 0.0
) -> dict[str, Floats]:
    """Efficiencies and misIDs in bins of momentum.

    Parameters
    ----------
    p, delta : array (n,)
        Momenta, and ln L(K) − ln L(π).
    kaon : bool array (n,)
        Kaons; the others are pions.
    edges : array (k + 1,)
        Of the bins, in the unit of p.
    least : float
        Of Δ ln L, for what is called a kaon.

    Returns
    -------
    dict of array (k,)
        ``efficiency`` K→K and ``misid`` π→K of Δ ln L > least; ``tight``: K→K where `MISID` of the
        bin's pions pass. NaN without kaons or pions.
    """
    found: dict[str, list[float]] = {"efficiency": [], "misid": [], "tight": []}
    for low, high in pairwise(edges):
        here = (low <= p) & (p < high)
        kaons, pions = delta[here & kaon], delta[here & ~kaon]
        if not (len(kaons) and len(pions)):
            kaons = pions = np.full(1, np.nan)
        cut = np.quantile(pions, 1 - MISID)
        for name, values in (
            ("efficiency", kaons > least),
            ("misid", pions > least),
            ("tight", kaons > cut),
        ):
            found[name].append(float(np.mean(values)) if np.isfinite(cut) else np.nan)
    return {name: np.array(values) for name, values in found.items()}


@styled
def _draw(curve: dict[str, Floats]) -> Figure:
    figure = Figure(figsize=(7.0, 3.8))
    axes = figure.subplots()
    tight = rf"K $\to$ K at {100 * MISID:g}% $\pi\to$ K"
    for name, colour, line, label in (
        ("efficiency", SPECIES_COLOUR["kaon"], "-", r"K $\to$ K, $\Delta\ln L>0$"),
        ("tight", SPECIES_COLOUR["kaon"], "--", tight),
        ("misid", SPECIES_COLOUR["pion"], "-", r"$\pi\to$ K, $\Delta\ln L>0$"),
    ):
        axes.stairs(
            curve[name], _EDGES, baseline=None, color=colour, linestyle=line, linewidth=1.6,
            label=label,
        )  # fmt: skip
    axes.set(xscale="log", xlabel=r"$p$ [GeV/$c$]", ylabel="fraction", ylim=(0, 1.05))
    axes.set_xticks([2, 5, 10, 20, 50, 100], labels=["2", "5", "10", "20", "50", "100"])
    axes.legend(loc="center right")
    return figure
