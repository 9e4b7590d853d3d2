"""The background's estimate on hits whose density is known."""

import numpy as np
import pytest

from hepcnn.detector.geometry import load_geometry
from hepcnn.detector.pixels import pixel_centres
from hepcnn.reconstruction.background import FLOOR, estimate, grid_of

GEOMETRIES = {
    (name, rich): geometry
    for name in ("lhcb-run3", "lhcb-run1")
    for rich, geometry in load_geometry(name).items()
}


def pixels(geometry):
    """Points, panels and areas of all pixels of a RICH."""
    centre, kind = pixel_centres(geometry)
    size = np.array([p.size for p in geometry.pixels])[kind]
    panel = np.repeat(np.array([0, 1], np.int8), len(centre))
    return np.tile(centre, (2, 1)), panel, np.tile(size**2, 2)


def estimated(geometry, signal, hit):
    """The estimate in the pixels that are hit, with photons expected in all pixels."""
    plane, panel, area = pixels(geometry)
    grid = grid_of(geometry)
    cell = grid.cells(plane[hit], panel[hit])
    return estimate(area[hit], cell, grid.smooth, signal[hit])


@pytest.mark.parametrize("key", GEOMETRIES, ids="-".join)
@pytest.mark.parametrize("level", [0.1, 0.4])
def test_uniform_dark_hits_give_their_own_density(key, level):
    """In each pixel in proportion to its area, also at the panel's edges."""
    geometry = GEOMETRIES[key]
    plane, _, area = pixels(geometry)
    expected = level * area / area.max()
    hit = np.random.default_rng(1).random(len(area)) < -np.expm1(-expected)
    ratio = estimated(geometry, np.zeros(len(area)), hit) / expected[hit]
    edge = np.abs(plane[hit][:, 0]) > geometry.photon_plane.half_size[0] - 50
    # Where a hit is, the density is higher by its own part.
    for part in (ratio, ratio[edge]):
        assert 0.97 < part.mean() < 1.06


def test_hits_that_the_tracks_explain_are_not_background():
    geometry = GEOMETRIES["lhcb-run3", "rich1"]
    _, _, area = pixels(geometry)
    rng = np.random.default_rng(2)
    # Bright stripes of a signal that is known, and an even background.
    signal = np.where(rng.random(len(area)) < 0.15, 0.5, 0.0)
    hit = rng.random(len(area)) < -np.expm1(-(signal + 0.05))
    background = estimated(geometry, signal, hit)
    assert background.mean() == pytest.approx(0.05, rel=0.05)
    without = estimated(geometry, np.zeros(len(area)), hit)
    assert without.mean() > 2 * background.mean()


def test_no_hits_and_one_hit():
    geometry = GEOMETRIES["lhcb-run3", "rich2"]
    none = np.zeros(len(pixels(geometry)[2]), bool)
    signal = np.zeros(len(none))
    assert estimated(geometry, signal, none).shape == (0,)
    one = none.copy()
    one[17] = True
    assert FLOOR <= estimated(geometry, signal, one)[0] < 0.1


def test_the_background_never_vanishes():
    """A hit that the tracks explain entirely leaves the floor."""
    geometry = GEOMETRIES["lhcb-run3", "rich1"]
    hit = np.zeros(len(pixels(geometry)[2]), bool)
    hit[::1000] = True
    assert (estimated(geometry, np.full(len(hit), 3.0), hit) >= FLOOR).all()


@pytest.mark.parametrize("key", GEOMETRIES, ids="-".join)
def test_the_cells_hold_all_of_the_sensitive_area(key):
    geometry = GEOMETRIES[key]
    _, _, area = pixels(geometry)
    grid = grid_of(geometry)
    # Smoothing pushes some of it over the edges.
    assert 0.8 * area.sum() < grid.smooth.sum() <= area.sum() * (1 + 1e-9)
    assert (grid.smooth > 0).all()
