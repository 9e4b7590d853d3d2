"""Predictions in, tables out, for every kind of task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from hepcnn.config import AnyTask, Config, ImageTask, PidTask, VertexTask, entry
from hepcnn.files import write_text
from hepcnn.performance.claims import claims
from hepcnn.performance.classes import evaluation as classes
from hepcnn.performance.comparison import Compared
from hepcnn.performance.instances import evaluation as instances
from hepcnn.performance.pid import evaluation as pid
from hepcnn.performance.pid.maps import Maps, maps_table
from hepcnn.performance.pixels import evaluation as pixels
from hepcnn.performance.points import evaluation as points
from hepcnn.performance.sample import in_order
from hepcnn.performance.table import FORMATS, Table, with_weights, write_table
from hepcnn.performance.trainings import FIRST, MEANS, trainings
from hepcnn.performance.vertex import evaluation as vertex
from hepcnn.provenance import record
from hepcnn.store.findings import Found
from hepcnn.store.findings_file import open_findings
from hepcnn.store.maps import write_maps
from hepcnn.store.predictions import Predictions, read_predictions


class FindingsEvaluation(Protocol):
    """The evaluation of what methods found of one target: a module."""

    def table_names(self, methods: Sequence[str]) -> list[str]:
        """Names of the tables of these methods, in order."""
        ...

    def evaluate(
        self,
        findings: Sequence[Found],
        name: str,
        energy_bins: Sequence[float],
        generator: np.random.Generator,
    ) -> Compared:
        """Make the tables of a task.

        Parameters
        ----------
        findings : sequence of Found
            Of the target, one for each training and baseline, in the order of the tables.
        name : str
            The task's name.
        energy_bins : sequence of float
            Edges of the bins of true energy (MeV).
        generator : numpy.random.Generator
            For `hepcnn.performance.bootstrap`.

        Raises
        ------
        InputError
            See `hepcnn.performance.aligned.aligned`.
        """
        ...


#: Tables of figures of merit, which are means over the trainings of a network.
_OF_MEANS = ("kaon_efficiency", "comparison", "ablation", "robustness", "claims")
_FINDINGS: Mapping[str, FindingsEvaluation] = {
    "semantic": pixels,
    "instance": instances,
    "vertex": vertex,
    "points": points,
}


@dataclass(frozen=True)
class Evaluation:
    """The tables of a task; of the identification of tracks each method's PID printout and maps."""

    tables: tuple[Table, ...]
    printouts: Mapping[str, str]
    maps: Maps | None = None

    @property
    def summary(self) -> str:
        """What a reader wants first: the first method's PID printout, or the first table."""
        return next(iter(self.printouts.values()), None) or self.tables[0].markdown()


def table_names(task: AnyTask) -> list[str]:
    """Names of the tables of a task, in order: they depend on nothing but its settings."""
    if isinstance(task, ImageTask):
        own = _FINDINGS[task.target].table_names(task.methods)
    else:
        own = pid.table_names(task) if isinstance(task, PidTask) else classes.table_names(task)
    return [*own, "claims", *(["trainings"] if _several(task) else [])]


def _several(task: AnyTask) -> bool:
    """Whether a network is trained several times."""
    return len(task.trainings) > len(task.networks)


def table_paths(folder: str | Path, task: AnyTask) -> list[str]:
    """All files that `evaluate_files` writes for a task, in order."""
    files = [f"{name}.{suffix}" for name in table_names(task) for suffix in FORMATS]
    if isinstance(task, PidTask):
        files += [f"printout_{m}.{suffix}" for m in task.methods for suffix in ("txt", "md")]
        files += ["maps.csv", "maps.h5"] if task.tables.cuts else []
    return [f"{folder}/{file}" for file in files]


def evaluate(
    predictions: Sequence[Any], task: AnyTask, name: str, generator: np.random.Generator
) -> Evaluation:
    """Make the tables of a task.

    Parameters
    ----------
    predictions : sequence of Predictions, or of Found
        Of the task's networks and baselines, on the same examples; and of the same methods on each
        altered sample that the task names.
    task : Task
        Names the methods; its `tables` are the settings.
    name : str
        The task's name.
    generator : numpy.random.Generator
        For `hepcnn.performance.bootstrap`.

    Raises
    ------
    InputError
        See `hepcnn.performance.sample.aligned` and `altered`; or if a step of an ablation has no
        predictions.
    """
    printouts: dict[str, str] = {}
    maps = None
    if isinstance(task, ImageTask):
        given = in_order(predictions, task, name), name, task.tables.energy_bins, generator
        if isinstance(task, VertexTask):
            found = vertex.evaluate(*given, baselines=task.baselines)
        else:
            found = _FINDINGS[task.target].evaluate(*given)
    elif isinstance(task, PidTask):
        found, printouts, maps = pid.evaluate(predictions, task, name, generator)
    else:
        found = classes.evaluate(predictions, task, name, generator)
    tables = [*found.tables, claims(found.figures, found.merits, task, found.altered)]
    if _several(task):
        said = {t.name: MEANS if t.name in _OF_MEANS else FIRST for t in tables}
        tables = [replace(t, caption=f"{t.caption}; {said[t.name]}") for t in tables]
        tables.append(trainings(found.figures, found.merits))
    if found.weighted:
        tables = [with_weights(table) for table in tables]
    return Evaluation(tuple(tables), printouts, maps)


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
    read = open_findings if isinstance(settings, ImageTask) else read_predictions
    predictions: list[Found | Predictions] = [read(path) for path in paths]
    result = evaluate(predictions, settings, task, np.random.default_rng(config.seed))
    provenance = _provenance(paths, predictions, settings, task, config.seed)
    for table in result.tables:
        write_table(Path(folder), table, provenance)
    for method, text in result.printouts.items():
        write_text(Path(folder) / f"printout_{method}.txt", text)
        write_text(Path(folder) / f"printout_{method}.md", f"```text\n{text}```\n")
    if result.maps:
        _write_maps(Path(folder), result.maps, provenance)
    return result


def _write_maps(folder: Path, maps: Maps, provenance: Mapping[str, Any]) -> None:
    """Write the maps of a task, for people's scripts and for programs."""
    write_text(folder / "maps.csv", maps_table(maps).csv())
    efficiency = maps.efficiency
    arrays = {
        f"{name}/{part}": sums
        for name, tally in (("passed", maps.passed), ("total", maps.total))
        for part, sums in (("n", tally.n), ("sumw", tally.w), ("sumw2", tally.w2))
    }
    write_maps(
        folder / "maps.h5",
        {"method": maps.methods, "cut": maps.cuts, "true": maps.true},
        {str(variable): edges for variable, edges in maps.edges.items()},
        arrays
        | {"efficiency": efficiency.value}
        | {part: getattr(efficiency, part) for part in ("err_low", "err_high")},
        provenance,
    )


def _provenance(
    paths: Sequence[str | Path],
    predictions: Sequence[Found | Predictions],
    settings: AnyTask,
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
