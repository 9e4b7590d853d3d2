"""Processing steps: sums, labels, dense equivalents."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from plane_examples import SHAPE, VIEWS, dense, plane_header, plane_images, sums
from pydantic import TypeAdapter
from scipy import ndimage

from hepcnn.config.steps import Step
from hepcnn.errors import InputError
from hepcnn.imaging.lengths import pixel_size
from hepcnn.imaging.steps import apply_steps, step_header

ADAPTER = TypeAdapter(Step)
#: Each step, and a second form of it that must give something else.
STEPS = {
    "downsample": ({"factor": (4, 3)}, {"factor": (2, 3)}),
    "crop": ({"shape": (16, 20)}, {"shape": (16, 18)}),
    "threshold": ({"minimum": 100.0}, {"minimum": 50.0}),
    "normalise": ({"by": 10.0}, {"by": "sum"}),
    "log": ({"scale": 10.0}, {}),
    "blur": ({"sigma": 1.0}, {"sigma": 0.5}),
    "mirror": ({"axis": "drift"}, {"axis": "beam"}),
    "mask_wires": ({"wires": {"u": [(0, 4000)]}}, {"wires": {"v": [(0, 4000)]}}),
    "hide_start": ({"radius": 60.0}, {"radius": 20.0}),
    "binarise": ({}, {"above": 100.0}),
}


def step(name, **settings):
    return ADAPTER.validate_python({"step": name, **settings})


def applied(images, *steps, header=None):
    header = header or plane_header()
    return step_header(steps, header), apply_steps(steps, header, images)


@pytest.fixture
def images():
    return plane_images(np.random.default_rng(3))


def same(one, other):
    """Whether two blocks are equal in everything."""
    pairs = [(one.truth, other.truth), (one.features, other.features)]
    pairs += [(one.tables["particles"].columns, other.tables["particles"].columns)]
    for view, sparse in one.views.items():
        pairs += [(own.columns | {"offsets": own.offsets} for own in (sparse, other.views[view]))]
    return all(
        first.keys() == second.keys()
        and all(
            np.array_equal(first[k], second[k], equal_nan=first[k].dtype.kind == "f") for k in first
        )
        for first, second in pairs
    )


@pytest.mark.parametrize("name", STEPS)
def test_every_step_keeps_the_form_and_changes_the_images(name, images):
    """In order, of the header's types, as many pixels as the offsets say; nothing in place."""
    before = plane_images(np.random.default_rng(3))
    one, other = (applied(images, step(name, **settings)) for settings in STEPS[name])
    assert not same(one[1], images)
    assert not same(one[1], other[1])
    assert same(images, before)
    for header, changed in (one, other):
        for view, sparse in changed.views.items():
            assert sparse.pixel.dtype == header.pixel_type
            assert sparse.value.dtype == np.float32
            assert sparse.value.shape == (sparse.offsets[-1], 1)
            assert {n: c.dtype.name for n, c in sparse.truth.items()} == header.pixel_truth
            assert all(len(column) == len(sparse.pixel) for column in sparse.truth.values())
            assert len(sparse) == len(images)
            assert sparse.pixel.max(initial=0) < header.pixels
            flat = sparse.pixel + np.repeat(np.arange(5), np.diff(sparse.offsets)) * header.pixels
            assert (np.diff(flat) > 0).all()
            assert header.axes[view][0].bins, header.axes[view][1].bins == header.shape
        for column, (kind, width) in header.truth.items():
            assert changed.truth[column].dtype == kind
            assert changed.truth[column].shape[1:] == (() if width is None else (width,))
        for column, (kind, _) in header.tables["particles"].items():
            assert changed.tables["particles"].columns[column].dtype == kind


@pytest.mark.parametrize("name", STEPS)
def test_no_images_and_empty_images(name):
    rng = np.random.default_rng(1)
    for n, pixels in ((0, 5), (1, 0), (3, 0)):
        empty = plane_images(rng, n=n, pixels=pixels)
        for settings in STEPS[name]:
            _, changed = applied(empty, step(name, **settings))
            assert len(changed) == n
            assert all(len(sparse.pixel) == 0 or n == 0 for sparse in changed.views.values())


def test_downsample_is_the_sum_of_blocks(images):
    header, small = applied(images, step("downsample", factor=(4, 3)))
    assert header.shape == (10, 16)
    assert pixel_size(header, "u") == pytest.approx((4 * 6 * 0.549, 3 * 2 * 3.0))
    for view in VIEWS:
        blocks = dense(images.views[view], SHAPE).reshape(-1, 10, 4, 16, 3).sum(axis=(2, 4))
        np.testing.assert_allclose(dense(small.views[view], (10, 16)), blocks, rtol=1e-6)


def test_downsample_to_a_part_of_a_block_keeps_all_charge(images):
    header, small = applied(images, step("downsample", factor=(7, 11)))
    assert header.shape == (6, 5)
    assert header.axes["y"][0].high == 6 * 7 * 6.0
    for view in VIEWS:
        np.testing.assert_allclose(sums(small.views[view]), sums(images.views[view]), rtol=1e-5)


def test_downsample_gives_a_block_the_truth_of_its_largest_pixel(images):
    _, small = applied(images, step("downsample", factor=(4, 3)))
    sparse = images.views["v"]
    charge = dense(sparse, SHAPE).reshape(-1, 10, 4, 16, 3)
    owner = dense(sparse, SHAPE, sparse.truth["instance"].astype(float) + 5)
    by_block, of_block = (
        a.reshape(-1, 10, 4, 16, 3).transpose(0, 1, 3, 2, 4).reshape(-1, 10, 16, 12)
        for a in (charge, owner)
    )
    most = np.take_along_axis(of_block, by_block.argmax(axis=3)[..., None], axis=3)[..., 0]
    new = small.views["v"]
    np.testing.assert_array_equal(
        dense(new, (10, 16), new.truth["instance"].astype(float) + 5)[most >= 0], most[most >= 0]
    )


def test_blur_is_scipys(images):
    _, soft = applied(images, step("blur", sigma=1.3))
    for view in VIEWS:
        expected = [
            ndimage.gaussian_filter(image, 1.3, mode="constant")
            for image in dense(images.views[view], SHAPE)
        ]
        np.testing.assert_allclose(dense(soft.views[view], SHAPE), expected, rtol=1e-5, atol=1e-7)


def test_blur_conserves_charge_away_from_the_edges():
    header = plane_header()
    images = plane_images(np.random.default_rng(0), header=header)
    # Inside a frame that is wide enough.
    _, inner = applied(images, step("crop", around="centre", shape=(20, 28)))
    wide = {
        view: sparse.with_columns(
            pixel=(sparse.pixel // 28 + 10).astype(np.uint16) * 48 + sparse.pixel % 28 + 10
        )
        for view, sparse in inner.views.items()
    }
    inner = replace(inner, views=wide)
    _, soft = applied(inner, step("blur", sigma=2.0))
    for view in VIEWS:
        np.testing.assert_allclose(sums(soft.views[view]), sums(inner.views[view]), rtol=1e-5)


def test_blur_gives_new_pixels_the_truth_of_the_largest_contribution(images):
    _, soft = applied(images, step("blur", sigma=1.0))
    sparse, new = images.views["u"], soft.views["u"]
    weights = np.exp(-0.5 * np.arange(-4, 5) ** 2)
    owner = dense(sparse, SHAPE, sparse.truth["instance"].astype(float))[0]
    charge, got = dense(sparse, SHAPE)[0], dense(new, SHAPE, new.truth["instance"])[0]
    seen = dense(new, SHAPE)[0] > 0
    padded, owners = np.pad(charge, 4), np.pad(owner, 4)
    for row, column in np.argwhere(seen)[::17]:
        window = (slice(row, row + 9), slice(column, column + 9))
        shares = padded[window] * np.outer(weights, weights)
        assert got[row, column] == owners[window].flat[shares.argmax()]


@pytest.mark.parametrize("axis", ["drift", "beam"])
def test_mirrored_twice_is_the_same(axis, images):
    assert same(applied(images, *2 * [step("mirror", axis=axis)])[1], images)


def test_mirror_along_the_drift_reverses_rows(images):
    _, mirrored = applied(images, step("mirror", axis="drift"))
    for view in VIEWS:
        flipped = dense(images.views[view], SHAPE)[:, ::-1]
        np.testing.assert_array_equal(dense(mirrored.views[view], SHAPE), flipped)
    np.testing.assert_array_equal(mirrored.truth["vertex"], images.truth["vertex"])


def test_mirror_along_the_beam_reverses_columns_and_swaps_u_and_v(images):
    _, mirrored = applied(images, step("mirror", axis="beam"))
    for view, other in (("u", "v"), ("v", "u"), ("y", "y")):
        flipped = dense(images.views[other], SHAPE)[:, :, ::-1]
        np.testing.assert_array_equal(dense(mirrored.views[view], SHAPE), flipped)
        np.testing.assert_array_equal(
            mirrored.features[f"charge_{view}"], images.features[f"charge_{other}"]
        )
    corner = images.truth["corner"]
    np.testing.assert_array_equal(mirrored.truth["corner"], corner[:, [2, 3, 0, 1, 4, 5]])


def test_a_view_without_its_opposite_cannot_be_mirrored_along_the_beam():
    header = plane_header(views=("u", "y"))
    with pytest.raises(InputError, match="'u' becomes 'v'"):
        step_header([step("mirror", axis="beam")], header)
    collection = plane_header(views=("y",))
    assert step_header([step("mirror", axis="beam")], collection) == collection


@pytest.mark.parametrize(
    "steps",
    [
        [("downsample", {"factor": (4, 3)})],
        [("mirror", {"axis": "drift"})],
        [("mirror", {"axis": "beam"})],
        [("crop", {"around": "vertex", "shape": (30, 30)})],
        [("mirror", {"axis": "beam"}), ("downsample", {"factor": (2, 2)})],
        [("crop", {"shape": (30, 40)}), ("mirror", {"axis": "drift"})],
    ],
)
def test_labels_lie_on_their_pixels(steps, images):
    """The vertex and the starts of particles are on pixels."""
    steps = [step(name, **settings) for name, settings in steps]
    header, changed = applied(images, *steps)
    table = changed.tables["particles"]
    for v, view in enumerate(VIEWS):
        sparse = changed.views[view]
        seen = dense(sparse, header.shape) > 0
        for i in (0, 3, 4):
            row, column = np.floor(changed.truth["vertex_pixel"][i, 2 * v : 2 * v + 2]).astype(int)
            if 0 <= row < header.shape[0] and 0 <= column < header.shape[1]:
                assert seen[i, row, column]
            for p in range(3):
                at = table.offsets[i] + p
                start = np.floor(table.columns["start"][at, 2 * v : 2 * v + 2]).astype(int)
                if (start >= 0).all() and (start < header.shape).all():
                    assert seen[i, start[0], start[1]]


@pytest.mark.parametrize("around", ["charge", "vertex", "centre"])
def test_cropped_pixels_are_those_of_the_window(around, images):
    """Where the corner says that they are; what is outside is what is missing."""
    header, cropped = applied(images, step("crop", around=around, shape=(16, 20)))
    moved = (cropped.truth["corner"] - images.truth["corner"]).reshape(5, 3, 2)
    first = np.rint(moved / (6.0, 2.0)).astype(int)
    for v, view in enumerate(VIEWS):
        full = np.pad(dense(images.views[view], SHAPE), ((0, 0), (60, 60), (60, 60)))
        for i in range(5):
            row, column = first[i, v] + 60
            window = full[i, row : row + 16, column : column + 20]
            np.testing.assert_array_equal(dense(cropped.views[view], header.shape)[i], window)


def test_crop_finds_the_most_charge(images):
    _, cropped = applied(images, step("crop", shape=(40, 20)))
    for view in VIEWS:
        full = dense(images.views[view], SHAPE).sum(axis=1)
        windows = np.lib.stride_tricks.sliding_window_view(full, 20, axis=1).sum(axis=2)
        np.testing.assert_allclose(sums(cropped.views[view]), windows.max(axis=1), rtol=1e-5)


def test_crop_has_common_rows(images):
    _, cropped = applied(images, step("crop", shape=(16, 20)))
    ticks = (cropped.truth["corner"] - images.truth["corner"])[:, ::2]
    assert (ticks == ticks[:, :1]).all()


def test_crop_puts_the_vertex_in_the_middle_and_an_event_without_about_its_charge(images):
    _, about_vertex = applied(images, step("crop", around="vertex", shape=(16, 20)))
    _, about_charge = applied(images, step("crop", around="charge", shape=(16, 20)))
    middle = np.floor(about_vertex.truth["vertex_pixel"][[0, 3, 4]]).reshape(3, 3, 2)
    assert (middle == (8, 10)).all()
    np.testing.assert_array_equal(
        about_vertex.truth["corner"][1:3], about_charge.truth["corner"][1:3]
    )


@pytest.mark.parametrize("name", STEPS)
def test_boxes_hold_what_is_left_of_each_particle(name, images):
    header, changed = applied(images, step(name, **STEPS[name][0]))
    table = changed.tables["particles"]
    for v, view in enumerate(VIEWS):
        sparse = changed.views[view]
        owner = dense(sparse, header.shape, sparse.truth["instance"].astype(float) + 5)
        for i in range(5):
            for p in range(3):
                box = table.columns["box"][table.offsets[i] + p, 4 * v : 4 * v + 4]
                place = np.argwhere(owner[i] == p + 5)
                if len(place):
                    edges = [*place.min(axis=0), *(place.max(axis=0) + 1)]
                    np.testing.assert_array_equal(box, edges)
                else:
                    assert np.isnan(box).all()


def test_a_window_about_a_vertex_that_is_nowhere_near_is_empty(images):
    far = replace(images, truth=images.truth | {"vertex_pixel": np.full((5, 6), np.float32(1e30))})
    _, cropped = applied(far, step("crop", around="vertex", shape=(4, 4)))
    assert not any(len(sparse.pixel) for sparse in cropped.views.values())


def test_a_window_larger_than_the_images():
    with pytest.raises(InputError, match="64 × 20 pixels is larger"):
        step_header([step("crop", shape=(64, 20))], plane_header())


def test_values(images):
    value = images.views["y"].value
    _, scaled = applied(images, step("normalise", by=10.0))
    np.testing.assert_allclose(scaled.views["y"].value, value / 10, rtol=1e-6)
    _, fractions = applied(images, step("normalise", by="sum"))
    np.testing.assert_allclose(sums(fractions.views["y"]), [1, 0, 1, 1, 1], rtol=1e-5)
    _, logs = applied(images, step("log", scale=10.0))
    np.testing.assert_allclose(logs.views["y"].value, np.log1p(value / 10), rtol=1e-6)
    _, high = applied(images, step("threshold", minimum=100.0))
    np.testing.assert_array_equal(high.views["y"].value, value[value >= 100, None])
    _, ones = applied(images, step("binarise", above=100.0))
    assert len(ones.views["y"].value) == (value > 100).sum()
    assert (ones.views["y"].value == 1).all()


def test_masked_wires_are_counted_from_the_corner(images):
    """Pixels of wires 10 to 13 of the window: columns 5 and 6, of 2 wires each."""
    corner = images.truth["corner"].copy()
    corner[:, 1] = 100.0
    images = replace(images, truth=images.truth | {"corner": corner})
    for wires, columns in (((110, 114), (5, 6)), ((111, 112), (5,)), ((111, 113), (5, 6))):
        _, masked = applied(images, step("mask_wires", wires={"u": [wires]}))
        expected = dense(images.views["u"], SHAPE)
        expected[:, :, columns] = 0
        np.testing.assert_array_equal(dense(masked.views["u"], SHAPE), expected)
        np.testing.assert_array_equal(masked.views["v"].pixel, images.views["v"].pixel)
    downsampled = step("downsample", factor=(1, 4))
    _, masked = applied(images, downsampled, step("mask_wires", wires={"u": [(108, 116)]}))
    _, small = applied(images, downsampled)
    expected = dense(small.views["u"], (40, 12))
    expected[:, :, 1] = 0
    np.testing.assert_array_equal(dense(masked.views["u"], (40, 12)), expected)


def test_wires_of_a_plane_that_is_not_seen():
    with pytest.raises(InputError, match="'v' is none of the images' planes, y"):
        step_header([step("mask_wires", wires={"v": [(0, 1)]})], plane_header(views=("y",)))


def test_hidden_starts_are_within_the_radius(images):
    """In mm: pixels are 3.294 mm by 6 mm."""
    _, hidden = applied(images, step("hide_start", radius=40.0))
    row, column = np.indices(SHAPE) + 0.5
    for v, view in enumerate(VIEWS):
        expected = dense(images.views[view], SHAPE)
        for i in (0, 3, 4):
            at = images.truth["vertex_pixel"][i, 2 * v : 2 * v + 2]
            expected[i, np.hypot((row - at[0]) * 3.294, (column - at[1]) * 6.0) < 40] = 0
        np.testing.assert_array_equal(dense(hidden.views[view], SHAPE), expected)


def test_the_start_of_a_photon_is_where_it_converts(images):
    """The vertex is outside; what is hidden lies about the nearest pixel."""
    vertex = np.tile(np.float32([-3.0, -5.0]), (5, 3))
    images = replace(images, truth=images.truth | {"vertex_pixel": vertex})
    _, hidden = applied(images, step("hide_start", radius=30.0))
    place = np.moveaxis(np.indices(SHAPE), 0, -1) * (3.294, 6.0)
    for view in VIEWS:
        expected = dense(images.views[view], SHAPE)
        for image in expected:
            if seen := list(np.argwhere(image) * (3.294, 6.0)):
                start = min(seen, key=lambda at: np.hypot(*(at - (-3.5 * 3.294, -5.5 * 6.0))))
                image[np.hypot(*np.moveaxis(place - start, -1, 0)) < 30] = 0
        np.testing.assert_array_equal(dense(hidden.views[view], SHAPE), expected)


def test_pixels_beyond_16_bits():
    """Whole planes: numbers of pixels in 32 bits, in and out."""
    header = plane_header((300, 400))
    images = plane_images(np.random.default_rng(5), header=header, pixels=200)
    assert images.views["u"].pixel.dtype == np.uint32
    after, small = applied(images, step("downsample", factor=(3, 2)), header=header)
    assert after.pixel_type == np.uint16
    blocks = dense(images.views["u"], (300, 400)).reshape(-1, 100, 3, 200, 2).sum(axis=(2, 4))
    np.testing.assert_allclose(dense(small.views["u"], (100, 200)), blocks, rtol=1e-6)
    _, mirrored = applied(images, step("mirror", axis="drift"), header=header)
    np.testing.assert_array_equal(
        dense(mirrored.views["u"], (300, 400)), dense(images.views["u"], (300, 400))[:, ::-1]
    )
