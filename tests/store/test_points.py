"""Key points of images, and truth and points in batches: with the pixels, mirrored too."""

import numpy as np
import pytest
from made_up_planes import VIEWS, made_up_header, plane_images, write_planes

from hepcnn.detector.labels import PIXEL_CLASSES, POINTS
from hepcnn.errors import InputError
from hepcnn.store.batches import Batches
from hepcnn.store.images import ImageSet
from hepcnn.store.points import MIN_PIXELS, true_points

SHAPE = (48, 64)
VERTEX, END, START = range(3)


@pytest.fixture
def images(tmp_path):
    """Twelve events with three tracks each; the second is empty."""
    return ImageSet(write_planes(tmp_path / "planes.h5", 12, SHAPE))


def test_points_are_of_the_truth():
    """One vertex a view; two ends of tracks and one start of showers on the particles' pixels."""
    made, header = plane_images(6, SHAPE), made_up_header(SHAPE)
    points = true_points(made, header)
    assert np.diff(points.offsets)[1] == 0
    vertex = made.truth["vertex_pixel"].reshape(6, 3, 2)
    for i in (0, 2, 5):
        own = slice(points.offsets[i], points.offsets[i + 1])
        view, place, kind = (points.columns[name][own] for name in ("view", "place", "kind"))
        for v, name in enumerate(VIEWS):
            (found,) = place[(view == v) & (kind == VERTEX)]
            np.testing.assert_allclose(found, vertex[i, v])
            image = made.views[name]
            pixels = slice(image.offsets[i], image.offsets[i + 1])
            particle = image.truth["instance"][pixels]
            large = [k for k in np.unique(particle[particle >= 0])
                     if (particle == k).sum() >= MIN_PIXELS]  # fmt: skip
            semantic = made.tables["particles"].columns["semantic"]
            first = made.tables["particles"].offsets[i]
            showers = sum(PIXEL_CLASSES[semantic[first + k]] == "shower" for k in large)
            assert ((view == v) & (kind == START)).sum() <= showers
            assert ((view == v) & (kind == END)).sum() <= 2 * (len(large) - showers)
            middles = np.stack(np.divmod(image.pixel[pixels].astype(int), SHAPE[1]), axis=1) + 0.5
            for here in place[(view == v) & (kind != VERTEX)]:
                assert np.linalg.norm(middles - here, axis=1).min() < 1.5


def test_truth_in_batches_is_that_of_the_pixels(images):
    """Plus 1 where there is a pixel, 0 elsewhere."""
    (batch,) = Batches(
        images, np.arange(12), 12, target=None, truth=("semantic", "instance"), points=True
    ).epoch()
    assert (batch["label"] == -1).all()
    stored = images.read(0, 12)
    for v, name in enumerate(VIEWS):
        own = stored.views[name]
        example = np.repeat(np.arange(12), np.diff(own.offsets))
        row, column = np.divmod(own.pixel.astype(int), SHAPE[1])
        for t, truth in enumerate(("semantic", "instance")):
            dense = batch["truth"][:, v, t]
            np.testing.assert_array_equal(dense[example, row, column], own.truth[truth] + 1.0)
            assert (dense > 0).sum() <= len(own.pixel)
        np.testing.assert_array_equal(
            batch["images"][:, v, 0][example, row, column], own.value[:, 0]
        )


def test_points_go_with_the_mirrored_pixels(images):
    """Whatever is reversed or changes places: a vertex stays on the same charge."""
    plain, mirrored = (
        Batches(images, np.arange(12), 12, target=None, truth=("instance",), points=True,
                mirrored=axes, seed=3)
        for axes in ((), ("drift", "beam"))
    )  # fmt: skip

    def at_points(batches):
        (batch,) = batches.epoch()
        found = []
        for example, view, row, column, kind in batch["points"]:
            inside = batch["images"][int(example), int(view), 0, int(row), int(column)]
            truth = batch["truth"][int(example), int(view), 0, int(row), int(column)]
            found.append(
                (int(batch["index"][int(example)]), int(kind), float(inside), float(truth))
            )
        return sorted(found)

    assert mirrored.mirrors(0).any(axis=0).all()
    assert at_points(plain) == at_points(mirrored)


def test_views_seen_number_the_points(images):
    (batch,) = Batches(images, np.arange(12), 12, views=["y"], target=None, points=True).epoch()
    assert (batch["points"][:, 1] == 0).all()
    kinds = batch["points"][:, 4].astype(int)
    assert set(kinds) <= set(range(len(POINTS)))
    assert (kinds == VERTEX).sum() == 11


def test_columns_of_truth_are_named(images):
    with pytest.raises(InputError, match=r"no truth of pixels 'sematic'.*semantic"):
        Batches(images, np.arange(12), 4, target=None, truth=("sematic",))
