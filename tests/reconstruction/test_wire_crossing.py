"""Points in space from the wire planes: there and back."""

from __future__ import annotations

import numpy as np
import pytest

from hepcnn.config import PlaneImages
from hepcnn.detector.tpc import PLANES, load_tpc
from hepcnn.errors import InputError
from hepcnn.imaging import plane_labels
from hepcnn.imaging.planes import plane_header
from hepcnn.reconstruction.wire_crossing import crossings, from_pixels, pixel_units, to_pixels

TPC = load_tpc("microboone")
LOW, HIGH = TPC.volume.bounds.T


def seen(points, score=1.0):
    """Candidates of points (m, 3) (mm) in the planes."""
    x, y, z = np.reshape(points, (-1, 3)).T
    scores = np.broadcast_to(score, x.shape)
    return {p: np.column_stack([TPC.tick(x), TPC.wire(p, y, z), scores]) for p in PLANES}


def draw(n, seed=1):
    return np.random.default_rng(seed).uniform(LOW + 1, HIGH - 1, (n, 3))


def test_a_point_comes_back():
    for point in draw(20):
        found = crossings(seen(point), TPC)
        np.testing.assert_allclose(found.position[0], point, atol=1e-6)
        assert found.score[0] == pytest.approx(1)
        assert found.planes[0] == 3


@pytest.mark.parametrize("plane", PLANES)
def test_without_one_plane(plane):
    for point in draw(5):
        candidates = seen(point)
        del candidates[plane]
        found = crossings(candidates, TPC)
        np.testing.assert_allclose(found.position, [point], atol=1e-6)
        assert found.planes.tolist() == [2]
        assert found.score[0] < 1


def test_three_planes_tell_ghosts():
    """Two points at one time: wires of different points cross too, but not in three planes."""
    points = np.array([[800.0, 100.0, 3000.0], [800.0, -350.0, 3100.0]])
    found = crossings(seen(points), TPC)
    assert found.planes[:2].tolist() == [3, 3]
    assert (found.planes[2:] == 2).all()
    order = np.argsort(found.position[:2, 2])
    np.testing.assert_allclose(found.position[:2][order], points, atol=1e-6)


def test_planes_at_other_times_do_not_belong_together():
    candidates = seen(draw(1))
    for number, plane in enumerate(PLANES):
        candidates[plane][:, 0] += 200 * number
    assert len(crossings(candidates, TPC).position) == 0


def test_less_good_agreement_scores_less():
    point, scores = draw(1), []
    for shift in (0.0, 2.0, 4.0):
        candidates = seen(point)
        candidates["y"][:, 1] += shift
        scores.append(crossings(candidates, TPC).score[0])
    assert scores[0] > scores[1] > scores[2]


def test_points_outside_are_none():
    assert len(crossings(seen([[-50.0, 0.0, 5000.0], [1000.0, 1500.0, 5000.0]]), TPC).position) == 0
    assert len(crossings({"y": np.ones((1, 3))}, TPC).position) == 0
    assert len(crossings({}, TPC).position) == 0


def test_refusals():
    with pytest.raises(InputError, match="plane 'x'"):
        crossings({"x": np.ones((1, 3))}, TPC)
    with pytest.raises(InputError, match="drift volumes"):
        crossings({}, load_tpc("sbnd"))


def test_pixels_are_those_of_the_images():
    settings = PlaneImages(
        sample="s", maker="planes", wires_per_pixel=2, ticks_per_pixel=12.0, shape=(64, 72)
    )
    units = pixel_units(plane_header(settings, TPC), "y")
    rng = np.random.default_rng(2)
    place, corner = rng.uniform(0, 3000, (10, 3, 2)), rng.integers(0, 900, (10, 3, 2)) * 1.0
    pixel = plane_labels.to_pixels(place, corner, settings).reshape(10, 3, 2)
    np.testing.assert_allclose(from_pixels(pixel, corner, units), place, atol=2e-3)
    np.testing.assert_allclose(to_pixels(place, corner, units), pixel, atol=1e-4)
