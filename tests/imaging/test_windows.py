"""Where images begin: regions of the wire planes."""

import math

import numpy as np
import pytest
from hand_made_planes import NAN, TPC, hand_made, random_events

from hepcnn.config import PlaneImages
from hepcnn.detector.tpc import PLANES
from hepcnn.errors import InputError
from hepcnn.imaging.planes import plane_images
from hepcnn.imaging.windows import window_shape, windows

SHAPE = (64, 96)


def settings(region, **changes):
    defaults = {"sample": "s", "maker": "planes", "region": region, "shape": SHAPE}
    return PlaneImages(**(defaults | changes))


def corners(events, chosen, vertex=None):
    nowhere = np.full((len(events), len(chosen.planes), 2), np.nan)
    return windows(events, nowhere if vertex is None else vertex, TPC, chosen)


def charge_inside(events, corner, chosen):
    """Charge of the hits, taken as points, that are in the windows, (n,)."""
    event = np.repeat(np.arange(len(events)), np.diff(events.hit_offsets))
    views = [chosen.planes.index(p) if p in chosen.planes else 0 for p in PLANES]
    plane = np.array(views)[events.hits["plane"]]
    row = (events.hits["time"] - corner[event, plane, 0]) // chosen.ticks_per_pixel
    column = (events.hits["wire"] - corner[event, plane, 1]) // chosen.wires_per_pixel
    height, width = chosen.shape
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    return np.bincount(event, np.where(inside, events.hits["charge"], 0), len(events))


def test_the_whole_region_is_all_wires_and_the_whole_drift():
    chosen = settings("whole", shape=None)
    assert window_shape(chosen, TPC) == (math.ceil(TPC.full_drift / 6), 3456)
    narrow = settings("whole", shape=None, planes=["u", "v"], wires_per_pixel=7)
    assert window_shape(narrow, TPC)[1] == math.ceil(2400 / 7)
    corner = corners(random_events(), chosen)
    assert (corner[..., 0] == TPC.readout.trigger).all()
    assert (corner[..., 1] == 0).all()


def test_the_fixed_region_is_where_it_is_told_to_be():
    chosen = settings("fixed", corner={"v": (3000.5, 17)})
    corner = corners(random_events(), chosen)
    np.testing.assert_array_equal(corner[:, 1], [[3000.5, 17]] * 5)
    assert (corner[:, [0, 2]] == 0).all()


@pytest.mark.parametrize("anchor", [(0.0, 0.0), (0.5, 0.5), (0.25, 0.9), (1.0, 1.0)])
@pytest.mark.parametrize("pixel", [(6.0, 1), (10.0, 3)])
def test_the_vertex_is_at_its_anchor_in_every_plane(anchor, pixel):
    events = random_events()
    chosen = settings("vertex", anchor=anchor, ticks_per_pixel=pixel[0], wires_per_pixel=pixel[1])
    images, _ = plane_images(events, TPC, chosen)
    found = np.floor(images.truth["vertex_pixel"].reshape(-1, 3, 2))
    expected = np.minimum(np.floor(np.multiply(SHAPE, anchor)), np.subtract(SHAPE, 1))
    np.testing.assert_array_equal(found, np.broadcast_to(expected, found.shape))
    corner = images.truth["corner"].reshape(-1, 3, 2)
    assert (corner[:, :, 0] == corner[:, :1, 0]).all()


def test_events_without_a_vertex_are_taken_about_their_charge():
    """And counted; a file without any vertex is refused."""
    events = random_events()
    events.truth["vertex"][2] = NAN
    images, counts = plane_images(events, TPC, settings("vertex"))
    assert counts["kept, without a vertex and about the charge"] == 1
    about_charge = corners(events, settings("charge")).reshape(-1, 6)
    same = (images.truth["corner"] == about_charge).all(axis=1)
    assert same.tolist() == [False, False, True, False, False]
    assert np.isnan(images.truth["vertex_pixel"][2]).all()
    del events.truth["vertex"]
    with pytest.raises(InputError, match="no vertex"):
        plane_images(events, TPC, settings("vertex"))


def test_the_window_of_most_charge_is_found():
    """Two spots in every plane, the stronger one at the same time in all."""
    rng = np.random.default_rng(1)
    hits = []
    for plane in range(3):
        for tick, wire, charge in ((5000, 500 + 300 * plane, 10), (2000, 1800, 4)):
            for _ in range(200):
                place = (tick + rng.integers(-150, 150), wire + rng.integers(-40, 40))
                hits.append((plane, place[1], place[0], charge, 0, -1))
    corner = corners(hand_made([hits]), settings("charge"))[0]
    # In the middle, to the pixel that the random numbers leave open.
    expected = [[5000 - 6 * 32, 500 + 300 * plane - 48] for plane in range(3)]
    np.testing.assert_allclose(corner, expected, atol=24)


def test_rows_are_common_and_pixels_whole():
    events = random_events()
    for pixel in ((6.0, 1), (7.5, 4)):
        chosen = settings("charge", ticks_per_pixel=pixel[0], wires_per_pixel=pixel[1])
        corner = corners(events, chosen)
        assert (corner[:, :, 0] == corner[:, :1, 0]).all()
        np.testing.assert_array_equal(corner / pixel % 1, 0)


@pytest.mark.parametrize("shape", [(64, 96), (30, 50), (7, 200), (3, 3), (1, 1)])
def test_the_window_holds_nearly_as_much_as_the_best_of_all(shape):
    """Against a search over all windows of one plane, by brute force."""
    rng = np.random.default_rng(2)
    for _ in range(3):
        hits = []
        for _ in range(4):
            tick, wire, steps = rng.uniform(3000, 6000), rng.uniform(200, 900), 150
            slope = rng.normal(0, 1, 2)
            hits += [
                (2, int(wire + k * slope[0]), tick + 6 * k * slope[1], rng.exponential(), 0, -1)
                for k in range(steps)
            ]
        events = hand_made([hits])
        chosen = settings("charge", shape=shape, planes=["y"])
        seen = events.hits
        image = np.zeros((1600, 3456))
        np.add.at(image, ((seen["time"] // 6).astype(int), seen["wire"]), seen["charge"])
        total = image.cumsum(0).cumsum(1)
        total = np.pad(total, ((1, 0), (1, 0)))
        (h, w) = shape
        best = (total[h:, w:] - total[:-h, w:] - total[h:, :-w] + total[:-h, :-w]).max()
        found = charge_inside(events, corners(events, chosen), chosen)[0]
        assert found > 0.75 * best


def test_all_charge_that_fits_is_in_the_window():
    """Wherever it is in the planes, at their ends too."""
    rng = np.random.default_rng(4)
    lists = []
    for _ in range(50):
        tick, wires = rng.integers(0, 9600 - 63 * 6), rng.integers(0, 2400 - 95, 3)
        lists.append(
            [
                (plane, wires[plane] + rng.integers(0, 95), tick + rng.uniform(0, 62 * 6), 1, 0, -1)
                for plane in rng.integers(0, 3, 30)
            ]
        )
    events = hand_made(lists)
    chosen = settings("charge")
    inside = charge_inside(events, corners(events, chosen), chosen)
    # A coarse cell in four may be in the way of what fills the window to its edges.
    assert inside.mean() > 29.5
    roomy = settings("charge", shape=(96, 144))
    np.testing.assert_array_equal(charge_inside(events, corners(events, roomy), roomy), 30)


def test_a_lonely_hit_is_in_the_middle():
    events = hand_made([[(0, 1000, 5000.0, 1.0, 0.0, -1)], [], [(0, 0, 0.0, 1.0, 0.0, -1)]])
    corner = corners(events, settings("charge", planes=["u"]))
    np.testing.assert_allclose(corner[0, 0], [5000 - 6 * 32, 1000 - 48], atol=6)
    # No window begins before the plane does.
    np.testing.assert_array_equal(corner[2, 0], [0, 0])


def test_windows_larger_than_the_plane():
    chosen = settings("charge", shape=(3000, 5000))
    np.testing.assert_array_equal(corners(random_events(), chosen), 0)


def test_hits_that_are_nowhere_do_not_draw_the_window():
    hits = [(0, 1000, 5000.0, 1.0, 0.0, -1)]
    odd = [(0, 10**6, 100.0, 9.0, 0.0, -1), (0, -5, 100.0, 9.0, 0.0, -1),
           (0, 7, -50.0, 9.0, 0.0, -1), (0, 7, NAN, 9.0, 0.0, -1), (1, 7, 1e30, 9.0, 0.0, -1),
           (0, 7, 20.0, -9.0, 0.0, -1)]  # fmt: skip
    found = corners(hand_made([hits, hits + odd]), settings("charge"))
    np.testing.assert_array_equal(found[0], found[1])


def test_planes_are_looked_up_by_name():
    """Whatever their order in the settings."""
    events = random_events()
    forth = corners(events, settings("charge"))
    back = corners(events, settings("charge", planes=list(reversed(PLANES))))
    np.testing.assert_array_equal(forth, back[:, ::-1])
