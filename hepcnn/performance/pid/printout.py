"""The PID printout of LHCb's RichPIDQC: true species in columns, reconstructed in rows.

Cells are in % of all tracks, so that the matrix shows at once what an analysis gets in its
mixture. The right column is the purity of each row, the bottom row the efficiency of each column;
under every number stands its uncertainty, half the width of its interval. Below, kaons and pions
by what RICH analyses ask: heavy (K, p, d) or light (e, μ, π), and strictly K→K and π→π, K→π and
π→K.

Two differences to RichPIDQC: X, there below threshold, is here ``of none of the six species``
(true) and ``called none`` (reconstructed); and the denominator of a kaon's or pion's rate is all
true ones, where RichPIDQC leaves out those called X. Without such calls the numbers are the same.

**The lecture's table** (RICH PID with a CNN, 2985 tracks) has the same cells transposed: its rows
are the true species, as its row sums, the species' shares of the sample, show (π .689, K .181, p
.100, e .025, μ .004). Its last column, labelled "Purity", divides the diagonal by the sums over
true species: that is the *efficiency*; its last row, labelled "Efficiency", divides by the sums
over what was called: the *purity*. Read rightly it says K→K 55.7 %, π→π 96.5 %, p→p 30.4 %, e→e
1.3 %, μ→μ 0 %, true K → {K, p, d} 67.8 % and true π → {K, p, d} 3.45 %. The accuracy that follows,
79.7 %, is to be held against 68.9 % for calling every track a pion.
"""

from __future__ import annotations

import numpy as np

from hepcnn.detector.particles import PARTICLES, SPECIES
from hepcnn.performance.confusion import Confusion
from hepcnn.performance.intervals import Floats, Proportion
from hepcnn.performance.tally import Tally, fraction

#: The groups of the footer.
LIGHT = ("electron", "muon", "pion")
HEAVY = ("kaon", "proton", "deuteron")
_LABEL, _CELL, _LAST = 16, 9, 11
_COLUMNS = [name.capitalize() for name in SPECIES] + ["X"]
_RULE = "-" * _LABEL + "+" + "-" * (_CELL * len(_COLUMNS) + 1) + "+" + "-" * _LAST


def printout(
    confusion: Confusion,
    *,
    method: str = "",
    momentum: tuple[float, float] | None = None,
    multiplicity: tuple[float, float] | None = None,
    events: Proportion | None = None,
) -> str:
    """Print a confusion matrix as RichPIDQC does.

    Parameters
    ----------
    confusion : Confusion
        Counts and mixture.
    method : str
        The network's or the baseline's name.
    momentum : (float, float), optional
        Range of the tracks' momenta, low <= p < high (MeV).
    multiplicity : (float, float), optional
        Least and greatest number of tracks in an event.
    events : Proportion, optional
        Scalar: events with an identified track, of all.

    Returns
    -------
    str
        Lines without trailing blanks; "n/a" where a denominator is empty.
    """
    shares, purity, efficiency = confusion.shares, confusion.purity, confusion.efficiency
    lines = [*_header(confusion, method, momentum, multiplicity), _RULE]
    lines += [_row("   %total", [*_COLUMNS], "%Purity"), _RULE]
    for called, name in enumerate(_COLUMNS):
        column = shares[:, called]
        pure = purity[called] if name != "X" else None
        value, error = (_percent(pure.value), _percent(pure.error)) if pure else ("", "")
        lines.append(_row(f" {name}", [_percent(v) for v in column.value], value))
        lines.append(_row("      ±", [_percent(v) for v in column.error], error))
    lines += [_row("   (reco)", ["", "", "", "", "", "", "(true)"], ""), _RULE]
    lines.append(_row("   %Eff.", [*[_percent(v) for v in efficiency.value], ""], ""))
    lines.append(_row("      ±", [*[_percent(v) for v in efficiency.error], ""], ""))
    lines += [_RULE, *_footer(confusion, events), _RULE]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _header(
    confusion: Confusion,
    method: str,
    momentum: tuple[float, float] | None,
    multiplicity: tuple[float, float] | None,
) -> list[str]:
    particles = confusion.counts.sum(axis=1)
    found = {p.symbol: n for p, n in zip(PARTICLES, particles, strict=False)} | {"X": particles[-1]}
    mixture = confusion.mixture
    abundance = zip(PARTICLES, mixture.abundances, strict=True)
    facts = {
        "Method": method,
        "p (GeV/c)": f"{momentum[0] / 1000:g} <= p < {momentum[1] / 1000:g}" if momentum else "",
        "Tracks/event": f"{multiplicity[0]:g} to {multiplicity[1]:g}" if multiplicity else "",
        "# tracks": f"{particles.sum()}: " + " ".join(f"{s}={n}" for s, n in found.items()),
        "Mixture": f"{mixture.name}: " + " ".join(f"{p.symbol}={a:.4f}" for p, a in abundance),
        "Weights": _weights(confusion.cells.sum()),
    }
    return [_RULE, *(f" {name:<{_LABEL - 1}}| {text}" for name, text in facts.items() if text)]


def _weights(tracks: Tally) -> str:
    """What all tracks weigh; of tracks without weights nothing."""
    if tracks.sums is None:
        return ""
    n_eff = float(fraction(tracks, tracks).n_eff)
    return f"all numbers but # tracks and events; sum {tracks.w:.6g}, as {n_eff:.6g} tracks"


def _footer(confusion: Confusion, events: Proportion | None) -> list[str]:
    pairs = [
        ("% ID eff", "K->K,Pr,D", "kaon", HEAVY, "pi->e,m,pi", "pion", LIGHT),
        ("% MisID eff", "K->e,m,pi", "kaon", LIGHT, "pi->K,Pr,D", "pion", HEAVY),
        ("% ID strict", "K->K", "kaon", ("kaon",), "pi->pi", "pion", ("pion",)),
        ("% MisID strict", "K->pi", "kaon", ("pion",), "pi->K", "pion", ("kaon",)),
    ]
    lines = [
        _pair(label, left, confusion.rate(a, to_a), right, confusion.rate(b, to_b))
        for label, left, a, to_a, right, b, to_b in pairs
    ]
    tracks = fraction(confusion.cells[:, :-1].sum(), confusion.cells.sum())
    return [*lines, _pair("% ID rate", "events", events, "tracks", tracks)]


def _pair(label: str, left: str, a: Proportion | None, right: str, b: Proportion | None) -> str:
    return f" {label:<{_LABEL - 1}}| {left:<10} : {_with_error(a)}   {right:<10} : {_with_error(b)}"


def _with_error(proportion: Proportion | None) -> str:
    """``xx.xx ± x.xx`` in %."""
    if proportion is None or np.isnan(proportion.value):
        return f"{'n/a':>14}"
    return f"{100 * proportion.value:6.2f} ± {100 * proportion.error:5.2f}"


def _percent(fraction: float | Floats) -> str:
    return "n/a" if np.isnan(fraction) else f"{100 * fraction:.2f}"


def _row(label: str, cells: list[str], last: str) -> str:
    middle = "".join(f"{cell:>{_CELL}}" for cell in cells)
    return f"{label:<{_LABEL}}|{middle} |{last:>{_LAST - 2}}"
