import csv
import shutil
import warnings

import h5py
import numpy as np
import pytest
import torch

from hepcnn.errors import InputError
from hepcnn.learning.checkpoint import Checkpoint
from hepcnn.learning.module import learning_rate
from hepcnn.learning.prediction import predict
from hepcnn.learning.training import train
from hepcnn.store.images import ImageSet
from hepcnn.store.predictions import read_predictions
from hepcnn.store.split import split_of


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def history(folder):
    with (folder / "history.csv").open() as file:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]


def test_learns_what_can_be_learnt(run, shards, tmp_path):
    folder = run(epochs=4)
    predict(shards, folder / "checkpoint.ckpt", tmp_path / "p.h5")
    scored = read_predictions(tmp_path / "p.h5")
    known = scored.label >= 0
    assert (scored.scores.argmax(axis=1) == scored.label)[known].mean() > 0.98
    rows = history(folder)
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    assert rows[-1]["validation_accuracy"] > 0.98
    assert rows[-1]["train_loss"] < rows[0]["train_loss"]


#: Predictions are in 32 bits: what bf16's 8 bits leave of logits is within 1 in 256.
IN_EACH = pytest.mark.parametrize(("precision", "close"), [("32", 1e-4), ("bf16", 2**-6)])


@IN_EACH
def test_history_is_of_the_validation_split_and_the_best_weights(
    run, shards, tmp_path, precision, close
):
    """Its last columns can be had from the checkpoint by prediction."""
    folder = run(epochs=2, precision=precision)
    predict(shards, folder / "checkpoint.ckpt", tmp_path / "p.h5", "validation")
    scored = read_predictions(tmp_path / "p.h5")
    known = scored.label >= 0
    true = scored.scores[known, scored.label[known]]
    last = history(folder)[-1]
    assert last["validation_loss"] == pytest.approx(-np.log(true).mean(), rel=close)
    right = scored.scores[known].argmax(axis=1) == scored.label[known]
    assert last["validation_accuracy"] == pytest.approx(right.mean(), abs=close)
    efficiencies = [right[scored.label[known] == k].mean() for k in range(3)]
    assert last["validation_balanced_accuracy"] == pytest.approx(np.mean(efficiencies), abs=close)


@IN_EACH
def test_ours_learns_what_can_be_learnt(run_ours, analytic_shards, tmp_path, precision, close):
    """Through views, channels, features and expected rows, to the file of predictions."""
    folder = run_ours(epochs=1, precision=precision)
    assert history(folder)[-1]["validation_accuracy"] > 0.9
    predict(analytic_shards, folder / "checkpoint.ckpt", tmp_path / "p.h5", "validation")
    scored = read_predictions(tmp_path / "p.h5")
    known = scored.label >= 0
    true = scored.scores[known, scored.label[known]]
    expected = pytest.approx(-np.log(true).mean(), rel=10 * close)
    assert history(folder)[-1]["validation_loss"] == expected


@pytest.mark.parametrize("balance", ["none", "class"])
def test_the_temperature_calibrates_the_validation_split(run, shards, tmp_path, balance):
    folder = run(balance=balance, epochs=8, learning_rate=0.03)
    trained = Checkpoint.load(folder / "checkpoint.ckpt")
    predict(shards, folder / "checkpoint.ckpt", tmp_path / "p.h5", "validation")
    scored = read_predictions(tmp_path / "p.h5")
    assert scored.temperature == trained.temperature != 1
    known = scored.label >= 0
    log, label = np.log(scored.scores[known].astype(float)), scored.label[known]
    weights = 1 / np.bincount(label)[label] if balance == "class" else np.ones(len(label))

    def loss(temperature):
        tempered = log / temperature
        tempered -= np.logaddexp.reduce(tempered, axis=1)[:, np.newaxis]
        return -(weights * tempered[np.arange(len(label)), label]).sum()

    assert loss(trained.temperature) < min(loss(0.8 * trained.temperature), loss(1)) + 1e-6
    assert loss(trained.temperature) < loss(1.25 * trained.temperature)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ({"features": ["p"]}, "network 'mlp': it takes no features"),
        ({"architecture": "aligned"}, "network 'aligned': it needs the expected angles"),
        ({"views": ["rich2"]}, "views: the images have no 'rich2'"),
    ],
)
def test_what_a_network_does_not_take_or_lacks_is_an_error(run, tmp_path, network, message):
    with pytest.raises(InputError, match=message):
        run(networks={"mlp": network})
    assert not list(tmp_path.glob("out/*"))


def test_equal_seeds_give_equal_bytes(run):
    first = files(run("a", seed=1))
    assert set(first) == {"checkpoint.ckpt", "history.csv"}
    assert files(run("b", seed=1)) == first
    assert files(run("c", seed=2))["history.csv"] != first["history.csv"]


def test_workers_change_nothing(run):
    weights = [
        Checkpoint.load(run(f"{n}", workers=n, epochs=2) / "checkpoint.ckpt").weights
        for n in (0, 2)
    ]
    for name in weights[0]:
        assert torch.equal(weights[0][name], weights[1][name])


def test_names_follow_the_header(make_shards, run, tmp_path):
    """Labels are indices: with the names permuted, the scores' names are, and nothing else."""
    orders = [("pion", "kaon", "proton"), ("proton", "pion", "kaon")]
    scored = []
    for i, classes in enumerate(orders):
        (tmp_path / f"{i}").mkdir()
        images = make_shards(tmp_path / f"{i}", classes=classes)
        folder = run(f"out{i}", images=images)
        predict(images, folder / "checkpoint.ckpt", tmp_path / f"{i}.h5")
        scored.append(read_predictions(tmp_path / f"{i}.h5"))
    assert [s.classes for s in scored] == orders
    np.testing.assert_array_equal(scored[0].scores, scored[1].scores)


@pytest.mark.parametrize("balance", ["none", "class", "sampler"])
def test_the_prior_is_what_the_balance_stands_for(make_shards, run, tmp_path, balance):
    """Where images tell nothing, the scores are the prior, and the losses agree with it."""
    abundance = (0.8, 0.05, 0.15)
    paths = make_shards(tmp_path, events=300, abundance=abundance, shape=(4, 1))
    for path in paths:  # no pixel is left
        _blind(path)
    folder = run(images=paths, balance=balance, epochs=12, patience=12, learning_rate=0.02)
    trained = Checkpoint.load(folder / "checkpoint.ckpt")
    expected = abundance if balance == "none" else (1 / 3, 1 / 3, 1 / 3)
    np.testing.assert_allclose(trained.prior, expected, atol=0.03)
    predict(paths, folder / "checkpoint.ckpt", tmp_path / "p.h5")
    scored = read_predictions(tmp_path / "p.h5")
    np.testing.assert_allclose(scored.scores.mean(axis=0), trained.prior, atol=0.06)
    np.testing.assert_array_equal(scored.prior, trained.prior)
    entropy = -(trained.prior * np.log(trained.prior)).sum()
    assert history(folder)[-1]["train_loss"] == pytest.approx(entropy, abs=0.1)
    assert history(folder)[-1]["validation_loss"] == pytest.approx(entropy, abs=0.12)


def _blind(path):
    with h5py.File(path, "a") as file:
        file["views/rich1/value"][:] = 0


@IN_EACH
def test_stops_early_and_keeps_the_best_weights(run, shards, tmp_path, precision, close):
    folder = run(epochs=30, patience=2, learning_rate=0.3, precision=precision)
    losses = [row["validation_loss"] for row in history(folder)]
    best = int(np.argmin(losses))
    assert len(losses) == best + 1 + 2 < 30
    predict(shards, folder / "checkpoint.ckpt", tmp_path / "p.h5", "validation")
    scored = read_predictions(tmp_path / "p.h5")
    known = scored.label >= 0
    loss = -np.log(scored.scores[known, scored.label[known]]).mean()
    assert loss == pytest.approx(losses[best], rel=10 * close)


def test_schedules(make_config):
    settings = make_config(epochs=4, learning_rate=0.1).tasks["pid"].train
    assert [learning_rate(settings, e) for e in range(4)] == [0.1] * 4
    settings = make_config(epochs=4, learning_rate=0.1, schedule="cosine").tasks["pid"].train
    expected = [0.1, 0.05 + 0.05 * 2**-0.5, 0.05, 0.05 - 0.05 * 2**-0.5]
    assert [learning_rate(settings, e) for e in range(4)] == pytest.approx(expected)


def test_the_schedule_is_used(run):
    rates = [row["learning_rate"] for row in history(run(schedule="cosine"))]
    assert rates == pytest.approx([0.01, 0.0075, 0.0025])


def test_the_callers_random_numbers_and_warnings_stay(run):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    filters = list(warnings.filters)
    run(epochs=1)
    assert torch.equal(torch.rand(1), expected)
    assert warnings.filters == filters


def test_nothing_but_the_results_is_left(run, tmp_path, monkeypatch, capfd):
    """No lightning_logs; no progress, of this or of a given-up training; no advice."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".out.progress-0123").mkdir()
    run(epochs=1)
    assert {p.name for p in tmp_path.iterdir()} == {"0000.h5", "0001.h5", "out"}
    out, err = capfd.readouterr()
    assert out == ""
    for line in err.splitlines():
        assert line.startswith(("pid/mlp: ", "epoch 1: ", str(tmp_path / "out")))


def test_test_events_and_other_particles_are_not_looked_at(shards, run, make_config, tmp_path):
    """Training gives the same weights whatever they are."""
    first = Checkpoint.load(run("a") / "checkpoint.ckpt").weights
    images = ImageSet(shards)
    test = split_of(images.key, make_config().split) == 2
    labels = np.where(test, (images.labels("species") + 2) % 3, images.labels("species"))
    others = []
    for i, path in enumerate(shards):
        others.append(shutil.copy(path, tmp_path / f"other{i}.h5"))
        with h5py.File(others[-1], "a") as file:
            file["truth/species"][:] = labels[images.offsets[i] : images.offsets[i + 1]]
            for row in np.flatnonzero(labels[images.offsets[i] : images.offsets[i + 1]] < 0):
                begin, end = file["views/rich1/offsets"][row : row + 2]
                file["views/rich1/value"][begin:end] = 9
    second = Checkpoint.load(run("b", images=others) / "checkpoint.ckpt").weights
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"split": {"train": 0, "validation": 0.5, "test": 0.5}},
            r"the train split is empty \(its fraction is 0\): .* 800 examples of 200 events",
        ),
        (
            {"split": {"train": 0.5, "validation": 0, "test": 0.5}},
            r"the validation split is empty \(its fraction is 0\)",
        ),
        ({"batch_size": 33, "devices": 2}, "33 cannot be shared equally by 2 devices"),
        ({"networks": {"mpl": {}}}, "no network 'mlp' in the configuration; did you mean 'mpl'"),
        ({"networks": {"mlp": {"architecture": "lecture"}}}, "no network 'lecture'"),
        ({"networks": {"mlp": {"options": {"hiden": [3]}}}}, "no option 'hiden'; .*'hidden'"),
    ],
)
def test_impossible_settings(run, tmp_path, settings, message):
    with pytest.raises(InputError, match=message):
        run(**settings)
    assert not list(tmp_path.glob("out/*"))


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU can")
def test_16_bits_need_a_gpu(run):
    with pytest.raises(InputError, match=r"train\.precision: 16 needs a GPU"):
        run(precision="16")


def test_one_class_is_not_enough(make_shards, run, tmp_path):
    paths = make_shards(tmp_path, abundance=(1, 0, 0))
    with pytest.raises(InputError, match="of these classes: pion; training needs at least two"):
        run(images=paths)


def test_a_class_missing_from_a_split_is_named(make_shards, run, tmp_path, capfd):
    """A rare species must not stop a small sample: it has the prior 0."""
    paths = make_shards(tmp_path, abundance=(0.5, 0.5, 0))
    folder = run(images=paths, balance="class", epochs=1)
    err = capfd.readouterr().err
    assert "the train split has no proton" in err
    assert "the validation split has no proton" in err
    np.testing.assert_allclose(Checkpoint.load(folder / "checkpoint.ckpt").prior, [0.5, 0.5, 0])


def test_a_diverged_training_is_an_error(run, tmp_path):
    with pytest.raises(InputError, match=r"diverged in epoch 1.*lower train.learning_rate"):
        run(learning_rate=1e38)
    assert not list(tmp_path.glob("out/*"))


def test_an_output_that_cannot_be_made_is_an_error(make_config, shards, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match=r"cannot write to '.*file/out': Not a directory"):
        train(shards, make_config(), "pid", "mlp", tmp_path / "file" / "out")


def test_each_training_of_a_network_has_a_seed_of_its_own(run, shards, tmp_path):
    """The first is that of the network alone, bit by bit; others differ, and can be repeated."""
    network = {"options": {"hidden": [16], "dropout": 0.25}}
    alone = run("alone")
    made = {
        name: run(folder, network=name, networks={"mlp": network | {"seeds": 3}})
        for folder, name in (("a", "mlp"), ("b", "mlp@2"), ("c", "mlp@3"))
    }
    again = run("d", network="mlp@2", networks={"mlp": network | {"seeds": 2}})
    assert files(made["mlp"]) == files(alone)
    assert files(again) == files(made["mlp@2"])
    losses = [history(folder)[-1]["validation_loss"] for folder in made.values()]
    assert len(set(losses)) == 3
    predict(shards, made["mlp@3"] / "checkpoint.ckpt", tmp_path / "p.h5")
    assert read_predictions(tmp_path / "p.h5").method == "mlp@3"


def test_a_training_that_there_is_not_is_named_with_the_nearest(run):
    with pytest.raises(InputError, match=r"no network 'mlp@4'.*mlp@"):
        run(network="mlp@4", networks={"mlp": {"options": {"hidden": [4]}, "seeds": 3}})
