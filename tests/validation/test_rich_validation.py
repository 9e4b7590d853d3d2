"""The RICH checks: they pass on the defaults and fail on what is wrong."""

from __future__ import annotations

import numpy as np
import pytest

from hepcnn.config import RichSimulation
from hepcnn.detector.geometry import load_geometry
from hepcnn.errors import InputError
from hepcnn.validation.rich import angle
from hepcnn.validation.rich.bands import BANDS, bands_of
from hepcnn.validation.rich.identification import rates
from hepcnn.validation.rich.run import CHECKS
from hepcnn.validation.rich.setup import IDEAL, QUIET, Setup, chosen, own_photons, segment
from hepcnn.validation.running import run_check

#: Of the events of `make validate`, by check: where bands are narrow, all of them.
STATISTICS = {
    "angle": 1.0,
    "photoelectrons": 1.0,
    "separation": 1.0,
    "identification": 1.0,
    "tag_and_probe": 0.1,
}
LESS = 0.3
SEED = 20190305


def dense(geometry):
    """A tenth more gas."""
    result = {}
    for name, rich in geometry.items():
        new = rich.radiator.gas.model_copy(update={"density": 1.1 * rich.radiator.gas.density})
        radiator = rich.radiator.model_copy(update={"gas": new})
        result[name] = rich.model_copy(update={"radiator": radiator})
    return result


def coarse(geometry):
    """Pixels of twice the size, in the same tubes."""
    result = {}
    for name, rich in geometry.items():
        pixels = [
            p.model_copy(update={"size": 2 * p.size, "count": p.count // 2}) for p in rich.pixels
        ]
        result[name] = rich.model_copy(update={"pixels": pixels})
    return result


def inefficient(geometry):
    """A quarter of the light lost."""
    result = {}
    for name, rich in geometry.items():
        efficiency = rich.efficiency.model_copy(update={"scale": 0.75 * rich.efficiency.scale})
        result[name] = rich.model_copy(update={"efficiency": efficiency})
    return result


def same(geometry):
    return geometry


def run(name, alter=same, statistics=None, geometry="lhcb-run3", **settings):
    setup = Setup(
        RichSimulation(**settings),
        alter(load_geometry(geometry)),
        bands_of(geometry),
        statistics or STATISTICS.get(name, LESS),
    )
    return run_check(CHECKS, name, setup, SEED)


def failed(check):
    return [row.quantity for row in check.rows if not row.passed]


@pytest.mark.parametrize("name", CHECKS)
def test_checks_pass_on_the_defaults(name):
    check = run(name)
    assert not failed(check)
    assert check.name == name
    assert check.draw().axes


@pytest.mark.parametrize(
    ("name", "alter", "settings", "quantity"),
    [
        ("angle", same, {"index_shift": 2e-5}, "arccos(1/nβ)"),
        ("angle", same, {"index_shift": -1e-4}, "turn-on"),
        ("photoelectrons", inefficient, {}, "hits of a saturated ring"),
        ("photoelectrons", same, {"dead_tubes": 0.2}, "hits of a saturated ring"),
        ("resolution", coarse, {}, "pixel"),
        ("resolution", same, {"tracking_angle": 0.9}, "tracking"),
        ("bias", same, {"index_shift": 2e-5}, "slices of φ"),
        ("radius", dense, {}, "RICH2"),
        ("occupancy", same, {"unreconstructed": 6.0}, "busiest"),
        ("occupancy", same, {"tracks_spread": 0.0, "dark_hits": 9000.0}, "hits an event"),
        ("identification", same, {"index_shift": 2e-4}, "Δ ln L > 0"),
        ("identification", same, IDEAL, "π→K of Δ ln L > 5"),
        ("separation", coarse, {}, "RICH1: K–π at 20 GeV"),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_checks_fail_on_what_is_wrong(name, alter, settings, quantity):
    statistics = 0.2 if name in ("separation", "resolution", "identification") else None
    assert any(quantity in row for row in failed(run(name, alter, statistics, **settings)))


def test_closure_sees_two_microradians(monkeypatch):
    real = angle.photon_angles

    def shifted(*arguments):
        theta, phi = real(*arguments)
        return theta + 2e-6, phi

    monkeypatch.setattr(angle, "photon_angles", shifted)
    assert len([q for q in failed(run("bias", statistics=0.05)) if "known emission" in q]) == 2


def test_checks_are_a_function_of_the_seed():
    setup = Setup(RichSimulation(), load_geometry("lhcb-run3"), bands_of("lhcb-run3"), LESS)
    first, again, other = (run_check(CHECKS, "radius", setup, seed) for seed in (1, 1, 2))
    assert first.rows == again.rows != other.rows


@pytest.mark.validate
@pytest.mark.parametrize("geometry", BANDS)
@pytest.mark.parametrize("name", CHECKS)
def test_checks_pass_for_each_geometry(geometry, name):
    assert not failed(run(name, geometry=geometry, statistics=1.0))


def test_a_geometry_of_which_nothing_is_published_is_refused():
    with pytest.raises(InputError, match="geometry 'lhcb-run5' has no published figures"):
        bands_of("lhcb-run5")


def test_rates_count_each_bins_own_tracks():
    p = np.array([1.0, 1, 1, 1, 2.5, 2.5, 5])
    kaon = np.array([True, True, False, False, True, True, False])
    delta = np.array([3.0, -1, -2, 1, 1, 1, 1])
    found = rates(p, delta, kaon, np.array([0.0, 2, 3, 4]))
    np.testing.assert_array_equal(found["efficiency"], [0.5, np.nan, np.nan])
    np.testing.assert_array_equal(found["misid"], [0.5, np.nan, np.nan])
    np.testing.assert_array_equal(found["tight"], [0.5, np.nan, np.nan])
    firm = rates(p, delta, kaon, np.array([0.0, 2, 3, 4]), 2.0)
    np.testing.assert_array_equal(firm["efficiency"], [0.5, np.nan, np.nan])
    np.testing.assert_array_equal(firm["misid"], [0.0, np.nan, np.nan])


def test_chosen_events_keep_their_tracks_and_hits():
    setup = Setup(RichSimulation(), load_geometry("lhcb-run3"), bands_of("lhcb-run3"))
    events = setup.simulate(np.random.default_rng(1), 6, **QUIET)
    some = chosen(events, np.array([False, True, True, False, False, True]))
    some.validate()
    expected = [events.part(i, i + 1) for i in (1, 2, 5)]
    np.testing.assert_array_equal(
        some.hits["position"], np.concatenate([e.hits["position"] for e in expected])
    )
    np.testing.assert_array_equal(np.diff(some.track_offsets), [e.n_tracks for e in expected])


@pytest.mark.parametrize("rich", ["rich1", "rich2"])
def test_own_photons_are_those_of_their_tracks(rich):
    """Each photon's angle is some Cherenkov angle, and its track is in that RICH."""
    setup = Setup(RichSimulation(), load_geometry("lhcb-run3"), bands_of("lhcb-run3"))
    events = setup.simulate(np.random.default_rng(1), 20, **QUIET, mixture={"electron": 1})
    photons = own_photons(events, rich, setup.geometry[rich])
    entry, _, _ = segment(events, rich)
    assert np.isfinite(entry[photons.track]).all()
    middle = {"rich1": 0.053, "rich2": 0.0305}[rich]
    assert np.median(photons.theta) == pytest.approx(middle, abs=5e-4)
    assert np.abs(photons.theta - middle).max() < 0.01
