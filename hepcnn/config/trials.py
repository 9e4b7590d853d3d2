"""Trials: what a task is with the values of its searches."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from pydantic import ValidationError

from hepcnn.config.problems import explain
from hepcnn.config.tasks import Network, Task
from hepcnn.config.trainings import trial_of
from hepcnn.provenance import digest

AnyTask = TypeVar("AnyTask", bound=Task)


@dataclass(frozen=True)
class Trial:
    """One trial of the search of a network.

    Attributes
    ----------
    of : str
        The network.
    values : mapping of str to any
        The values of the settings that are searched.
    task : Task
        The task as it is if the network has them.
    """

    of: str
    values: Mapping[str, Any]
    task: Task

    @property
    def network(self) -> Network:
        """The network as it has them."""
        return self.task.networks[self.of]

    @property
    def place(self) -> str:
        """Where in the task it stands, for messages."""
        return _place(self.of, self.values)


def trials(task: Task, network: str, seed: int) -> dict[str, Trial]:
    """The trials of a network that is searched, by their names.

    A trial is named after its values, so that it stays what it is when others are added.

    Parameters
    ----------
    task : Task
        The task.
    network : str
        One of those in its `search`.
    seed : int
        The configuration's seed, which random trials are drawn with.

    Raises
    ------
    ValueError
        If a value is not possible; it names the setting.
    """
    try:
        combinations = task.search[network].combinations(np.random.default_rng(seed))
    except ValueError as error:
        raise ValueError(f"search.{network}.{error}") from error
    found = (Trial(network, values, _with(task, network, values)) for values in combinations)
    return {trial_of(network, digest(trial.values)[:12]): trial for trial in found}


def trained(task: AnyTask, seed: int) -> AnyTask:
    """The task with all that is trained: the trials in the place of what is searched."""
    networks: dict[str, Network] = {}
    for name, network in task.networks.items():
        if name in task.search:
            networks |= {k: trial.network for k, trial in trials(task, name, seed).items()}
        else:
            networks[name] = network
    return task.model_copy(update={"networks": networks, "search": {}})


def _with(task: Task, network: str, values: Mapping[str, Any]) -> Task:
    """The task with values in the place of a network's own, checked as the configuration is."""
    settings = task.model_dump(exclude={"search"})
    own = settings["networks"][network]
    # Trials have names that are no architecture's.
    own["architecture"] = own["architecture"] or network
    for key, value in values.items():
        part, _, name = key.partition(".")
        place, last = (own[part], name) if name else (own, part)
        place[last] = deepcopy(value)
    try:
        return type(task).model_validate(settings)
    except ValidationError as error:
        raise ValueError(explain(error, _place(network, values), type(task))) from error


def _place(network: str, values: Mapping[str, Any]) -> str:
    said = ", ".join(f"{key}: {json.dumps(value)}" for key, value in values.items())
    return f"search.{network} ({said})"
