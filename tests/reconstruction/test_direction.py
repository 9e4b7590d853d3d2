"""The likelihood marginalised over a track's direction, against sums over a grid of directions."""

import numpy as np
import pytest

from hepcnn.reconstruction.direction import marginalised
from hepcnn.reconstruction.likelihood import BELOW, HYPOTHESES, PION, each_alone

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


def found(hits, spread, choice=BELOW):
    """ln L of `marginalised` for one track alone with a background."""
    theta, cosine, sine = hits
    n = len(theta)
    offsets, hit = np.array([0, n]), np.arange(n, dtype=np.int32)
    lit = np.where(ANGLES > 0, EMITTED, 0.0)[None]
    x = np.expm1(signal(theta, ANGLES, np.hypot(SIGMA, spread))).astype(np.float32)
    nu = np.full(n, DENSITY)
    if choice != BELOW:
        nu += np.log1p(x[:, choice])
    rings = (theta, cosine, sine, np.full(n, AREA, np.float32))
    sigma, angle = np.full((1, 6), SIGMA), np.where(ANGLES > 0, ANGLES, np.nan)[None]
    chosen = np.array([choice], np.int8)
    log = marginalised(
        offsets, hit, x, rings, angle, sigma, lit, lit, np.array([spread]), nu, chosen
    )
    return log[0], each_alone(offsets, hit, x, lit, nu, chosen)[0]


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
