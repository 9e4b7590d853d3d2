"""Predictions in, tables out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hepcnn.config import NOMINAL, Config, PidTask, entry
from hepcnn.files import write_text
from hepcnn.performance import comparison, tables, working_points
from hepcnn.performance.bootstrap import bootstrap
from hepcnn.performance.calibration import calibration_tables
from hepcnn.performance.intervals import clopper_pearson
from hepcnn.performance.printout import printout
from hepcnn.performance.sample import Sample, select, select_altered
from hepcnn.performance.table import FORMATS, Table, write_table
from hepcnn.provenance import record
from hepcnn.store.predictions import Predictions, read_predictions

#: Tables that every task has, of all methods together.
TOGETHER = (
    *("kaon_efficiency", "comparison", "species", "efficiency", "working_points", "pairs"),
    *("differential", "calibration", "reliability", "abundances", "cutflow"),
)


@dataclass(frozen=True)
class Evaluation:
    """The tables of a task, and the PID printout of each method."""

    tables: tuple[Table, ...]
    printouts: Mapping[str, str]


def table_names(task: PidTask) -> list[str]:
    """Names of the tables of a task, in order: they depend on nothing but its settings."""
    return [
        *TOGETHER,
        *(["ablation"] if task.tables.ablation else []),
        *(["robustness"] if task.robustness else []),
        *(f"confusion_{method}" for method in task.methods),
    ]


def table_paths(folder: str | Path, task: PidTask) -> list[str]:
    """All files that `evaluate_files` writes for a task, in order."""
    files = [f"{name}.{suffix}" for name in table_names(task) for suffix in FORMATS]
    files += [f"printout_{m}.{suffix}" for m in task.methods for suffix in ("txt", "md")]
    return [f"{folder}/{file}" for file in files]


def evaluate(
    predictions: Sequence[Predictions], task: PidTask, name: str, generator: np.random.Generator
) -> Evaluation:
    """Make the tables of a task.

    Parameters
    ----------
    predictions : sequence of Predictions
        Of the task's networks and baselines, on the same tracks; and of the same methods on each
        altered sample that the task names.
    task : PidTask
        Names the methods; its `tables` are the settings.
    name : str
        The task's name.
    generator : numpy.random.Generator
        For `hepcnn.performance.bootstrap`.

    Raises
    ------
    InputError
        See `hepcnn.performance.sample.select` and `select_altered`; or if a step of the ablation
        has no predictions.
    """
    sample, altered = select(predictions, task, name), select_altered(predictions, task, name)
    settings = task.tables
    edges, misid = settings.momentum_bins, settings.misid
    samples = {NOMINAL: sample} | altered
    merits = {s: bootstrap(of, misid, edges, generator) for s, of in samples.items()}
    own = merits[NOMINAL]
    made = [
        comparison.kaon_efficiency(sample, own, edges, misid),
        comparison.comparison(sample, own, misid),
        tables.species(sample),
        tables.efficiency(sample, edges),
        working_points.working_points(sample, edges, misid),
        working_points.pairs(sample, misid),
        working_points.differential(sample, settings.curve_bins, misid),
        *calibration_tables(sample),
        tables.abundances(sample),
        tables.cutflow(sample, edges, settings.curve_bins),
    ]
    if settings.ablation:
        made.append(comparison.ablation(sample, own, settings.ablation, misid))
    if task.robustness:
        made.append(working_points.robustness(samples, merits, misid))
    made += [tables.confusion(sample, method) for method in sample.methods]
    return Evaluation(tuple(made), {m: _printout(sample, m) for m in sample.methods})


def _printout(sample: Sample, method: str) -> str:
    identified = sample.event[sample.called(method) >= 0]
    tracks = sample.features["n_tracks"]
    return printout(
        sample.confusion(method),
        method=method,
        momentum=sample.momentum_range,
        multiplicity=(float(tracks.min()), float(tracks.max())),
        events=clopper_pearson(len(np.unique(identified)), sample.n_events),
    )


def evaluate_files(
    paths: Sequence[str | Path], config: Config, task: str, folder: str | Path
) -> Evaluation:
    """Read predictions, make the tables of a task and write them, each file atomically.

    Parameters
    ----------
    paths : sequence of path
        Files of `hepcnn predict`.
    config : Config
        Has the task and the seed.
    task : str
        Name of the task.
    folder : path
        Where `table_paths` go; nothing is written before all tables are made.

    Raises
    ------
    InputError
        If the configuration has no such task, a file is bad, the predictions do not belong
        together, or the folder cannot be written to.
    """
    settings = entry(config.tasks, task, "task")
    predictions = [read_predictions(path) for path in paths]
    result = evaluate(predictions, settings, task, np.random.default_rng(config.seed))
    provenance = _provenance(paths, predictions, settings, task, config.seed)
    for table in result.tables:
        write_table(Path(folder), table, provenance)
    for method, text in result.printouts.items():
        write_text(Path(folder) / f"printout_{method}.txt", text)
        write_text(Path(folder) / f"printout_{method}.md", f"```text\n{text}```\n")
    return result


def _provenance(
    paths: Sequence[str | Path],
    predictions: Sequence[Predictions],
    settings: PidTask,
    task: str,
    seed: int,
) -> dict[str, Any]:
    return record(
        "evaluate",
        {
            "task": task,
            "networks": list(settings.networks),
            "baselines": list(settings.baselines),
            "robustness": list(settings.robustness),
            **settings.tables.model_dump(mode="json"),
        },
        code=__name__,
        inputs={
            str(path): str(p.provenance.get("id", "unknown"))
            for path, p in zip(paths, predictions, strict=True)
        },
        seed=seed,
    )
