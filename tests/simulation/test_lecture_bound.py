"""What no classifier of RICH images can exceed that does not know the momentum.

An image about a track tells at best the Cherenkov angle, and of it the speed; a kaon of 20 GeV has
the ring of a pion of 5.7 GeV. With the angle known exactly, the best decision is the species that
is most frequent at it.
"""

from pathlib import Path

import numpy as np
import yaml

from hepcnn.config import RichSimulation
from hepcnn.detector.particles import MASSES, SPECIES
from hepcnn.simulation.rich.tracks import sample_momentum, sample_species

KAON, PION, PROTON = (SPECIES.index(name) for name in ("kaon", "pion", "proton"))
#: Index of C4F10; bins of the angle, far finer than any resolution (rad).
INDEX, BIN = 1.0014, 3e-4


def best_calls(settings, tracks=200_000):
    """True species, and the best that can be said of each track with its angle known exactly."""
    rng = np.random.default_rng(1)
    species = sample_species(settings, tracks, rng)
    p = sample_momentum(settings, species, rng)
    cosine = np.hypot(p, MASSES[species]) / (INDEX * p)
    angle = np.arccos(np.minimum(cosine, 1.0))
    place = np.where(angle > 0, 1 + angle // BIN, 0).astype(int)
    counts = np.zeros((place.max() + 1, len(SPECIES)))
    np.add.at(counts, (place, species), 1)
    return species, counts.argmax(axis=1)[place]


def lecture(**changes):
    """The settings of workflow/lecture.yaml."""
    text = (Path(__file__).parents[2] / "workflow/lecture.yaml").read_text(encoding="utf-8")
    settings = yaml.safe_load(text)["samples"]["run1"]["simulate"]
    return RichSimulation(**settings | changes)


def test_the_lectures_table_cannot_come_from_all_momenta():
    """K→K 55.7 % at π→K 2.0 % and p→p 30 % are beyond what perfect angles give from 2 GeV on."""
    species, called = best_calls(lecture())
    assert (called[species == KAON] == KAON).mean() < 0.557
    assert (called[species == PION] == KAON).mean() > 0.020
    assert (called[species == PROTON] == PROTON).mean() < 0.304


def test_above_the_kaons_threshold_it_can():
    species, called = best_calls(lecture(momentum_range=(9300, 100_000)))
    assert (called[species == KAON] == KAON).mean() > 0.557
    assert (called[species == PION] == KAON).mean() < 0.020
    assert (called[species == PROTON] == PROTON).mean() > 0.304
