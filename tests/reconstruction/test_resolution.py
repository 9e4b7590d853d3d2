"""The geometry's constants against the simulation, and their calibration."""

import itertools

import numpy as np
import pytest

from hepcnn.config import RichSimulation
from hepcnn.detector.geometry import Resolution, load_geometry
from hepcnn.errors import InputError
from hepcnn.events.schema import RICHES
from hepcnn.reconstruction.resolution import (
    Residuals,
    angle_sigma,
    calibrate,
    joined,
    photon_sigma,
    residuals,
    rms,
    tracking_sigma,
)
from hepcnn.simulation.rich.generate import simulate_chunk
from hepcnn.validation.rich.setup import IDEAL

QUIET = {"unreconstructed": 0, "dark_hits": 0, "tracks_spread": 0} | IDEAL
MADE_UP = Resolution(
    angle=[10, 30, 50], photon=[2.0, 1.2, 0.8], tracking_angle=0.4, tracking_scattering=5.0
)


def simulated(name, rich, seed=11, events=60, **settings):
    geometry = load_geometry(name)
    made = simulate_chunk(
        RichSimulation(**QUIET | settings), geometry, np.random.default_rng(seed), events
    )
    return residuals(made, geometry[rich], rich), geometry[rich].resolution


@pytest.mark.parametrize("rich", RICHES)
@pytest.mark.parametrize("name", ["lhcb-run3", "lhcb-run1"])
def test_constants_are_those_of_the_simulation(name, rich):
    """RMS of the residual over σ, with the default tracking errors, in bins of momentum."""
    found, resolution = simulated(name, rich)
    pull = found.residual / angle_sigma(resolution, found.angle, found.momentum)
    edges = [2e3, 6e3, 15e3, 1e5] if rich == "rich1" else [6e3, 15e3, 1e5]
    for low, high in itertools.pairwise(edges):
        here = (found.momentum >= low) & (found.momentum < high)
        assert rms(pull[here]) == pytest.approx(1, abs=0.03), (low, high)


@pytest.mark.parametrize("rich", RICHES)
@pytest.mark.parametrize("name", ["lhcb-run3", "lhcb-run1"])
def test_the_photon_part_is_that_without_tracking_errors(name, rich):
    """Also at small angles, just above the thresholds."""
    found, resolution = simulated(
        name, rich, events=100, tracks=60, mixture={"kaon": 1, "proton": 1, "deuteron": 1},
        spectrum="flat", momentum_range=(1e4, 1e5), tracking=False,
    )  # fmt: skip
    pull = found.residual / photon_sigma(resolution, found.angle)
    top = 1e-3 * resolution.angle[-1]
    for low, high in ((0.5 * top, 0.75 * top), (0.75 * top, 1.1 * top)):
        here = (found.angle >= low) & (found.angle < high)
        assert here.sum() > 1000
        assert rms(pull[here]) == pytest.approx(1, abs=0.05)


@pytest.mark.validate
@pytest.mark.parametrize("rich", RICHES)
@pytest.mark.parametrize("name", ["lhcb-run3", "lhcb-run1"])
def test_the_constants_are_what_the_calibration_finds(name, rich):
    """How a geometry's `resolution` is made; protons just above threshold give small angles."""
    slow = {"rich1": (17.6e3, 19.5e3), "rich2": (29.7e3, 36e3)}[rich]
    exact = {"spectrum": "flat", "tracking": False, "tracks": 60}
    samples = (
        exact | {"mixture": {"proton": 1}, "momentum_range": slow},
        exact | {"mixture": {"pion": 1, "kaon": 1, "proton": 1}, "momentum_range": (3e3, 1e5)},
        {},
    )
    small, large, real = (
        joined(simulated(name, rich, seed, 50, **settings)[0] for seed in range(8))
        for settings in samples
    )
    expected = load_geometry(name)[rich].resolution
    found = calibrate(joined([small, large]), real, expected.angle)
    np.testing.assert_allclose(found.photon, expected.photon, rtol=0.1)
    p = np.array([3e3, 1e4, 5e4]) if rich == "rich1" else np.array([7e3, 1.5e4, 5e4])
    sigma = (angle_sigma(r, 1e-3 * expected.angle[-1], p) for r in (found, expected))
    np.testing.assert_allclose(*sigma, rtol=0.04)


def test_parts_add_in_quadrature():
    angle, p = np.array([0.04, 0.06]), np.array([1e4, 5e4])
    np.testing.assert_allclose(photon_sigma(MADE_UP, angle), [1e-3, 0.8e-3])
    tracking = 1e-3 * np.hypot(0.4, [0.5, 0.1])
    np.testing.assert_allclose(tracking_sigma(MADE_UP, p), tracking)
    expected = np.hypot([1e-3, 0.8e-3], tracking)
    np.testing.assert_allclose(angle_sigma(MADE_UP, angle, p), expected)


def made_up_residuals(tracking, n=200_000):
    rng = np.random.default_rng(2)
    angle, p = rng.uniform(0.008, 0.052, n), rng.uniform(2e3, 3e4, n)
    sigma = photon_sigma(MADE_UP, angle)
    if tracking:
        sigma = np.hypot(sigma, tracking_sigma(MADE_UP, p))
    return Residuals(angle, p, sigma * rng.standard_normal(n))


def test_calibration_finds_what_was_put_in():
    knots = [10, 15, 20, 25, 30, 35, 40, 45, 50]
    found = calibrate(made_up_residuals(False), made_up_residuals(True), knots)
    expected = 1e3 * photon_sigma(MADE_UP, 1e-3 * np.array(knots))
    np.testing.assert_allclose(found.photon, expected, rtol=0.03)
    assert found.tracking_angle == pytest.approx(0.4, rel=0.1)
    assert found.tracking_scattering == pytest.approx(5.0, rel=0.03)


def test_outliers_do_not_widen_the_resolution():
    residual = np.random.default_rng(3).standard_normal(10_000)
    residual[:50] = 100
    assert rms(residual) == pytest.approx(1, abs=0.03)


def test_too_few_photons_are_named():
    with pytest.raises(InputError, match="about 70 mrad"):
        calibrate(made_up_residuals(False), made_up_residuals(True), [20, 40, 70])
    for n in (0, 799):
        few = Residuals(*(column[:n] for column in made_up_residuals(True)))
        with pytest.raises(InputError, match="fewer than 800 photons in all"):
            calibrate(made_up_residuals(False), few, [20, 40])


def test_residuals_that_vanish_have_no_width():
    assert rms(np.zeros(1000)) == 0


def test_events_without_truth_are_refused():
    geometry = load_geometry("lhcb-run3")
    events = simulate_chunk(RichSimulation(), geometry, np.random.default_rng(0), 1)
    del events.hits["track"]
    with pytest.raises(InputError, match="hit_track"):
        residuals(events, geometry["rich1"], "rich1")
