"""What is in a ROOT file, and how it could be read: for `hepcnn inspect`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hepcnn.events.guessing import branches_block, guess_branches
from hepcnn.events.layout import wanted_rich
from hepcnn.events.sources import (
    FileSpec,
    decoding,
    open_file,
    open_tree,
    short_names,
    tree_names,
)

_NATIVE = "native RICH layout:"


@dataclass(frozen=True)
class BranchInfo:
    """One branch: full name, C++ type, title, compressed size in bytes (None: not known)."""

    name: str
    type: str
    title: str
    size: int | None


@dataclass(frozen=True)
class TreeInfo:
    """One TTree or RNTuple."""

    name: str
    kind: str
    entries: int
    branches: list[BranchInfo]


def inspect_file(spec: FileSpec) -> list[TreeInfo]:
    """Describe the trees of a file, or the one that is named.

    Raises
    ------
    InputError
        If the file cannot be read or has no such tree.
    """
    if spec.tree:
        with open_tree(spec) as tree:
            return [_describe(spec.tree, tree)]
    with open_file(spec.path) as directory:
        trees = []
        for name in tree_names(directory):
            with decoding(f"{spec.path}: cannot read the tree '{name}'"):
                trees.append(_describe(name, directory[name]))
        return trees


def _describe(name: str, tree: Any) -> TreeInfo:
    branches = [
        BranchInfo(key, branch.typename, _title(branch), getattr(branch, "compressed_bytes", None))
        for key, branch in tree.items(recursive=True)
    ]
    kind = "RNTuple" if "RNTuple" in type(tree).__name__ else "TTree"
    return TreeInfo(name, kind, int(tree.num_entries), branches)


def _title(branch: Any) -> str:
    """A branch's title, unless it only repeats name and type as ROOT does (``x[n]/F``)."""
    title = getattr(branch, "title", "")
    repeats = title == branch.name or re.fullmatch(r"\S+(/[A-Za-z]|\[\w*\])", title)
    return "" if repeats else title


def layout_of(tree: TreeInfo) -> str:
    """One sentence: whether the tree has the native RICH layout, and what it lacks."""
    given = {branch.name for branch in tree.branches}
    lacking = [b.name for b in wanted_rich(given, truth=False) if b.name not in given]
    if not lacking:
        truth = "no truth: map track_pdg to 0 to predict on it"
        return f"{_NATIVE} {'complete' if 'track_pdg' in given else truth}"
    if not any(b.name in given for b in wanted_rich(given)):
        return "not the native RICH layout"
    return f"native RICH layout in part; lacking: {', '.join(lacking)}"


def guesses_for(tree: TreeInfo) -> dict[str, str]:
    """What could be the native branches, by the shortest names that the tree's branches go by."""
    short = {full: name for name, full in short_names([b.name for b in tree.branches]).items()}
    return guess_branches({short[b.name]: (b.type, b.title) for b in tree.branches})


def show(spec: FileSpec, console: Console) -> None:
    """Print trees, branches, layout and, if the layout is not native, a block for the config.

    Raises
    ------
    InputError
        As `inspect_file`.
    """
    trees = inspect_file(spec)
    if not trees:
        console.print(f"{spec.path}: no TTree or RNTuple in it", markup=False)
    for tree in trees:
        _show_tree(tree, console)
    if trees and not any(layout_of(tree).startswith(_NATIVE) for tree in trees):
        guesses = [guesses_for(tree) for tree in trees]
        best, tree = max(zip(guesses, trees, strict=True), key=lambda pair: len(pair[0]))
        console.print("To read it, complete these lines in the sample of your configuration:\n")
        block = branches_block(tree.name, best, {b.name for b in tree.branches})
        console.print(block, soft_wrap=True, markup=False, highlight=False)


def _show_tree(tree: TreeInfo, console: Console) -> None:
    sizes = [branch.size for branch in tree.branches if branch.size is not None]
    size = f", {_bytes(sum(sizes))} compressed" if sizes else ""
    console.print(Text(f"{tree.name}: {tree.kind}, {tree.entries} entries{size}", style="bold"))
    console.print(_table(tree))
    console.print(Text(layout_of(tree)), soft_wrap=True)
    console.print()


def _table(tree: TreeInfo) -> Table:
    table = Table()
    for column in ("branch", "type", "title"):
        table.add_column(column, overflow="fold")
    table.add_column("size", justify="right", no_wrap=True)
    for branch in tree.branches:
        table.add_row(Text(branch.name), Text(branch.type), Text(branch.title), _bytes(branch.size))
    return table


def _bytes(size: float | None) -> str:
    if size is None:
        return "-"
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} GB"
