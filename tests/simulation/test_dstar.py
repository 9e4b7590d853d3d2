"""Simulated decays of D* mesons: masses, charges, isotropy, and their place among tracks."""

import numpy as np
import pytest

from hepcnn.config import RichSimulation
from hepcnn.detector.geometry import load_geometry
from hepcnn.detector.particles import MASSES
from hepcnn.simulation.rich.dstar import (
    D0_MASS,
    DSTAR_MASS,
    KAON,
    MOMENTUM_RANGE,
    PION,
    SLOW_MOMENTUM,
    sample_dstars,
    two_body,
)
from hepcnn.simulation.rich.generate import simulate_chunk
from hepcnn.simulation.rich.tracks import LARGEST_SLOPE

N = 3000
DECAYS = sample_dstars(np.arange(N) // 3, np.random.default_rng(1))


def mass(of):
    momentum = (DECAYS.p[:, None] * DECAYS.direction).reshape(N, 3, 3)[:, of]
    energy = np.sqrt((momentum**2).sum(axis=2) + DECAYS.mass.reshape(N, 3)[:, of] ** 2)
    return np.sqrt(energy.sum(axis=1) ** 2 - (momentum.sum(axis=1) ** 2).sum(axis=1))


def test_daughters_have_the_masses_of_their_mothers():
    np.testing.assert_allclose(mass([0, 1]), D0_MASS, rtol=1e-10)
    np.testing.assert_allclose(mass([0, 1, 2]), DSTAR_MASS, rtol=1e-10)


def test_the_slow_pions_charge_is_not_the_kaons():
    kaon, pion, slow = DECAYS.charge.reshape(N, 3).T
    assert (kaon == -slow).all()
    assert (pion == slow).all()
    assert abs(int(slow.sum())) < 4 * N**0.5
    assert DECAYS.species.reshape(N, 3)[0].tolist() == [KAON, PION, PION]


def test_all_daughters_are_in_the_acceptance():
    slope = np.abs(DECAYS.direction[:, :2] / DECAYS.direction[:, 2:])
    assert (slope < LARGEST_SLOPE).all()
    p = DECAYS.p.reshape(N, 3)
    assert p[:, :2].min() > MOMENTUM_RANGE[0]
    assert p[:, :2].max() < MOMENTUM_RANGE[1]
    assert p[:, 2].min() > SLOW_MOMENTUM


def test_decays_are_isotropic_in_the_rest_frame():
    """In the mother's frame a daughter's energy in the laboratory is flat for isotropic decays."""
    n, rng = 40_000, np.random.default_rng(2)
    mother = np.tile([0.0, 0.0, 50_000.0], (n, 1))
    kaon, pion = two_body(mother, D0_MASS, MASSES[KAON], MASSES[PION], rng)
    np.testing.assert_allclose(kaon + pion, mother, atol=1e-6)
    energy = np.sqrt((kaon**2).sum(axis=1) + MASSES[KAON] ** 2)
    gamma = np.sqrt(50_000.0**2 + D0_MASS**2) / D0_MASS
    at_rest = (D0_MASS**2 + MASSES[KAON] ** 2 - MASSES[PION] ** 2) / (2 * D0_MASS)
    cosine = (energy / gamma - at_rest) / np.sqrt(at_rest**2 - MASSES[KAON] ** 2)
    cosine /= np.sqrt(1 - gamma**-2)
    counts, _ = np.histogram(cosine, 10, (-1, 1))
    assert counts.sum() == n
    assert ((counts - n / 10) ** 2).sum() / (n / 10) < 30  # χ² of 9 degrees of freedom


def test_given_tracks_come_first_in_their_events():
    rng = np.random.default_rng(3)
    given = sample_dstars(np.array([0, 2, 2]), rng)
    geometry = load_geometry("lhcb-run3")
    settings = RichSimulation(tracks=5, tracks_spread=0, tracking=False)
    events = simulate_chunk(settings, geometry, rng, 3, given=given)
    events.validate()
    first = np.concatenate([events.track_offsets[0] + np.arange(3),
                            events.track_offsets[2] + np.arange(6)])  # fmt: skip
    np.testing.assert_allclose(events.tracks["p"][first], given.p, rtol=1e-6)
    np.testing.assert_array_equal(events.tracks["pdg"][first], given.pdg)
    own = events.hits["track"][slice(*events.hit_offsets[2:4])]
    assert np.isin(np.arange(6), own).mean() == pytest.approx(1, abs=0.4)


def test_without_given_tracks_nothing_changes():
    geometry = load_geometry("lhcb-run3")
    settings = RichSimulation(tracks=5)
    one = simulate_chunk(settings, geometry, np.random.default_rng(1), 2)
    none = sample_dstars(np.zeros(0, np.int64), np.random.default_rng(1))
    other = simulate_chunk(settings, geometry, np.random.default_rng(1), 2, given=none)
    np.testing.assert_array_equal(one.tracks["p"], other.tracks["p"])
    np.testing.assert_array_equal(one.hits["position"], other.hits["position"])
