"""What makes identification hard: the rates of each cause, their sources, and their tuning.

What is known of decays, interactions and the rest, or is the same always, stands here; how much
there is of what is not known are settings (`config.RichSimulation`): `tracking_tails`,
`misextrapolated`, `misalignment`, `ghosts` and `unreconstructed`, and here `LARGEST_KINK` and
`TAIL`. They are tuned, with the default settings, to be as hard a problem as LHCb's: an occupancy
of 30 % at the peak of RICH1 with 150 tracks, and kaons that the global likelihood, which knows of
none of the causes, tells from pions as is commonly seen: between 10 and 40 GeV Δ ln L > 0 keeps
about 95 % of the kaons with 3 to 10 % of the pions, of which near 100 GeV at least 20 % pass; and
above 3 GeV Δ ln L > 5 keeps 85 % with 3 %.

Reached in 400 events with the natural spectra, tracks that cross a RICH (near 100 GeV: 80 to 100,
in 300 events of as many kaons as pions with a wider spectrum): 97.0 ± 0.4 % with 5.0 ± 0.2 %,
24.7 ± 2.1 % of the pions; 83.9 ± 0.6 % with 3.4 ± 0.1 %. With none of the causes and the same
spectrum for all species it was 98.4 % with 0.9 %, 15 %; 83.8 % with 0.2 %, in events of the wider
spectrum. More tails and mis-extrapolated tracks raise π→K below 40 GeV, a larger misalignment and
more background that above 60 GeV. Check 7 of `hepcnn validate rich` holds the bands.
"""

from __future__ import annotations

from typing import NamedTuple

#: Exponent of momentum with which a species' abundance over that of pions rises. Against
#: transverse momentum K/π and p/π rise three- and fourfold from 0.3 to 2 GeV [ALICE,
#: arXiv:1504.00024; LHCb's forward ratios rise alike, arXiv:1206.5160]; ln p goes half as fast with
#: ln pT in these events. Rounded; deuterons as protons.
RISE = {"kaon": 0.3, "proton": 0.35, "deuteron": 0.35}

#: Mean decay lengths c τ (mm). [Review of Particle Physics]
C_TAU = {"pion": 7804.5, "kaon": 3711.0}


class Decay(NamedTuple):
    """A decay into a charged and a neutral particle: branching ratio, daughter, neutral mass."""

    branching: float
    daughter: str
    neutral: float


#: Two-body decays and the mass of the neutral (MeV); a kaon's three-body decays (16 %) are shared
#: out to them. [Review of Particle Physics]
DECAYS = {
    "pion": (Decay(1.0, "muon", 0.0),),
    "kaon": (Decay(0.6356, "muon", 0.0), Decay(0.2067, "pion", 134.9768)),
}

#: Behind RICH2 no fate matters (mm along z). [LHCb, rounded]
LAST_Z = 11800.0
#: Where the detectors are that see a track (mm along z): the vertex detector gives its line in
#: RICH1, the stations behind the magnet that in RICH2. [LHCb, rounded]
VERTEX_END = 700.0
STATIONS = (7700.0, 9400.0)
#: The largest kink of one long track (rad). [rounded]
LARGEST_KINK = 10e-3

#: Probability of an inelastic interaction before the end of the stations. Pions and kaons: [LHCb
#: tracking efficiency, arXiv:1408.1251]; the others by their larger cross sections, rounded.
INTERACTING = {"pion": 0.14, "kaon": 0.11, "proton": 0.17, "deuteron": 0.25}
#: Where: part of the material before the end of the stations that a particle has met at each z
#: (mm): vertex detector, RICH1 and its mirror, tracker before the magnet, stations; behind them
#: RICH2's window and gas. [LHCb's material budget, rounded]
MATERIAL_Z = (0.0, 800.0, 990.0, 2100.0, 2300.0, 2700.0, 7700.0, 9400.0, 9600.0, LAST_Z)
MATERIAL = (0.0, 0.22, 0.24, 0.50, 0.50, 0.65, 0.70, 1.0, 1.05, 1.12)

#: The errors of a track in the tails are so many times as large. [rounded]
TAIL = 4.0
#: Errors of a mis-extrapolated line: direction (rad) and position (mm), each projection. [rounded]
WRONG_ANGLE = 5e-3
WRONG_POSITION = 10.0

#: Momenta of ghosts, log-normal: median (MeV) and width of ln p; the range is that of the tracks.
#: [rounded: softer and wider than tracks]
GHOST_MEDIAN = 5000.0
GHOST_WIDTH = 1.2

#: Side of a segment of the spherical mirrors (mm): the hexagons of RICH2 are 510 mm wide. [rounded]
SEGMENT = 500.0
