import json

import pytest
import yaml
from click.testing import CliRunner

from hepcnn.cli.main import main
from hepcnn.validation.rich import run as validation


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """The quickest of the checks stands for all."""
    monkeypatch.setattr(validation, "CHECKS", {"radius": validation.CHECKS["radius"]})


def run(tmp_path, config, *arguments, folder="v"):
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    command = ["validate", "rich", "--config", str(path), "-o", str(tmp_path / folder)]
    return CliRunner().invoke(main, [*command, *arguments])


def test_passes_prints_and_writes(tmp_path):
    result = run(tmp_path, {})
    assert result.exit_code == 0, result.output
    assert "mean radius of saturated rings" in result.output
    record = json.loads((tmp_path / "v/checks.json").read_text())
    assert [r["result"] for r in record["records"]] == ["pass", "pass"]
    assert record["provenance"]["seed"] == 20190305
    assert record["provenance"]["settings"]["sample"] == "rich"
    assert {p.name for p in (tmp_path / "v/figures").iterdir()} == {"radius.png", "radius.pdf"}


def test_a_failure_is_written_and_gives_status_3(tmp_path):
    shifted = {"samples": {"odd": {"simulate": {"index_shift": 3e-4}}}}
    shifted |= {"images": {}, "tasks": {}}
    result = run(tmp_path, shifted)
    assert result.exit_code == 3
    assert "FAIL" in result.output
    assert "FAIL" in (tmp_path / "v/checks.csv").read_text()


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    for folder in ("a", "b"):
        run(tmp_path, {}, folder=folder)
    run(tmp_path, {"seed": 3}, folder="c")
    for path in (tmp_path / "a").rglob("*.*"):
        assert path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes()
    assert (tmp_path / "a/checks.csv").read_bytes() != (tmp_path / "c/checks.csv").read_bytes()


def test_the_sample_named_is_validated(tmp_path):
    samples = {
        "first": {"geometry": "lhcb-run3", "simulate": {}},
        "old": {"geometry": "lhcb-run1", "simulate": {}},
    }
    config = {"samples": samples, "images": {}, "tasks": {}}
    result = run(tmp_path, config, "--sample", "old")
    assert result.exit_code == 0, result.output
    assert "lhcb-run1" in json.loads((tmp_path / "v/checks.json").read_text())["caption"]


@pytest.mark.parametrize(
    ("samples", "arguments", "message"),
    [
        ({"mine": {"files": ["a.root"]}}, [], "no sample of the configuration is simulated"),
        ({"mine": {"files": ["a.root"]}}, ["--sample", "mine"], "'mine' has files"),
        ({"rich": {"simulate": {}}}, ["--sample", "rihc"], "did you mean 'rich'"),
    ],
)
def test_what_cannot_be_validated_is_said(tmp_path, samples, arguments, message):
    result = run(tmp_path, {"samples": samples, "images": {}, "tasks": {}}, *arguments)
    assert result.exit_code == 1
    assert message in result.output
    assert not (tmp_path / "v").exists()
