"""Values of `branches:` and `selection:`: expressions of branches' names, numbers and functions.

The text is parsed into Python's syntax tree and checked against tables of what is allowed; nothing
is ever executed by `eval`. `evaluation` says what the expressions give.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import NoReturn

from hepcnn.errors import InputError, nearest

OPERATORS: frozenset[type[ast.AST]] = frozenset({
    ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.UAdd, ast.USub,
    ast.Not, ast.Invert, ast.BitAnd, ast.BitOr,
    ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE,
})  # fmt: skip
#: Least and largest number of arguments of each function.
FUNCTIONS: Mapping[str, tuple[int, int]] = {
    **dict.fromkeys(("sqrt", "exp", "log", "log10", "abs", "floor", "isfinite", "isnan"), (1, 1)),
    **dict.fromkeys(("sin", "cos", "tan", "arcsin", "arccos", "arctan"), (1, 1)),
    **dict.fromkeys(("arctan2", "hypot"), (2, 2)),
    **dict.fromkeys(("min", "max"), (2, 20)),
    "where": (3, 3),
    **dict.fromkeys(("count", "len", "sum"), (1, 1)),
}
_ALLOWED = (
    "write names of branches, numbers, + - * / // % ** ( ), comparisons with `and`, `or`, `not`, "
    "indices (pos[:, 0]), texts to compare with ('primary'), and the functions "
    + ", ".join(FUNCTIONS)
)
#: Longer and deeper expressions are refused: they could exhaust Python's stack.
_LONGEST, _DEEPEST = 500, 100
#: Stands for $ in Python's syntax tree, where no name may have it: `$file`, `$entry`.
_DOLLAR = "ǁ"


@dataclass(frozen=True)
class Expression:
    """A parsed expression.

    Attributes
    ----------
    text : str
        As written.
    names : tuple of str
        The branches that it reads, each once, in order; none for a constant.
    tree : ast.expr
        What it was parsed to; only what `parse` allows.
    """

    text: str
    names: tuple[str, ...]
    tree: ast.expr

    @property
    def is_name(self) -> bool:
        """Whether it is one branch as it is."""
        return self.names == (self.text,)

    def replaced(self, by: Mapping[str, Expression]) -> Expression:
        """This expression with some of its names replaced by what they stand for.

        A name with an index stays: only a branch can have one.
        """
        tree = _Replacement(by).visit(copy.deepcopy(self.tree))
        return Expression(self.text, tuple(dict.fromkeys(_names(tree, self.text))), tree)


class _Replacement(ast.NodeTransformer):
    def __init__(self, by: Mapping[str, Expression]) -> None:
        self.by = by

    def _name(self, node: ast.expr) -> ast.expr:
        name = dotted(node)
        return self.by[name].tree if name is not None and name in self.by else node

    visit_Name = visit_Attribute = _name

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        return node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        return ast.Call(node.func, [self.visit(argument) for argument in node.args], [])


def constant(value: float) -> Expression:
    """The expression of a number, which may be NaN."""
    return Expression(f"{value:g}", (), ast.Constant(value))


def parse(text: str, branches: Collection[str] = ()) -> Expression:
    """Parse an expression.

    Parameters
    ----------
    text : str
        For example ``"Track_P"``, ``"1000 * sqrt(px**2 + py**2 + pz**2)"``, ``"pos[:, 0] / 10"``,
        ``"where(process == 'Decay', 1, 4)"``.
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


def dotted(node: ast.expr) -> str | None:
    """``Track.P`` of a name or an attribute of names; None of anything else."""
    if isinstance(node, ast.Name):
        return node.id.replace(_DOLLAR, "$")
    if isinstance(node, ast.Attribute) and (base := dotted(node.value)):
        return f"{base}.{node.attr}"
    return None


def indices(node: ast.Subscript) -> tuple[int | None, ...] | None:
    """The indices ``[:, 0]`` as ``(None, 0)``; None if they are others than numbers and ``:``."""
    parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    found: list[int | None] = []
    for part in parts:
        match part:
            case ast.Slice(lower=None, upper=None, step=None) if not found:
                found.append(None)
            case ast.Constant(value=int(value)) if type(value) is int:
                found.append(value)
            case _:
                return None
    return tuple(found)


def _names(node: ast.expr, text: str, comparable: bool = False, depth: int = 1) -> Iterator[str]:
    """Names in a tree, refusing all that is not in the tables; texts only if `comparable`."""
    if depth > _DEEPEST:
        raise InputError(f"expression '{text[:40]}…' is nested deeper than {_DEEPEST}")
    inner: list[ast.expr] = []
    match node:
        case ast.Name() | ast.Attribute() if name := dotted(node):
            yield name
        case ast.Constant(value=float()):
            pass
        case ast.Constant(value=int(value)) if type(value) is int and value < 2**63:
            pass
        case ast.Constant(value=str()) if comparable:
            pass
        case ast.BinOp(left, op, right) if type(op) in OPERATORS:
            inner = [left, right]
        case ast.UnaryOp(op, operand) if type(op) in OPERATORS:
            inner = [operand]
        case ast.BoolOp(values=values):
            inner = values
        case ast.Compare(left, ops, others) if all(type(op) in OPERATORS for op in ops):
            for part in (left, *others):
                yield from _names(part, text, True, depth + 1)
        case ast.Call(ast.Name(name), arguments, []):
            _check_call(name, len(arguments), text)
            inner = arguments
        case ast.Subscript(value) if (name := dotted(value)) and indices(node) is not None:
            yield name
        case _:
            _refuse(node, text)
    for part in inner:
        yield from _names(part, text, depth=depth + 1)


def _check_call(name: str, arguments: int, text: str) -> None:
    """A function that there is, with as many arguments as it takes."""
    if name not in FUNCTIONS:
        hint = nearest(name, FUNCTIONS)
        raise InputError(f"expression '{text}': no function '{name}'; {hint}")
    least, most = FUNCTIONS[name]
    if not least <= arguments <= most:
        takes = least if least == most else f"{least} or more"
        raise InputError(f"expression '{text}': {name} takes {takes} arguments, not {arguments}")


def _refuse(node: ast.expr, text: str) -> NoReturn:
    part = ast.get_source_segment(text, node) or text
    wrong = f"expression '{text}': '{part}' is not allowed: {_ALLOWED}"
    raise InputError(wrong.replace(_DOLLAR, "$"))
