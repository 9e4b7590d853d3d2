"""Two processes on the CPU do what one does, but for the last bits and the dropout."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from hepcnn.config import Train
from hepcnn.errors import InputError
from hepcnn.learning import hardware, timing, training
from hepcnn.learning.checkpoint import Checkpoint
from hepcnn.learning.hardware import Hardware, choose, threads
from hepcnn.learning.heads.classification import ClassificationHead
from hepcnn.learning.progress import TrainingProgress

pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason="devices are GPUs here")


def test_two_processes_train_as_one(run, make_config, capfd):
    """Without dropout: the same images in the same steps, gradients averaged.

    In 32 bits: of gradients near 0, Adam's steps in bf16 differ with the sums' order.
    """
    networks = {"mlp": {"options": {"hidden": [16], "dropout": 0}}}
    settings = {"epochs": 2, "balance": "class", "networks": networks, "precision": "32"}
    one, two = run("one", **settings), run("two", devices=2, **settings)
    assert "2 × cpu" in capfd.readouterr().err
    first, second = (Checkpoint.load(folder / "checkpoint.ckpt") for folder in (one, two))
    for name, weights in first.weights.items():
        torch.testing.assert_close(weights, second.weights[name], rtol=1e-3, atol=1e-5)
    rows = [np.loadtxt(f / "history.csv", delimiter=",", skiprows=1) for f in (one, two)]
    np.testing.assert_allclose(*rows, rtol=1e-3)


def test_two_processes_train_ours_as_one(run_ours):
    settings = {"epochs": 1, "precision": "32"}
    one, two = run_ours("one", **settings), run_ours("two", devices=2, **settings)
    rows = [np.loadtxt(f / "history.csv", delimiter=",", skiprows=1) for f in (one, two)]
    np.testing.assert_allclose(*rows, rtol=0.02)


@pytest.mark.parametrize(
    ("capabilities", "precision"),
    [({}, "32-true"), ({"avx512_bf16": True}, None), ({"amx_bf16": True}, None)],
)
def test_every_cpu_trains_in_32_bits_and_is_timed_only_if_wanted(
    monkeypatch, capabilities, precision
):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert choose(Train(precision="fastest")) == ("cpu", 1, precision)
    assert choose(Train()) == ("cpu", 1, "32-true")
    assert choose(Train(precision="32")).precision == "32-true"
    assert choose(Train(precision="bf16")).precision == "bf16-mixed"


def test_gpus(monkeypatch):
    """As far as can be told without one."""
    monkeypatch.setattr(hardware.torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(hardware.torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(hardware.torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    assert choose(Train()) == ("gpu", 4, "bf16-mixed")
    assert choose(Train(precision="fastest")).precision is None
    assert choose(Train(devices=2, precision="16")) == ("gpu", 2, "16-mixed")
    with pytest.raises(InputError, match=r"train\.devices: 8, but this machine has 4 GPUs"):
        choose(Train(devices=8))


@pytest.fixture
def seconds(monkeypatch):
    """Let a CPU that computes in bf16 take so many seconds a step, in 32 bits and in bf16."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})

    def setter(*taken):
        monkeypatch.setattr(timing, "step_seconds", lambda *_: taken)

    return setter


@pytest.mark.parametrize(
    ("taken", "precision"), [((2, 1), "bf16"), ((1, 2), "32"), ((1.0, 0.95), "32")]
)
def test_fastest_is_what_was_measured_and_nothing_else(run, seconds, capfd, taken, precision):
    """Weights are those of a training in that precision, bit by bit."""
    seconds(*taken)
    one, two = run("one", precision="fastest"), run("two", precision=precision)
    said = f"a step takes {taken[0]:.4f} s in 32 bits, {taken[1]:.4f} s in bf16"
    assert said in capfd.readouterr().err
    assert (one / "history.csv").read_bytes() == (two / "history.csv").read_bytes()
    first, second = (Checkpoint.load(folder / "checkpoint.ckpt").weights for folder in (one, two))
    assert all(torch.equal(weights, second[name]) for name, weights in first.items())


@pytest.mark.parametrize("network", ["mlp", "sparse"])
def test_the_timing_itself_changes_nothing(run, monkeypatch, network):
    """Whatever it finds here: dropout, order and weights are those of a training without it."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    monkeypatch.setattr(timing, "GAIN", 1e9)  # 32 bits
    times = []
    measure = timing.step_seconds
    monkeypatch.setattr(timing, "step_seconds", lambda *a: times.append(measure(*a)) or times[-1])
    tower = {"architecture": "siamese", "options": {"backbone": "sparse_tower"}}
    own = {"networks": {"mlp": tower}} if network == "sparse" else {}
    one, two = (run(name, epochs=1, precision=name, **own) for name in ("fastest", "32"))
    assert min(*times) > 0
    assert (one / "history.csv").read_bytes() == (two / "history.csv").read_bytes()
    first, second = (Checkpoint.load(folder / "checkpoint.ckpt").weights for folder in (one, two))
    assert all(torch.equal(weights, second[name]) for name, weights in first.items())


@pytest.mark.parametrize("after", [0, 1])
def test_a_training_that_goes_on_keeps_its_precision(run, seconds, monkeypatch, after):
    """Also where it was stopped before the first epoch was done."""
    whole = run("whole", precision="bf16")
    seconds(2, 1)
    save = TrainingProgress.save

    def saving(self, folder):
        save(self, folder)
        if self.epoch == after:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(TrainingProgress, "save", saving)
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            run("out", precision="fastest")
    seconds(1, 2)  # now it would be 32 bits
    out = run("out", precision="fastest")
    assert (out / "history.csv").read_bytes() == (whole / "history.csv").read_bytes()


def test_32_bits_are_tf32_only_where_it_is_wanted(run):
    run(tf32=True, epochs=1)
    # Its temperature is fitted to scores in 32 bits.
    assert not torch.backends.cudnn.allow_tf32
    hardware.compute_in_32_bits(True)
    assert torch.backends.cudnn.allow_tf32
    assert torch.backends.cuda.matmul.allow_tf32
    hardware.compute_in_32_bits()
    assert not torch.backends.cuda.matmul.allow_tf32


def test_threads_are_shared_by_processes_and_sparse_networks_have_one(monkeypatch):
    monkeypatch.setattr(hardware, "available", lambda: 8)
    assert [threads(False), threads(False, 3), threads(False, 9), threads(True)] == [8, 2, 1, 1]


@pytest.mark.parametrize(("precision", "refused"), [("bf16", True), ("fastest", False)])
def test_bf16_is_refused_where_a_cpu_computes_it_wrongly(run, monkeypatch, precision, refused):
    """Where the last maps have one column; measured faster, it is not chosen either."""
    monkeypatch.setattr(timing, "step_seconds", lambda *_: (1.0, 0.1))
    tower = {"architecture": "siamese", "options": {"backbone": "tower"}}
    settings = {"epochs": 1, "networks": {"mlp": tower}, "precision": precision}
    if refused:
        with pytest.raises(
            InputError, match=r"bf16: 'towers\.0\.down3\.0' sees maps of one column"
        ):
            run(**settings)
    else:
        folder = run(**settings)
        assert np.isfinite(np.loadtxt(folder / "history.csv", delimiter=",", skiprows=1)).all()


@pytest.mark.parametrize(("sparse", "expected"), [(True, 1), (False, 2)])
def test_a_training_computes_with_its_threads_and_leaves_the_number(
    run, make_shards, tmp_path, monkeypatch, sparse, expected
):
    monkeypatch.setattr(hardware, "available", lambda: 2)
    (tmp_path / "larger").mkdir()
    images = make_shards(tmp_path / "larger", events=200, shape=(32, 32))
    seen = []
    loss = ClassificationHead.loss
    monkeypatch.setattr(
        ClassificationHead,
        "loss",
        lambda *a: (seen.append(torch.get_num_threads()), loss(*a))[1],
    )
    backbone = "sparse_tower" if sparse else "tower"
    run(
        images=images,
        epochs=1,
        networks={"mlp": {"architecture": "siamese", "options": {"backbone": backbone}}},
    )
    assert set(seen) == {expected}
    assert torch.get_num_threads() == 1  # as the tests have it


def test_two_processes_say_how_they_normalise(run, capfd):
    tower = {"architecture": "siamese", "options": {"backbone": "sparse_tower"}}
    run(epochs=1, devices=2, networks={"mlp": tower})
    assert "batch normalisation is over each process's part" in capfd.readouterr().err


@pytest.mark.parametrize(("kind", "devices"), [("gpu", 2), ("gpu", 1), ("cpu", 2)])
def test_several_gpus_normalise_together(monkeypatch, kind, devices):
    """As far as can be told without them."""
    given = {}

    class Trainer:
        def __init__(self, **settings):
            given.update(settings)

        def fit(self, module):
            pass

    monkeypatch.setattr(training, "Trainer", Trainer)
    data = SimpleNamespace(train=[], validation=[])
    module = SimpleNamespace(
        data=data, network=torch.nn.Linear(1, 1), settings=Train(), state=TrainingProgress()
    )
    training.fit(module, Hardware(kind, devices, "32-true"), "name")
    assert given["sync_batchnorm"] is (kind == "gpu" and devices > 1)


def test_bf16_trains(run):
    """Slow where it is emulated, but the same task is learnt."""
    folder = run(precision="bf16", epochs=3)
    assert Checkpoint.load(folder / "checkpoint.ckpt").history[-1]["validation_accuracy"] > 0.9
