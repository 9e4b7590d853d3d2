"""The events that the methods of a classification task are compared on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hepcnn.config import ClassTask
from hepcnn.performance.sample import Sample, aligned, altered
from hepcnn.store.predictions import Predictions

#: What two image sets of the same events have alike.
_AGREED = ("energy",)


def select(predictions: Sequence[Predictions], task: ClassTask, name: str) -> Sample:
    """Align the predictions of a task's methods.

    Parameters
    ----------
    predictions : sequence of Predictions
        One for each method, in any order, each sorted in any way. Those of altered samples are
        left to `select_altered`.
    task : ClassTask
        Its networks and baselines name and order the methods; its tables set the mixture.
    name : str
        The task's name.

    Raises
    ------
    InputError
        See `hepcnn.performance.sample.aligned`; or if no event is of one of the classes.
    """
    return _whole([p for p in predictions if not p.altered], task, name)


def select_altered(
    predictions: Sequence[Predictions], task: ClassTask, name: str
) -> dict[str, Sample]:
    """Align the predictions of each altered sample of a task, in the order of its `robustness`.

    Raises
    ------
    InputError
        As `select`; or see `hepcnn.performance.sample.altered`.
    """
    parts = altered(predictions, task, name)
    return {sample: _whole(found, task, name) for sample, found in parts.items()}


def _whole(predictions: Sequence[Predictions], task: ClassTask, name: str) -> Sample:
    ordered = aligned(predictions, task, name, _AGREED)
    return Sample.of(ordered, task, np.ones(len(ordered[0]), dtype=bool))
