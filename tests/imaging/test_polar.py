"""The polar kernel counts what np.histogram2d counts, whatever the bins."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hepcnn.errors import InputError
from hepcnn.imaging.polar import MAX_PIXELS, MAX_POINTS, polar_counts

RADIUS = 130.0
#: Bins by comparison (an octant of 1, 2, 4, 8 bins), and by the polynomial.
SHAPES = [(32, 32), (5, 8), (16, 16), (10, 64), (7, 12), (32, 1), (1, 72), (3, 5), (20, 200)]


def dense(images, shape):
    """Sparse images as an array (n, rows, columns); checks their form on the way."""
    offsets, pixel, count = images
    found = np.zeros((len(offsets) - 1, shape[0] * shape[1]), int)
    assert len(pixel) == len(count) == offsets[-1]
    for i in range(len(found)):
        rows = slice(offsets[i], offsets[i + 1])
        assert (np.diff(pixel[rows].astype(int)) > 0).all()
        assert (count[rows] > 0).all()
        found[i, pixel[rows]] = count[rows]
    return found.reshape(-1, *shape)


def one_group(points, centres, shape=(32, 32), radius=RADIUS, **options):
    points = np.asarray(points, np.float32).reshape(-1, 2)
    centres = np.asarray(centres, np.float32).reshape(-1, 2)
    return dense(
        polar_counts(
            points,
            np.array([0, len(points)]),
            centres,
            np.array([0, len(centres)]),
            radius,
            shape,
            **options,
        ),
        shape,
    )


def histogram(points, centre, shape, radius=RADIUS):
    """np.histogram2d of the same float32 numbers, and how many points lie on an edge."""
    du, dv = (points - centre).T
    r, phi = np.hypot(du, dv), np.arctan2(dv, du)
    bins = np.histogram2d(r, phi, shape, ((0, radius), (-np.pi, np.pi)))[0].astype(int)
    row = r.astype(float) / radius * shape[0]
    column = (phi.astype(float) + np.pi) / (2 * np.pi) * shape[1]
    # Relative rounding of float32, a few operations long.
    on_edge = (np.abs(row - np.rint(row)) < 2e-6 * shape[0]) | (
        np.abs(column - np.rint(column)) < 5e-7 * shape[1]
    )
    return bins, int((on_edge & (row < shape[0] + 1)).sum())


@pytest.mark.parametrize("shape", SHAPES)
def test_equal_to_histogram2d(shape):
    """No point moves but those on an edge of a bin within float32, and these by one bin."""
    rng = np.random.default_rng(1)
    points = rng.normal(0, 150, (3000, 2)).astype(np.float32)
    centres = rng.normal(0, 150, (60, 2)).astype(np.float32)
    found = one_group(points, centres, shape)
    total = 0
    for image, centre in zip(found, centres, strict=True):
        expected, on_edge = histogram(points, centre, shape)
        assert np.abs(image - expected).sum() <= 2 * on_edge
        total += expected.sum()
    assert total > 20000


def test_almost_all_bins_are_equal_to_the_last_count():
    """The allowance for edges is not what makes the comparison pass."""
    rng = np.random.default_rng(2)
    points = rng.uniform(-300, 300, (4000, 2)).astype(np.float32)
    centres = rng.uniform(-200, 200, (50, 2)).astype(np.float32)
    found = one_group(points, centres)
    expected = np.array([histogram(points, centre, (32, 32))[0] for centre in centres])
    assert np.abs(found - expected).sum() <= 4


@pytest.mark.parametrize("shape", SHAPES)
def test_a_point_lands_in_its_bin(shape):
    """One point in the middle of each bin in turn."""
    rows, columns = shape
    centre = np.array([12.5, -7.0])
    for row, column in {(0, 0), (rows - 1, columns - 1), (rows // 2, columns // 3)}:
        r = (row + 0.5) * RADIUS / rows
        phi = -np.pi + (column + 0.5) * 2 * np.pi / columns
        image = one_group(centre + r * np.array([np.cos(phi), np.sin(phi)]), centre, shape)
        assert np.argwhere(image[0]).tolist() == [[row, column]]


@pytest.mark.parametrize("columns", [8, 12, 32, 64, 72])
@pytest.mark.parametrize("k", [1, 3])
def test_a_rotation_by_whole_bins_rolls_the_image(columns, k):
    rng = np.random.default_rng(3)
    # Points off the edges of the bins, where rounding decides.
    column, r = rng.integers(0, columns, 500) + rng.uniform(0.1, 0.9, 500), rng.uniform(1, 129, 500)
    row = r / RADIUS * 32
    r = r[np.abs(row - np.rint(row)) > 1e-3]
    phi = (column[: len(r)] / columns) * 2 * np.pi - np.pi

    def image(angle):
        points = np.stack([r * np.cos(angle), r * np.sin(angle)], 1)
        return one_group(points, [0, 0], (32, columns))[0]

    turned = image(phi + k * 2 * np.pi / columns)
    np.testing.assert_array_equal(turned, np.roll(image(phi), k, axis=1))
    assert not np.array_equal(turned, image(phi))


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(*[st.floats(-1e4, 1e4, width=32)] * 2), min_size=0, max_size=60),
    st.tuples(*[st.floats(-1e4, 1e4, width=32)] * 2),
    st.floats(0.5, 2e4),
)
def test_the_total_is_the_number_of_points_inside(points, centre, radius):
    """No point is lost in the grid of cells, whatever the extent, and none is counted twice."""
    points = np.array(points, np.float32).reshape(-1, 2)
    d = points - np.array(centre, np.float32)
    r2 = d[:, 0] * d[:, 0] + d[:, 1] * d[:, 1]
    limit = np.float32(radius) ** 2
    total = one_group(points, centre, radius=radius).sum()
    assert (r2 < limit * (1 - 1e-6)).sum() <= total <= (r2 < limit * (1 + 1e-6)).sum()


def test_the_order_of_points_does_not_matter_and_that_of_centres_is_kept():
    rng = np.random.default_rng(4)
    points, centres = rng.normal(0, 100, (800, 2)), rng.normal(0, 100, (20, 2))
    images = one_group(points, centres)
    np.testing.assert_array_equal(images, one_group(rng.permutation(points), centres))
    order = rng.permutation(20)
    np.testing.assert_array_equal(images[order], one_group(points, centres[order]))


def test_groups_do_not_see_one_another():
    """Panels without points, without centres, or with neither change nothing elsewhere."""
    rng = np.random.default_rng(5)
    n_points, n_centres = np.array([30, 0, 200, 5, 0]), np.array([3, 2, 0, 4, 0])
    points = rng.normal(0, 80, (n_points.sum(), 2)).astype(np.float32)
    centres = rng.normal(0, 80, (n_centres.sum(), 2)).astype(np.float32)
    of_points = np.concatenate([[0], np.cumsum(n_points)])
    of_centres = np.concatenate([[0], np.cumsum(n_centres)])
    found = dense(polar_counts(points, of_points, centres, of_centres, RADIUS, (32, 32)), (32, 32))
    alone = [
        one_group(
            points[of_points[g] : of_points[g + 1]], centres[of_centres[g] : of_centres[g + 1]]
        )
        for g in range(5)
    ]
    np.testing.assert_array_equal(found, np.concatenate(alone))
    assert found[:3].any()
    assert not found[3:5].any()


@pytest.mark.parametrize("columns", [8, 32, 12])
def test_a_centre_does_not_count_itself(columns):
    """All other points do, even one in the same place."""
    rng = np.random.default_rng(6)
    points = rng.normal(0, 60, (40, 2)).astype(np.float32)
    points[1] = points[0]
    shape = (32, columns)
    everything = one_group(points, points, shape)
    others = one_group(points, points, shape, exclude_self=True)
    difference = everything - others
    assert (difference.sum(axis=(1, 2)) == 1).all()
    assert (difference[:, 0, columns // 2] == 1).all()
    assert others[0, 0, columns // 2] >= 1


def test_shape_and_radius_change_the_images():
    rng = np.random.default_rng(7)
    points = rng.normal(0, 80, (300, 2))
    assert one_group(points, [0, 0], radius=60.0).sum() < one_group(points, [0, 0]).sum()
    assert one_group(points, [0, 0], (16, 32)).shape != one_group(points, [0, 0], (32, 16)).shape


def test_many_points_in_one_bin_are_all_counted():
    """Up to the limit of the format, and not one more."""
    points = np.tile(np.float32([10, 10]), (MAX_POINTS, 1))
    assert one_group(points, [0, 0]).max() == MAX_POINTS
    with pytest.raises(ValueError, match="65536 points"):
        one_group(np.vstack([points, points[:1]]), [0, 0])


def test_large_images():
    """Pixel numbers above 65535."""
    images = polar_counts(
        np.float32([[129, -1e-3]]), np.array([0, 1]), np.zeros((1, 2), np.float32),
        np.array([0, 1]), RADIUS, (300, 300),
    )  # fmt: skip
    assert images[1].dtype == np.uint32
    assert images[1].tolist() == [int(129 / 130 * 300) * 300 + 149]
    with pytest.raises(InputError, match="shape: 4096 × 4096"):
        one_group([[1, 1]], [0, 0], (4096, 4096))
    assert MAX_PIXELS < 1 << 24


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_coordinates_that_are_no_numbers_are_refused(bad):
    for points, centres in (([[bad, 0]], [0, 0]), ([[0, 0]], [0, bad])):
        with pytest.raises(ValueError, match="finite"):
            one_group(points, centres)


def test_hits_far_away_are_harmless():
    """Coordinates that no detector gives neither crash nor land in an image."""
    points = np.float32([[3e38, -3e38], [-3e38, 1], [5, 5]])
    assert one_group(points, [[0, 0], [3e38, 3e38], [-3e38, 2]]).sum(axis=(1, 2)).tolist() == [
        1,
        0,
        1,
    ]
