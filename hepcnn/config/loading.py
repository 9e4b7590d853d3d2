"""Configurations read and checked, with errors that say what would be right."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from hepcnn.config.problems import explain
from hepcnn.config.whole import Config
from hepcnn.config.yaml_files import read_mapping
from hepcnn.errors import InputError, nearest

T = TypeVar("T")


def validate(data: Mapping[str, Any] | None, source: str = "config") -> Config:
    """Check a parsed configuration.

    Parameters
    ----------
    data : mapping or None
        What a YAML file holds; empty means all defaults.
    source : str
        What to call it in an error message.

    Raises
    ------
    InputError
        One line for each wrong key: where it is, what is wrong, the nearest valid names.
    """
    try:
        return Config.model_validate(dict(data or {}))
    except ValidationError as error:
        raise InputError(explain(error, f"{source}: the configuration", Config)) from error


def load(path: str | Path) -> Config:
    """Read and check a YAML (or JSON) configuration file; ``-`` is the standard input."""
    return validate(read_mapping(path), str(path))


def entry(entries: Mapping[str, T], name: str | None, what: str) -> T:
    """One entry of a list of the configuration by name, or an error with the nearest names.

    Without a name it is the only entry.
    """
    if name is None:
        if len(entries) != 1:
            names = ", ".join(entries) or "none"
            raise InputError(f"the configuration has {len(entries)} {what}s ({names}): name one")
        return next(iter(entries.values()))
    if name not in entries:
        raise InputError(f"no {what} '{name}' in the configuration; {nearest(name, entries)}")
    return entries[name]
