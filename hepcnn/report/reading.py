"""Files of a results folder, each read with its checks, or named with the command that makes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from hepcnn.config import Task
from hepcnn.errors import InputError
from hepcnn.files import read_text
from hepcnn.store.findings_file import FindingsFile, open_findings
from hepcnn.store.predictions import Predictions, read_predictions


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


_TABLE = TypeAdapter(TableFile)


def check_settings(
    path: Path, made: Mapping[str, Any], wanted: Mapping[str, Any], how: str
) -> None:
    """Refuse a file made with other settings than the configuration's: the page would mix them."""
    for name in sorted(made.keys() & wanted.keys()):
        if made[name] != wanted[name]:
            raise InputError(
                f"{path}: made with '{name}' {made[name]} where the configuration now says "
                f"{wanted[name]}; {how}"
            )


def predictions(folder: Path, settings: Task, method: str, altered: str = "") -> Predictions:
    """Predictions of a method for the task's own sample or an altered one."""
    path = folder / method / (f"predictions@{altered}.h5" if altered else "predictions.h5")
    _check_there(path, settings, method, altered)
    found = read_predictions(path)
    _check_part(path, found, altered)
    return found


def findings(folder: Path, settings: Task, name: str, method: str) -> FindingsFile:
    """Findings of a method for the task `name`, which they must be of."""
    path = folder / method / "predictions.h5"
    _check_there(path, settings, method)
    found = open_findings(path)
    _check_part(path, found)
    own, wanted = (found.task, found.method, found.target), (name, method, settings.target)
    if own != wanted:
        raise InputError(f"{path}: of {' / '.join(own)} where {' / '.join(wanted)} is expected")
    return found


def _check_there(path: Path, settings: Task, method: str, altered: str = "") -> None:
    if not path.is_file():
        how = "--checkpoint FILE" if method in settings.trainings else f"--baseline {method}"
        how += f" --altered {altered}" if altered else ""
        make = f"hepcnn predict SHARD.h5... {how} -o {path}"
        raise InputError(f"{path}: no such file; it is made by '{make}'")


def _check_part(path: Path, found: Predictions | FindingsFile, altered: str = "") -> None:
    """Refuse what is of another sample, or of events that a training saw."""
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


def table(folder: Path, name: str, make: str) -> TableFile:
    """A table of a folder; `make` is the command that makes it."""
    files = {suffix: read_text(folder / f"{name}.{suffix}", make) for suffix in ("csv", "json")}
    try:
        found: TableFile = _TABLE.validate_python(json.loads(files["json"]) | {"files": files})
        names = {column["name"] for column in found.columns}
        _check(all({"title", "kind"} <= column.keys() for column in found.columns), "columns")
        _check(all(names <= record.keys() for record in found.records), "records")
        _check(len(found.shown) == len(found.records), "rows shown")
        _check(all(len(row) == len(found.columns) for row in found.shown), "rows shown")
        for part in ("inputs", "settings"):
            _check(isinstance(found.provenance.get(part, {}), dict), f"provenance, {part}")
        return found
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        reason = str(error)
        if isinstance(error, ValidationError):
            first = error.errors()[0]
            reason = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise InputError(
            f"{folder}/{name}.json: not a table of hepcnn ({reason}); make it again with '{make}'"
        ) from error


def _check(right: bool, what: str) -> None:
    if not right:
        raise ValueError(f"its {what} are not of the right form")
