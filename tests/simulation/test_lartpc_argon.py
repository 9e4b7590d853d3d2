"""Liquid argon: losses, ranges, scattering and attenuation as tables give them."""

import numpy as np
import pytest
from landau_reference import landau_width, most_probable_loss

from hepcnn.simulation.lartpc import argon
from hepcnn.simulation.lartpc.masses import ELECTRON_MASS
from hepcnn.simulation.lartpc.screening import pair_share, radiation_share

MUON, PROTON = argon.CHARGED[13], argon.CHARGED[2212]


def reach(kind, energy):
    """Range (cm) from the tables."""
    tables = argon.tables()
    grid = np.exp(tables.low + np.arange(tables.reach.shape[1]) / tables.density)
    return np.interp(energy, grid, tables.reach[kind]) / 10


def test_a_minimum_ionising_muon_loses_2_1_mev_a_cm():
    """At βγ of 3 to 4."""
    energy = np.geomspace(50, 5000, 400)
    loss = 10 * argon.stopping_power(energy, MUON)
    beta, gamma = argon.motion(energy[np.argmin(loss)], MUON)
    assert loss.min() == pytest.approx(2.105, rel=0.01)
    assert 3 < beta * gamma < 4


@pytest.mark.parametrize(
    ("kind", "energy", "expected"),
    [(1, 1000, 442), (1, 100, 30.5), (3, 100, 7.8), (3, 300, 51)],
)
def test_ranges_are_those_of_published_tables(kind, energy, expected):
    """Groom et al. for muons, PSTAR for protons, over the density; 2 %."""
    assert reach(kind, energy) == pytest.approx(expected, rel=0.02)


def test_electrons_lose_more_in_collisions_than_muons_of_the_same_speed():
    """By the relativistic rise: 2.3 MeV/cm at 30 MeV, 2.6 at 300 MeV."""
    assert 10 * argon.electron_stopping_power(30) == pytest.approx(2.33, rel=0.02)
    assert 10 * argon.electron_stopping_power(300) == pytest.approx(2.6, rel=0.02)


def test_most_probable_loss_is_below_the_mean():
    """1.7 MeV/cm at 3 mm for a few GeV, and little less at the minimum."""
    energy = np.array([300.0, 1000.0, 4000.0])
    probable = most_probable_loss(energy, MUON, 3.0) / 0.3
    assert np.all((probable > 1.58) & (probable < 1.72))
    assert np.all(probable < 10 * argon.stopping_power(energy, MUON))


def test_landau_width_of_three_mm():
    """ξ = 29 keV."""
    assert landau_width(3.0, 1.0) == pytest.approx(0.029, rel=0.01)


def test_highland_of_a_radiation_length():
    """13.6 MeV/βp."""
    beta, gamma = argon.motion(1000.0, MUON)
    expected = 13.6 / (beta**2 * gamma * MUON)
    assert argon.highland(1000.0, MUON, argon.RADIATION_LENGTH) == pytest.approx(expected)


def test_largest_transfer_approaches_the_energy():
    """A very fast muon can give almost all to an electron; a slow proton 4 m/M of its energy."""
    assert argon.largest_transfer(1e6, MUON) > 0.9e6
    slow = argon.largest_transfer(10.0, PROTON)
    assert slow == pytest.approx(4 * ELECTRON_MASS / PROTON * 10, rel=0.02)


def test_klein_nishina_at_one_mev():
    """0.2112 barn an electron, so 0.0573 cm²/g."""
    per_gram = argon.compton_attenuation(1.0) / argon.DENSITY / 100
    assert per_gram == pytest.approx(0.0573, rel=0.005)


def test_attenuation_is_the_tabulated_one():
    """At the knots, and 7/(9 X0) at high energy."""
    energy = np.array([2.0, 5.0, 10.0, 20.0])
    total = argon.pair_attenuation(energy) + argon.compton_attenuation(energy)
    assert total / argon.DENSITY / 100 == pytest.approx([0.041, 0.030, 0.028, 0.029])
    assert 1 / argon.pair_attenuation(1e5) == pytest.approx(180, rel=0.01)


def test_pairs_have_a_threshold_and_no_jump():
    """None below 2 m; growing smoothly through the end of the table."""
    assert argon.pair_attenuation(1.02) == 0
    energy = np.geomspace(2, 1e4, 3000)
    pairs = argon.pair_attenuation(energy)
    change = np.diff(pairs) / pairs[1:]
    assert np.all((change > -1e-4) & (change < 0.02))


def test_screening_is_complete_at_high_energy():
    """Of pairs and of radiation; at 10 MeV a third of the radiation is missing."""
    assert pair_share(1e6) == pytest.approx(1, abs=1e-3)
    assert radiation_share(1e6, 1e5) == pytest.approx(1, abs=1e-3)
    assert radiation_share(10.0, 5.0) == pytest.approx(0.67, abs=0.1)
    assert 0 < radiation_share(1.0, 0.99) < 0.5
