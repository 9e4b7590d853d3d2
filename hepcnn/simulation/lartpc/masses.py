"""Masses (MeV) of what is transported or made; neutrinos and photons have none.

Particle Data Group, Review of Particle Physics.
"""

from __future__ import annotations

from hepcnn.detector.particles import PARTICLES

_CHARGED = {particle.name: particle.mass for particle in PARTICLES}
ELECTRON_MASS, MUON_MASS = _CHARGED["electron"], _CHARGED["muon"]
PION_MASS, NEUTRAL_PION_MASS = _CHARGED["pion"], 134.9768
PROTON_MASS, NEUTRON_MASS = _CHARGED["proton"], 939.56542052
#: Of either nucleon, where it makes no difference.
NUCLEON_MASS = (PROTON_MASS + NEUTRON_MASS) / 2
#: Of the Δ resonance.
DELTA_MASS = 1232.0
