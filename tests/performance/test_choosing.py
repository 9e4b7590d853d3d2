"""Which network is the best by validation."""

from __future__ import annotations

import numpy as np
import pytest

from hepcnn.config import PidTask, SegmentTask
from hepcnn.performance.choosing import choose
from hepcnn.performance.histories import History


def trained(losses: list[float], accuracies: list[float] | None = None) -> History:
    """A training with these validations; its balanced accuracy is half of its accuracy."""
    epoch = np.arange(1.0, len(losses) + 1)
    accuracy = np.array(accuracies or [0.5] * len(losses))
    others = {"balanced_accuracy": accuracy / 2}
    return History(epoch, epoch, np.array(losses), epoch, accuracy, others)


TWO = {"a": {}, "b": {}}


def test_the_lowest_validation_loss_of_the_kept_epochs_chooses() -> None:
    task = PidTask(images="i", networks=TWO)
    histories = {"a": trained([0.5, 0.4, 0.9]), "b": trained([0.45, 0.41], [0.9, 0.9])}
    assert choose(task, histories).network == "a"
    assert choose(task, histories).reason == ("chosen of 2 networks by the lowest validation loss")


def test_the_mean_over_trainings_counts_not_the_luckiest() -> None:
    task = PidTask(images="i", networks={"a": {"seeds": 2}, "b": {}})
    histories = {"a": trained([0.1]), "a@2": trained([0.9]), "b": trained([0.4])}
    assert choose(task, histories).network == "b"


def test_losses_under_other_balances_are_not_compared() -> None:
    """The balanced accuracy, in the epoch that is kept, is."""
    task = PidTask(images="i", networks={"a": {}, "b": {"train": {"balance": "class"}}})
    histories = {"a": trained([0.1, 0.2], [0.6, 0.99]), "b": trained([1.1, 1.0], [0.1, 0.7])}
    found = choose(task, histories)
    assert found.network == "b"
    assert found.reason.endswith("by the highest validation balanced accuracy")


def test_what_is_where_is_judged_by_accuracy() -> None:
    """Losses are of kinds of their own there."""
    task = SegmentTask(images="i", target="semantic", networks=TWO)
    histories = {"a": trained([0.1], [0.6]), "b": trained([7.0], [0.7])}
    assert choose(task, histories).network == "b"


@pytest.mark.parametrize("lost", ["a", "b"])
def test_what_is_not_known_is_not_chosen_and_one_alone_needs_no_reason(lost: str) -> None:
    task = PidTask(images="i", networks=TWO)
    histories = {"a": trained([0.5]), "b": trained([0.5])} | {lost: trained([float("nan")])}
    assert choose(task, histories).network != lost
    alone = choose(PidTask(images="i", networks={"a": {}}), {"a": trained([float("nan")])})
    assert (alone.network, alone.reason) == ("a", "")
