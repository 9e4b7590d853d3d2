"""What the report is made of: image shards, histories, predictions and tables, as files hold it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hepcnn.config import (
    AnyImages,
    AnyTask,
    ClassTask,
    Config,
    ImageTask,
    InstanceTask,
    PidTask,
    PointTask,
    SegmentTask,
    Task,
    VertexTask,
    trials,
)
from hepcnn.errors import InputError
from hepcnn.files import read_text
from hepcnn.performance.classes import sample as classes
from hepcnn.performance.evaluate import table_names
from hepcnn.performance.histories import ACCURACIES, LOSSES, History, read_history
from hepcnn.performance.pid import sample as pid
from hepcnn.performance.pid.sample import PidSample
from hepcnn.performance.sample import Sample
from hepcnn.performance.search import SEARCH
from hepcnn.report import reading
from hepcnn.report.reading import TableFile
from hepcnn.store.findings_file import FindingsFile
from hepcnn.store.images import ImageSet
from hepcnn.store.manifest import SHARDS, listed
from hepcnn.store.predictions import Predictions

AnyImageTask = SegmentTask | InstanceTask | VertexTask | PointTask


@dataclass(frozen=True, eq=False)
class ShownImages:
    """An image set as its tasks' predictions saw it.

    Attributes
    ----------
    images : ImageSet
        The shards that the predictions were made of; all of the set if no task uses them.
    ignored : int
        Other shards in the folder, such as those of a sample that had more.
    """

    images: ImageSet
    ignored: int


@dataclass(frozen=True, eq=False)
class TaskResults:
    """A task with the files of its methods.

    Attributes
    ----------
    name : str
    settings : Task
    tables : dict of str to TableFile
    histories : dict of str to History
        By training.
    provenance : dict of str to dict
        By training or baseline, of the predictions for the task's own sample.
    altered : dict of str to dict
        By training or baseline, and altered sample, as ``METHOD@SAMPLE``, of the others.
    """

    name: str
    settings: Task
    tables: Mapping[str, TableFile]
    histories: Mapping[str, History]
    provenance: Mapping[str, Mapping[str, Any]]
    altered: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, eq=False)
class PidResults(TaskResults):
    """An identification of tracks; aligned predictions, and the PID printout of each method."""

    settings: PidTask
    sample: PidSample
    printouts: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class ClassResults(TaskResults):
    """A classification of events; aligned predictions, and what its first network says of each."""

    settings: ClassTask
    sample: Sample
    checkpoint: Path
    predictions: Predictions


@dataclass(frozen=True, eq=False)
class FindingResults(TaskResults):
    """What is where in images; with its first network and what that finds."""

    settings: AnyImageTask
    checkpoint: Path
    findings: FindingsFile


AnyResults = PidResults | ClassResults | FindingResults


@dataclass(frozen=True, eq=False)
class Validation:
    """Checks of the simulation and the reconstruction of a detector, and their figures."""

    checks: TableFile
    figures: Mapping[str, bytes]


@dataclass(frozen=True, eq=False)
class Results:
    """All of a configuration's results."""

    config: Config
    images: Mapping[str, ShownImages]
    tasks: Mapping[str, AnyResults]
    validation: Mapping[str, Validation]


def read_results(config: Config) -> Results:
    """Read the results folder of a configuration.

    Raises
    ------
    InputError
        If a file is missing, with the command that makes it; if one is damaged; or if files do
        not belong together, or to the configuration.
    """
    folder = Path(config.output)
    shards = {name: _shards(folder / "images" / name, name) for name in config.images}
    tasks = {}
    for name, asked in config.tasks.items():
        place = folder / "tasks" / name
        tasks[name] = _task(place, name, _as_chosen(place, name, asked, config.seed))
    images = {}
    for name, settings in config.images.items():
        using = [
            (task, method)
            for task in tasks.values()
            for method in task.provenance
            if task.settings.images_of(method) == name
        ]
        images[name] = _images(folder / "images" / name, settings, shards[name], using)
    checked = {
        str(name): _validation(folder / "validation" / name, name, config)
        for name in config.validation
    }
    return Results(config, images, tasks, checked)


def _validation(folder: Path, name: str, config: Config) -> Validation:
    make = f"hepcnn validate {name} -o {folder}"
    checks = reading.table(folder, "checks", make)
    made = checks.provenance.get("settings", {})
    sample = config.samples.get(made.get("sample", ""))
    if sample and sample.simulate:
        wanted, how = sample.simulate.model_dump(mode="json"), f"make it again with '{make}'"
        reading.check_settings(folder / "checks.json", made["simulate"], wanted, how)
    figures = {}
    for check in dict.fromkeys(record["check"] for record in checks.records):
        path = folder / "figures" / f"{check}.png"
        try:
            figures[check] = path.read_bytes()
        except OSError as error:
            raise InputError(
                f"{path}: cannot be read ({error.strerror}); it is made by '{make}'"
            ) from None
    return Validation(checks, figures)


def _shards(folder: Path, name: str) -> dict[str, Path]:
    """The shards of an image set's folder by their ids."""
    found: dict[str, Path] = {}
    if not any(folder.glob(SHARDS)):
        make = f"hepcnn convert FILE.root... --images {name} -o {folder}/{name}.h5"
        raise InputError(f"{folder}: no image shard (*.h5); one is made by '{make}'")
    for path in listed([folder]):
        (identity,) = ImageSet(path).ids
        if identity in found:
            raise InputError(f"{found[identity]} and {path} hold the same images: delete one")
        found[identity] = path
    return found


def _images(
    folder: Path,
    settings: AnyImages,
    shards: Mapping[str, Path],
    using: Sequence[tuple[TaskResults, str]],
) -> ShownImages:
    """The shards that the predictions of methods were made of: the same for all."""
    used = [_used(folder, shards, task, method) for task, method in using]
    for other in used[1:]:
        if other != used[0]:
            raise InputError(
                f"{folder}: predictions were made of different shards; "
                f"{shards[min(other ^ used[0])]} is in some only: predict again"
            )
    chosen = used[0] if used else set(shards)
    images = ImageSet([path for identity, path in shards.items() if identity in chosen])
    wanted = settings.model_dump(mode="json")
    reading.check_settings(folder, images.header.maker, wanted, "convert the events again")
    return ShownImages(images, ignored=len(list(folder.glob(SHARDS))) - len(chosen))


def _used(folder: Path, shards: Mapping[str, Path], task: TaskResults, method: str) -> set[str]:
    """Ids of the shards that predictions were made of; all of them must be there."""
    inputs = set(task.provenance[method].get("inputs", {}).values())
    # A network's predictions are made of its checkpoint too.
    gone = len(inputs - shards.keys()) - (method in task.settings.trainings)
    if gone > 0 or not inputs & shards.keys():
        raise InputError(
            f"{folder}: no longer holds the shards that the predictions of '{method}' for task "
            f"'{task.name}' were made of; predict again"
        )
    return inputs & shards.keys()


def _task(folder: Path, name: str, settings: AnyTask) -> AnyResults:
    if isinstance(settings, ImageTask):
        return _finding(folder, name, settings)
    methods, predictors = settings.methods, settings.predictors
    predictions = {name: reading.predictions(folder, settings, name) for name in predictors}
    altered = {
        f"{name}@{sample}": reading.predictions(folder, settings, name, sample)
        for sample in settings.robustness
        for name in predictors
    }
    made, others = ({m: p.provenance for m, p in found.items()} for found in (predictions, altered))
    evaluate = _evaluate(folder, name)
    tables = _tables(folder, name, settings, [*made.values(), *others.values()])
    histories = _histories(folder, name, settings, (*LOSSES, *ACCURACIES))
    parts = (tables, histories, made, others)
    own = list(predictions.values())
    if isinstance(settings, ClassTask):
        events, checkpoint = (
            classes.select(own, settings, name),
            _checkpoint(folder, name, settings),
        )
        return ClassResults(name, settings, *parts, events, checkpoint, predictions[methods[0]])
    texts = {m: read_text(folder / "tables" / f"printout_{m}.txt", evaluate) for m in methods}
    return PidResults(name, settings, *parts, pid.select(own, settings, name), texts)


def _finding(folder: Path, name: str, settings: AnyImageTask) -> FindingResults:
    """A task with the findings of its first method, which stay in their file."""
    made, first = {}, None
    for method in settings.predictors:
        found = reading.findings(folder, settings, name, method)
        made[method] = found.provenance
        first = first or found
    assert first is not None
    tables = _tables(folder, name, settings, list(made.values()))
    histories = _histories(folder, name, settings, LOSSES)
    checkpoint = _checkpoint(folder, name, settings)
    return FindingResults(name, settings, tables, histories, made, {}, checkpoint, first)


def _as_chosen(folder: Path, name: str, settings: AnyTask, seed: int) -> AnyTask:
    """A task whose networks that are searched are the trials that were chosen."""
    if not settings.search:
        return settings
    records = reading.table(folder / "tables", SEARCH, _choose(folder, name)).records
    chosen = {r["network"]: r["trial"] for r in records if r["chosen"] == "yes"}
    networks = dict(settings.networks)
    for network in settings.search:
        found = trials(settings, network, seed)
        if chosen.get(network) not in found:
            raise InputError(
                f"{folder}/tables/{SEARCH}.json: what was chosen for '{network}' is none of its "
                f"trials in the configuration; make it again with '{_choose(folder, name)}'"
            )
        networks[network] = found[chosen[network]].network
    return settings.model_copy(update={"networks": networks})


def _choose(folder: Path, name: str) -> str:
    return f"hepcnn choose {folder} --task {name}"


def _evaluate(folder: Path, name: str) -> str:
    return f"hepcnn evaluate {folder}/*/predictions*.h5 --task {name} -o {folder}/tables"


def _train(folder: Path, name: str) -> str:
    return f"hepcnn train SHARD.h5... --task {name} --network NETWORK -o {folder}/NETWORK"


def _tables(
    folder: Path, name: str, settings: AnyTask, made_of: Sequence[Mapping[str, Any]]
) -> dict[str, TableFile]:
    """The tables of a task, which must be made of predictions with these records."""
    again = f"make it again with '{_evaluate(folder, name)}'"
    known = {str(provenance.get("id")) for provenance in made_of}
    tables = {}
    for title in table_names(settings):
        table = reading.table(folder / "tables", title, _evaluate(folder, name))
        where = folder / "tables" / f"{title}.json"
        if set(table.provenance.get("inputs", {}).values()) != known:
            raise InputError(f"{where}: made of other predictions than those in {folder}; {again}")
        made, wanted = table.provenance.get("settings", {}), settings.tables.model_dump(mode="json")
        reading.check_settings(where, made, wanted, again)
        tables[title] = table
    if settings.search:
        tables[SEARCH] = reading.table(folder / "tables", SEARCH, _choose(folder, name))
    return tables


def _histories(
    folder: Path, name: str, settings: AnyTask, required: Sequence[str]
) -> dict[str, History]:
    train = _train(folder, name)
    return {
        n: read_history(folder / n / "history.csv", train, required) for n in settings.trainings
    }


def _checkpoint(folder: Path, name: str, settings: AnyTask) -> Path:
    """The first network."""
    path = folder / settings.methods[0] / "checkpoint.ckpt"
    if not path.is_file():
        raise InputError(f"{path}: no such file; it is made by '{_train(folder, name)}'")
    return path
