"""Which network the page puts first: the one that the validation split chooses.

Not the one that is best on the test sample: of many networks that one is partly lucky there, and
its figure would be too good.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hepcnn.config import ImageTask, Task, network_of
from hepcnn.report.curves import History


@dataclass(frozen=True)
class Choice:
    """The network chosen, and by what, in words."""

    network: str
    reason: str


def choose(settings: Task, histories: Mapping[str, History]) -> Choice:
    """Choose a network of a task by the epochs whose weights its trainings keep.

    Losses are compared where they are of one kind: of classes under one balance. Otherwise the
    figure is an accuracy: of classes the balanced one; of what is where in images that which the
    kind of network is judged by in training, for their losses are all of kinds of their own.

    Parameters
    ----------
    settings : Task
        The task.
    histories : mapping of str to History
        By training; of a network's trainings the mean counts.
    """
    networks = list(settings.networks)
    if isinstance(settings, ImageTask):
        quantity, sign = "accuracy", 1
    elif len({settings.train_of(name).balance for name in networks}) == 1:
        quantity, sign = "loss", -1
    else:
        quantity, sign = "balanced_accuracy", 1
    kept = {name: history.kept(quantity) for name, history in histories.items()}
    means = {n: np.mean([v for t, v in kept.items() if network_of(t) == n]) for n in networks}
    best = max(networks, key=lambda n: np.nan_to_num(sign * means[n], nan=-np.inf))
    if len(networks) == 1:
        return Choice(best, "")
    words = f"{'highest' if sign > 0 else 'lowest'} validation {quantity.replace('_', ' ')}"
    return Choice(best, f"chosen of {len(networks)} networks by the {words}")
