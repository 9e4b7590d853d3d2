"""Geometries that come with the package by name, or the user's in the same form."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from hepcnn.config import explain, read_yaml
from hepcnn.errors import InputError, nearest

_FOLDER = Path(__file__).parent
Form = TypeVar("Form", bound=BaseModel)


def read_geometry(name: str | Path, known: Sequence[str], form: type[Form]) -> Form:
    """Read a geometry from YAML.

    Parameters
    ----------
    name : str or Path
        One of `known`, or the path of a YAML file.
    known : sequence of str
        Names of the geometries of this form that come with the package.
    form : type
        The pydantic model of the file.

    Raises
    ------
    InputError
        If there is no such geometry (with the nearest names) or a value is not valid.
    """
    path = Path(name)
    if str(name) in known:
        path = _FOLDER / f"{name}.yaml"
    elif not path.is_file():
        raise InputError(
            f"no geometry '{name}', nor a file of that name; {nearest(str(name), known)}"
        )
    try:
        return form.model_validate(read_yaml(path))
    except ValidationError as error:
        raise InputError(explain(error, f"{path}: the geometry", form)) from error
