"""Points become pixels: centres, gaps, two types of tubes."""

import numpy as np
import pytest

from hepcnn.detector.geometry import load_geometry
from hepcnn.detector.pixels import (
    digitise,
    fill_factor,
    number_of_pixels,
    pixel_centres,
    pixel_type,
    sensitive_fraction,
    sensitive_part,
)

GEOMETRIES = {
    (name, rich): geometry
    for name in ("lhcb-run3", "lhcb-run1")
    for rich, geometry in load_geometry(name).items()
}


def scatter(geometry, n=200_000, seed=0):
    half = geometry.photon_plane.half_size
    return (np.random.default_rng(seed).uniform(-1, 1, (n, 2)) * half).T


@pytest.mark.parametrize("key", GEOMETRIES, ids="-".join)
def test_a_pixel_holds_the_points_around_its_centre(key):
    geometry = GEOMETRIES[key]
    u, v = scatter(geometry)
    pixel, centre = digitise(geometry, u, v)
    on = pixel >= 0
    assert pixel.max() < number_of_pixels(geometry)
    off = np.abs(np.stack([u, v], 1) - centre)[on].max(1)
    sizes = np.array([p.size for p in geometry.pixels])
    assert off.max() <= sizes.max() / 2 + 1e-9
    # the centre lies in the pixel itself, and a number has one centre
    again, same = digitise(geometry, centre[on, 0], centre[on, 1])
    np.testing.assert_array_equal(again, pixel[on])
    np.testing.assert_allclose(same, centre[on], atol=1e-9)
    _, first, number = np.unique(pixel[on], return_index=True, return_inverse=True)
    np.testing.assert_allclose(centre[on], centre[on][first][number], atol=1e-9)


@pytest.mark.parametrize("key", GEOMETRIES, ids="-".join)
def test_sensitive_fraction_is_that_of_points(key):
    geometry = GEOMETRIES[key]
    pixel, _ = digitise(geometry, *scatter(geometry))
    assert (pixel >= 0).mean() == pytest.approx(sensitive_fraction(geometry), abs=0.005)


def test_the_gap_between_tubes_is_not_sensitive():
    """23 mm of cathode in a pitch of 26.4 mm: 1.7 mm at each edge of a tube see nothing."""
    geometry = load_geometry("lhcb-run3")["rich1"]
    u = np.array([0.0, 1.6, 1.8, 24.6, 24.8, 26.4])
    pixel, _ = digitise(geometry, u, np.full(6, 13.2))
    np.testing.assert_array_equal(pixel >= 0, [False, False, True, True, False, False])


def test_outer_rich2_has_the_large_pixels():
    geometry = load_geometry("lhcb-run3")["rich2"]
    for low, high, size in ((0, 369, 2.875), (370, 686, 6.0)):
        v = np.linspace(low, high, 200_001)
        pixel, centre = digitise(geometry, np.full(v.size, 10.0), v)
        centres = np.unique(np.round(centre[pixel >= 0, 1], 6))
        assert np.diff(centres).min() == pytest.approx(size)


def test_nowhere_is_no_pixel():
    geometry = load_geometry("lhcb-run3")["rich1"]
    u = np.array([np.nan, 1e9, -1e9, np.inf, 739.3])
    assert (digitise(geometry, u, np.full(5, 13.2))[0] == -1).all()
    assert digitise(geometry, np.empty(0), np.empty(0))[0].size == 0


@pytest.mark.parametrize("key", GEOMETRIES, ids="-".join)
def test_all_pixels_of_a_panel(key):
    """Each centre is that of a pixel of its own, and together they are the sensitive area."""
    geometry = GEOMETRIES[key]
    centre, kind = pixel_centres(geometry)
    pixel, same = digitise(geometry, *centre.T)
    assert len(np.unique(pixel)) == len(pixel)
    np.testing.assert_allclose(same, centre, atol=1e-9)
    np.testing.assert_array_equal(pixel_type(geometry, *centre.T), kind)
    area = (np.array([p.size for p in geometry.pixels])[kind] ** 2).sum()
    half_u, half_v = geometry.photon_plane.half_size
    assert area / (4 * half_u * half_v) == pytest.approx(sensitive_fraction(geometry))


def test_types_of_pixel():
    """The first type in the list whose part holds a point; none beside the panel."""
    geometry = load_geometry("lhcb-run3")["rich2"]
    v = np.array([0.0, -369, 370, -686, 687, np.nan])
    kind = pixel_type(geometry, np.zeros(6), v)
    np.testing.assert_array_equal(kind, [0, 0, 1, 1, -1, -1])
    assert fill_factor(geometry.pixels[0]) == pytest.approx((23 / 26.4) ** 2)


@pytest.mark.parametrize("key", GEOMETRIES, ids="-".join)
def test_the_sensitive_part_of_squares(key):
    """As of points spread over them, away from the edges of a type's part of the panel."""
    geometry = GEOMETRIES[key]
    rng = np.random.default_rng(2)
    side = rng.uniform(2, 60, 50)
    u, v = rng.uniform(-250, 250, (2, 50))
    points = rng.uniform(-0.5, 0.5, (2, 50, 4000)) * side[:, None]
    on = digitise(geometry, *(np.stack([u, v])[:, :, None] + points).reshape(2, -1))[0] >= 0
    expected = on.reshape(50, 4000).mean(1)
    np.testing.assert_allclose(sensitive_part(geometry, u, v, side), expected, atol=0.05)


def test_nothing_beside_the_panel_is_sensitive():
    geometry = load_geometry("lhcb-run3")["rich1"]
    u = np.array([740.0, np.nan, 700.0])
    part = sensitive_part(geometry, u, np.zeros(3), np.full(3, 26.4))
    np.testing.assert_allclose(part, [0, 0, fill_factor(geometry.pixels[0])])
