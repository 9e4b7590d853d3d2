"""The base of all settings, and the types of their values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from hepcnn.detector.particles import SPECIES
from hepcnn.errors import InputError, nearest
from hepcnn.files import expanded

Fraction = Annotated[float, Field(ge=0, le=1)]
#: 64 bits, and a float, hold the largest.
Count = Annotated[int, Field(ge=1, le=1 << 53)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Species = Literal["electron", "muon", "pion", "kaon", "proton", "deuteron"]
Rich = Literal["rich1", "rich2"]
Channel = Literal["hits", "tracks", "expected_other"]
Control = Literal["majority", "momentum_prior"]
Tree = Literal["charge_tree", "shape_tree"]
Plane = Literal["u", "v", "y"]
Analytic = Literal[
    "threshold_counting",
    "boosted_tree",
    "likelihood_local",
    "likelihood_global",
    "likelihood_marginal",
    "dll_tree",
]
Edges = Annotated[list[NonNegative], Field(min_length=2)]


def _rising(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] >= bounds[1]:
        raise ValueError(f"{bounds[0]:g} is not below {bounds[1]:g}")
    return bounds


Rising = AfterValidator(_rising)
"""Of two numbers, the second must be the larger one."""
Range = Annotated[tuple[Positive, Positive], Rising]


def _name(name: str) -> str:
    if not re.fullmatch("[A-Za-z0-9_][A-Za-z0-9_-]{0,99}", name):
        raise ValueError(
            "not a possible name, since folders are called so: it has letters (A to Z, a to z), "
            "digits, '_' and '-' alone, no '-' in front, and at most 100 characters"
        )
    return name


Name = Annotated[str, AfterValidator(_name)]
"""What a user calls a sample, an image set, a task or a network."""


def _path(path: str) -> str:
    try:
        return expanded(path)
    except InputError as error:
        raise ValueError(str(error)) from error


FilePath = Annotated[str, Field(min_length=1), AfterValidator(_path)]
"""A file or folder of the user's."""


class Settings(BaseModel):
    """Base of all settings: immutable, unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


def check_distinct(name: str, values: Sequence[object]) -> None:
    """Refuse, inside a validator, a list that has a value twice."""
    if len(set(values)) < len(values):
        raise ValueError(f"{name}: one is named twice")


def check_mixture(mixture: Mapping[Any, float], classes: Sequence[str] = SPECIES) -> None:
    """Refuse, inside a validator, a mixture of other classes or without an abundance above 0."""
    for name in mixture:
        if name not in classes:
            raise ValueError(f"mixture: no class '{name}'; {nearest(name, classes)}")
    if not sum(mixture.values()) > 0:
        raise ValueError("a mixture needs at least one abundance above 0")


def abundances(
    mixture: Mapping[Any, float] | Literal["flat"], classes: Sequence[str] = SPECIES
) -> list[float]:
    """Abundances of the classes, by default of the six species, in order, normalised to 1."""
    if mixture == "flat":
        return [1 / len(classes)] * len(classes)
    weights = [float(mixture.get(name, 0.0)) for name in classes]
    return [w / sum(weights) for w in weights]
