"""Where a file came from: settings, seed, inputs, code and versions, as one JSON object."""

from __future__ import annotations

import ast
import hashlib
import json
import subprocess
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import hepcnn

_PACKAGE = Path(hepcnn.__file__).parent
#: Modules that change no stage's output by themselves: the settings' values count, not their form.
_NEUTRAL = ("hepcnn.config", "hepcnn.errors", "hepcnn.progress", "hepcnn.provenance")
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


@cache
def _imports(module: str) -> frozenset[str]:
    """The package's own modules that a module imports, read from its source."""
    source = _source(module)
    found: set[str] = set()
    if source is None:
        return frozenset()
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return frozenset(n for n in found if n.startswith("hepcnn.") and _source(n))


@cache
def code_version(module: str) -> str:
    """Hash of a stage's source: of a module and all of the package that it imports.

    A workflow passes it to each rule, so that an edit reruns the stages that it can change and
    no others. Data files beside the modules (``.yaml``, ``.html``, ``.css``) count with them.

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
            todo.extend(_imports(name))
    total = hashlib.sha256()
    for name in sorted(seen):
        source = _source(name)
        if source is None:
            raise ValueError(f"no module '{name}' in the package")
        data = [p for p in source.parent.glob("*") if p.suffix in {".yaml", ".html", ".css"}]
        for path in [source, *sorted(data)]:
            total.update(path.name.encode() + path.read_bytes())
    return total.hexdigest()[:16]


@cache
def versions() -> dict[str, str]:
    """Versions of hepcnn, of its git commit where there is one, and of the libraries."""
    found = {"hepcnn": hepcnn.__version__}
    command = ["git", "-C", str(_PACKAGE), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        git = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
        found["git"] = git.stdout.strip()
    except (OSError, subprocess.SubprocessError):
        pass  # installed without its repository: the package's version says it all
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
