"""The checks of tracks, showers and decays: they pass on the defaults, fail on what is wrong."""

import numpy as np
import pytest

from hepcnn.config import LArTPCSimulation
from hepcnn.detector.tpc import load_tpc
from hepcnn.simulation.lartpc.ionisation import W, recombination
from hepcnn.validation.lartpc.calorimetry import drifted_electrons, energy_loss, shower_energy
from hepcnn.validation.lartpc.peaks import falling_edge, histogram, peak
from hepcnn.validation.lartpc.run import CHECKS
from hepcnn.validation.lartpc.setup import Setup
from hepcnn.validation.running import run_check

TPC = load_tpc("microboone")


def run(name, statistics, **settings):
    return run_check(CHECKS, name, Setup(LArTPCSimulation(**settings), TPC, statistics), 20190305)


def failed(check):
    return [row.quantity for row in check.rows if not row.passed]


@pytest.mark.parametrize(
    ("name", "statistics"),
    [
        ("muon_loss", 0.2),
        ("residual_range", 0.5),
        ("shower_start", 0.25),
        ("conversion", 0.4),
        ("michel_edge", 0.5),
        ("multiple_scattering", 0.35),
        ("pion_mass", 0.25),
    ],
)
def test_checks_pass_on_the_defaults(name, statistics):
    """Each with enough events for its bands, and a figure."""
    check = run(name, statistics)
    assert not failed(check)
    assert check.draw().axes


@pytest.mark.validate
def test_shower_shape_passes_on_the_defaults():
    """It needs more showers than a quick test has time for."""
    assert not failed(run("shower_shape", 1.0))


@pytest.mark.parametrize("model", ["birks", "off"])
def test_other_recombination_is_undone_as_well(model):
    """Only the charge changes."""
    assert not failed(run("residual_range", 0.3, recombination=model))


@pytest.mark.parametrize(
    ("name", "settings", "quantity"),
    [
        ("muon_loss", {"fluctuations": False}, "most probable"),
        ("multiple_scattering", {"scattering": False}, "10 cm"),
    ],
)
def test_checks_fail_without_the_process(name, settings, quantity):
    """A process that is switched off is missed."""
    assert any(quantity in row for row in failed(run(name, 0.05, **settings)))


@pytest.mark.parametrize("model", ["box", "birks", "off"])
def test_recombination_is_undone(model):
    """dE/dx to charge and back."""
    loss = np.array([1.5, 2.1, 4.2, 10.0, 20.0])
    length = np.array([3.0, 3.0, 3.5, 5.0, 1.0])
    electrons = loss * length / 10 / W * recombination(loss, TPC.drift.field, model)
    assert energy_loss(electrons, length, TPC, model) == pytest.approx(loss)


def test_the_drift_is_undone():
    """Charge that drifted one lifetime is e times as much."""
    ticks = 1000 * TPC.drift.lifetime / TPC.readout.tick
    there, here = drifted_electrons([1.0, 1.0], TPC.readout.trigger + np.array([ticks, 0]), TPC)
    assert there / here == pytest.approx(np.e)
    assert here == pytest.approx(1 / TPC.electronics.area_per_electron)


def test_shower_energy_is_linear():
    """A shower of minimum-ionising electrons keeps about two thirds of its charge."""
    assert shower_energy(2e6, TPC, "box") == pytest.approx(2 * shower_energy(1e6, TPC, "box"))
    assert shower_energy(1e6, TPC, "box") == pytest.approx(1e6 * W / 0.62, rel=0.03)


def test_peaks_and_edges_are_found():
    """Of a Gaussian, and of a box."""
    rng = np.random.default_rng(1)
    assert peak(histogram(rng.normal(3, 1, 40000), (0, 6), 60)) == pytest.approx(3, abs=0.05)
    assert falling_edge(histogram(rng.uniform(1, 4, 9000), (0, 6), 60)) == pytest.approx(4, abs=0.1)
