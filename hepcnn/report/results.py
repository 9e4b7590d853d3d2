"""What the report is made of: image shards, histories, predictions and tables, as files hold it."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hepcnn.config import AnyImages, AnyTask, ClassTask, Config, PidTask, Task
from hepcnn.errors import InputError
from hepcnn.performance.classes import sample as classes
from hepcnn.performance.evaluate import table_names
from hepcnn.performance.pid import sample as pid
from hepcnn.performance.pid.sample import PidSample
from hepcnn.performance.sample import Sample
from hepcnn.report.curves import History
from hepcnn.store.images import ImageSet
from hepcnn.store.predictions import Predictions, read_predictions

#: Columns of a history that the report draws.
_HISTORY = ("epoch", "train_loss", "validation_loss", "train_accuracy", "validation_accuracy")


@dataclass(frozen=True, eq=False)
class TableFile:
    """A table as `hepcnn evaluate` wrote it.

    Attributes
    ----------
    name, caption : str
    columns : list of dict
        Each with ``name``, ``title`` and ``kind``.
    records : list of dict
        Rows as plain values; null is not known.
    shown : list of list of str
        Rows as a reader sees them.
    provenance : dict
    files : dict of str to str
        The texts of the table by suffix, to be handed on.
    """

    name: str
    caption: str
    columns: list[dict[str, str]]
    records: list[dict[str, Any]]
    shown: list[list[str]]
    provenance: dict[str, Any]
    files: dict[str, str]


@dataclass(frozen=True, eq=False)
class ShownImages:
    """An image set as its tasks' predictions saw it.

    Attributes
    ----------
    images : ImageSet
        The shards that the predictions were made of; all in the folder if no task uses them.
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
        By network.
    sample : Sample
        The aligned predictions of the task's own sample.
    provenance : dict of str to dict
        By method, of those predictions.
    altered : dict of str to dict
        By method and altered sample, as ``METHOD@SAMPLE``, of the others.
    """

    name: str
    settings: Task
    tables: Mapping[str, TableFile]
    histories: Mapping[str, History]
    sample: Sample
    provenance: Mapping[str, Mapping[str, Any]]
    altered: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, eq=False)
class PidResults(TaskResults):
    """An identification of tracks; with the PID printout of each method."""

    settings: PidTask
    sample: PidSample
    printouts: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class ClassResults(TaskResults):
    """A classification of events; with its first network and what that says of each event."""

    settings: ClassTask
    checkpoint: Path
    predictions: Predictions


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
    tasks: Mapping[str, PidResults | ClassResults]
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
    tasks = {name: _task(folder / "tasks" / name, name, t) for name, t in config.tasks.items()}
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
    checks = _table(folder, "checks", make)
    made = checks.provenance.get("settings", {})
    sample = config.samples.get(made.get("sample", ""))
    if sample and sample.simulate:
        wanted, how = sample.simulate.model_dump(mode="json"), f"make it again with '{make}'"
        _check_settings(folder / "checks.json", made["simulate"], wanted, how)
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


def _text(path: Path, make: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; it is made by '{make}'") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error


def _shards(folder: Path, name: str) -> dict[str, Path]:
    """The image shards of a folder by their ids."""
    found: dict[str, Path] = {}
    for path in sorted(folder.glob("*.h5")):
        (identity,) = ImageSet(path).ids
        if identity in found:
            raise InputError(f"{found[identity]} and {path} hold the same images: delete one")
        found[identity] = path
    if not found:
        make = f"hepcnn convert FILE.root... --images {name} -o {folder}/0000.h5"
        raise InputError(f"{folder}: no image shard (*.h5); one is made by '{make}'")
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
    _check_settings(folder, images.header.maker, wanted, "convert the events again")
    return ShownImages(images, ignored=len(shards) - len(chosen))


def _used(folder: Path, shards: Mapping[str, Path], task: TaskResults, method: str) -> set[str]:
    """Ids of the shards that predictions were made of; all of them must be there."""
    inputs = set(task.provenance[method].get("inputs", {}).values())
    # A network's predictions are made of its checkpoint too.
    gone = len(inputs - shards.keys()) - (method in task.settings.networks)
    if gone > 0 or not inputs & shards.keys():
        raise InputError(
            f"{folder}: no longer holds the shards that the predictions of '{method}' for task "
            f"'{task.name}' were made of; predict again"
        )
    return inputs & shards.keys()


def _check_settings(
    path: Path, made: Mapping[str, Any], wanted: Mapping[str, Any], how: str
) -> None:
    """Refuse a file made with other settings than the configuration's: the page would mix them."""
    for name in sorted(made.keys() & wanted.keys()):
        if made[name] != wanted[name]:
            raise InputError(
                f"{path}: made with '{name}' {made[name]} where the configuration now says "
                f"{wanted[name]}; {how}"
            )


def _task(folder: Path, name: str, settings: AnyTask) -> PidResults | ClassResults:
    methods = settings.methods
    evaluate = f"hepcnn evaluate {folder}/*/predictions*.h5 --task {name} -o {folder}/tables"
    predictions = {method: _predictions(folder, settings, method) for method in methods}
    altered = {
        f"{method}@{sample}": _predictions(folder, settings, method, sample)
        for sample in settings.robustness
        for method in methods
    }
    tables = {n: _table(folder / "tables", n, evaluate) for n in table_names(settings)}
    known = {str(p.provenance.get("id")) for p in [*predictions.values(), *altered.values()]}
    for table in tables.values():
        if set(table.provenance.get("inputs", {}).values()) != known:
            raise InputError(
                f"{folder}/tables/{table.name}.json: made of other predictions than those in "
                f"{folder}; make it again with '{evaluate}'"
            )
        made, wanted = table.provenance.get("settings", {}), settings.tables.model_dump(mode="json")
        where = folder / "tables" / f"{table.name}.json"
        _check_settings(where, made, wanted, f"make it again with '{evaluate}'")
    train = f"hepcnn train SHARD.h5... --task {name} --network NETWORK -o {folder}/NETWORK"
    histories = {n: _history(folder / n / "history.csv", train) for n in settings.networks}
    made, others = ({m: p.provenance for m, p in found.items()} for found in (predictions, altered))
    own = list(predictions.values())
    if isinstance(settings, ClassTask):
        events = classes.select(own, settings, name)
        first = methods[0]
        checkpoint = folder / first / "checkpoint.ckpt"
        if not checkpoint.is_file():
            raise InputError(f"{checkpoint}: no such file; it is made by '{train}'")
        parts = (name, settings, tables, histories, events, made, others)
        return ClassResults(*parts, checkpoint, predictions[first])
    texts = {m: _text(folder / "tables" / f"printout_{m}.txt", evaluate) for m in methods}
    tracks = pid.select(own, settings, name)
    return PidResults(name, settings, tables, histories, tracks, made, others, texts)


def _predictions(folder: Path, settings: Task, method: str, altered: str = "") -> Predictions:
    """Predictions of a method for the task's own sample or an altered one."""
    path = folder / method / (f"predictions@{altered}.h5" if altered else "predictions.h5")
    if not path.is_file():
        how = "--checkpoint FILE" if method in settings.networks else f"--baseline {method}"
        how += f" --altered {altered}" if altered else ""
        make = f"hepcnn predict SHARD.h5... {how} -o {path}"
        raise InputError(f"{path}: no such file; it is made by '{make}'")
    found = read_predictions(path)
    if found.altered != altered:
        raise InputError(
            f"{path}: of the altered sample '{found.altered}' where '{altered}' is expected ('' is "
            "the task's own); predict again"
        )
    part = found.provenance.get("settings", {}).get("part", "test")
    if part != "test" and not altered:
        raise InputError(
            f"{path}: scores of the split '{part}'; the report is of events that no training "
            "saw: predict with '--split test'"
        )
    return found


def _table(folder: Path, name: str, make: str) -> TableFile:
    files = {suffix: _text(folder / f"{name}.{suffix}", make) for suffix in ("csv", "json")}
    try:
        content = json.loads(files["json"])
        return TableFile(**content, files=files)
    except (ValueError, TypeError) as error:
        raise InputError(
            f"{folder}/{name}.json: not a table of hepcnn ({error}); make it again with '{make}'"
        ) from error


def _history(path: Path, make: str) -> History:
    rows = list(csv.DictReader(_text(path, make).splitlines()))
    if not rows:
        raise InputError(f"{path}: a history without an epoch; make it again with '{make}'")
    try:
        columns = [np.array([float(row[name]) for row in rows]) for name in _HISTORY]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path}: not a history with the columns {', '.join(_HISTORY)} ({error}); make it "
            f"again with '{make}'"
        ) from error
    return History(*columns)
