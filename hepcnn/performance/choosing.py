"""Which network is the best: the one that the validation split chooses.

Not the one that is best on the test sample: of many networks that one is partly lucky there, and
its figure would be too good.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hepcnn.config import ImageTask, Task, network_of
from hepcnn.performance.histories import History
from hepcnn.performance.intervals import Floats


@dataclass(frozen=True, eq=False)
class Choice:
    """Networks from the best on, and by what.

    Attributes
    ----------
    quantity : str
        The figure of the validation that is compared.
    highest : bool
        Whether the highest is the best, or the lowest.
    figures : mapping of str to ndarray, (trainings,)
        The figure, by network from the best on; of which it is not known at the end.
    """

    quantity: str
    highest: bool
    figures: Mapping[str, Floats]

    @property
    def network(self) -> str:
        """The best."""
        return next(iter(self.figures))

    @property
    def reason(self) -> str:
        """By what it is chosen, in words; empty of one alone."""
        if len(self.figures) == 1:
            return ""
        best = "highest" if self.highest else "lowest"
        return f"chosen of {len(self.figures)} networks by the {best} validation {self.quantity}"


def choose(settings: Task, histories: Mapping[str, History]) -> Choice:
    """Rank the networks of a task by the epochs whose weights its trainings keep.

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
    figures = {n: np.array([v for t, v in kept.items() if network_of(t) == n]) for n in networks}
    ranked = sorted(networks, key=lambda n: np.nan_to_num(-sign * figures[n].mean(), nan=np.inf))
    return Choice(quantity.replace("_", " "), sign > 0, {name: figures[name] for name in ranked})
