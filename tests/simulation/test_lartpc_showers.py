"""Electromagnetic showers: energy, conversion, depth, width."""

import numpy as np
import pytest
from lartpc_particles import VOLUME, gun, make_transport

from hepcnn.simulation.lartpc import argon
from hepcnn.simulation.lartpc.buffers import STACK, new_buffers
from hepcnn.simulation.lartpc.masses import ELECTRON_MASS
from hepcnn.simulation.lartpc.showers import _make_pair


@pytest.fixture(scope="module")
def rng():
    """The random numbers of these tests."""
    return np.random.default_rng(21)


@pytest.mark.parametrize(("pdg", "extra"), [(11, 0), (-11, 2 * ELECTRON_MASS), (22, 0)])
def test_showers_keep_the_energy(rng, pdg, extra):
    """All of it is deposited where nothing leaves; a positron adds two electron masses."""
    transport = make_transport()
    for energy in (0.2, 1.0, 20.0, 1000.0):
        particles, deposits = transport(gun(pdg, energy), rng)
        assert deposits.energy.sum() == pytest.approx(energy + extra, rel=1e-9)
        assert len(particles) == 1
        assert deposits.particle.max() == 0


def test_photons_just_too_weak_for_a_pair_make_none_of_negative_energy(rng):
    """The tables' rates are above 0 from the last point below the threshold on."""
    buffers = new_buffers()
    _make_pair(buffers, rng, 0, 1.02, (0.0, 0.0, 0.0), (0.0, 0.0, 1.0), 0.0)
    made = buffers.stack[: buffers.used[STACK]]
    assert made["pdg"].tolist() == [11, -11]
    assert made["energy"].tolist() == [0, 0]


def test_showers_leave_the_volume(rng):
    """What is deposited near a wall is inside, and less."""
    transport = make_transport(VOLUME)
    _, deposits = transport(gun(11, 1000.0, (50, 0, 5000), (-1, 0, 0)), rng)
    assert np.all((deposits.position >= VOLUME[:, 0]) & (deposits.position <= VOLUME[:, 1]))
    assert 0 < deposits.energy.sum() < 500


def first_interactions(energy, rng, n=2000):
    """Distances (cm) that photons come; their showers leave a volume as thin as a thread."""
    transport = make_transport(np.array([[-1e-2, 1e-2], [-1e-2, 1e-2], [-1.0, 1e7]]))
    return np.array([transport(gun(22, energy), rng)[0].end[0, 2] / 10 for _ in range(n)])


@pytest.mark.parametrize(("energy", "expected"), [(10.0, 25.6), (20.0, 24.7), (100.0, 22.0)])
def test_photons_interact_after_25_cm(rng, energy, expected):
    """At the energies of the tables, any interaction."""
    found = first_interactions(energy, rng)
    assert found.mean() == pytest.approx(expected, rel=0.1)


def test_photons_of_high_energy_convert_after_18_cm(rng):
    """9/7 of a radiation length."""
    assert first_interactions(5000.0, rng).mean() == pytest.approx(18.1, rel=0.1)


def profile(pdg, energy, rng, n):
    """Depth and distance from the axis (mm) of the deposits of showers along z, and energies."""
    transport = make_transport()
    parts = [transport(gun(pdg, energy), rng)[1] for _ in range(n)]
    position = np.concatenate([part.position for part in parts])
    return position[:, 2], np.hypot(*position[:, :2].T), np.concatenate([p.energy for p in parts])


@pytest.mark.parametrize(("pdg", "shift"), [(11, -0.5), (22, 0.5)])
def test_shower_maximum_is_at_the_logarithm_of_the_energy(rng, pdg, shift):
    """ln(E/E_c) ∓ 0.5 radiation lengths, to 0.7; 90 % within Molière's radius."""
    depth, away, energy = profile(pdg, 2000.0, rng, 300)
    counts, edges = np.histogram(depth / argon.RADIATION_LENGTH, 48, (0, 16), weights=energy)
    centre, high = (edges[1:] + edges[:-1]) / 2, counts > 0.7 * counts.max()
    peak = np.polynomial.Polynomial.fit(centre[high], counts[high], 3)
    found = np.linspace(centre[high][0], centre[high][-1], 500)
    expected = np.log(2000 / argon.CRITICAL_ENERGY) + shift
    assert found[peak(found).argmax()] == pytest.approx(expected, abs=0.7)
    inside = energy[away < argon.MOLIERE_RADIUS].sum() / energy.sum()
    assert inside == pytest.approx(0.9, abs=0.05)


def test_the_start_tells_electrons_from_photons(rng):
    """One particle's loss, or two particles', over 2 cm."""
    medians = {}
    for pdg in (11, 22):
        transport, losses = make_transport(), []
        for _ in range(300):
            particles, deposits = transport(gun(pdg, 500.0), rng)
            start = 0.0 if pdg == 11 else particles.end[0, 2]
            near = np.abs(deposits.position[:, 2] - start - 10) < 10
            losses.append(deposits.energy[near].sum() / 2)
        medians[pdg] = np.median(losses)
    assert medians[11] == pytest.approx(2.1, abs=0.3)
    assert medians[22] == pytest.approx(4.2, abs=0.5)


def test_scattering_makes_showers_wide(rng):
    """Without it they stay within the angles of radiation and pairs."""
    widths = []
    for scattering in (True, False):
        transport = make_transport(scattering=scattering)
        parts = [transport(gun(11, 1000.0), rng)[1] for _ in range(30)]
        away = [np.average(np.hypot(*p.position[:, :2].T), weights=p.energy) for p in parts]
        widths.append(np.mean(away))
    assert widths[1] < 0.8 * widths[0]
