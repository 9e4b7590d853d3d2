"""A killed training goes on as if nothing had been."""

import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from hepcnn.learning.checkpoint import Checkpoint
from hepcnn.learning.progress import TrainingProgress
from hepcnn.learning.training import train

SETTINGS = {
    "epochs": 4,
    "patience": 4,
    "batch_size": 4,
    "schedule": "cosine",
    "balance": "sampler",
}


def same(first, second):
    """Compare results bit by bit, but for the versions: the repository may go on meanwhile."""
    assert {path.name for path in first.iterdir()} == {"checkpoint.ckpt", "history.csv"}
    one, other = (Checkpoint.load(folder / "checkpoint.ckpt") for folder in (first, second))
    assert one.history == other.history
    assert one.provenance | {"versions": {}} == other.provenance | {"versions": {}}
    assert (first / "history.csv").read_bytes() == (second / "history.csv").read_bytes()
    return all(torch.equal(w, other.weights[name]) for name, w in one.weights.items())


def command(config, shards, folder):
    path = folder.with_suffix(".json")
    path.write_text(config.model_dump_json(exclude_defaults=True))
    program = [sys.executable, "-c", "from hepcnn.cli.main import main; main()", "train"]
    options = ["--config", path, "--task", "pid", "--network", "mlp", "-o", folder]
    return [*map(str, [*program, *shards, *options])]


def test_a_training_killed_within_an_epoch_ends_the_same(make_config, shards, tmp_path):
    """Dropout, order, sampler, Adam, schedule and the best epoch's weights, bit by bit."""
    config = make_config(**SETTINGS)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    train(shards, config, "pid", "mlp", whole)

    run = command(config, shards, killed)
    with subprocess.Popen(run, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr:
            if line.startswith("epoch 2:"):
                break
        time.sleep(0.05)  # an epoch takes about 0.3 s
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not list(killed.iterdir())
    assert len(list(tmp_path.glob(".killed.progress-*"))) == 1

    again = subprocess.run(run, stderr=subprocess.PIPE, text=True, check=True)
    assert "going on after epoch 2" in again.stderr
    assert "epoch 2:" not in again.stderr
    assert same(killed, whole)
    assert not list(tmp_path.glob(".killed.progress-*"))


def interrupted(monkeypatch, after):
    """Let a training be interrupted after so many epochs, once its progress is saved."""
    save = TrainingProgress.save

    def saving(self, folder):
        save(self, folder)
        if self.epoch == after:
            raise KeyboardInterrupt

    monkeypatch.setattr(TrainingProgress, "save", saving)


@pytest.mark.parametrize("when", ["first", "best", "last"])
def test_early_stopping_goes_on(run, monkeypatch, when):
    """Interrupted after the first epoch, after the best one, and when all was done but the move."""
    settings = {"epochs": 30, "patience": 2, "learning_rate": 0.1, "seed": 1}
    whole = run("whole", **settings)
    losses = np.loadtxt(whole / "history.csv", delimiter=",", skiprows=1)[:, 4]
    after = {"first": 1, "best": 1 + losses.argmin(), "last": len(losses)}[when]
    assert len(losses) == 1 + losses.argmin() + 2 < 30
    with monkeypatch.context() as patch:
        interrupted(patch, after)
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            run("killed", **settings)
    killed = run("killed", **settings)
    assert (killed / "checkpoint.ckpt").read_bytes() == (whole / "checkpoint.ckpt").read_bytes()
    assert (killed / "history.csv").read_bytes() == (whole / "history.csv").read_bytes()


def test_ours_goes_on(run_ours, monkeypatch):
    settings = {"epochs": 3, "schedule": "cosine", "balance": "class"}
    whole = run_ours("whole", **settings)
    with monkeypatch.context() as patch:
        interrupted(patch, 2)
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            run_ours("killed", **settings)
    killed = run_ours("killed", **settings)
    assert (killed / "checkpoint.ckpt").read_bytes() == (whole / "checkpoint.ckpt").read_bytes()


def test_other_settings_begin_anew(run, tmp_path, monkeypatch, capfd):
    with monkeypatch.context() as patch:
        interrupted(patch, 2)
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            run("out")
    run("out", learning_rate=0.02)
    assert "going on" not in capfd.readouterr().err
    assert not list(tmp_path.glob(".out.progress-*"))


def test_damaged_progress_begins_anew(run, tmp_path, monkeypatch, capfd):
    whole = run("whole")
    with monkeypatch.context() as patch:
        interrupted(patch, 2)
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            run("out")
    (path,) = tmp_path.glob(".out.progress-*/*")
    path.write_bytes(path.read_bytes()[:1000])
    assert same(run("out"), whole)
    assert "unreadable, the training begins anew" in capfd.readouterr().err
