"""Hits → images of the wire planes: where charge comes to lie, and that none is lost or made."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hand_made_planes import TPC, dense, hand_made, particle, random_events

from hepcnn.config import PlaneImages
from hepcnn.detector.tpc import PLANES
from hepcnn.errors import InputError
from hepcnn.imaging.planes import plane_header, plane_images
from hepcnn.imaging.windows import windows

WHOLE = PlaneImages(sample="s", maker="planes", region="whole", shape=None)
TRIGGER = TPC.readout.trigger


def settings(**changes):
    defaults = {"sample": "s", "maker": "planes", "region": "fixed", "shape": (64, 128)}
    return PlaneImages(**(defaults | changes))


def images_of(events, chosen):
    return plane_images(events, TPC, chosen)[0]


def arrays(images):
    """Everything in a block of images, by name."""
    found = dict(images.columns, key=images.key)
    for path, rows in images.ragged.items():
        found |= {f"{path}/{name}": column for name, column in rows.columns.items()}
        found[f"{path}/offsets"] = rows.offsets
    return found


def assert_equal(found, expected):
    found, expected = arrays(found), arrays(expected)
    assert list(found) == list(expected)
    for name, column in expected.items():
        np.testing.assert_array_equal(found[name], column, err_msg=name)


def everywhere(**changes):
    """Images that hold all of `random_events`."""
    corner = dict.fromkeys(PLANES, (2000.0, 100.0))
    return settings(shape=(1200, 1800), corner=corner, **changes)


@pytest.mark.parametrize(
    ("plane", "wire", "time", "row", "column"),
    [
        (0, 0, TRIGGER, 0, 0),
        (1, 7, TRIGGER + 5.9, 0, 7),
        (2, 3455, TRIGGER + 6, 1, 3455),
        (2, 1000, TRIGGER + 600.5, 100, 1000),
    ],
)
def test_a_hit_lands_in_its_pixel(plane, wire, time, row, column):
    """Of 6 ticks and one wire, from the tick at which charge arrives from x = 0."""
    events = hand_made([[(plane, wire, time, 50.0, 0.0, -1)]])
    images = images_of(events, WHOLE)
    shape = plane_header(WHOLE, TPC).shape
    assert shape == (math.ceil(TPC.full_drift / 6), 3456)
    for number, view in enumerate(PLANES):
        found = np.argwhere(dense(images.views[view], shape)[0])
        assert found.tolist() == ([[row, column]] if number == plane else [])


def test_pixels_of_many_wires_and_ticks():
    chosen = settings(wires_per_pixel=4, ticks_per_pixel=10, corner={"v": (100, 8)})
    events = hand_made([[(1, 8, 100, 1, 0, -1), (1, 11, 109, 2, 0, -1), (1, 12, 110, 4, 0, -1)]])
    image = dense(images_of(events, chosen).views["v"], (64, 128))[0]
    assert image[0, 0] == 3
    assert image[1, 1] == 4
    assert image.sum() == 7


def test_the_width_of_a_hit_is_spread_over_rows_as_a_gaussian():
    events = hand_made([[(2, 5, 100.0, 1000.0, 9.0, -1)]])
    column = dense(images_of(events, settings()).views["y"], (64, 128))[0][:, 5]
    edges = (np.arange(65) * 6 - 100.0) / 9 / math.sqrt(2)
    integral = np.array([math.erf(np.clip(e, -4 / math.sqrt(2), 4 / math.sqrt(2))) for e in edges])
    expected = 1000 * np.diff(integral) / 2 / math.erf(4 / math.sqrt(2))
    np.testing.assert_allclose(column, expected, atol=1000 * 4e-6)
    assert column.sum() == pytest.approx(1000, rel=1e-7)


def test_charge_is_conserved():
    """Each wire's, of hits narrow and wide; their sum also against the features."""
    events = random_events()
    images = images_of(events, everywhere())
    event = np.repeat(np.arange(len(events)), np.diff(events.hit_offsets))
    for number, view in enumerate(PLANES):
        found = dense(images.views[view], (1200, 1800)).sum(axis=1)
        expected = np.zeros_like(found)
        own = events.hits["plane"] == number
        np.add.at(
            expected, (event[own], events.hits["wire"][own] - 100), events.hits["charge"][own]
        )
        np.testing.assert_allclose(found, expected, rtol=1e-6)
        np.testing.assert_allclose(images.features[f"charge_{view}"], found.sum(1), rtol=1e-6)


def test_charge_in_a_window_and_outside_is_all_charge():
    """Four windows that touch share out what one holds, hits on their edges too."""
    events = random_events()
    whole = images_of(events, everywhere())
    quarter = [
        images_of(
            events,
            settings(
                shape=(600, 900),
                corner=dict.fromkeys(PLANES, (2000.0 + 3600 * down, 100.0 + 900 * right)),
            ),
        )
        for down in (0, 1)
        for right in (0, 1)
    ]
    for view in PLANES:
        parts = [dense(images.views[view], (600, 900)) for images in quarter]
        joined = np.block([[parts[0], parts[1]], [parts[2], parts[3]]])
        np.testing.assert_array_equal(joined, dense(whole.views[view], (1200, 1800)))


def test_narrow_hits_merge_as_np_unique_has_them():
    events = random_events(wide=False)
    images = images_of(events, everywhere())
    for number, view in enumerate(PLANES):
        sparse = images.views[view]
        for i in range(len(events)):
            hits = events.part(i, i + 1).hits
            own = hits["plane"] == number
            row = ((hits["time"][own] - 2000.0) // 6).astype(np.int64)
            pixel, inverse = np.unique(row * 1800 + hits["wire"][own] - 100, return_inverse=True)
            mine = slice(sparse.offsets[i], sparse.offsets[i + 1])
            np.testing.assert_array_equal(sparse.pixel[mine], pixel)
            charge = np.bincount(inverse, weights=hits["charge"][own], minlength=len(pixel))
            np.testing.assert_allclose(sparse.value[mine, 0], charge, rtol=1e-6)


def test_pixels_do_not_depend_on_particles():
    """Nor on whether any are known."""
    events = random_events()
    hits = {name: column for name, column in events.hits.items() if name != "particle"}
    known, unknown = (images_of(e, everywhere()) for e in (events, replace(events, hits=hits)))
    for view in PLANES:
        for name in ("offsets", "pixel", "value"):
            a, b = (getattr(images.views[view], name) for images in (known, unknown))
            np.testing.assert_array_equal(a, b, err_msg=name)
        assert (unknown.views[view].truth["instance"] == -1).all()


def test_rows_of_many_columns():
    """More than the 64 words of 64 bits each that one word tells of."""
    wires = [0, 63, 64, 4095, 4096, 4999]
    events = hand_made([[(2, wire, 27.0, wire + 1.0, 3.0 * (wire % 2), -1) for wire in wires]])
    image = dense(images_of(events, settings(shape=(9, 5000))).views["y"], (9, 5000))[0]
    np.testing.assert_array_equal(np.flatnonzero(image.sum(axis=0)), wires)
    np.testing.assert_allclose(image.sum(axis=0)[wires], np.array(wires) + 1.0, rtol=1e-6)


@pytest.mark.parametrize("chosen", [everywhere(), WHOLE, settings(region="charge")])
def test_the_order_of_hits_does_not_matter(chosen):
    """To the last bit, in labels too."""
    events = random_events()
    rng = np.random.default_rng(3)
    ends = zip(events.hit_offsets[:-1], events.hit_offsets[1:], strict=True)
    order = np.concatenate([rng.permutation(np.arange(start, stop)) for start, stop in ends])
    hits = {name: column[order] for name, column in events.hits.items()}
    assert_equal(images_of(replace(events, hits=hits), chosen), images_of(events, chosen))


def test_chunks_do_not_show():
    """Images of events one by one are those of all together."""
    events = random_events()
    together = images_of(events, everywhere())
    for i in range(len(events)):
        alone = images_of(events.part(i, i + 1), everywhere())
        assert_equal(alone, together.take(np.array([i])))


@pytest.mark.parametrize(
    "change",
    [
        {"planes": ["y", "u", "v"]},
        {"wires_per_pixel": 2},
        {"ticks_per_pixel": 5.0},
        {"region": "whole", "shape": None, "corner": {}},
        {"region": "charge", "corner": {}},
        {"region": "vertex", "corner": {}},
        {"region": "vertex", "corner": {}, "anchor": (0.0, 0.9)},
        {"shape": (60, 128)},
        {"corner": {"u": (4000.0, 700.0), "v": (5000.0, 700.0)}},
        {"threshold": 100.0},
    ],
)
def test_every_setting_changes_the_images(change):
    events = random_events()
    corner = dict.fromkeys(PLANES, (4000.0, 500.0))
    before = settings(shape=(500, 1000), corner=corner)
    if "anchor" in change:
        before = before.model_copy(update={"region": "vertex"})
    after = PlaneImages(**(before.model_dump() | change))
    found = [
        [v.pixel.tolist() for v in images_of(events, s).views.values()] for s in (before, after)
    ]
    assert found[0] != found[1]


def test_no_planes_but_those_asked_for():
    events = random_events()
    images, counts = plane_images(events, TPC, everywhere(planes=["y"]))
    assert list(images.views) == ["y"]
    assert images.truth["vertex_pixel"].shape == (len(events), 2)
    on_y = events.hits["plane"] == 2
    assert counts["hits on the planes seen"] == counts["hits in the image"] == on_y.sum()
    assert images.features["n_hits"].sum() == on_y.sum()


def test_pixels_below_the_threshold_are_left_out():
    """By their whole charge, of all hits."""
    hits = [(0, 3, 3.0, 60.0, 0.0, -1), (0, 3, 4.0, 60.0, 0.0, -1), (0, 4, 3.0, 99.0, 0.0, -1)]
    images = images_of(hand_made([hits]), settings(threshold=100.0))
    assert images.views["u"].pixel.tolist() == [3]
    assert images.views["u"].value.tolist() == [[120.0]]
    assert images.features["charge_u"] == 120


def test_empty_planes_empty_events_and_single_hits():
    """Each is an example; nothing at all is a block of none."""
    events = hand_made([[], [(2, 8, 30.0, 5.0, 2.0, -1)], []])
    for region in ("whole", "charge", "fixed"):
        chosen = settings(region=region, shape=None if region == "whole" else (64, 128))
        images, counts = plane_images(events, TPC, chosen)
        assert counts["kept"] == len(images) == 3
        assert images.views["u"].offsets.tolist() == [0, 0, 0, 0]
        if region != "whole":
            assert images.features["charge_y"].tolist() == [0, 5, 0]
            assert counts["kept, without a hit in the image"] == 2
        none, counts = plane_images(events.part(0, 0), TPC, chosen)
        assert len(none) == counts["kept"] == 0


def test_fifty_thousand_hits():
    events = random_events(n=2, hits=50_000)
    events = events.part(1, 2)
    images, counts = plane_images(events, TPC, everywhere())
    assert counts["hits read"] == counts["hits in the image"] == 50_000
    total = sum(images.features[f"charge_{view}"][0] for view in PLANES)
    assert total == pytest.approx(events.hits["charge"].sum(dtype=float), rel=1e-6)


def test_the_cutflow_adds_up():
    events = random_events()
    chosen = settings(region="charge")
    images, counts = plane_images(events, TPC, chosen)
    assert list(counts) == list(plane_images(events.part(0, 1), TPC, chosen)[1])
    assert counts["events read"] == counts["kept"] == len(images) == len(events)
    assert counts["hits read"] == events.n_hits > counts["hits in the image"] > 0
    kept = sum(images.features[f"charge_{view}"].sum() for view in PLANES)
    assert counts["charge in the image"] == pytest.approx(kept, abs=1)
    assert counts["charge on the planes seen"] == pytest.approx(events.hits["charge"].sum(), abs=1)


@pytest.mark.parametrize("value", [math.inf, math.nan, 1e30])
def test_charges_that_cannot_be_added(value):
    events = hand_made([[], [(2, 8, 30.0, value, 2.0, -1)]])
    with pytest.raises(InputError, match=r"event 1:2:101: hit_charge: not finite"):
        images_of(events, settings())


@pytest.mark.parametrize("column", ["time", "rms", "wire"])
@pytest.mark.parametrize("value", [1e30, -1e30, 2**31 - 1, math.nan])
def test_hits_far_away_are_outside(column, value):
    """And a width beyond measure is a width beyond the image; nothing crashes."""
    if column == "wire":
        value = np.nan_to_num(value, nan=-5)
        value = int(np.clip(value, -(2**31), 2**31 - 1))
    hit = {"plane": 2, "wire": 8, "time": 30.0, "charge": 5.0, "rms": 2.0, "particle": 0}
    events = hand_made([[tuple((hit | {column: value}).values())]], [[particle()]])
    for region in ("charge", "fixed"):
        images = images_of(events, settings(region=region))
        assert images.features["charge_y"][0] <= 5


def test_windows_wider_than_wide_are_refused():
    with pytest.raises(InputError, match="60000 × 60000"):
        plane_header(settings(shape=(60_000, 60_000)), TPC)


def test_large_images_have_large_pixel_numbers():
    assert plane_header(settings(shape=(256, 256)), TPC).pixel_type is np.uint16
    chosen = settings(shape=(400, 400))
    assert plane_header(chosen, TPC).pixel_type is np.uint32
    events = hand_made([[(0, 399, 399 * 6 + 1, 5.0, 0.0, -1)]])
    assert images_of(events, chosen).views["u"].pixel.tolist() == [400 * 400 - 1]


def test_axes_and_header():
    header = plane_header(settings(wires_per_pixel=3, planes=["v"]), TPC)
    time, wire = header.axes["v"]
    assert (time.name, time.unit, time.low, time.high, time.bins) == ("time", "ticks", 0, 384, 64)
    assert (wire.name, wire.unit, wire.low, wire.high, wire.bins) == ("wire", "wires", 0, 384, 128)
    assert header.maker["wires_per_pixel"] == 3
    assert "sample" not in header.maker
    images = images_of(random_events(), settings(planes=["v"]))
    assert set(images.features) == set(header.features)
    assert set(images.truth) == set(header.truth)
    for name, (kind, width) in (header.truth | header.tables["particles"]).items():
        column = (images.truth | images.tables["particles"].columns)[name]
        assert column.dtype == kind, name
        assert column.shape[1:] == (() if width is None else (width,)), name


def test_corners_are_those_of_the_windows():
    events = random_events()
    chosen = settings(region="charge")
    corner = windows(events, np.full((len(events), 3, 2), np.nan), TPC, chosen)
    np.testing.assert_array_equal(
        images_of(events, chosen).truth["corner"], corner.reshape(len(events), 6)
    )
