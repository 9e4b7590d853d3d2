"""The likelihood marginalised over a track's direction and momentum, against sums over grids."""

import numpy as np
import pytest

from hepcnn.config import RichSimulation
from hepcnn.detector.geometry import load_geometry
from hepcnn.detector.particles import SPECIES, species_of
from hepcnn.reconstruction.direction import marginalised, over_momenta
from hepcnn.reconstruction.expected import ERRORS, WEIGHTS, AtMomenta
from hepcnn.reconstruction.likelihood import BELOW, HYPOTHESES, PION, each_alone
from hepcnn.reconstruction.reconstruct import reconstruct
from hepcnn.simulation.rich.generate import simulate_chunk
from hepcnn.validation.rich.setup import IDEAL

#: Angles of the species, a photon's RMS, half of the angles seen (rad); pixels (rad²).
ANGLES = np.array([0.0530, 0.0529, 0.0525, 0.0490, 0.0400, 0.0])
SIGMA, TOP, AREA = 1e-3, 0.064, 2e-5
EMITTED, DENSITY = 40.0, 0.01


def ring(rng, spread, species=PION, photons=None):
    """Hits of one track and of a background, and what is expected of them."""
    shift = spread * rng.normal(size=2)
    n = rng.poisson(EMITTED) if photons is None else photons
    phi = rng.uniform(-np.pi, np.pi, n)
    theta = rng.normal(ANGLES[species], SIGMA, n) + shift @ [np.cos(phi), np.sin(phi)]
    others = rng.poisson(DENSITY / AREA * TOP * 2 * np.pi)
    theta = np.concatenate([theta, rng.uniform(0, TOP, others)]).astype(np.float32)
    phi = np.concatenate([phi, rng.uniform(-np.pi, np.pi, others)])
    return theta, np.cos(phi).astype(np.float32), np.sin(phi).astype(np.float32)


def signal(theta, angle, sigma):
    pull = (theta[:, None] - angle) / sigma
    a = EMITTED * AREA / sigma * np.exp(-0.5 * pull**2) * (2 * np.pi) ** -1.5
    return np.where(np.abs(pull) < 5, a, 0) * (angle > 0)


def found(hits, spread, choice=BELOW, angles=ANGLES):
    """ln L of `marginalised` for one track alone with a background; angles at each momentum."""
    theta, cosine, sine = hits
    n = len(theta)
    offsets, hit = np.array([0, n]), np.arange(n, dtype=np.int32)
    x = np.expm1(signal(theta, ANGLES, np.hypot(SIGMA, spread))).astype(np.float32)
    nu = np.full(n, DENSITY)
    if choice != BELOW:
        nu += np.log1p(x[:, choice])
    rings = (theta, cosine, sine, np.full(n, AREA, np.float32))
    angle = np.broadcast_to(np.atleast_2d(angles), (len(WEIGHTS), 6))[:, None].copy()
    lit = np.where(angle > 0, EMITTED, 0.0)
    sigma, matters = np.full(angle.shape, SIGMA), (angle[0] > 0) & (np.ndim(angles) > 1)
    around = AtMomenta(np.where(angle > 0, angle, np.nan), sigma, lit, lit, matters)
    chosen = np.array([choice], np.int8)
    log = marginalised(offsets, hit, x, rings, tuple(around), np.array([spread]), nu, chosen)
    return over_momenta(log)[0], each_alone(offsets, hit, x, lit[0], nu, chosen)[0]


def summed(hits, spread):
    """The same by a sum over directions; of the species with light, to that of the pion."""
    theta, cosine, sine = (column.astype(float) for column in hits)
    steps = np.linspace(-4, 4, 121) * spread
    weight = np.exp(-0.5 * (steps / spread) ** 2)
    weight /= weight.sum()
    y = np.expm1(DENSITY)
    log = np.empty(5)
    for h, angle in enumerate(ANGLES[:5]):
        values = [
            np.log1p(
                np.expm1(signal(theta - a * cosine - b * sine, angle, SIGMA)) * (1 + y) / y
            ).sum()
            for a in steps
            for b in steps
        ]
        values = np.reshape(values, (len(steps), len(steps)))
        top = values.max()
        log[h] = top + np.log(weight @ np.exp(values - top) @ weight)
    return log - log[PION]


@pytest.mark.parametrize("spread", [0.2e-3, 0.5e-3, 1e-3, 2e-3])
def test_it_is_the_integral(spread):
    """Of the species that could be right: within 0.2 in ln L, which is exact for a Gaussian."""
    rng = np.random.default_rng(5)
    for species in (PION, 3):
        hits = ring(rng, spread, species)
        ours, theirs = found(hits, spread)[0][:5], summed(hits, spread)
        near = theirs > theirs.max() - 20
        np.testing.assert_allclose(
            (ours - ours[species])[near], (theirs - theirs[species])[near], atol=0.25
        )


def test_without_an_error_of_the_direction_it_is_the_likelihood():
    hits = ring(np.random.default_rng(2), 0.0)
    for spread in (0.0, 1e-7):
        ours, alone = found(hits, spread)
        np.testing.assert_allclose(ours, alone, atol=1e-2)


def test_the_tracks_own_hypothesis_now_does_not_matter():
    """Its signal is taken out of what the hits let expect."""
    hits = ring(np.random.default_rng(3), 0.5e-3)
    below, pion = found(hits, 0.5e-3)[0], found(hits, 0.5e-3, choice=PION)[0]
    np.testing.assert_allclose(below, pion, atol=1e-3)


def test_it_tells_more_than_errors_of_each_photon():
    """Of electrons and pions, half a sigma of a photon apart, where the direction is off by 1.5."""
    rng, spread, loss = np.random.default_rng(7), 1.5e-3, np.zeros(2)
    for _ in range(200):
        for true, wrong in ((0, PION), (PION, 0)):
            for k, log in enumerate(found(ring(rng, spread, true), spread)):
                loss[k] += np.log1p(np.exp(log[wrong] - log[true])) / 400
    assert loss[0] < loss[1] - 0.05 < np.log(2)


def test_nothing_in_the_ring_is_no_harm():
    empty = tuple(np.empty(0, np.float32) for _ in range(3))
    log = found(empty, 1e-3)[0]
    assert np.isfinite(log).all()
    assert log.argmax() in (BELOW, HYPOTHESES.index("deuteron"))


def test_the_error_of_the_momentum_is_the_sum_over_momenta():
    """In one RICH: the radius of every ring is off by the same errors as the rule's."""
    rng = np.random.default_rng(11)
    hits = ring(rng, 0.3e-3, 3)
    moved = ANGLES + 0.4e-3 * ERRORS[:, None] * (ANGLES > 0)
    known = np.array([found(hits, 0.3e-3, angles=angles)[0] for angles in moved])
    ours = found(hits, 0.3e-3, angles=moved)[0]
    # Each is relative to its pion: with the pion at its own momentum they can be added up.
    pion = np.array([no_light(hits, 0.3e-3, angles) for angles in moved])
    likelihood = WEIGHTS @ np.exp(known + pion[:, None] - pion.max())
    np.testing.assert_allclose(
        ours[:5] - ours[3], np.log(likelihood[:5] / likelihood[3]), atol=1e-6
    )


def no_light(hits, spread, angles):
    """ln L of the pion less that of no light."""
    return -found(hits, spread, angles=angles)[0][BELOW]


def test_a_known_error_of_the_momentum_makes_better_probabilities():
    """Of kaons and pions where their rings grow fast, with momenta that are 2 % off."""
    settings = RichSimulation(
        tracks=30, mixture={"pion": 1, "kaon": 1}, spectrum="flat", unreconstructed=0,
        momentum_range=(10e3, 16e3), tracking_momentum=0.02, **IDEAL,
    )  # fmt: skip
    run3 = load_geometry("lhcb-run3")
    events = simulate_chunk(settings, run3, np.random.default_rng(3), 15)
    kaon = species_of(events.tracks["pdg"]) == SPECIES.index("kaon")
    loss = {}
    for error in (0.0, 0.02):
        known = {rich: with_error(part, error) for rich, part in run3.items()}
        log = reconstruct(events, known, list(known)).log_marginal[:, SPECIES.index("kaon")]
        seen = np.isfinite(events.tracks["rich1_entry"][:, 0])
        loss[error] = np.logaddexp(0, np.where(kaon, -log, log))[seen].mean()
    assert loss[0.02] < 0.9 * loss[0.0]


def with_error(geometry, error):
    """A RICH whose tracks' momenta are known to have an error."""
    resolution = geometry.resolution.model_copy(update={"tracking_momentum": error})
    return geometry.model_copy(update={"resolution": resolution})
