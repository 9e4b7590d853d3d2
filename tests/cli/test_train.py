"""`hepcnn train` and `hepcnn predict` as they are called."""

import re
import subprocess
import sys

import pytest
from click.testing import CliRunner
from precision import PRECISION

from hepcnn.cli.main import main
from hepcnn.store.predictions import read_predictions

CONFIG = f"""
samples: {{toy: {{files: [toy.root]}}}}
images: {{toy: {{sample: toy}}}}
tasks:
  pid:
    images: toy
    networks: {{mlp: {{options: {{hidden: [16], dropout: 0.25}}}}, lenet5: {{}}}}
    train: {{epochs: 2, batch_size: 32, learning_rate: 0.01, precision: "{PRECISION}"}}
"""


@pytest.fixture(autouse=True)
def _here(make_shards, tmp_path, monkeypatch):
    """A folder with shards and a configuration."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "images").mkdir()
    make_shards(tmp_path / "images")
    (tmp_path / "config.yaml").write_text(CONFIG)


SHARDS = ["images/0000.h5", "images/0001.h5"]
TRAIN = ["train", *SHARDS, "--task", "pid", "--network", "mlp", "-o", "out"]


def run(*arguments):
    return CliRunner().invoke(main, arguments)


def test_train_then_predict(tmp_path):
    assert run(*TRAIN).exit_code == 0
    lines = (tmp_path / "out" / "history.csv").read_text().splitlines()
    assert lines[0] == (
        "epoch,learning_rate,train_loss,train_accuracy,"
        "validation_loss,validation_accuracy,validation_balanced_accuracy"
    )
    assert len(lines) == 3
    assert (
        run("predict", *SHARDS, "--checkpoint", "out/checkpoint.ckpt", "-o", "p.h5").exit_code == 0
    )
    found = read_predictions(tmp_path / "p.h5")
    assert (found.task, found.method, found.classes) == ("pid", "mlp", ("pion", "kaon", "proton"))
    assert found.cutflow[-2][0] == "in test split"


def test_predict_needs_no_configuration(tmp_path):
    run(*TRAIN)
    (tmp_path / "config.yaml").unlink()
    command = ["predict", *SHARDS, "--checkpoint", "out/checkpoint.ckpt", "-o", "p.h5"]
    assert run(*command, "--split", "all").exit_code == 0
    assert len(read_predictions(tmp_path / "p.h5")) == 400


def test_predict_a_baseline(tmp_path):
    command = ["predict", *SHARDS, "--task", "pid", "--baseline", "majority", "-o", "p.h5"]
    assert run(*command).exit_code == 0
    assert read_predictions(tmp_path / "p.h5").method == "majority"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mlp": "mpl"}, "no network 'mpl' in the configuration; did you mean 'mlp'"),
        ({"pid": "pit"}, "no task 'pit' in the configuration; did you mean 'pid'"),
        ({"mlp": "lenet5"}, r"network 'lenet5': images of 8 × 8 pixels are too small"),
        ({"images/0001.h5": "images/0002.h5"}, "images/0002.h5: no such file"),
        ({"images/0001.h5": "config.yaml"}, "config.yaml: not an HDF5 file"),
        ({"images/0001.h5": "images/0000.h5"}, "hold the same images"),
        ({"out": "config.yaml"}, "cannot write to 'config.yaml': File exists"),
    ],
)
def test_bad_input(tmp_path, change, message):
    result = run(*(change.get(word, word) for word in TRAIN))
    assert result.exit_code == 1
    assert re.search(f"hepcnn: error: .*{message}", result.stderr)
    assert {p.name for p in tmp_path.iterdir()} == {"images", "config.yaml"}


@pytest.mark.parametrize(
    "arguments",
    [[], ["--checkpoint", "c", "--task", "pid"], ["--task", "pid"], ["--baseline", "x"]],
)
def test_predict_with_either_a_checkpoint_or_a_baseline(arguments):
    result = run("predict", *SHARDS, *arguments, "-o", "p.h5")
    assert result.exit_code == 2
    assert "give either --checkpoint, or --task and --baseline" in result.stderr


def test_predict_with_what_is_no_checkpoint():
    result = run("predict", *SHARDS, "--checkpoint", "config.yaml", "-o", "p.h5")
    assert result.exit_code == 1
    assert "config.yaml: not a checkpoint of `hepcnn train`" in result.stderr


def test_help_and_baselines_do_not_wait_for_torch():
    """Importing it takes longer than all that a baseline does."""
    program = (
        "import sys; from hepcnn.cli.main import main; main(sys.argv[1:], standalone_mode=False); "
        "assert 'torch' not in sys.modules"
    )
    baseline = ["predict", *SHARDS, "--task", "pid", "--baseline", "majority", "-o", "p.h5"]
    for arguments in (["train", "--help"], ["predict", "--help"], baseline):
        subprocess.run([sys.executable, "-c", program, *arguments], check=True, capture_output=True)
