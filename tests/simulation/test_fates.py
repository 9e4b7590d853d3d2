"""Decays in flight and interactions: rates, kinematics, and what remains a long track."""

import numpy as np
import pytest

from hepcnn.config import RichSimulation
from hepcnn.detector.geometry import load_geometry
from hepcnn.detector.particles import MASSES, SPECIES, species_of
from hepcnn.simulation.rich.fates import (
    Fates,
    decay_products,
    decay_z,
    interaction_z,
    sample_fates,
)
from hepcnn.simulation.rich.generate import sample_tracks
from hepcnn.simulation.rich.rates import C_TAU, INTERACTING, LARGEST_KINK, LAST_Z, STATIONS
from hepcnn.simulation.rich.tracks import MAGNET_Z, Particles, segments

GEOMETRY = load_geometry("lhcb-run3")
PION, KAON, MUON = (SPECIES.index(name) for name in ("pion", "kaon", "muon"))


def beam(species, p, n, slope=(0.05, 0.02), event=None):
    """Particles of one species and momentum along one line from the origin."""
    direction = np.array([*slope, 1.0]) / np.linalg.norm([*slope, 1.0])
    return Particles.endless(
        event=np.zeros(n, np.int64) if event is None else event,
        species=np.full(n, species),
        charge=np.ones(n, np.int8),
        p=np.full(n, float(p)),
        origin=np.zeros((n, 3)),
        direction=np.tile(direction, (n, 1)),
    )


@pytest.mark.parametrize("name", C_TAU)
def test_decays_are_exponential_along_the_path(name):
    """As many before each z as 1 − exp(−m z/(p c τ cos θ))."""
    species, p, n = SPECIES.index(name), 5e3, 100_000
    particles = beam(species, p, n)
    z = decay_z(particles, np.random.default_rng(1))
    for end in (1e3, 5e3, 11e3):
        path = end / particles.direction[0, 2]
        expected = 1 - np.exp(-MASSES[species] * path / (p * C_TAU[name]))
        assert (z < end).mean() == pytest.approx(expected, abs=4 * np.sqrt(expected / n))
    assert (z[np.isfinite(z)] <= LAST_Z).all()


@pytest.mark.parametrize("name", ["electron", "muon", "proton", "deuteron"])
def test_others_do_not_decay(name):
    z = decay_z(beam(SPECIES.index(name), 2e3, 1000), np.random.default_rng(1))
    assert np.isinf(z).all()


@pytest.mark.parametrize("name", C_TAU)
def test_decays_conserve_energy_and_momentum(name):
    """What the charged daughter leaves has the mass of the neutrino, or of the neutral pion."""
    mothers = beam(SPECIES.index(name), 8e3, 20_000).ending(np.full(20_000, 3e3))
    daughters, kink = decay_products(mothers, np.random.default_rng(2))
    energy = np.hypot(mothers.p, mothers.mass) - np.hypot(daughters.p, daughters.mass)
    left = mothers.p[:, None] * mothers.direction - daughters.p[:, None] * daughters.direction
    square = energy**2 - (left**2).sum(axis=1)
    neutral = np.where(daughters.species == PION, 134.9768, 0.0)
    np.testing.assert_allclose(square, neutral**2, atol=1.0)
    np.testing.assert_allclose(daughters.origin[:, 2], 3e3)
    cosine = (mothers.direction * daughters.direction).sum(axis=1)
    np.testing.assert_allclose(np.cos(kink), cosine, atol=1e-12)
    pions = (daughters.species == PION).mean()
    assert pions == pytest.approx(0 if name == "pion" else 0.2454, abs=0.015)
    assert set(daughters.species) <= {MUON, PION}


def test_muons_of_pions_have_the_momenta_of_the_two_body_decay():
    """Uniform between (m_μ/m_π)² and all of the pion's, for a fast pion; pT at most 29.8 MeV."""
    p, n = 50e3, 50_000
    mothers = beam(PION, p, n).ending(np.full(n, 1e3))
    daughters, kink = decay_products(mothers, np.random.default_rng(3))
    x = daughters.p / p
    low = (MASSES[MUON] / MASSES[PION]) ** 2
    assert x.min() == pytest.approx(low, abs=1e-3)
    assert x.max() == pytest.approx(1, abs=1e-3)
    assert x.mean() == pytest.approx((1 + low) / 2, abs=3e-3)
    across = daughters.p * np.sin(kink)
    assert across.max() == pytest.approx(29.79, abs=0.02)


def test_a_decay_behind_the_magnet_is_on_the_bent_line():
    mothers = beam(PION, 10e3, 5).ending(np.full(5, 8e3))
    daughters, _ = decay_products(mothers, np.random.default_rng(4))
    straight = mothers.direction[0] / mothers.direction[0, 2]
    bend = 1200.0 / 10e3 * (8e3 - MAGNET_Z)
    np.testing.assert_allclose(daughters.origin[:, 0], 8e3 * straight[0] + bend, rtol=0.02)
    np.testing.assert_allclose(daughters.origin[:, 1], 8e3 * straight[1], rtol=0.02)


@pytest.mark.parametrize("name", SPECIES)
def test_as_many_interact_as_is_known(name):
    n = 100_000
    z = interaction_z(np.full(n, SPECIES.index(name)), np.random.default_rng(5))
    expected = INTERACTING.get(name, 0.0)
    assert (z < STATIONS[1]).mean() == pytest.approx(expected, abs=5e-3)
    behind = np.isfinite(z) & (z >= STATIONS[1])
    assert (behind.mean() > 0.005) == (expected > 0)
    assert (z >= 0).all()


def test_long_tracks_reach_the_stations_with_hardly_a_kink():
    settings = RichSimulation()
    particles = beam(KAON, 6e3, 50_000)
    fates = sample_fates(settings, particles, np.random.default_rng(6))
    end, long = fates.particles.end, fates.long
    assert long[end > STATIONS[1]].all()
    decayed = np.isin(np.arange(len(particles)), fates.mother)
    assert not long[(end < STATIONS[1]) & ~decayed].any()
    mothers = fates.particles.take(fates.mother)
    before = mothers.end < STATIONS[1]
    at_vertex = mothers.end < MAGNET_Z  # where the mother's direction is that of the origin
    cosine = (mothers.direction * fates.daughters.direction).sum(axis=1)
    kink = np.arccos(np.clip(cosine, -1, 1))[at_vertex]
    np.testing.assert_array_equal(long[fates.mother][at_vertex], kink < LARGEST_KINK)
    assert 0 < long[fates.mother][before].mean() < 0.1
    assert (np.diff(fates.mother) > 0).all()


def test_nothing_happens_if_it_is_off():
    settings = RichSimulation(decays=False, interactions=False)
    fates = sample_fates(settings, beam(KAON, 3e3, 1000), np.random.default_rng(7))
    assert fates.long.all()
    assert np.isinf(fates.particles.end).all()
    assert len(fates.daughters) == len(fates.mother) == 0


def test_parts_keep_their_daughters():
    """Taken, joined and ordered again, each daughter is at her mother's end."""
    fates = sample_fates(RichSimulation(), beam(KAON, 3e3, 2000), np.random.default_rng(8))
    parts = Fates.joined([fates.take(fates.long), fates.take(~fates.long)])
    order = np.random.default_rng(9).permutation(len(parts.particles))
    again = parts.ordered(order)
    for made in (fates, parts, again):
        np.testing.assert_allclose(
            made.daughters.origin[:, 2], made.particles.end[made.mother], atol=1e-6
        )
        assert (np.diff(made.mother) > 0).all()
    np.testing.assert_array_equal(again.particles.end, parts.particles.end[order])
    assert len(again.daughters) == len(fates.daughters) > 100


def test_who_goes_on_is_the_daughter_after_the_decay():
    fates = sample_fates(
        RichSimulation(interactions=False), beam(PION, 3e3, 3000), np.random.default_rng(10)
    )
    all_of_them = Particles.joined([fates.particles, fates.daughters])
    for z in (-np.inf, 1e3, 8e3):
        row = fates.at(z)
        after = row >= len(fates.particles)
        mine = np.isin(np.arange(len(row)), fates.mother)
        np.testing.assert_array_equal(after, mine & (fates.particles.end < z))
        np.testing.assert_allclose(
            all_of_them.origin[row[after], 2], fates.particles.end[after], atol=1e-6
        )


def test_the_lost_come_in_addition_to_the_reconstructed_tracks():
    """Kaons of 4 GeV: the lost per track are (1 − ε)/ε, ε that of a sample without a choice."""
    settings = RichSimulation(
        mixture={"kaon": 0.5, "muon": 0.5}, spectrum="flat", momentum_range=(4000, 4001)
    )
    rng = np.random.default_rng(11)
    tracks, lost = sample_tracks(settings, np.repeat(np.arange(10), 1000), rng)
    kaons = tracks.particles.species == KAON
    assert kaons.mean() == pytest.approx(0.5, abs=0.03)
    assert tracks.long.all()
    assert not lost.long.any()
    assert (np.diff(tracks.particles.event) >= 0).all()
    assert (lost.particles.species == KAON).all()
    efficiency = sample_fates(settings, lost.particles, rng).long.mean()
    assert len(lost.particles) / kaons.sum() == pytest.approx(
        (1 - efficiency) / efficiency, rel=0.1
    )


def test_no_light_comes_from_behind_the_end():
    """Segments end where the particle does, and there is none if it has ended before."""
    n = 200
    end = np.linspace(0, 2.5e3, n)
    particles = beam(PION, 50e3, n).ending(end)
    line = segments(GEOMETRY, particles)["rich1"]
    lit = line.until(end)
    np.testing.assert_array_equal(lit.crosses, end > 990)
    np.testing.assert_allclose(
        lit.exit[lit.crosses, 2], np.minimum(end, line.exit[0, 2])[lit.crosses], rtol=1e-12
    )
    along = lit.exit - lit.entry
    np.testing.assert_allclose(np.cross(along, line.direction)[lit.crosses], 0, atol=1e-6)


def test_pdg_codes_of_daughters_have_their_charge():
    fates = sample_fates(RichSimulation(), beam(KAON, 3e3, 2000), np.random.default_rng(12))
    assert set(fates.daughters.pdg) == {-13, 211}
    assert (species_of(fates.daughters.pdg) == fates.daughters.species).all()
