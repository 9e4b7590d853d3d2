"""Tracks: energy, ranges, fluctuations, scattering, δ electrons, decays and reactions."""

import numpy as np
import pytest
from landau_reference import landau_width, most_probable_loss
from lartpc_particles import ENDLESS, OFF, VOLUME, gun, make_transport, own

from hepcnn.errors import InputError
from hepcnn.simulation.lartpc import argon
from hepcnn.simulation.lartpc.decays import CAPTURED, MICHEL_EDGE, MUON_LIFE
from hepcnn.simulation.lartpc.masses import NEUTRAL_PION_MASS

MUON = argon.CHARGED[13]
DECAY, IONISATION, HADRONIC = 1, 2, 4


@pytest.fixture(scope="module")
def rng():
    """The random numbers of these tests."""
    return np.random.default_rng(20)


@pytest.mark.parametrize(
    ("pdg", "kind", "energy"), [(13, 1, 300), (-13, 1, 900), (211, 2, 150), (2212, 3, 250)]
)
def test_a_smooth_track_is_as_long_as_its_csda_range(rng, pdg, kind, energy):
    """Without fluctuations and scattering, to 0.1 %; its energy is all left behind."""
    tables = argon.tables()
    grid = np.exp(tables.low + np.arange(tables.reach.shape[1]) / tables.density)
    expected = np.interp(energy, grid, tables.reach[kind])
    transport = make_transport(**OFF)
    ends, lengths = [], []
    while not lengths:  # pions may decay in flight
        particles, deposits = transport(gun(pdg, energy), rng)
        if own(deposits)[1].sum() == pytest.approx(energy, rel=1e-9):
            ends.append(particles.end[0])
            lengths.append(own(deposits)[2].sum())
    assert ends[0] == pytest.approx([0, 0, expected], rel=1e-3, abs=1e-6)
    assert lengths[0] == pytest.approx(expected, rel=1e-3)


def test_fluctuations_and_deltas_keep_the_energy(rng):
    """What a proton without reactions leaves, with its δ electrons, is what it had."""
    transport = make_transport(hadronic=False)
    for energy in (30.0, 200.0, 800.0, 3000.0):
        _, deposits = transport(gun(2212, energy), rng)
        assert deposits.energy.sum() == pytest.approx(energy, rel=1e-9)


def test_range_straggles_about_the_csda_range(rng):
    """Protons of 200 MeV: by 1 to 2 %, the mean shorter by less than 1 %."""
    transport = make_transport(hadronic=False)
    ends = np.array([transport(gun(2212, 200.0), rng)[0].end[0, 2] for _ in range(300)])
    assert ends.mean() == pytest.approx(259, rel=0.01)
    assert 0.008 < ends.std() / ends.mean() < 0.02


@pytest.fixture(scope="module")
def thin_losses(rng):
    """Losses of muons of 1 GeV in steps of 3 mm, over their first 20 cm."""
    transport = make_transport(scattering=False, delta_rays=False)
    return np.concatenate([own(transport(gun(13, 1000.0), rng)[1])[1][:66] for _ in range(700)])


def test_energy_loss_is_landaus(thin_losses):
    """Most probable loss to 1 %, the width at half height about 4 ξ, the mean Bethe's."""
    probable = most_probable_loss(980.0, MUON, 3.0)
    counts, edges = np.histogram(thin_losses, 60, (0.3, 1.0))
    centre, high = (edges[1:] + edges[:-1]) / 2, counts > 0.6 * counts.max()
    peak = np.polynomial.Polynomial.fit(centre[high], counts[high], 4)
    found = np.linspace(centre[high][0], centre[high][-1], 500)
    assert found[peak(found).argmax()] == pytest.approx(probable, rel=0.02)
    width = np.ptp(centre[counts > counts.max() / 2])
    assert width / landau_width(3.0, 1.0) == pytest.approx(4, abs=0.4)
    mean = 3 * argon.stopping_power(980.0, MUON)
    assert thin_losses.mean() == pytest.approx(mean, rel=0.03)


def test_without_fluctuations_every_step_loses_the_mean(rng):
    """To 2 % over 20 cm, where the stopping power itself hardly changes."""
    _, energy, _ = own(make_transport(**OFF)(gun(13, 1000.0), rng)[1])
    assert np.ptp(energy[:66]) < 0.02 * energy[0]


@pytest.mark.parametrize("length", [81, 141, 279])
def test_scattering_is_highlands(rng, length):
    """RMS of the angle in a plane within 5 %, from half to two radiation lengths."""
    transport = make_transport(fluctuations=False, delta_rays=False)
    angles = []
    for _ in range(1500):
        position, _, _ = own(transport(gun(13, 1000.0), rng)[1])
        along = np.diff(position[length // 3 : length // 3 + 2], axis=0)
        angles += (along[:, :2] / along[:, 2:]).ravel().tolist()  # none if it has decayed
    expected = argon.highland(1000.0 - 0.105 * length, MUON, length)
    assert np.std(angles) == pytest.approx(expected, rel=0.05)


def test_without_scattering_tracks_are_straight(rng):
    """Also with fluctuations."""
    position, _, _ = own(make_transport(scattering=False)(gun(-13, 500.0), rng)[1])
    assert np.all(position[:, :2] == 0)


def test_delta_electrons_are_particles_of_their_own(rng):
    """Above 1 MeV, in the number that ξ/E² gives, and only if they are asked for."""
    found, without = [], make_transport(delta_rays=False)
    transport = make_transport(np.array([[-1e4, 1e4], [-1e4, 1e4], [-1, 1000.0]]))
    for _ in range(200):
        particles, _ = transport(gun(13, 4000.0), rng)
        delta = (particles.process == IONISATION) & (particles.parent == 0)
        assert np.all(particles.pdg[delta] == 11)
        found.append(particles.energy[delta])
        assert not np.any(without(gun(13, 50.0), rng)[0].process == IONISATION)
    energies = np.concatenate(found)
    assert energies.min() > 1
    largest = argon.largest_transfer(3900.0, MUON)
    expected = 1000 * argon.XI * (1 - 1 / largest - np.log(largest) / largest)
    assert len(energies) / 200 == pytest.approx(expected, abs=4 * np.sqrt(expected / 200))


def michels(pdg, rng, n=1500):
    """Energies and times of the electrons of muons at rest."""
    transport, energies, times = make_transport(), [], []
    for _ in range(n):
        particles, deposits = transport(gun(pdg, 1.0), rng)
        born = np.flatnonzero((np.abs(particles.pdg) == 11) & (particles.process == DECAY))
        assert np.all(particles.parent[born] == 0)
        for row in born:
            energies.append(particles.energy[row])
            times.append(deposits.time[deposits.particle == row].min())
    return np.array(energies), np.array(times)


def test_positive_muons_all_make_a_michel_electron(rng):
    """With its edge at 52.8 MeV, its mean at 37 MeV, after 2.2 µs."""
    energies, times = michels(-13, rng)
    assert len(energies) == 1500
    assert 51 < energies.max() <= MICHEL_EDGE
    assert energies.mean() == pytest.approx(0.7 * MICHEL_EDGE - 0.51, abs=1)
    assert times.mean() == pytest.approx(MUON_LIFE, rel=0.1)


def test_most_negative_muons_are_captured(rng):
    """Three quarters; the others decay earlier."""
    energies, times = michels(13, rng)
    assert len(energies) / 1500 == pytest.approx(1 - CAPTURED, abs=0.04)
    assert times.mean() == pytest.approx((1 - CAPTURED) * MUON_LIFE, rel=0.2)


def test_a_stopped_pion_decays_or_is_captured(rng):
    """π⁺ → µ⁺ → e⁺, the muon with 4.1 MeV; π⁻ gives nucleons and no electron."""
    particles, _ = make_transport()(gun(211, 1.0), rng)
    assert particles.pdg.tolist()[:3] == [211, -13, -11]
    assert particles.parent.tolist()[:3] == [-1, 0, 1]
    assert particles.energy[1] == pytest.approx(4.12, abs=0.01)
    for _ in range(50):
        particles, _ = make_transport()(gun(-211, 1.0), rng)
        assert set(particles.pdg[particles.parent == 0]) <= {2112, 2212}
        assert np.all(particles.process[particles.parent == 0] == HADRONIC)


def test_hadrons_react_with_their_interaction_length(rng):
    """Protons of 1 GeV over their first 50 cm; none where it is switched off."""
    through = {True: 0, False: 0}
    for hadronic in through:
        transport = make_transport(hadronic=hadronic)
        for _ in range(500):
            particles, _ = transport(gun(2212, 1000.0), rng)
            through[hadronic] += particles.end[0, 2] > 500
    expected = np.exp(-500 / argon.INTERACTION_LENGTH)
    assert through[True] / 500 == pytest.approx(expected, abs=0.09)
    assert through[False] == 500


def test_reactions_do_not_make_energy(rng):
    """Charged products and photons of pions have at most the energy and the pions' mass."""
    transport = make_transport()
    kinds = set()
    for _ in range(300):
        particles, deposits = transport(gun(-211, 400.0), rng)
        kinds |= set(particles.pdg.tolist())
        products = (particles.process == HADRONIC) & (particles.parent == 0)
        assert particles.energy[products].sum() < 400 + 140
        assert deposits.energy.sum() < 400 + 140 + 106
    assert {2212, 2112, 111, 22} <= kinds


def test_neutrons_are_seen_by_their_protons(rng):
    """Only where hadrons react."""
    made = dict.fromkeys((True, False), 0.0)
    for hadronic in made:
        transport = make_transport(hadronic=hadronic)
        for _ in range(30):
            made[hadronic] += transport(gun(2112, 200.0), rng)[1].energy.sum()
    assert made[True] > 0
    assert made[False] == 0


def test_a_neutral_pion_becomes_two_photons_of_its_mass(rng):
    """And energy."""
    particles, _ = make_transport()(gun(111, 300.0), rng)
    photons = particles.pdg == 22
    assert particles.parent[photons].tolist() == [0, 0]
    energy = particles.energy[photons]
    away = particles.end[photons] - particles.start[photons]
    away /= np.linalg.norm(away, axis=1)[:, None]
    assert energy.sum() == pytest.approx(300 + NEUTRAL_PION_MASS)
    mass = np.sqrt(2 * energy.prod() * (1 - away[0] @ away[1]))
    assert mass == pytest.approx(NEUTRAL_PION_MASS)


def test_tracks_end_at_the_wall_they_leave_by(rng):
    """All deposits are inside, and the steps fill the way through."""
    start, towards = (100.0, 0.0, 5000.0), (-1.0, 0.0, 0.0)
    particles, deposits = make_transport(VOLUME, **OFF)(gun(13, 2000.0, start, towards), rng)
    assert particles.end[0] == pytest.approx([0, 0, 5000])
    assert deposits.length.sum() == pytest.approx(100)
    assert np.all((deposits.position >= VOLUME[:, 0]) & (deposits.position <= VOLUME[:, 1]))


def test_what_starts_outside_leaves_no_trace(rng):
    """Also if it comes towards the volume."""
    _, deposits = make_transport(VOLUME)(gun(13, 2000.0, (-10, 0, 5000), (1, 0, 0)), rng)
    assert len(deposits) == 0


def test_steps_are_short(rng):
    """3 mm at most, 1 mm near the end."""
    _, _, length = own(make_transport()(gun(2212, 200.0), rng)[1])
    assert length.max() <= 3
    assert length[-20:].max() <= 1


def test_no_primaries_no_particles(rng):
    """An empty event is one too."""
    particles, deposits = make_transport()(gun(13, np.zeros(0)), rng)
    assert len(particles) == len(deposits) == 0


def test_other_particles_are_an_error(rng):
    """A kaon is named."""
    with pytest.raises(InputError, match="321"):
        make_transport()(gun(321, 100.0), rng)


def test_seeds_reproduce_whatever_the_buffers_size():
    """A fresh transport grows its buffers in the midst of tracks; a used one need not."""
    used = make_transport(VOLUME)
    many = gun(-211, np.full(40, 2000.0), (1280, 0, 100))
    used(many, np.random.default_rng(1))
    results = [t(many, np.random.default_rng(7)) for t in (used, make_transport(VOLUME))]
    assert len(results[0][1]) > 10000
    for first, second in zip(*results, strict=True):
        for name in vars(first):
            assert np.array_equal(getattr(first, name), getattr(second, name))
    other = used(many, np.random.default_rng(8))[1]
    assert not np.array_equal(other.energy, results[0][1].energy)


def test_origin_and_order_of_the_primaries_stay(rng):
    """Primaries are the first rows; what they make has their origin."""
    primaries = gun(-13, [100.0, 60.0], (1000, 0, 5000))
    primaries.origin[1] = 1
    particles, _ = make_transport(ENDLESS)(primaries, rng)
    assert particles.energy[:2].tolist() == [100, 60]
    electrons = (particles.pdg == -11) & (particles.process == DECAY)
    assert sorted(particles.origin[electrons]) == [0, 1]
