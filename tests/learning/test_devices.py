"""Two processes on the CPU do what one does, but for the last bits and the dropout."""

import numpy as np
import pytest
import torch

from hepcnn.config import Train
from hepcnn.errors import InputError
from hepcnn.learning import hardware
from hepcnn.learning.checkpoint import Checkpoint
from hepcnn.learning.hardware import choose

pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason="devices are GPUs here")


def test_two_processes_train_as_one(run, make_config, capfd):
    """Without dropout: the same images in the same steps, gradients averaged."""
    networks = {"mlp": {"options": {"hidden": [16], "dropout": 0}}}
    settings = {"epochs": 2, "balance": "class", "networks": networks}
    one, two = run("one", **settings), run("two", devices=2, **settings)
    assert "2 × cpu" in capfd.readouterr().err
    first, second = (Checkpoint.load(folder / "checkpoint.ckpt") for folder in (one, two))
    for name, weights in first.weights.items():
        torch.testing.assert_close(weights, second.weights[name], rtol=1e-3, atol=1e-5)
    rows = [np.loadtxt(f / "history.csv", delimiter=",", skiprows=1) for f in (one, two)]
    np.testing.assert_allclose(*rows, rtol=1e-3)


def test_two_processes_train_ours_as_one(run_ours):
    one, two = run_ours("one", epochs=1), run_ours("two", epochs=1, devices=2)
    rows = [np.loadtxt(f / "history.csv", delimiter=",", skiprows=1) for f in (one, two)]
    np.testing.assert_allclose(*rows, rtol=0.02)


@pytest.mark.parametrize(
    ("capabilities", "precision"),
    [({}, "32-true"), ({"avx512_bf16": True}, "bf16-mixed"), ({"amx_bf16": True}, "bf16-mixed")],
)
def test_auto_precision_is_what_the_cpu_computes_in(monkeypatch, capabilities, precision):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert choose(Train()) == ("cpu", 1, precision)
    assert choose(Train(precision="32")).precision == "32-true"
    assert choose(Train(precision="bf16")).precision == "bf16-mixed"


def test_gpus(monkeypatch):
    """As far as can be told without one."""
    monkeypatch.setattr(hardware.torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(hardware.torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(hardware.torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    assert choose(Train()) == ("gpu", 4, "bf16-mixed")
    assert choose(Train(devices=2, precision="16")) == ("gpu", 2, "16-mixed")
    with pytest.raises(InputError, match=r"train\.devices: 8, but this machine has 4 GPUs"):
        choose(Train(devices=8))


def test_bf16_trains(run):
    """Slow where it is emulated, but the same task is learnt."""
    folder = run(precision="bf16", epochs=3)
    assert Checkpoint.load(folder / "checkpoint.ckpt").history[-1]["validation_accuracy"] > 0.9
