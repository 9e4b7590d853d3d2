"""Of trials the best by validation stands in the place of the network."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from hepcnn.cli.main import main
from hepcnn.config import Config, trials, validate
from hepcnn.errors import InputError
from hepcnn.performance.search import choose_files

HEADER = (
    "epoch,learning_rate,train_loss,train_accuracy,validation_loss,validation_accuracy,"
    "validation_balanced_accuracy\n"
)


def config(values: dict[str, list], seeds: int = 1, **task: object) -> Config:
    own = {
        "images": "rich_polar",
        "networks": {"mlp": {"seeds": seeds}},
        "search": {"mlp": {"values": values}},
    }
    return validate({"tasks": {"t": own | task}})


def named(settings: Config, network: str = "mlp") -> list[str]:
    return list(trials(settings.tasks["t"], network, settings.seed))


def train(folder: Path, training: str, *losses: float, balanced: float = 0.5) -> None:
    """Leave what a training leaves."""
    place = folder / training
    place.mkdir(parents=True, exist_ok=True)
    (place / "checkpoint.ckpt").write_text(f"weights of {training}")
    rows = (f"{k},0.1,0.1,0.5,{x},0.5,{balanced}\n" for k, x in enumerate(losses, start=1))
    (place / "history.csv").write_text(HEADER + "".join(rows))


def weights(folder: Path, network: str) -> str:
    return (folder / network / "checkpoint.ckpt").read_text()


EPOCHS = {"train.epochs": [1, 2, 3]}


def test_the_best_mean_over_the_trainings_is_chosen_not_the_luckiest(tmp_path):
    settings = config(EPOCHS, seeds=2)
    a, b, c = named(settings)
    for training, loss in {a: 0.1, f"{a}@2": 0.9, c: 0.7, f"{c}@2": 0.8}.items():
        train(tmp_path, training, loss)
    # The last epoch is not the one whose weights are kept.
    train(tmp_path, b, 0.4, 2.0)
    train(tmp_path, f"{b}@2", 0.3, 2.0)
    rows = choose_files(settings, "t", tmp_path).records()
    assert [row["trial"] for row in rows] == [b, a, c]
    assert [row["chosen"] for row in rows] == ["yes", "no", "no"]
    assert [row["train.epochs"] for row in rows] == ["2", "1", "3"]
    assert (rows[0]["mean"], rows[0]["lowest"]) == (pytest.approx(0.35), 0.3)
    assert rows[0]["spread"] == pytest.approx(0.1 / 2**0.5)
    assert rows[0]["figure"] == "validation loss"
    assert (weights(tmp_path, "mlp"), weights(tmp_path, "mlp@2")) == (
        f"weights of {b}",
        f"weights of {b}@2",
    )
    for name in ("mlp", "mlp@2"):
        history = (tmp_path / name / "history.csv").read_text()
        assert history == (tmp_path / name.replace("mlp", b) / "history.csv").read_text()


def test_losses_under_other_balances_are_not_compared(tmp_path):
    settings = config({"train.balance": ["none", "class"]})
    none, balanced = named(settings)
    train(tmp_path, none, 0.1, balanced=0.5)
    train(tmp_path, balanced, 0.9, balanced=0.6)
    rows = choose_files(settings, "t", tmp_path).records()
    assert rows[0]["figure"] == "validation balanced accuracy"
    assert weights(tmp_path, "mlp") == f"weights of {balanced}"


def test_each_network_that_is_searched_has_its_own_best(tmp_path):
    search = {name: {"values": EPOCHS} for name in ("mlp", "lenet5")}
    networks = {"mlp": {}, "lenet5": {}, "lecture_cnn": {}}
    settings = config(EPOCHS, networks=networks, search=search)
    for network, best in (("mlp", 0), ("lenet5", 2)):
        for k, name in enumerate(named(settings, network)):
            train(tmp_path, name, 0.1 if k == best else 0.2)
    rows = choose_files(settings, "t", tmp_path).records()
    assert len(rows) == 6
    assert {r["network"]: r["train.epochs"] for r in rows if r["chosen"] == "yes"} == {
        "mlp": "1",
        "lenet5": "3",
    }
    assert weights(tmp_path, "lenet5") == f"weights of {named(settings, 'lenet5')[2]}"
    assert not (tmp_path / "lecture_cnn").exists()


def test_what_is_missing_or_not_known_is_an_error(tmp_path):
    settings = config(EPOCHS)
    a, b, c = named(settings)
    for name in (a, b):
        train(tmp_path, name, float("nan"))
    with pytest.raises(InputError, match=f"{c[4:]}/history.csv: no such file"):
        choose_files(settings, "t", tmp_path)
    train(tmp_path, c, float("nan"))
    with pytest.raises(InputError, match=r"search\.mlp: the validation loss of no trial is known"):
        choose_files(settings, "t", tmp_path)
    # One that is not known is not chosen.
    train(tmp_path, c, 5.0)
    choose_files(settings, "t", tmp_path)
    assert weights(tmp_path, "mlp") == f"weights of {c}"
    (tmp_path / c / "checkpoint.ckpt").unlink()
    with pytest.raises(InputError, match=r"checkpoint.ckpt: no such file"):
        choose_files(settings, "t", tmp_path)


def test_the_command_prints_the_table_and_says_where_nothing_is_searched(tmp_path):
    settings = config(EPOCHS)
    for name in named(settings):
        train(tmp_path, name, 0.5)
    file = tmp_path / "config.yaml"

    def chosen(settings: Config) -> tuple[int, str]:
        file.write_text(settings.model_dump_json())
        arguments = ["choose", str(tmp_path), "--config", str(file), "--task", "t"]
        done = CliRunner().invoke(main, arguments)
        return done.exit_code, done.output

    status, said = chosen(settings)
    assert status == 0
    assert said.count("mlp+") >= 3
    assert (tmp_path / "tables" / "search.md").read_text() in said
    status, said = chosen(config(EPOCHS, search={}))
    assert status == 1
    assert "tasks.t.search: nothing is searched" in said
