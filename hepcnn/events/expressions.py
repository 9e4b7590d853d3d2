"""Values of `branches:`: a branch's name, or arithmetic of names and numbers.

The text is parsed into Python's syntax tree and walked over a table of the operators allowed;
nothing is ever executed by `eval`.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hepcnn.errors import InputError

_BINARY: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_UNARY: Mapping[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
}
_ALLOWED = "write names of branches, numbers and + - * / ( )"
#: Stands for $ in Python's syntax tree, where no name may have it: `$file`, `$entry`.
_DOLLAR = "ǁ"
#: Longer texts are refused: their trees could be deeper than Python's stack.
_LONGEST = 500


@dataclass(frozen=True)
class Expression:
    """A parsed expression.

    Attributes
    ----------
    text : str
        As written.
    names : tuple of str
        The branches that it reads, each once, in order; none for a constant.
    """

    text: str
    names: tuple[str, ...]
    _tree: ast.expr

    @property
    def is_name(self) -> bool:
        """Whether it is one branch as it is."""
        return self.names == (self.text,)

    def evaluate(self, values: Mapping[str, np.ndarray]) -> Any:
        """Value of the expression.

        A bare name gives its array unchanged. Arithmetic is done in float64, of integers (and
        booleans) in int64, so that neither small integers nor unit factors overflow or round.

        Parameters
        ----------
        values : mapping of str to array
            For each of `names` its numbers; the arrays have shapes that broadcast.

        Returns
        -------
        array or number
            A number if the expression is a constant; infinite or NaN where it divides by zero.
        """
        if self.is_name:
            return values[self.text]
        wide = {name: _widened(values[name]) for name in self.names}
        with np.errstate(all="ignore"):
            return _value(self._tree, wide)


def constant(value: float) -> Expression:
    """The expression of a number, which may be NaN."""
    return Expression(f"{value:g}", (), ast.Constant(value))


def parse(text: str, branches: Collection[str] = ()) -> Expression:
    """Parse an expression.

    Parameters
    ----------
    text : str
        For example ``"Track_P"``, ``"1000 * Track.P"``, ``"-(hit_x_cm + 3) / 0.1"``.
    branches : collection of str
        Names that exist: a text that is one of them is that name, whatever characters it has
        (``"evt/Track_P"``).

    Raises
    ------
    InputError
        If the text is not such an expression; it names the part that is wrong. Whether the
        names exist is not checked.
    """
    text = text.strip()
    if text in branches:
        return Expression(text, (text,), ast.Name(text))
    if len(text) > _LONGEST:
        raise InputError(f"expression '{text[:40]}…' is longer than {_LONGEST} characters")
    try:
        source = text.replace("$", _DOLLAR)
        tree = ast.parse(source, mode="eval").body
        names = tuple(dict.fromkeys(_names(tree, source)))
    except SyntaxError as error:
        part = f" at '{text[error.offset - 1 :]}'" if error.offset and error.offset > 1 else ""
        raise InputError(f"expression '{text}' cannot be read{part}: {_ALLOWED}") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise InputError(f"expression '{text}' cannot be read: {_ALLOWED}") from error
    return Expression(text, names, tree)


def _widened(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float64 if values.dtype.kind == "f" else np.int64, copy=False)


def _dotted(node: ast.expr) -> str | None:
    """``Track.P`` of a name or an attribute of names; None of anything else."""
    if isinstance(node, ast.Name):
        return node.id.replace(_DOLLAR, "$")
    if isinstance(node, ast.Attribute) and (base := _dotted(node.value)):
        return f"{base}.{node.attr}"
    return None


def _names(node: ast.expr, text: str) -> Iterator[str]:
    """Names in a tree, refusing all that is not in the tables."""
    match node:
        case ast.Name() | ast.Attribute() if name := _dotted(node):
            yield name
        case ast.Constant(value=float()):
            return
        case ast.Constant(value=int(value)) if type(value) is int and value < 2**63:
            return
        case ast.BinOp(left, op, right) if type(op) in _BINARY:
            yield from _names(left, text)
            yield from _names(right, text)
        case ast.UnaryOp(op, operand) if type(op) in _UNARY:
            yield from _names(operand, text)
        case _:
            part = ast.get_source_segment(text, node) or text
            wrong = f"expression '{text}': '{part}' is not allowed: {_ALLOWED}"
            raise InputError(wrong.replace(_DOLLAR, "$"))


def _value(node: ast.expr, values: Mapping[str, np.ndarray]) -> Any:
    match node:
        case ast.Constant(value=value):
            # Numpy's numbers divide by zero without an exception.
            return np.asarray(value)[()]
        case ast.BinOp(left, op, right):
            return _BINARY[type(op)](_value(left, values), _value(right, values))
        case ast.UnaryOp(op, operand):
            return _UNARY[type(op)](_value(operand, values))
        case _:
            name = _dotted(node)
            assert name is not None, "checked by parse"
            return values[name]
