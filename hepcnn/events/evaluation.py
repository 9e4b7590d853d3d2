"""What expressions of branches give: numbers one an event, or lists of them.

Arithmetic is done in float64, of integers (and booleans) in int64, so that neither small integers
nor unit factors overflow or round; an integer beyond 64 bits is refused, with its event.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from hepcnn.errors import InputError
from hepcnn.events.expressions import Expression, dotted, indices

#: Names an event of a chunk by its place in it.
Naming = Callable[[int], str]

_ARITHMETIC: Mapping[type[ast.AST], tuple[str, Callable[[Any, Any], Any]]] = {
    ast.Add: ("+", operator.add),
    ast.Sub: ("-", operator.sub),
    ast.Mult: ("*", operator.mul),
    ast.Div: ("/", operator.truediv),
    ast.FloorDiv: ("//", operator.floordiv),
    ast.Mod: ("%", operator.mod),
    ast.Pow: ("**", operator.pow),
}
#: Integers of these operators can need more than 64 bits.
_GROWING = (ast.Add, ast.Sub, ast.Mult, ast.Pow)
_COMPARISONS: Mapping[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
#: Integers that are looked at closely, and those that certainly need more than 64 bits.
_CAUTIOUS, _BEYOND = 2.0**62, 2.0**64


@dataclass(frozen=True)
class Column:
    """Values of some entries.

    Attributes
    ----------
    values : array (n,), (n, k, …) or ()
        Numbers, booleans or texts. Without offsets: one an entry, an array of fixed size an
        entry, or one for all. With offsets: those of all lists, one after the other, each a
        value or an array of fixed size.
    offsets : int64 array (n + 1,), optional
        The list of entry ``i`` is ``values[offsets[i]:offsets[i + 1]]``.
    """

    values: np.ndarray
    offsets: npt.NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.values) if self.offsets is None else len(self.offsets) - 1

    def take(self, chosen: npt.NDArray[np.bool_]) -> Column:
        """The entries chosen, (n,) bool."""
        if self.offsets is None:
            return Column(self.values[chosen])
        lengths = np.diff(self.offsets)
        offsets = np.concatenate([[0], np.cumsum(lengths[chosen])])
        return Column(self.values[np.repeat(chosen, lengths)], offsets)

    def place(self, row: int) -> tuple[int, int | None]:
        """The entry of a row of `values`, and the row's number in that entry's list."""
        if self.offsets is None:
            return row, None
        entry = int(np.searchsorted(self.offsets, row, side="right")) - 1
        return entry, row - int(self.offsets[entry])


def evaluate(
    expression: Expression, columns: Mapping[str, Column], naming: Naming = "entry {}".format
) -> Column:
    """Value of an expression.

    A bare name gives its column unchanged.

    Parameters
    ----------
    expression : Expression
        What is wanted.
    columns : mapping of str to Column
        For each of its names, all of the same entries.
    naming : callable
        Names an entry, for the messages.

    Returns
    -------
    Column
        Infinite or NaN where floating-point numbers divide by zero.

    Raises
    ------
    InputError
        If lists have different lengths, an integer needs more than 64 bits or is divided by
        zero, an index is beyond an array, or numbers, texts and conditions are confused.
    """
    if expression.is_name:
        return columns[expression.text]
    with np.errstate(all="ignore"):
        return _Evaluation(expression.text, columns, naming).value(expression.tree)


class _Evaluation:
    """The evaluation of one expression."""

    def __init__(self, text: str, columns: Mapping[str, Column], naming: Naming) -> None:
        self.text, self.columns, self.naming = text, columns, naming

    def value(self, node: ast.expr) -> Column:
        match node:
            case ast.Constant(value=value):
                return Column(np.asarray(value))
            case ast.BinOp(left, ast.BitAnd() | ast.BitOr() as op, right):
                return self._joined([left, right], isinstance(op, ast.BitAnd))
            case ast.BoolOp(op, values):
                return self._joined(values, isinstance(op, ast.And))
            case ast.BinOp():
                return self._arithmetic(node)
            case ast.UnaryOp(ast.USub(), operand):
                return self._arithmetic(ast.BinOp(ast.Constant(0), ast.Sub(), operand))
            case ast.UnaryOp(ast.Not() | ast.Invert(), operand):
                inner = self._condition(operand)
                return Column(~inner.values, inner.offsets)
            case ast.UnaryOp(ast.UAdd(), operand):
                return self._number(operand)
            case ast.Compare(left, ops, others):
                return self._comparison(left, ops, others)
            case ast.Call(ast.Name(name), arguments):
                return self._call(name, arguments)
            case ast.Subscript():
                return self._indexed(node)
        return self.columns[dotted(node) or ""]

    def _refuse(self, what: str, entry: int | None = None) -> NoReturn:
        of = "" if entry is None else f"{self.naming(entry)}: "
        raise InputError(f"{of}'{self.text}': {what}")

    def _refuse_row(self, column: Column, bad: np.ndarray, what: str) -> NoReturn:
        """Name the first bad row; `what` is given its numbers with `{}`."""
        if not bad.ndim:
            self._refuse(what)
        entry, row = column.place(int(np.argwhere(bad)[0][0]))
        self._refuse(what if row is None else f"row {row}: {what}", entry)

    # --- operands -------------------------------------------------------------------------------

    def _number(self, node: ast.expr) -> Column:
        """A number, wide: float64 or int64."""
        found = self.value(node)
        kind, values = found.values.dtype.kind, found.values
        if kind not in "biuf":
            self._refuse(f"'{ast.unparse(node)}' is a text; it can only be compared")
        if kind == "u" and values.dtype.itemsize == 8:
            bad = values >= np.uint64(2**63)
            if bad.any():
                what = f"{ast.unparse(node)} = {values[bad].flat[0]}"
                self._refuse_row(
                    found, bad, f"{what} needs 64 bits without a sign: it can only be compared"
                )  # fmt: skip
        wide = np.float64 if kind == "f" else np.int64
        return Column(values.astype(wide, copy=False), found.offsets)

    def _condition(self, node: ast.expr) -> Column:
        found = self.value(node)
        if found.values.dtype.kind != "b":
            part = ast.unparse(node)
            self._refuse(
                f"'{part}' is no condition: compare it, and put comparisons in parentheses"
            )
        return found

    def _aligned(self, parts: Sequence[Column]) -> list[Column]:
        """The parts with values that broadcast, all with the same offsets."""
        lists = [part.offsets for part in parts if part.offsets is not None]
        offsets = lists[0] if lists else None
        for other in lists[1:]:
            if other is not lists[0] and not np.array_equal(other, lists[0]):
                lengths, its = np.diff(lists[0]), np.diff(other)
                entry = int(np.argmax(lengths != its))
                self._refuse(f"its lists have {lengths[entry]} and {its[entry]} values", entry)
        arrays = []
        for part in parts:
            values = part.values
            if offsets is not None and part.offsets is None and values.ndim:
                # What there is one of an event holds for each of its rows.
                if values.ndim > 1:
                    self._refuse(f"an array of {values.shape[1]} an event stands beside a list")
                values = np.repeat(values, np.diff(offsets))
            arrays.append(values)
        deepest = max(array.ndim for array in arrays)
        arrays = [a.reshape(a.shape + (1,) * (deepest - a.ndim)) if a.ndim else a for a in arrays]
        try:
            np.broadcast_shapes(*(array.shape for array in arrays))
        except ValueError:
            sizes = " and ".join(str(array.shape[1:]) for array in arrays if array.ndim)
            self._refuse(f"its arrays have different sizes: {sizes}")
        return [Column(array, offsets) for array in arrays]

    # --- operations -----------------------------------------------------------------------------

    def _arithmetic(self, node: ast.BinOp) -> Column:
        left, right = self._aligned([self._number(node.left), self._number(node.right)])
        a, b = left.values, right.values
        symbol, operation = _ARITHMETIC[type(node.op)]
        integers = a.dtype == b.dtype == np.int64
        if integers and isinstance(node.op, ast.Pow) and b.size and b.min() < 0:
            a, integers = a.astype(np.float64), False
        if integers and isinstance(node.op, ast.FloorDiv | ast.Mod) and not np.all(b):
            bad = np.broadcast_to(b == 0, np.broadcast_shapes(a.shape, b.shape))
            self._refuse_row(Column(bad, left.offsets), bad, f"an integer {symbol} 0")
        if integers and isinstance(node.op, _GROWING):
            bad = _beyond_64_bits(operation, a, b)
            if bad.any():
                one, other = (np.broadcast_to(x, bad.shape)[bad].flat[0] for x in (a, b))
                shown = f"-{other}" if symbol == "-" and one == 0 else f"{one} {symbol} {other}"
                self._refuse_row(
                    Column(bad, left.offsets), bad, f"{shown} needs more than the 64 bits of an "
                    "integer: take a smaller factor, or map each number to a branch of its own "
                    "(run, subrun and event name an event together)"
                )  # fmt: skip
        # Numbers, not arrays of no dimension: numpy squares by them several times faster.
        return Column(np.asarray(operation(a[()], b[()])), left.offsets)

    def _joined(self, nodes: Sequence[ast.expr], both: bool) -> Column:
        parts = self._aligned([self._condition(node) for node in nodes])
        values = parts[0].values
        for part in parts[1:]:
            values = (values & part.values) if both else (values | part.values)
        return Column(np.asarray(values), parts[0].offsets)

    def _comparison(
        self, left: ast.expr, ops: Sequence[ast.cmpop], others: Sequence[ast.expr]
    ) -> Column:
        parts = self._aligned([self.value(node) for node in (left, *others)])
        if len({part.values.dtype.kind == "U" for part in parts}) > 1:
            self._refuse("compares a text with a number")
        values: Any = np.True_
        for op, one, other in zip(ops, parts, parts[1:], strict=False):
            values = values & _COMPARISONS[type(op)](one.values, other.values)
        return Column(np.asarray(values), parts[0].offsets)

    def _call(self, name: str, arguments: Sequence[ast.expr]) -> Column:
        if name in ("count", "len", "sum"):
            return self._of_each_event(name, arguments[0])
        if name == "where":
            which, *choice = arguments
            parts = self._aligned([self._condition(which), *(self._number(n) for n in choice)])
            return Column(np.where(*(part.values for part in parts)), parts[0].offsets)
        parts = self._aligned([self._number(node) for node in arguments])
        values = [part.values for part in parts]
        if name == "abs" and values[0].dtype == np.int64:
            negative = self._arithmetic(ast.BinOp(ast.Constant(0), ast.Sub(), arguments[0]))
            result = np.maximum(values[0], negative.values)
        elif name in ("min", "max"):
            function = np.minimum if name == "min" else np.maximum
            result = values[0]
            for other in values[1:]:
                result = function(result, other)
        elif (
            name == "hypot"
        ):  # numpy's own takes care of the largest numbers, and five times as long
            result = np.sqrt(np.square(values[0], dtype=float) + np.square(values[1], dtype=float))
        else:
            result = getattr(np, name)(*(np.asarray(value, np.float64) for value in values))
        return Column(np.asarray(result), parts[0].offsets)

    def _of_each_event(self, name: str, node: ast.expr) -> Column:
        """How many values an event's list has, or their sum."""
        found = self._number(node) if name == "sum" else self._any_list(node)
        values, offsets, part = found.values, found.offsets, ast.unparse(node)
        if offsets is None:
            if values.ndim < 2:
                self._refuse(f"{name}({part}) is of no list: there is one an event")
            if name != "sum":
                self._refuse(f"{name}({part}) is {values.shape[1]} in every event: name the branch "
                             "that counts what is no padding, or sum a condition")  # fmt: skip
            offsets = values.shape[1] * np.arange(len(values) + 1)
            values = values.reshape(-1, *values.shape[2:])
        if name != "sum":
            return Column(np.diff(offsets))
        if values.ndim > 1:
            self._refuse(f"sum: '{part}' has {values.shape[1]} numbers a row; write [:, 0]")
        if values.dtype == np.int64 and np.abs(values.astype(np.float64)).sum() >= _CAUTIOUS:
            self._refuse(
                f"sum({part}) may need more than the 64 bits of an integer: write 1.0 * it"
            )
        sums = np.zeros(len(offsets) - 1, values.dtype)
        some = np.flatnonzero(np.diff(offsets))
        if len(some):
            sums[some] = np.add.reduceat(values, offsets[some])
        return Column(sums)

    def _any_list(self, node: ast.expr) -> Column:
        """A column as long as an expression; that of one of its lists, if it has one."""
        names = (dotted(part) or "" for part in ast.walk(node) if isinstance(part, ast.expr))
        used = (self.columns[name] for name in names if name in self.columns)
        return next((c for c in used if c.offsets is not None), None) or self.value(node)

    def _indexed(self, node: ast.Subscript) -> Column:
        found, wanted = self.columns[dotted(node.value) or ""], indices(node) or ()
        name, values = ast.unparse(node.value), found.values
        if found.offsets is not None and wanted[0] is not None:
            what = f"write {name} for each of its rows"
            what = (
                f"write {name}[:, {wanted[0]}]"
                if values.ndim > 1
                else f"{what}; {only_value(name)}"
            )
            self._refuse(f"'{name}' is a list, whose length differs from event to event: {what}")
        inner = wanted if found.offsets is None else wanted[1:]
        if len(inner) > values.ndim - 1:
            sizes = " x ".join(map(str, values.shape[1:])) or "one number"
            self._refuse(
                f"'{name}' has {sizes} in each {'event' if found.offsets is None else 'row'}"
            )
        for index, size in zip(inner, values.shape[1:], strict=False):
            if index is not None and index >= size:
                self._refuse(f"'{name}' has {size} values there: the last is number {size - 1}")
        which = tuple(slice(None) if index is None else index for index in inner)
        return Column(np.ascontiguousarray(values[(slice(None), *which)]), found.offsets)


def only_value(name: str) -> str:
    """How a list that has one value, or none, becomes one an event."""
    return (
        f"the only value of each event is where(len({name}) == 1, sum({name}), 0/0), NaN where it "
        "is not one (of whole numbers another, such as 0 or -1, in the place of 0/0)"
    )


def _beyond_64_bits(
    operation: Callable[[Any, Any], Any], a: np.ndarray, b: np.ndarray
) -> npt.NDArray[np.bool_]:
    """Where the result of int64 numbers does not fit int64; one False if that is nowhere."""
    none = np.zeros((), np.bool_)
    if not (a.size and b.size):
        return none
    # Within its limits each operation is largest at a corner of them: most need no closer look.
    ends = np.array([(a.min(), a.max()), (b.min(), b.max())], np.float64)
    corners = operation(ends[0][:, None], ends[1][None, :])
    if np.abs(corners).max() < _CAUTIOUS:
        return none
    rough = np.abs(operation(a.astype(np.float64), b.astype(np.float64)))
    bad = np.asarray(~(rough < _BEYOND))
    a, b = np.broadcast_to(a, bad.shape), np.broadcast_to(b, bad.shape)
    for at in zip(*np.nonzero(np.atleast_1d((rough >= _CAUTIOUS) & ~bad)), strict=True):
        place = at if bad.ndim else ()
        bad[place] = not -(2**63) <= operation(int(a[place]), int(b[place])) < 2**63
    return bad
