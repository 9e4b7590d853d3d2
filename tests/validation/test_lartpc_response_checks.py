"""The checks of what a TPC's wires see: they pass on the defaults and fail on what is wrong."""

import json

import numpy as np
import pytest
import yaml
from click.testing import CliRunner

from hepcnn.cli.main import main
from hepcnn.config import LArTPCSimulation
from hepcnn.detector.tpc import PLANES, load_tpc
from hepcnn.simulation.lartpc import response
from hepcnn.validation.lartpc import run as validation
from hepcnn.validation.lartpc.response_checks import occupancy
from hepcnn.validation.lartpc.run import CHECKS
from hepcnn.validation.lartpc.setup import Setup, even_track
from hepcnn.validation.running import run_check

TPC = load_tpc("microboone")
NAMES = ("pulse_width", "noise", "planes")


def run(name, seed=20190305, statistics=0.5, tpc=TPC, **settings):
    return run_check(CHECKS, name, Setup(LArTPCSimulation(**settings), tpc, statistics), seed)


def failed(check):
    return [row.quantity for row in check.rows if not row.passed]


@pytest.mark.parametrize("name", NAMES)
def test_checks_pass_on_the_defaults(name):
    check = run(name, statistics=1.0)
    assert not failed(check)
    assert check.draw().axes


@pytest.mark.parametrize(
    ("name", "settings", "quantity"),
    [
        ("pulse_width", {"diffusion": False}, "D_L from the slope"),
        ("noise", {"noise": False}, "RMS of the noise (ADC)"),
        ("noise", {"noise": False}, "hits of noise an event"),
    ],
)
def test_checks_fail_on_what_is_switched_off(name, settings, quantity):
    assert any(quantity in row for row in failed(run(name, **settings)))


def test_a_plane_that_loses_charge_is_seen(monkeypatch):
    real = response.Response.hits

    def lossy(self, *arguments):
        hits = real(self, *arguments)
        hits.charge[hits.plane == 1] *= 0.9
        return hits

    monkeypatch.setattr(response.Response, "hits", lossy)
    assert failed(run("planes", statistics=0.2)) == ["V: charge over the planes' mean"]


def altered(**changes):
    """The TPC with parts of it changed."""
    parts = {name: getattr(TPC, name).model_copy(update=c) for name, c in changes.items()}
    return TPC.model_copy(update=parts)


def test_the_width_of_pulses_is_told_apart_into_shaping_and_diffusion():
    check = run("pulse_width", statistics=1.0, tpc=altered(electronics={"shaping": 1.2}))
    assert not failed(check)
    real = TPC.drift.diffusion
    half = real.model_copy(update={"longitudinal": 0.5 * real.longitudinal})
    check = run("pulse_width", tpc=altered(drift={"diffusion": half}))
    found = [row.value for row in check.rows if "D_L" in row.quantity]
    assert found == pytest.approx([0.5 * real.longitudinal] * 3, rel=0.1)


def test_checks_are_a_function_of_the_seed():
    first, again, other = (run("noise", seed) for seed in (1, 1, 2))
    assert first.rows == again.rows != other.rows


def test_occupied_pixels_are_counted_once():
    setup = Setup(LArTPCSimulation(), TPC)
    events = setup.simulate(np.random.default_rng(1), 1, noise=False, deposits=False)
    hits = {
        "plane": np.array([2, 2, 2, 0], np.int8),
        "wire": np.array([7, 7, 8, 0], np.int32),
        "time": np.array([9.0, 10.0, 9.0, 0.0], np.float32),
        "rms": np.array([0.5, 3.0, 0.0, 0.0], np.float32),
    }
    events = events.part(0, 1)
    events.hits.clear()
    events.hits.update(hits)
    events.hit_offsets[1] = 4
    pixels = {plane: 1600 * TPC.wires(plane) for plane in PLANES}
    found = {
        plane: fraction[0] * pixels[plane] for plane, fraction in occupancy(events, TPC).items()
    }
    # The second hit, from tick 4 to 16, reaches three pixels, of which the first holds one.
    assert found == pytest.approx({"u": 1, "v": 0, "y": 4})


def test_even_tracks_lose_what_they_should():
    track = even_track((10, 0, 100), (10, 300, 500), loss=2.0)
    assert track.energy.sum() == pytest.approx(100)
    assert track.length.sum() == pytest.approx(500)
    np.testing.assert_allclose(track.position.mean(axis=0), (10, 150, 300))


class TestCommand:
    def run(self, tmp_path, *arguments, **changes):
        config = tmp_path / "config.yaml"
        argon = {"detector": "lartpc", "simulate": changes}
        samples = {"rings": {"simulate": {}}, "argon": argon}
        config.write_text(yaml.safe_dump({"samples": samples, "images": {}, "tasks": {}}))
        command = ["validate", "lartpc", "--config", str(config), "-o", str(tmp_path / "v")]
        return CliRunner().invoke(main, [*command, *arguments])

    @pytest.mark.parametrize(("noise", "status"), [(True, 0), (False, 3)])
    def test_the_status_says_whether_checks_passed(self, tmp_path, monkeypatch, noise, status):
        monkeypatch.setattr(validation, "CHECKS", {"noise": CHECKS["noise"]})
        result = self.run(tmp_path, noise=noise)
        assert result.exit_code == status, result.output
        assert "RMS of the noise" in result.output
        made = json.loads((tmp_path / "v/checks.json").read_text())
        assert "sample argon, geometry microboone" in made["caption"]
        assert {p.name for p in (tmp_path / "v/figures").iterdir()} == {"noise.png", "noise.pdf"}

    def test_a_sample_of_another_detector_is_refused(self, tmp_path):
        result = self.run(tmp_path, "--sample", "rings")
        assert result.exit_code == 1
        assert "'rings' is of the detector 'rich'" in result.output
