"""Searches: which values of the settings of a network are tried."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from itertools import product
from typing import Annotated, Any, Self

import numpy as np
from pydantic import AfterValidator, Field, model_validator

from hepcnn.config.settings import Settings
from hepcnn.errors import nearest

#: Settings of a network that can be searched: all but its image set, which predictions must know
#: before the trainings are done, and its number of trainings, which each trial has.
SEARCHED = ("architecture", "views", "channels", "features", "steps", "options.", "train.")
#: Trials of a search at most.
MOST = 10_000
#: Significant digits of numbers that are drawn: more would name the trials of one configuration
#: after the last bits of a machine's logarithm.
_DIGITS = 4
#: Draws for each trial wanted, after which there are no further ones.
_DRAWS = 100


_Whole = Annotated[int, Field(ge=-(1 << 53), le=1 << 53)]
#: So that differences and exponentials of logarithms are finite.
_Other = Annotated[float, Field(ge=-1e100, le=1e100)]


def _plain(values: list[Any]) -> list[Any]:
    try:
        json.dumps(values, allow_nan=False, sort_keys=True)
    except (TypeError, ValueError) as error:
        raise ValueError(f"numbers, texts, lists and mappings alone: {error}") from error
    return values


class Span(Settings):
    """Numbers that are drawn at random; whole ones if both ends are whole."""

    low: _Whole | _Other
    """The least."""
    high: _Whole | _Other
    """The largest."""
    log: bool = False
    """Uniformly in the logarithm: as many from 0.001 to 0.01 as from 0.01 to 0.1."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if not self.low < self.high:
            raise ValueError(f"low: {self.low:g} is not below {self.high:g}, the high end")
        if self.log and not self.low > 0:
            raise ValueError(f"low: {self.low:g} has no logarithm; it must be above 0")
        return self

    def draw(self, generator: np.random.Generator) -> int | float:
        """Draw a number, to four significant digits if it is not a whole one."""
        low, high = self.low, self.high
        whole = isinstance(low, int) and isinstance(high, int)
        if whole and not self.log:
            return int(generator.integers(int(low), int(high), endpoint=True))
        if self.log:
            number = math.exp(generator.uniform(math.log(low), math.log(high)))
        else:
            number = generator.uniform(low, high)
        rounded = round(number) if whole else float(f"{number:.{_DIGITS}g}")
        return min(max(rounded, low), high)


class Search(Settings):
    """Values that are tried of the settings of a network; the best by validation is kept."""

    values: dict[str, Annotated[list[Any], Field(min_length=1), AfterValidator(_plain)]] = {}
    """By setting, such as `train.learning_rate`, `options.dropout`, `features` or `steps`, the
    values that it can have."""
    ranges: dict[str, Span] = {}
    """By setting, the range that its values are drawn from."""
    trials: Annotated[int, Field(ge=1, le=MOST)] | None = None
    """So many trials, drawn at random with the configuration's seed; by default each combination of
    the values is one."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if not self.values and not self.ranges:
            raise ValueError("nothing is searched: give 'values', or 'ranges' and 'trials'")
        for part in ("values", "ranges"):
            for key in getattr(self, part):
                _check_searched(f"{part}.{key}", key)
        if both := sorted(set(self.values) & set(self.ranges)):
            raise ValueError(f"ranges: {both[0]} is in 'values' too")
        if self.ranges and self.trials is None:
            raise ValueError("trials: missing: how many are drawn from the ranges")
        for key, values in self.values.items():
            if len(set(map(_text, values))) < len(values):
                raise ValueError(f"values.{key}: one is named twice")
        if self.trials is None and math.prod(map(len, self.values.values())) > MOST:
            raise ValueError(f"values: more than {MOST} combinations; give 'trials'")
        return self

    def combinations(self, generator: np.random.Generator) -> list[dict[str, Any]]:
        """The values of each trial, by setting, no two alike.

        With a generator of the same state, a search of more trials begins with those of one of
        fewer.

        Raises
        ------
        ValueError
            If there are not so many different ones.
        """
        if self.trials is None:
            every = product(*self.values.values())
            return [dict(zip(self.values, chosen, strict=True)) for chosen in every]
        found: dict[str, dict[str, Any]] = {}
        for _ in range(_DRAWS * self.trials):
            drawn = dict(self._drawn(generator))
            found.setdefault(_text(drawn), drawn)
            if len(found) == self.trials:
                return list(found.values())
        raise ValueError(
            f"trials: {self.trials}, but there are not so many different ones; without 'trials' "
            "each combination of the values is tried"
        )

    def _drawn(self, generator: np.random.Generator) -> Iterator[tuple[str, Any]]:
        for key, values in self.values.items():
            yield key, values[generator.integers(len(values))]
        for key, span in self.ranges.items():
            yield key, span.draw(generator)


def _check_searched(place: str, key: str) -> None:
    """Refuse, inside a validator, what is not a setting that can be searched."""
    part, dot, name = key.partition(".")
    if f"{part}{dot}" not in SEARCHED or (dot and not name):
        known = (f"{key}NAME" if key.endswith(".") else key for key in SEARCHED)
        raise ValueError(
            f"{place}: no setting of a network that can be searched; {nearest(key, known)}"
        )


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
