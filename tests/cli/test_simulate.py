import uproot
import yaml
from click.testing import CliRunner

from hepcnn.cli.main import main

CONFIG = {
    "samples": {
        "rings": {"simulate": {"events": 4, "tracks": 5}},
        "argon": {"detector": "lartpc", "simulate": {"events": 4}},
    },
    "images": {},
    "tasks": {},
}


def run(tmp_path, detector, *arguments):
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump(CONFIG))
    command = ["simulate", detector, "--config", str(config), "-o", str(tmp_path / "x.root")]
    return CliRunner().invoke(main, [*command, *arguments])


def entries(tmp_path):
    with uproot.open(tmp_path / "x.root") as file:
        return file["events"].num_entries


def test_a_shard_of_each_detector_is_written(tmp_path):
    for detector, sample in (("rich", "rings"), ("lartpc", "argon")):
        result = run(tmp_path, detector, "--sample", sample, "--shard", "2")
        assert result.exit_code == 0, result.output
        assert entries(tmp_path) == 1


def test_a_number_of_events_can_be_asked_for(tmp_path):
    result = run(tmp_path, "lartpc", "--sample", "argon", "--events", "3", "--seed", "5")
    assert result.exit_code == 0, result.output
    assert entries(tmp_path) == 3


def test_a_sample_of_another_detector_is_refused(tmp_path):
    for detector, sample, right in (("rich", "argon", "lartpc"), ("lartpc", "rings", "rich")):
        result = run(tmp_path, detector, "--sample", sample)
        assert result.exit_code == 1
        assert f"hepcnn simulate {right}" in result.output
        assert not (tmp_path / "x.root").exists()
