"""Cuts on differences of log likelihoods as analyses write them: ``DLLK > 5``."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepcnn.detector.particles import PARTICLES

_NAMES = {particle.symbol: particle.name for particle in PARTICLES}
_COMPARISONS: Mapping[str, Callable[[Any, Any], Any]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_SYMBOL = "|".join(_NAMES)
_NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?"
_CUT = re.compile(rf"DLL({_SYMBOL})({_SYMBOL})?\s*(>=|<=|>|<)\s*({_NUMBER})")


@dataclass(frozen=True)
class _Comparison:
    """ln L of one species less that of another, compared with a number."""

    first: str
    second: str
    sign: str
    value: float


@dataclass(frozen=True)
class Cut:
    """One comparison, or several that must all hold; see `parse_cut`."""

    text: str
    comparisons: tuple[_Comparison, ...]

    def passes(self, difference: Callable[[str, str], NDArray[np.float64]]) -> NDArray[np.bool_]:
        """Which tracks pass, (N,); `difference` gives ln L of one species less that of another."""
        passing = [
            _COMPARISONS[c.sign](difference(c.first, c.second), c.value) for c in self.comparisons
        ]
        return np.logical_and.reduce(passing)


def parse_cut(text: str) -> Cut:
    """Understand a cut: ``DLLK > 5``, ``DLLpK > 0``, ``DLLp > 5 & DLLpK > 0``.

    After ``DLL`` stands the symbol of a species (e, mu, pi, K, p, d) and, if it is not the pion,
    that of the one to be told from: DLLpK is ln L(p) − ln L(K).

    Raises
    ------
    ValueError
        If it is no such cut.
    """
    comparisons = []
    for part in text.split("&"):
        match = _CUT.fullmatch(part.strip())
        if match is None:
            raise ValueError(
                f"'{text}' is no cut like 'DLLK > 5' or 'DLLpK > 0 & DLLp > 5' on the species "
                f"{', '.join(_NAMES)}"
            )
        first, second, sign, value = match.groups()
        second = second or "pi"
        if first == second:
            raise ValueError(f"'{text}' compares {first} with itself")
        comparisons.append(_Comparison(_NAMES[first], _NAMES[second], sign, float(value)))
    return Cut(text, tuple(comparisons))
