"""Searches: the trials of a network by the validation split, and the best of them in its place.

Trials are never scored on the test split, so that what the tables say there of the best is of
events that had no part in the choice. (Its figure of the validation has: the best of many is partly
lucky there.)
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hepcnn.config import Config, Task, Trial, entry, trainings_of, trials, without_trial
from hepcnn.errors import InputError
from hepcnn.files import atomic_path, read_text
from hepcnn.performance.choosing import Choice, choose
from hepcnn.performance.histories import LOSSES, read_history
from hepcnn.performance.table import Cell, Column, Table, write_table
from hepcnn.progress import note
from hepcnn.provenance import digest, record

#: Name of the table.
SEARCH = "search"
#: What makes the trainings of trials.
_MAKE = "hepcnn run networks"
#: What a training leaves.
_FILES = ("checkpoint.ckpt", "history.csv")


class Searched(NamedTuple):
    """The trials of a network, and how they stand."""

    trials: Mapping[str, Trial]
    choice: Choice
    histories: Mapping[str, Path]
    """The files that it is known from, by training."""

    @property
    def chosen(self) -> dict[str, str]:
        """For each training of the chosen trial what it is called in the network's place."""
        trainings = self.trials[self.choice.network].network.seeds
        return {t: without_trial(t) for t in trainings_of(self.choice.network, trainings)}


def choose_files(config: Config, task_name: str, folder: Path) -> Table:
    """Choose the best trial of each network of a task that is searched, by validation.

    Its trainings are copied into the place of the network's, so that what follows is as if it had
    been trained so; the table `search` has all trials.

    Parameters
    ----------
    config : Config
        Has the task and the seed.
    task_name : str
        Name of the task.
    folder : Path
        The task's, with the folders of the trainings of all trials; the chosen ones' go there too,
        and the table in its ``tables``.

    Raises
    ------
    InputError
        If nothing is searched, a training is missing or damaged, or of no trial anything is known.
    """
    task = entry(config.tasks, task_name, "task")
    if not task.search:
        raise InputError(f"tasks.{task_name}.search: nothing is searched")
    found = {name: _searched(task, name, config.seed, folder) for name in task.search}
    histories = [path for searched in found.values() for path in searched.histories.values()]
    table = search_table(found)
    provenance = record(
        "choose",
        {
            "task": task_name,
            "trials": {k: dict(t.values) for s in found.values() for k, t in s.trials.items()},
        },
        code=__name__,
        inputs={str(path): digest(read_text(path, _MAKE)) for path in histories},
        seed=config.seed,
    )
    for network, searched in found.items():
        for training, name in searched.chosen.items():
            for file in _FILES:
                _copy(folder / training / file, folder / name / file)
        note(f"{task_name}/{network}: {searched.choice.network} of {len(searched.trials)} trials")
    write_table(folder / "tables", table, provenance)
    return table


def _searched(task: Task, network: str, seed: int, folder: Path) -> Searched:
    """Read how the trials of a network stand."""
    found = trials(task, network, seed)
    networks = {name: trial.network for name, trial in found.items()}
    alone = task.model_copy(update={"networks": networks, "search": {}})
    paths = {name: folder / name / "history.csv" for name in alone.trainings}
    histories = {name: read_history(path, _MAKE, LOSSES) for name, path in paths.items()}
    choice = choose(alone, histories)
    if not np.isfinite(choice.figures[choice.network].mean()):
        raise InputError(
            f"search.{network}: the validation {choice.quantity} of no trial is known: none can be "
            "chosen"
        )
    return Searched(found, choice, paths)


def search_table(found: Mapping[str, Searched]) -> Table:
    """The trials of all networks that are searched, from the best on.

    Parameters
    ----------
    found : mapping of str to Searched
        By network.
    """
    settings = dict.fromkeys(
        key for s in found.values() for trial in s.trials.values() for key in trial.values
    )
    columns = (
        Column("network", "network"),
        Column("trial", "trial"),
        *(Column(key, key) for key in settings),
        Column("figure", "figure"),
        Column("trainings", "trainings", "number"),
        *(Column(name, name, "number", 4) for name in ("mean", "spread", "lowest", "highest")),
        Column("chosen", "chosen"),
    )
    rows = [
        (network, *row) for network, searched in found.items() for row in _rows(searched, settings)
    ]
    caption = (
        "Trials of networks whose settings are searched, from the best on: the figure of the "
        "validation split in the epoch whose weights are kept, its mean over the trainings of a "
        "trial, and the spread, the standard deviation over them. The best mean is chosen, and no "
        "trial has seen the test split. Of the chosen one of many this figure is partly luck: its "
        "performance is in the other tables"
    )
    return Table(SEARCH, caption, columns, tuple(rows))


def _rows(searched: Searched, settings: Mapping[str, None]) -> Iterator[tuple[Cell, ...]]:
    """The cells after the network's name, of each of its trials."""
    choice = searched.choice
    for name, figures in choice.figures.items():
        values = searched.trials[name].values
        cells = (json.dumps(values[key]) if key in values else "–" for key in settings)
        spread = figures.std(ddof=1) if len(figures) > 1 else np.nan
        numbers = (float(v) for v in (figures.mean(), spread, figures.min(), figures.max()))
        chosen = "yes" if name == choice.network else "no"
        figure = f"validation {choice.quantity}"
        yield name, *cells, figure, len(figures), *numbers, chosen


def _copy(source: Path, target: Path) -> None:
    """Copy a file: a link would have the times of the trial's, by which Snakemake orders files."""
    try:
        with atomic_path(target) as path:
            shutil.copyfile(source, path)
    except FileNotFoundError:
        raise InputError(f"{source}: no such file; it is made by '{_MAKE}'") from None
