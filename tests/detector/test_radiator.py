"""Cherenkov light against the published numbers."""

import numpy as np
import pytest

from hepcnn.detector.geometry import load_geometry
from hepcnn.detector.particles import MASSES
from hepcnn.detector.radiator import (
    beta,
    cherenkov_angle,
    detected_spectrum,
    detection_efficiency,
    refractive_index,
    sin2_ratio,
    threshold_momentum,
)

RUN3 = load_geometry("lhcb-run3")


@pytest.mark.parametrize(
    ("rich", "published"),
    [
        ("rich1", [1.368e-3, 1.392e-3, 1.425e-3, 1.494e-3]),
        ("rich2", [4.52e-4, 4.59e-4, 4.68e-4, 4.88e-4]),
    ],
)
def test_refractive_index_as_lhcb_gives_it(rich, published):
    """n - 1 at 2.5, 3.5, 4.5 and 6 eV."""
    index = refractive_index(RUN3[rich].radiator.gas, [2.5, 3.5, 4.5, 6.0])
    np.testing.assert_allclose(index - 1, published, rtol=2e-3)


@pytest.mark.parametrize(
    ("index", "published"),
    [
        (1.0014, [10, 2000, 2600, 9300, 17700, 35400]),
        (1.0005, [16, 3300, 4400, 15600, 29700, 59300]),
    ],
)
def test_thresholds(index, published):
    np.testing.assert_allclose(threshold_momentum(index, MASSES), published, rtol=0.04)


def test_no_light_below_threshold_and_little_above():
    index, mass = 1.0014, 493.677
    threshold = threshold_momentum(index, mass)
    below, above = beta([threshold * 0.999, threshold * 1.001], mass)
    assert np.isnan(cherenkov_angle(index, below))
    assert 0 < cherenkov_angle(index, above) < 3e-3
    assert sin2_ratio(index, below) == 0
    assert sin2_ratio(index, 1.0) == 1


def test_saturated_angles():
    """52.9 and 31.6 mrad at n = 1.0014 and 1.0005."""
    np.testing.assert_allclose(
        cherenkov_angle([1.0014, 1.0005], 1.0), [52.9e-3, 31.6e-3], rtol=2e-3
    )


@pytest.mark.parametrize("rich", ["rich1", "rich2"])
def test_spectrum_is_the_integral_of_frank_and_tamm(rich):
    """Yield of a slow pion against a direct integral in energy; quantiles reproduce the mean."""
    geometry = RUN3[rich]
    spectrum = detected_spectrum(geometry)
    velocity = beta(6000.0, 139.57)
    energy = np.linspace(1.5, 6.3, 20001)
    n = refractive_index(geometry.radiator.gas, energy)
    light = np.maximum(0, 1 - 1 / (n * velocity) ** 2)
    light *= detection_efficiency(geometry.efficiency, energy)
    expected = 37.0 * np.trapezoid(light, energy)
    assert spectrum.photons_per_mm(velocity) == pytest.approx(expected, rel=1e-3)
    assert spectrum.photons_per_mm(1.0) == pytest.approx(spectrum.per_mm)
    assert spectrum.photons_per_mm(0.9) == 0
    assert np.isnan(spectrum.mean_angle(0.9))
    middle = (spectrum.quantiles[1:] + spectrum.quantiles[:-1]) / 2
    assert middle.mean() - 1 == pytest.approx(spectrum.mean_index - 1, rel=1e-4)
