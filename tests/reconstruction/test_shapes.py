"""Shapes of plane images: lines, showers and points of known form."""

from __future__ import annotations

import numpy as np
import pytest

from hepcnn.detector.tpc import load_tpc
from hepcnn.imaging.lengths import units_of
from hepcnn.reconstruction.shapes import SHAPES, image_shapes
from hepcnn.store.shard import Axis, Header, Sparse

SIDE = 256


def header(ticks=6.0, wires=1.0):
    """Of pixels of about 3.3 mm by 3 mm."""
    time = Axis("time", "ticks", 0.0, ticks * SIDE, SIDE)
    wire = Axis("wire", "wires", 0.0, wires * SIDE, SIDE)
    tpc = load_tpc("microboone")
    return Header(
        "lartpc", ("y",), (SIDE, SIDE), ("charge",), {"y": (time, wire)}, {}, units_of(tpc), {}, {},
        "float32",
    )  # fmt: skip


MM = np.array([6 * load_tpc("microboone").mm_per_tick, 3.0])


def images(*points):
    """Images of (row, column, charge) triples, added up."""
    dense = np.zeros((len(points), SIDE * SIDE))
    for image, (row, column, charge) in zip(dense, points, strict=True):
        pixel = np.asarray(row, int) * SIDE + np.asarray(column, int)
        np.add.at(image, pixel, charge)
    which, pixel = np.nonzero(dense)
    offsets = np.searchsorted(which, np.arange(len(points) + 1))
    return Sparse(offsets, pixel.astype(np.uint16), dense[which, pixel].astype(np.float32)[:, None])


def measured(*points):
    shapes = image_shapes(images(*points), header(), "y")
    assert shapes.shape == (len(points), len(SHAPES))
    assert shapes.dtype == np.float32
    assert np.isfinite(shapes).all()
    return [dict(zip(SHAPES, map(float, one), strict=True)) for one in shapes]


def track(length, angle=0.5, at=(60.0, 60.0), density=100.0, rising=0.0):
    """Charge along a straight line: `density` a mm, more at its end."""
    along = np.arange(0.0, length, 0.25)
    place = np.asarray(at) * MM + np.outer(along, (np.sin(angle), np.cos(angle)))
    charge = 0.25 * density * (1 + rising * np.exp(-(length - along) / 15.0))
    return (*(place / MM).T, charge)


def shower(rng, angle=0.5, at=(60.0, 60.0)):
    """Charge that spreads along its way, after a narrow start."""
    along = rng.gamma(4.0, 45.0, 1500)
    across = rng.normal(0.0, 0.12, 1500) * np.maximum(along - 30, 0)
    axis = np.array([np.sin(angle), np.cos(angle)])
    place = np.asarray(at) * MM + np.outer(along, axis) + np.outer(across, axis[::-1] * (1, -1))
    row, column, charge = track(60.0, angle, at)
    return (
        np.concatenate([row, place[:, 0] / MM[0]]).clip(0, SIDE - 1),
        np.concatenate([column, place[:, 1] / MM[1]]).clip(0, SIDE - 1),
        np.concatenate([charge, np.full(1500, 40.0)]),
    )


def test_a_line_is_a_line():
    for angle in (0.0, 0.3, 0.8, 1.2, np.pi / 2):
        (line,) = measured(track(400.0, angle))
        assert line["linearity"] == pytest.approx(1, abs=0.001)
        assert line["length"] == pytest.approx(400, abs=6)
        assert line["straight"] == pytest.approx(400, abs=20)
        assert line["shower_fraction"] < 0.02
        assert line["pieces"] == 1
        assert line["piece_fraction"] == pytest.approx(1)
        assert line["width"] < 2
        assert line["start_charge"] == pytest.approx(100, rel=0.1)
        assert line["end_rise"] == pytest.approx(1, abs=0.1)


def test_a_longer_line_is_longer():
    lengths = [one["length"] for one in measured(*(track(mm) for mm in (50.0, 100.0, 300.0)))]
    assert np.diff(lengths) == pytest.approx([50, 200], abs=6)


def test_charge_is_counted():
    one, other = measured(track(200.0), track(200.0, density=300.0))
    for name in ("charge_per_pixel", "start_charge"):
        assert other[name] == pytest.approx(3 * one[name])
    for name in ("pixels", "length", "width", "linearity", "end_rise", "end_largest"):
        assert other[name] == pytest.approx(one[name])


def test_a_blob_is_no_line():
    rng = np.random.default_rng(0)
    (blob,) = measured((*rng.normal(128, 15, (2, 3000)).clip(0, SIDE - 1), np.ones(3000)))
    assert blob["linearity"] < 0.5
    assert blob["shower_fraction"] > 0.7
    assert blob["straight"] < 0.4 * blob["length"]


def test_the_bragg_peak_is_at_the_far_end_whichever_way_the_track_goes():
    for angle in (0.4, 0.4 + np.pi):
        (stopped,) = measured(track(300.0, angle, at=(128, 128), rising=3.0))
        (through,) = measured(track(300.0, angle, at=(128, 128)))
        assert stopped["end_rise"] > 1.5
        assert stopped["end_largest"] > 1.5 * through["end_largest"]
        assert stopped["start_charge"] == pytest.approx(100, rel=0.15)


@pytest.mark.parametrize("angle", [0.3, 0.3 + np.pi])
def test_a_shower_starts_narrow(angle):
    """Its start is the trunk's charge; much of its charge is away from lines."""
    rng = np.random.default_rng(3)
    found = measured(*(shower(rng, angle, at=(128, 128)) for _ in range(20)))
    (line,) = measured(track(300.0, angle, at=(128, 128)))
    assert np.median([one["start_charge"] for one in found]) == pytest.approx(100, rel=0.25)
    assert min(one["shower_fraction"] for one in found) > line["shower_fraction"] + 0.1
    assert min(one["width"] for one in found) > 3 * line["width"]


def test_start_charge_doubles_with_two_particles_at_the_start():
    """A photon's pair against an electron: twice the charge per length."""
    rng = np.random.default_rng(4)
    row, column, charge = shower(rng)
    start = np.hypot((row - 60) * MM[0], (column - 60) * MM[1]) < 60
    electron, photon = measured((row, column, charge), (row, column, charge * (1 + start)))
    assert photon["start_charge"] == pytest.approx(2 * electron["start_charge"], rel=0.05)


def test_pieces():
    """Across one dead wire a track is one piece; a second track is another."""
    row, column, charge = track(300.0, 0.3)
    alive = np.floor(column) != 90
    other = track(100.0, 1.0, at=(160, 160))
    one = [row[alive], column[alive], charge[alive]]
    both = [np.concatenate(pair) for pair in zip(one, other, strict=True)]
    broken, two = measured(one, both)
    assert broken["pieces"] == 1
    assert broken["length"] == pytest.approx(300, abs=6)
    assert two["pieces"] == 2
    assert two["piece_fraction"] == pytest.approx(3 / 4, abs=0.02)
    assert two["length"] == pytest.approx(300, abs=6)


def test_nothing_and_one_pixel():
    empty, point = measured(([], [], []), ([3], [5], [70.0]))
    assert not any(empty.values())
    assert (point["pixels"], point["pieces"], point["length"]) == (1, 1, 0)
    assert point["charge_per_pixel"] == pytest.approx(70)
    assert image_shapes(images(), header(), "y").shape == (0, len(SHAPES))


def test_lengths_do_not_depend_on_pixels():
    """The same track in pixels of twice the size; an end is a few of them only."""
    row, column, charge = track(300.0, 0.6)
    fine = image_shapes(images((row, column, charge)), header(), "y")[0]
    coarse = image_shapes(images((row / 2, column / 2, charge)), header(12.0, 2.0), "y")[0]
    for name, error in (("length", 0.03), ("linearity", 0.01), ("start_charge", 0.2)):
        k = SHAPES.index(name)
        assert coarse[k] == pytest.approx(fine[k], rel=error)
