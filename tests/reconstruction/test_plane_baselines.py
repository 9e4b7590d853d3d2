"""Clusters, vertices, key points and features of pixels, of images of known form."""

from __future__ import annotations

import numpy as np
import pytest
from made_up_planes import VIEWS, made_up_header, plane_images

from hepcnn.detector.labels import POINTS
from hepcnn.detector.tpc import load_tpc
from hepcnn.reconstruction.cluster_ends import cluster_ends
from hepcnn.reconstruction.clusters import PlaneImage, components, image_components
from hepcnn.reconstruction.pixel_trees import (
    FEATURES,
    image_features,
    pixel_features,
    training_pixels,
)
from hepcnn.reconstruction.vertex_finders import FINDERS, combine, line_intersection, upstream_end

SHAPE, SIZE = (256, 256), (3.3, 3.0)
VERTEX = np.array([120.5, 80.5])


def image(*lines):
    """Of tracks: start (row, column), angle from the beam, length in pixels."""
    pixels = {}
    for start, angle, length in lines:
        for step in np.arange(0, length, 0.25):
            place = np.add(start, step * np.array([np.sin(angle), np.cos(angle)]))
            pixel = tuple(np.floor(place).astype(int))
            if (np.array(pixel) >= 0).all() and (np.array(pixel) < SHAPE).all():
                pixels[pixel] = pixels.get(pixel, 0.0) + 25.0
    row, column = np.array(sorted(pixels), np.int64).reshape(-1, 2).T
    charge = np.array([pixels[p] for p in sorted(pixels)], np.float64)
    return PlaneImage(row, column, charge, SHAPE, SIZE)


STAR = [(VERTEX, 0.1, 90), (VERTEX, 0.9, 70), (VERTEX, -0.8, 60)]


def test_lines_of_a_star_meet_at_its_vertex():
    found = line_intersection(image(*STAR))
    np.testing.assert_allclose(found[0, :2], VERTEX, atol=1)
    assert found[0, 2] == 1


@pytest.mark.parametrize("name", FINDERS)
@pytest.mark.parametrize("cosmic", [[], [((0, 20), 1.5, 300)], [((200, 0), 0.0, 256)]])
def test_finders_and_a_cosmic(name, cosmic):
    """A muon that goes through the image, longer than all tracks, does not steal the vertex."""
    found = FINDERS[name](image(*STAR, *cosmic))
    assert np.linalg.norm((found[0, :2] - VERTEX) * SIZE) < 10
    assert (np.diff(found[:, 2]) <= 0).all()


@pytest.mark.parametrize("name", FINDERS)
def test_nearly_empty_images(name):
    nothing = image()
    assert FINDERS[name](nothing).shape == (0, 3)
    assert len(cluster_ends(nothing).row) == 0
    assert pixel_features(nothing).shape == (0, len(FEATURES))
    one = PlaneImage(np.array([3]), np.array([5]), np.array([7.0]), SHAPE, SIZE)
    np.testing.assert_allclose(FINDERS[name](one), [[3.5, 5.5, 1.0]])
    assert np.isfinite(pixel_features(one)).all()


def test_upstream_end_of_a_single_track():
    found = upstream_end(image((VERTEX, 0.3, 80)))
    np.testing.assert_allclose(found[0, :2], VERTEX, atol=2)


def test_components_do_not_depend_on_the_order():
    rng = np.random.default_rng(3)
    pixel = rng.choice(64 * 64, 500, replace=False)
    order = rng.permutation(500)
    row, column = np.divmod(pixel, 64)
    for reach in ((1, 1), (2, 1), (3, 3)):
        number = components(row, column, reach)
        np.testing.assert_array_equal(components(row[order], column[order], reach), number[order])
        near = (abs(row[:, None] - row) <= reach[0]) & (abs(column[:, None] - column) <= reach[1])
        assert (number[near.nonzero()[0]] == number[near.nonzero()[1]]).all()


def test_components_are_counted():
    row, column = np.array([0, 1, 1, 4, 9, 9]), np.array([0, 1, 3, 3, 0, 9])
    assert components(row, column).tolist() == [0, 0, 1, 2, 3, 4]
    assert components(row, column, (1, 2)).tolist() == [0, 0, 0, 1, 2, 3]
    assert components(row, column, (9, 9)).max() == 0


def test_components_of_made_up_images():
    sparse = plane_images(6, (64, 72)).views["y"]
    number = image_components(sparse, 72, 2)
    for start, stop in zip(sparse.offsets[:-1], sparse.offsets[1:], strict=True):
        if stop > start:
            assert number[start] == 0
            assert np.unique(number[start:stop]).tolist() == list(
                range(number[start:stop].max() + 1)
            )


def test_a_line_is_more_linear_than_a_blob():
    row, column = np.divmod(np.arange(400), 20)
    blob = PlaneImage(row, column, np.ones(400), SHAPE, SIZE)
    at = FEATURES.index("linearity_25")
    middle = pixel_features(blob)[(abs(row - 10) < 3) & (abs(column - 10) < 3), at]
    assert middle.max() < 0.3
    line = pixel_features(image((VERTEX, 0.5, 80)))
    assert line[:, at].min() > 0.9
    assert line[:, FEATURES.index("cluster_length")] == pytest.approx(80 * 3.07, abs=8)
    assert line[:, FEATURES.index("to_end")].min() == 0


def test_features_of_images_and_the_pixels_drawn():
    header, images = made_up_header((64, 72)), plane_images(4, (64, 72))
    features = image_features(images.views["u"], header, "u")
    assert features.shape == (len(images.views["u"].pixel), len(FEATURES))
    assert features.dtype == np.float32
    labels = np.where(np.arange(1000) % 3, np.arange(1000) % 5, -1)
    drawn = training_pixels(labels, 50, np.random.default_rng(1))
    assert len(np.unique(drawn)) == 50
    assert (labels[drawn] >= 0).all()
    assert len(training_pixels(labels, 10**6, np.random.default_rng(1))) == (labels >= 0).sum()


def test_both_ends_of_a_track_are_found():
    found = cluster_ends(image((VERTEX, 0.3, 80)))
    assert found.kind.tolist() == [POINTS.index("track_end")] * 2
    ends = [VERTEX, VERTEX + 80 * np.array([np.sin(0.3), np.cos(0.3)])]
    place = np.column_stack([found.row, found.column])
    np.testing.assert_allclose(place[np.argsort(found.column)], ends, atol=1.5)


def test_a_wide_cluster_is_a_shower():
    rng = np.random.default_rng(4)
    along = np.sort(rng.uniform(0, 80, 600))
    place = np.column_stack([120 + rng.normal(0, 0.2, 600) * along, 80 + along]).astype(int)
    row, column = np.unique(place, axis=0).T
    found = cluster_ends(PlaneImage(row, column, np.ones(len(row)), SHAPE, SIZE))
    best = int(found.kind.tolist().index(POINTS.index("shower_start")))
    assert np.hypot(found.row[best] - 120, found.column[best] - 80) < 5


def test_planes_are_combined():
    tpc, header = load_tpc("microboone"), made_up_header((256, 256))
    corner = np.tile([4500.0, 1000.0], 3)
    point = np.array([1000.0, 30.0, 3300.0])
    corner[1::2] = [np.floor(tpc.wire(view, *point[1:])) - 100 for view in VIEWS]
    units = np.array([6.0, 1.0])
    candidates = {}
    for view, own in zip(VIEWS, corner.reshape(-1, 2), strict=True):
        place = np.array([tpc.tick(point[0]), tpc.wire(view, *point[1:]) + 0.5])
        candidates[view] = np.append((place - own) / units, 1.0)[None]
    found = combine(candidates, corner, header, tpc)
    np.testing.assert_allclose(found.position[0], point, atol=1e-6)
