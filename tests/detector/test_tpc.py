"""Liquid-argon TPCs: geometry, wires, ticks, files, dead wires."""

import numpy as np
import pytest
import yaml

from hepcnn.detector.dead_wires import GROUP, dead_wires
from hepcnn.detector.tpc import PLANES, load_tpc, tpc_names
from hepcnn.errors import InputError

TPC = load_tpc("microboone")


def corners(tpc):
    return np.array([(y, z) for y in tpc.volume.y for z in tpc.volume.z]).T


@pytest.mark.parametrize("name", tpc_names())
@pytest.mark.parametrize("plane", PLANES)
def test_the_wires_cover_the_volume(name, plane):
    """All but a few at the edges, which real frames do not reach either."""
    tpc = load_tpc(name)
    wire = tpc.wire(plane, *corners(tpc))
    last = tpc.plane(plane).wires - 1
    assert wire.min() == pytest.approx(0, abs=3)
    assert wire.max() == pytest.approx(last, abs=3)
    assert wire.min() + wire.max() == pytest.approx(last, abs=1e-3)


@pytest.mark.parametrize("plane", PLANES)
def test_wires_are_where_the_angle_says(plane):
    """Along a wire the coordinate stays; across, it grows by one a pitch."""
    angle = np.radians(TPC.plane(plane).angle)
    along, across = (
        np.array([np.cos(angle), -np.sin(angle)]),
        np.array([np.sin(angle), np.cos(angle)]),
    )
    start = np.array([100.0, 4000.0])
    here = TPC.wire(plane, *start)
    assert TPC.wire(plane, *(start + 700 * along)) == pytest.approx(here)
    assert TPC.wire(plane, *(start + TPC.pitch * across)) == pytest.approx(here + 1)


def test_u_leans_against_v():
    """Mirrored in height about the middle, U becomes V."""
    middle = np.mean(TPC.volume.y)
    y, z = np.array([30.0, -400.0, 900.0]), np.array([100.0, 5000.0, 9000.0])
    np.testing.assert_allclose(
        TPC.wire("u", middle + y, z), TPC.wire("v", middle - y, z), atol=1e-3
    )


def test_ticks_are_drift_times():
    assert TPC.full_drift == pytest.approx(4665, abs=5)  # 2.325 ms
    assert TPC.mm_per_tick == pytest.approx(0.549)
    assert TPC.tick(0.0) == TPC.readout.trigger
    assert TPC.tick(2560.0) - TPC.tick(0.0) == pytest.approx(TPC.full_drift)
    assert TPC.tick(0.0, 5000.0) - TPC.tick(0.0) == pytest.approx(10)  # 5 µs
    np.testing.assert_allclose(TPC.x_of(TPC.tick([1.0, 2000.0])), [1.0, 2000.0])
    start, end = TPC.readout_window
    assert (TPC.tick(0.0, start), TPC.tick(0.0, end)) == (0, TPC.readout.ticks)


def test_numbers_of_wires_are_those_of_all_drift_volumes():
    assert [TPC.wires(plane) for plane in PLANES] == [2400, 2400, 3456]
    assert [load_tpc("sbnd").wires(plane) for plane in PLANES] == [3968, 3968, 3328]


def test_two_drift_volumes_are_mirror_images_about_the_cathode():
    """Equal ticks on either side; U in the one leans as V in the other; wires follow on."""
    tpc = load_tpc("sbnd")
    here = np.array([[-300.0, 150.0, 2000.0], [-1999.0, -900.0, 4000.0]])
    there = here * [-1, 1, 1]
    (tick, wire), (far_tick, far_wire) = tpc.seen(here), tpc.seen(there)
    np.testing.assert_allclose(tick, far_tick)
    np.testing.assert_allclose(tick[1], tpc.readout.trigger + 1 / tpc.mm_per_tick)
    wires = np.array([tpc.plane(plane).wires for plane in PLANES])
    np.testing.assert_allclose(far_wire - wires, wire[:, [1, 0, 2]])
    np.testing.assert_array_equal(tpc.bounds[0], [-2000, 2000])


def test_beyond_the_wires_of_a_drift_volume_is_not_on_those_of_the_other():
    _, wire = load_tpc("sbnd").seen([[-300.0, 0.0, 5100.0], [300.0, 0.0, -10.0]])
    assert np.isnan(wire[:, 2]).all()


def test_a_single_drift_volume_is_seen_as_its_wires_say():
    tick, wire = TPC.seen([[100.0, 20.0, 3000.0]])
    assert tick[0] == TPC.tick(100.0)
    assert wire[0].tolist() == [TPC.wire(plane, 20.0, 3000.0) for plane in PLANES]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pitch": 0}, "pitch: Input should be greater than 0"),
        ({"volume": {"x": [5, 10], "y": [0, 1], "z": [0, 1]}}, "must begin at the wires"),
        ({"volume": {"x": [0, 10], "y": [1, 1], "z": [0, 1]}}, "1 is not below 1"),
        ({"wirepitch": 3}, "wirepitch: unknown key"),
    ],
)
def test_a_users_file_is_checked(tmp_path, change, message):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(TPC.model_dump(mode="json")))
    assert load_tpc(path) == TPC
    path.write_text(yaml.safe_dump(TPC.model_dump(mode="json") | change))
    with pytest.raises(InputError, match=message):
        load_tpc(path)


def test_an_unknown_name_is_an_error_that_names_the_nearest():
    with pytest.raises(InputError, match="did you mean 'microboone'"):
        load_tpc("microbone")


def test_dead_wires_are_always_the_same_and_grow_with_the_fraction():
    few, many = dead_wires(TPC, 0.05), dead_wires(TPC, 0.2)
    for plane in PLANES:
        np.testing.assert_array_equal(dead_wires(TPC, 0.2)[plane], many[plane])
        assert len(many[plane]) == TPC.wires(plane)
        assert not (few[plane] & ~many[plane]).any()
        assert many[plane].mean() == pytest.approx(0.2, abs=0.01)
        assert not dead_wires(TPC, 0.0)[plane].any()
        assert dead_wires(TPC, 1.0)[plane].all()


def test_dead_wires_die_in_groups():
    dead = dead_wires(TPC, 0.1)["y"].reshape(-1, GROUP)
    assert set(dead.sum(axis=1).tolist()) == {0, GROUP}
