"""What is in a ROOT file, and how it could be read: for `hepcnn inspect`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hepcnn.events.catalogue import LAYOUTS, Layout
from hepcnn.events.chunk import KEY_BRANCHES
from hepcnn.events.guessing import is_one_number
from hepcnn.events.larcv_frame import PIXELS
from hepcnn.events.sources import (
    FileSpec,
    decoding,
    open_file,
    open_tree,
    tree_names,
)
from hepcnn.events.trying import why_not

#: What an RNTuple's field is, in its description: a list of what it holds, or a record.
_LIST, _RECORD = 1, 2
#: Types that are described as lists of one or none.
_NO_LISTS = ("std::optional", "std::unique_ptr")


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


def _type(branch: Any) -> str:
    """A branch's type; what has parts of its own has no name but a number, or none.

    The type of a part of a record is that of the part alone, even if there is a list of records.
    """
    name = str(branch.typename)
    has_parts = not name or name.isdigit()
    part: Any = branch if has_parts else getattr(branch, "parent", None)
    name = "record" if has_parts else name
    while hasattr(part, "record"):
        kind = str(part.typename)
        if kind.startswith(_NO_LISTS) or part.record.struct_role not in (_LIST, _RECORD):
            # Its parts are no plain numbers.
            name = f"{kind} of {name}"
        elif part.record.struct_role == _LIST:
            name = f"std::vector<{name}>"
        part = part.parent
    return name


def _describe(name: str, tree: Any) -> TreeInfo:
    branches = [
        BranchInfo(key, _type(branch), _title(branch), getattr(branch, "compressed_bytes", None))
        for key, branch in tree.items(recursive=True)
    ]
    kind = "RNTuple" if "RNTuple" in type(tree).__name__ else "TTree"
    return TreeInfo(name, kind, int(tree.num_entries), branches)


def _title(branch: Any) -> str:
    """A branch's title, unless it only repeats name and type as ROOT does (``x[n]/F``)."""
    title = getattr(branch, "title", "")
    repeats = title == branch.name or re.fullmatch(r"\S+(/[A-Za-z]|\[\w*\])", title)
    return "" if repeats else title


def native_layout(tree: TreeInfo) -> tuple[Layout | None, list[str]]:
    """The layout of which a tree has most branches, and those that it lacks.

    Returns
    -------
    layout : Layout or None
        None if it has no branch of any layout but the names of the events.
    lacking : list of str
        The branches without which it cannot be read.
    """
    given = {branch.name for branch in tree.branches}
    names = given - {branch.name for branch in KEY_BRANCHES}
    layout = max(LAYOUTS, key=lambda layout: len(names & set(layout.branches)))
    if not names & set(layout.branches):
        return None, []
    wanted = layout.wanted(given)
    return layout, [b.name for b in wanted if b.default is None and b.name not in given]


def single_numbers(tree: TreeInfo, layout: Layout) -> list[str]:
    """Branches of native names that have one number an entry where there should be a list."""
    lists = {name for name, branch in layout.branches.items() if branch.level != "event"}
    return [b.name for b in tree.branches if b.name in lists and is_one_number(b.type)]


def layout_of(tree: TreeInfo) -> str:
    """One sentence: whether the tree has a native layout, and what it lacks."""
    if is_larcv(tree):
        return "LArCV images: to be read with the reader 'larcv'"
    layout, lacking = native_layout(tree)
    if layout is None:
        return "not a native layout"
    if single := single_numbers(tree, layout):
        return (
            f"native {layout.name} names, but one number an entry where a list is needed, since "
            f"an entry is a whole event: {', '.join(single)}"
        )
    if lacking:
        return f"native {layout.name} layout in part; lacking: {', '.join(lacking)}"
    labelled = any(branch.name in layout.labels for branch in tree.branches)
    return f"native {layout.name} layout: {'complete' if labelled else layout.unlabelled}"


def is_larcv(tree: TreeInfo) -> bool:
    """Whether a tree holds LArCV's images."""
    return any(branch.name.rsplit("/", 1)[-1] == PIXELS for branch in tree.branches)


def show(spec: FileSpec, trees: Sequence[TreeInfo], console: Console) -> None:
    """Print trees, branches and layouts.

    Parameters
    ----------
    spec : FileSpec
        The file.
    trees : sequence of TreeInfo
        As of `inspect_file`.
    console : Console
        Where.
    """
    if not trees:
        console.print(f"{spec.path}: no TTree or RNTuple in it", markup=False)
    for tree in trees:
        _show_tree(tree, console, _why_not(spec, tree))


def _why_not(spec: FileSpec, tree: TreeInfo) -> str:
    """Why a tree of native layout cannot be read as it is; "" if it can or has another layout."""
    layout, lacking = native_layout(tree)
    if layout is None or lacking or single_numbers(tree, layout) or is_larcv(tree):
        return ""
    return why_not(FileSpec(spec.path, tree.name), layout)


def _show_tree(tree: TreeInfo, console: Console, why_not: str) -> None:
    sizes = [branch.size for branch in tree.branches if branch.size is not None]
    size = f", {_bytes(sum(sizes))} compressed" if sizes else ""
    console.print(Text(f"{tree.name}: {tree.kind}, {tree.entries} entries{size}", style="bold"))
    console.print(_table(tree))
    console.print(Text(layout_of(tree)), soft_wrap=True)
    if why_not:
        console.print(
            Text(f"but with a sample's defaults it cannot be read: {why_not}"), soft_wrap=True
        )
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
