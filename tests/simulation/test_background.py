"""Particles that are not reconstructed: photon conversions come in pairs."""

import numpy as np

from hepcnn.config import RichSimulation
from hepcnn.detector.particles import SPECIES
from hepcnn.simulation.rich.background import pairs, sample_unreconstructed

ELECTRON = SPECIES.index("electron")


def sample(**changes):
    event = np.repeat(np.arange(50), 200)
    return sample_unreconstructed(RichSimulation(**changes), event, np.random.default_rng(3))


def test_conversions_are_two_electrons_from_one_point_of_opposite_charge():
    made = sample()
    electron = made.species == ELECTRON
    first, second = pairs(made.event, electron)
    assert 2 * len(first) > 0.98 * electron.sum()  # of an odd number in an event one is left
    np.testing.assert_array_equal(made.origin[first], made.origin[second])
    np.testing.assert_array_equal(made.charge[first], -made.charge[second])
    np.testing.assert_array_equal(made.event[first], made.event[second])
    angle = np.linalg.norm(made.direction[first] - made.direction[second], axis=1)
    fast = (made.p[first] > 2e3) & (made.p[second] > 2e3)
    assert np.median(angle[fast]) < 3e-3
    assert not np.isclose(made.p[first], made.p[second]).any()


def test_electrons_come_alone_if_pairs_are_off():
    made = sample(conversions=False)
    electron = made.species == ELECTRON
    assert 0.45 < electron.mean() < 0.55
    assert len(np.unique(made.origin[electron], axis=0)) == electron.sum()


def test_there_are_as_many_particles_either_way():
    paired, single = sample(), sample(conversions=False)
    for name in ("event", "species", "p"):
        np.testing.assert_array_equal(getattr(paired, name), getattr(single, name))


def test_pairs_are_within_events():
    event = np.array([0, 0, 0, 0, 1, 1, 2, 3, 3, 3])
    electron = np.array([1, 0, 1, 1, 0, 1, 1, 1, 1, 0], bool)
    first, second = pairs(event, electron)
    assert first.tolist() == [0, 7]
    assert second.tolist() == [2, 8]
