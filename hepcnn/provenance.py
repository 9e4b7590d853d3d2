"""Where a file came from: settings, seed, inputs, code and versions, as one JSON object."""

from __future__ import annotations

import ast
import hashlib
import json
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import hepcnn

_PACKAGE = Path(hepcnn.__file__).parent
#: Modules that change no stage's output.
_NEUTRAL = ("hepcnn.errors", "hepcnn.progress", "hepcnn.provenance")
#: Suffixes of files that modules read.
_DATA = {".yaml", ".html", ".css", ".js"}
#: Libraries whose versions can change a result.
_LIBRARIES = (
    "numpy",
    "scipy",
    "scikit-learn",
    "numba",
    "awkward",
    "uproot",
    "h5py",
    "torch",
    "lightning",
)


def digest(data: Any) -> str:
    """Short SHA-256 of JSON-like data, whatever the order of its keys."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _source(module: str) -> Path | None:
    path = _PACKAGE.parent.joinpath(*module.split("."))
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def _neutral(module: str) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in _NEUTRAL)


class _Executed(ast.NodeTransformer):
    """Leaves what is executed, and of settings what their values do not say already."""

    def __init__(self, settings: bool) -> None:
        self.settings = settings

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if text else node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        if self.settings:
            node.body = [part for part in node.body if not _field_or_check(part)]
        return self.generic_visit(node)


def _field_or_check(node: ast.stmt) -> bool:
    """Whether it is a field or a validator, in a class of settings."""
    if isinstance(node, ast.FunctionDef):
        return any("validator" in ast.dump(decorator) for decorator in node.decorator_list)
    return isinstance(node, ast.AnnAssign)


class _Text(NamedTuple):
    """What a module's text says."""

    code: bytes
    """What is executed."""
    imported: tuple[str, ...]
    """Modules of the package that it imports whole."""
    taken: tuple[tuple[str, str], ...]
    """Names that it takes from modules of the package: the module and the name."""
    exported: Mapping[str, str]
    """For each name that it takes from a module, the module."""


@cache
def _read(text: str, settings: bool) -> _Text:
    """Read a module's text."""
    tree = ast.parse(text)
    imported, taken = [], []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported += [a.name for a in node.names if a.name.startswith("hepcnn.")]
        elif isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith("hepcnn."):
            taken += [(node.module or "", alias.name) for alias in node.names]
    exported = {
        alias.asname or alias.name: node.module
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module and not node.level
        for alias in node.names
    }
    code = ast.dump(_Executed(settings).visit(tree)).encode()
    return _Text(code, tuple(imported), tuple(taken), exported)


def _text(module: str, source: Path) -> _Text:
    return _read(source.read_text(encoding="utf-8"), module.startswith("hepcnn.config."))


@cache
def _exported(package: str) -> Mapping[str, str]:
    """For each name that a package takes from its modules, the module."""
    source = _source(package)
    if source is None or source.name != "__init__.py":
        return {}
    return _text(package, source).exported


def _imports(text: _Text) -> Iterator[str]:
    """The package's own modules that a module imports."""
    yield from text.imported
    for package, name in text.taken:
        module = f"{package}.{name}"
        yield module if _source(module) else _exported(package).get(name, package)


@cache
def _parsed(module: str) -> tuple[bytes, frozenset[str]]:
    """What a module executes, data beside it included, and which of the package's it imports."""
    source = _source(module)
    if source is None:
        raise ValueError(f"no module '{module}' in the package")
    text = _text(module, source)
    data = [p for p in sorted(source.parent.glob("*")) if p.suffix in _DATA]
    parts = [text.code, *(p.name.encode() + p.read_bytes() for p in data)]
    return b"".join(parts), frozenset(_imports(text))


@cache
def code_version(module: str) -> str:
    """Hash of what a stage executes: of a module and all of the package that it imports.

    A workflow passes it to each rule, so that an edit reruns the stages that it can change and
    no others. Comments, docstrings and layout do not count. Of settings (`hepcnn.config`) fields
    and validators do not count either, for the rule's parameters are their values; what is derived
    from these does. Data files beside the modules count with them.

    Parameters
    ----------
    module : str
        The stage's module, for example ``"hepcnn.imaging.convert"``.
    """
    todo, seen = [module], set()
    while todo:
        name = todo.pop()
        if name not in seen and not _neutral(name):
            seen.add(name)
            todo.extend(_parsed(name)[1])
    total = hashlib.sha256()
    for name in sorted(seen):
        total.update(name.encode() + _parsed(name)[0])
    return total.hexdigest()[:16]


def _git_version() -> str | None:
    """The commit, if the package lies in its own repository."""
    root = _PACKAGE.parent
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        # Installed within another project's repository, say in its .venv, it has no commit.
        project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        if project["name"] != "hepcnn" or not (root / ".git").exists():
            return None
        git = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
        return git.stdout.strip()
    except (OSError, ValueError, LookupError, subprocess.SubprocessError):
        return None  # the package's version says it all


@cache
def versions() -> dict[str, str]:
    """Versions of hepcnn, of its git commit if it lies in its repository, and of the libraries."""
    found = {"hepcnn": hepcnn.__version__}
    if git := _git_version():
        found["git"] = git
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def record(
    stage: str,
    settings: Mapping[str, Any],
    *,
    code: str,
    inputs: Mapping[str, str] | None = None,
    seed: int | None = None,
) -> dict[str, Any]:
    """Describe how a file is made.

    Parameters
    ----------
    stage : str
        The command's name.
    settings : mapping
        Exactly the settings that the result depends on.
    code : str
        The stage's module, hashed by `code_version`.
    inputs : mapping, optional
        For each input file its identity: the ``id`` of its own record, or a checksum.
    seed : int, optional
        The seed used.

    Returns
    -------
    dict
        With an ``id`` that is a hash of everything but the versions: equal ids, equal contents.
    """
    what = {
        "stage": stage,
        "settings": json.loads(json.dumps(settings, default=str)),
        "code": code_version(code),
        "inputs": dict(inputs or {}),
        "seed": seed,
    }
    # Where a file lies does not change what is in it.
    identity = {**what, "inputs": sorted(what["inputs"].values())}
    return {"id": digest(identity), **what, "versions": versions()}
