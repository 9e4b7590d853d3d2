"""Generators: classes, energies, vertices, kinematics of interactions, cosmic muons."""

import numpy as np
import pytest
from lartpc_particles import VOLUME

from hepcnn.config import LArTPCSimulation
from hepcnn.detector.labels import INTERACTIONS, interaction_of, single_particle_of
from hepcnn.errors import InputError
from hepcnn.simulation.lartpc.cosmics import face_areas, generate_cosmics
from hepcnn.simulation.lartpc.fourvectors import decay_of, four_vector, mass_of
from hepcnn.simulation.lartpc.generators import READOUT, generate
from hepcnn.simulation.lartpc.neutrino import interact, sample_energy
from hepcnn.simulation.lartpc.nuclear import charge_of, react


@pytest.fixture
def rng():
    """The random numbers of a test."""
    return np.random.default_rng(22)


def events(n, rng, **changes):
    """Generated events."""
    settings = LArTPCSimulation(**changes)
    return [generate(settings, VOLUME, rng) for _ in range(n)]


def test_single_particles_of_all_classes(rng):
    """In equal numbers by default, pions of both charges, energies in their range."""
    made = events(1000, rng, energy_range=(200.0, 300.0))
    pdg = np.concatenate([event.primaries.pdg for event in made])
    energy = np.concatenate([event.primaries.energy for event in made])
    assert len(pdg) == 1000
    assert np.all(np.bincount(single_particle_of(pdg)) > 150)
    assert {211, -211} <= set(pdg.tolist())
    assert 200 <= energy.min() < 202
    assert 298 < energy.max() <= 300
    assert all(event.neutrino_pdg == 0 for event in made)


def test_mixture_acts(rng):
    """Only the classes with weight."""
    made = events(200, rng, mixture={"muon": 3, "proton": 1})
    pdg = np.concatenate([event.primaries.pdg for event in made])
    assert set(pdg.tolist()) == {13, 2212}
    assert (pdg == 13).mean() == pytest.approx(0.75, abs=0.12)


@pytest.mark.parametrize(("direction", "lowest"), [("isotropic", -1), ("beam", np.sqrt(3) / 2)])
def test_directions(rng, direction, lowest):
    """Any, or within 30 degrees of the beam; unit vectors."""
    made = events(400, rng, direction=direction)
    vectors = np.concatenate([event.primaries.direction for event in made])
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1)
    assert lowest <= vectors[:, 2].min() < lowest + 0.02
    assert abs(vectors[:, :2].mean()) < 0.05


@pytest.mark.parametrize("generator", ["particles", "interactions"])
def test_vertices_keep_the_margin(rng, generator):
    """And come close to it."""
    mixture = "flat" if generator == "particles" else {"nc": 1}
    made = events(400, rng, generator=generator, mixture=mixture, margin=500.0)
    vertex = np.array([event.vertex for event in made])
    distance = np.minimum(vertex - VOLUME[:, 0], VOLUME[:, 1] - vertex)
    assert 500 <= distance.min() < 510


def test_a_margin_that_leaves_nothing_is_an_error(rng):
    """It names the volume."""
    with pytest.raises(InputError, match="2560"):
        events(1, rng, margin=1200.0)


def test_energies_below_the_thresholds_are_an_error(rng):
    """It says from where on interactions are made; there they are."""
    with pytest.raises(InputError, match="200"):
        events(1, rng, generator="interactions", mixture={"nc": 1}, energy_range=(50.0, 90.0))
    mixture = {"numu_cc": 1, "nc": 1}
    lowest = events(50, rng, generator="interactions", mixture=mixture, energy_range=(200.0, 201.0))
    assert all(len(event.primaries) > 0 for event in lowest if event.charged_current)


def test_interactions_have_their_lepton(rng):
    """All four classes by the labels of the detector; the vertex is where primaries start."""
    seen = set()
    for event in events(300, rng, generator="interactions"):
        label = INTERACTIONS[int(interaction_of(event.neutrino_pdg, event.charged_current))]
        seen.add(label)
        beam = event.primaries.pdg[event.primaries.origin == 0]
        if label == "cosmic":
            assert len(beam) == 0
            assert np.isnan(event.vertex).all()
            assert event.neutrino_energy == 0
        else:
            expected = {"numu_cc": 13, "nue_cc": 11, "nc": 0}[label]
            assert np.isin([13, 11], beam).tolist() == [expected == 13, expected == 11]
            own = event.primaries.origin == 0
            assert np.all(event.primaries.position[own] == event.vertex)
    assert seen == set(INTERACTIONS)


def test_visible_energy_is_at_most_the_neutrinos(rng):
    """Kinetic energies and pion masses: the nucleus gives none."""
    for event in events(400, rng, generator="interactions", mixture={"numu_cc": 1, "nc": 1}):
        pions = np.isin(np.abs(event.primaries.pdg), (111, 211)).sum()
        visible = event.primaries.energy.sum() + 134 * pions
        assert visible < event.neutrino_energy + 20


@pytest.mark.parametrize(("charged", "mass"), [(True, 105.66), (True, 0.511), (False, 0.0)])
def test_interactions_keep_four_momentum(rng, charged, mass):
    """Neutrino and nucleon before, lepton and hadrons after; mass shells too."""
    for energy in (500.0, 1500.0, 5000.0):
        for _ in range(40):
            made = interact(energy, charged, mass, rng)
            before = np.array([energy, 0, 0, energy]) + made.target
            after = made.lepton + sum(vector for _, vector in made.hadrons)
            assert after == pytest.approx(before, abs=1e-6)
            assert mass_of(made.lepton) == pytest.approx(mass, abs=0.05)
            charge = sum(charge_of(pdg) for pdg, _ in made.hadrons)
            assert charge in ((1, 2) if charged else (0, 1))
            assert sum(pdg in (2112, 2212) for pdg, _ in made.hadrons) == 1


def test_kinematics_are_credible(rng):
    """Mean inelasticity grows with energy; leptons go forward; Q² is below a few GeV²."""
    inelasticity, q2 = {}, []
    for energy in (700.0, 3000.0):
        leptons = [interact(energy, True, 105.66, rng).lepton for _ in range(400)]
        inelasticity[energy] = 1 - np.mean([vector[0] for vector in leptons]) / energy
        q2 = [2 * energy * (vector[0] - vector[3]) / 1e6 for vector in leptons]
    assert 0.2 < inelasticity[700.0] < inelasticity[3000.0] + 0.1 < 0.6
    assert 0.3 < np.mean(q2) < 1.2


def test_the_spectrum_is_broad_and_keeps_its_range(rng):
    """Mean 1.5 GeV in the default range."""
    energy = np.array([sample_energy((500.0, 5000.0), rng) for _ in range(3000)])
    assert 500 <= energy.min() < 600
    assert energy.max() <= 5000
    assert energy.mean() == pytest.approx(1600, rel=0.05)


def test_nuclear_effects_can_be_switched_off(rng):
    """Quasi-elastic events then have one nucleon, and no pion is lost."""
    numbers = []
    for hadronic in (True, False):
        made = events(400, rng, generator="interactions", mixture={"numu_cc": 1}, hadronic=hadronic)
        numbers.append(np.mean([np.isin(e.primaries.pdg, (2112, 2212)).sum() for e in made]))
    assert numbers[1] == 1
    assert numbers[0] > 1.2


def test_cosmics_enter_from_above_at_the_surface(rng):
    """On a face, going in and down, at times all over the readout."""
    muons = generate_cosmics(3000, VOLUME, READOUT, rng)
    face = (muons.position == VOLUME[:, 0]) | (muons.position == VOLUME[:, 1])
    assert np.all(face.sum(axis=1) == 1)
    inwards = np.where(muons.position == VOLUME[:, 0], 1, -1) * muons.direction
    assert np.all(inwards[face] > 0)
    assert np.all(muons.direction[:, 1] < 0)
    assert np.all(muons.origin == 1)
    assert READOUT[0] <= muons.time.min() < READOUT[0] + 1e4
    assert READOUT[1] - 1e4 < muons.time.max() <= READOUT[1]
    assert (muons.pdg == -13).mean() == pytest.approx(0.56, abs=0.04)
    assert muons.energy.mean() == pytest.approx(4200, rel=0.2)


def test_cosmics_fall_as_cos2_of_the_zenith_angle(rng):
    """Through the top face: the flux has one power of the cosine more."""
    muons = generate_cosmics(20000, VOLUME, READOUT, rng)
    top = muons.position[:, 1] == VOLUME[1, 1]
    assert -muons.direction[top, 1].mean() == pytest.approx(0.8, abs=0.01)
    # Through all faces, the mean of cos³ and of cos² sin over the areas gives the top's part.
    x, y, z = face_areas(VOLUME)
    sides = (x + z) * 2 / np.pi * (np.pi / 16)
    assert top.mean() == pytest.approx(y / 4 / (y / 4 + sides), abs=0.02)


def test_overlaid_cosmics_are_poisson(rng):
    """With the mean of the settings, after the beam's particles."""
    made = events(400, rng, generator="interactions", mixture={"numu_cc": 1}, cosmics=10.0)
    numbers = np.array([(event.primaries.origin == 1).sum() for event in made])
    assert numbers.mean() == pytest.approx(10, abs=0.6)
    assert numbers.var() == pytest.approx(10, abs=2.5)
    assert all(np.all(np.diff(event.primaries.origin) >= 0) for event in made)


@pytest.mark.parametrize(("mean", "expected"), [(0.0, 1.0), (0.5, 1.271), (8.0, 8.003)])
def test_cosmic_events_have_at_least_one(rng, mean, expected):
    """A Poisson number of those above 0."""
    made = events(600, rng, generator="interactions", mixture={"cosmic": 1}, cosmics=mean)
    numbers = np.array([len(event.primaries) for event in made])
    assert numbers.min() >= 1
    assert numbers.mean() == pytest.approx(expected, abs=0.4 if mean > 1 else 0.1)


def test_cosmics_before_the_readout_are_in_proportion(rng):
    """They come over and above, up to the longest drift before it."""
    settings = LArTPCSimulation(generator="interactions", mixture={"numu_cc": 1}, cosmics=10.0)
    drift = (READOUT[1] - READOUT[0]) / 2
    made = [generate(settings, VOLUME, rng, READOUT, drift) for _ in range(400)]
    time = np.concatenate([e.primaries.time[e.primaries.origin == 1] for e in made])
    assert (time > READOUT[0] - drift).all()
    assert (time < READOUT[1]).all()
    assert np.mean(time >= READOUT[0]) * len(time) / 400 == pytest.approx(10, abs=0.6)
    assert np.mean(time < READOUT[0]) * len(time) / 400 == pytest.approx(5, abs=0.45)


def test_decays_keep_four_momentum(rng):
    """Of two to five particles."""
    total = four_vector(np.array([300.0, -200.0, 900.0]), 1800.0)
    for masses in ([938.0, 139.0], [938.0, 139.0, 135.0], [400.0, 139.0, 135.0, 0.0, 300.0]):
        products = decay_of(total, masses, rng)
        assert sum(products) == pytest.approx(total)
        assert [mass_of(p) for p in products] == pytest.approx(masses, abs=1e-3)


@pytest.mark.parametrize("pdg", [211, -211, 2212, 2112])
def test_reactions_keep_charge_and_energy(rng, pdg):
    """The nucleus takes charge only up to the two nucleons that are hit, and gives no energy."""
    mass = 140 if abs(pdg) == 211 else 0
    for energy in (30.0, 200.0, 1500.0):
        for _ in range(60):
            products = react(rng, pdg, energy, (0.0, 0.6, 0.8))
            codes = products[:, 0].astype(int).tolist()
            pions = sum(abs(code) in (111, 211) for code in codes)
            assert products[:, 1].sum() + 134 * pions <= energy + mass + 1e-6
            assert np.linalg.norm(products[:, 2:], axis=1) == pytest.approx(1)
            assert -1 <= sum(map(charge_of, codes)) <= 2


def test_charge_exchange_goes_both_ways(rng):
    """Charged pions become neutral, neutral ones charged, about as often; charge is kept."""
    single = {}
    for pdg in (211, -211, 111):
        pions = [
            [c for c in products[:, 0].astype(int) if abs(c) in (111, 211)]
            for products in (react(rng, pdg, 100.0, (0.0, 0.6, 0.8)) for _ in range(4000))
        ]
        single[pdg] = np.mean([codes and codes[0] != pdg for codes in pions if len(codes) == 1])
        assert {c for codes in pions for c in codes} <= {pdg, 111 if pdg != 111 else 211, -211}
    # Of charged pions only where the nucleon can take the charge.
    assert single[111] == pytest.approx(single[211] + single[-211], rel=0.2)
    assert min(single.values()) > 0.03


def test_seeds_reproduce():
    """The same numbers give the same events."""
    settings = {"generator": "interactions", "cosmics": 5.0}
    first, second = (events(30, np.random.default_rng(3), **settings) for _ in range(2))
    for one, two in zip(first, second, strict=True):
        assert np.array_equal(one.primaries.energy, two.primaries.energy)
        assert np.array_equal(one.primaries.direction, two.primaries.direction)
