"""Tag and probe: candidates, the fit of m(Kπ), and efficiencies found without truth."""

import numpy as np
import pytest

from hepcnn.config import RichSimulation
from hepcnn.detector.geometry import load_geometry
from hepcnn.simulation.rich.dstar import D0_MASS, DSTAR_MASS, sample_dstars
from hepcnn.simulation.rich.generate import simulate_chunk
from hepcnn.validation.rich import tag_and_probe
from hepcnn.validation.rich.bands import bands_of
from hepcnn.validation.rich.dstar_mass import D0_WINDOW, Fit, candidates, fit
from hepcnn.validation.rich.setup import IDEAL, Setup
from hepcnn.validation.rich.tag_and_probe import Probes, closure

TRUTH = Fit(mean=D0_MASS + 1, sigma=9.0, ratio=2.0, narrow=0.7, slope=-0.2)
RANGE = (D0_MASS - D0_WINDOW, D0_MASS + D0_WINDOW)


def toy(seed, signal=4000, background=2000, efficiency=0.85, other=0.3):
    """Probes whose signal and background pass with other probabilities."""
    rng = np.random.default_rng(seed)
    width = np.where(rng.random(signal) < TRUTH.narrow, TRUTH.sigma, TRUTH.ratio * TRUTH.sigma)
    grid = np.linspace(*RANGE, 4000)
    cumulative = np.cumsum(TRUTH.density(grid)[1])
    below = np.interp(rng.random(background), cumulative / cumulative[-1], grid)
    return Probes(
        np.full(signal + background, 20.0),
        np.concatenate([rng.normal(TRUTH.mean, width), below]),
        np.concatenate([rng.random(signal) < efficiency, rng.random(background) < other]),
        np.arange(signal + background) < signal,
    )


def test_densities_are_normalised():
    grid = np.linspace(*RANGE, 20001)
    np.testing.assert_allclose(np.trapezoid(TRUTH.density(grid), grid), 1, rtol=1e-5)


def test_the_fit_finds_the_shape():
    found = fit(toy(1, 20_000, 10_000).mass)
    assert found.mean == pytest.approx(TRUTH.mean, abs=0.5)
    grid = np.linspace(*RANGE, 50)
    np.testing.assert_allclose(found.density(grid), TRUTH.density(grid), atol=1.5e-3)


def test_efficiencies_are_found_without_truth_and_with_their_error():
    found = [closure(toy(seed)) for seed in range(12)]
    off = np.array([b.found - b.true for b in found])
    errors = np.array([b.difference_error for b in found])
    assert abs(off.mean()) < 4 * errors.mean() / 12**0.5
    assert 0.4 < off.std() / errors.mean() < 1.7
    assert errors.max() < 0.01
    assert all(b.error > b.difference_error for b in found)


def test_without_weights_the_background_shows(monkeypatch):
    monkeypatch.setattr(tag_and_probe, "signal_weights", lambda mass: np.ones(len(mass)))
    found = closure(toy(1))
    assert found.true - found.found > 0.15


def test_candidates_are_the_decays_and_the_masses_are_right():
    rng = np.random.default_rng(1)
    geometry = load_geometry("lhcb-run3")
    given = sample_dstars(np.repeat(np.arange(40), 2), rng)
    quiet = RichSimulation(
        tracks=1, tracks_spread=0, unreconstructed=0, dark_hits=0, tracking=False, **IDEAL
    )
    events = simulate_chunk(quiet, geometry, rng, 40, given=given)
    found = candidates(events, events.tracks["rich1_direction"].astype(float))
    place = found.kaon - events.track_offsets[
        np.searchsorted(events.track_offsets, found.kaon, side="right") - 1
    ]  # fmt: skip
    own = (place % 3 == 0) & (place < 6)
    own &= (found.pion == found.kaon + 1) & (found.slow == found.kaon + 2)
    assert own.sum() > 40
    np.testing.assert_allclose(found.delta[own], DSTAR_MASS - D0_MASS, atol=0.2)
    np.testing.assert_allclose(found.mass[own], D0_MASS, atol=0.5)
    charge = events.tracks["charge"]
    assert (charge[found.kaon] == -charge[found.slow]).all()
    assert (charge[found.pion] == charge[found.slow]).all()


def test_the_check_fails_where_weights_are_wrong(monkeypatch):
    setup = Setup(RichSimulation(), load_geometry("lhcb-run3"), bands_of("lhcb-run3"), 0.05)
    monkeypatch.setattr(tag_and_probe, "signal_weights", lambda mass: np.ones(len(mass)))
    monkeypatch.setattr(tag_and_probe, "_RANDOM", 1.0)
    wrong = tag_and_probe.tag_and_probe(setup, np.random.default_rng(1))
    assert len(wrong.rows) == 11
    assert any("3 to 9.3 GeV" in row.quantity for row in wrong.rows if not row.passed)
