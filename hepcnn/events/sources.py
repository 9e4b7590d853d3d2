"""ROOT files and the trees in them: found, opened, named; whatever is wrong is an `InputError`."""

from __future__ import annotations

import glob
import hashlib
import importlib.util
import os
import re
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec.core
import uproot

from hepcnn.errors import InputError, nearest
from hepcnn.events.schema import TREE
from hepcnn.files import expanded

#: Seconds that a remote server may take for one request. XRootD checks its deadlines every 15 s.
REMOTE_TIMEOUT = 10
#: The tree follows the last ":" that stands right after ".root"; other colons belong to the path.
_FILE_AND_TREE = re.compile(r"(?P<path>.*\.root):(?P<tree>[^:]+)", re.DOTALL)
_TREE_CLASSES = {"TTree", "TNtuple", "TNtupleD", "ROOT::RNTuple"}
#: Bytes at each end of a file that name it where ROOT gave it no UUID.
_END = 1 << 16
#: How one bad file does not stop the others.
LEAVE_OUT = "`on_bad_file: skip` in the sample leaves such a file out"
_WILDCARDS = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class FileSpec:
    """A file and, if it was named with it, the tree: ``FILE.root`` or ``FILE.root:TREE``."""

    path: str
    tree: str | None = None

    @classmethod
    def parse(cls, text: str) -> FileSpec:
        """Split ``FILE.root:TREE``; the path may hold colons, as ``root://host:1094//f.root``."""
        match = _FILE_AND_TREE.fullmatch(text)
        if match is None or (not is_remote(text) and Path(text).exists()):
            return cls(text)
        return cls(match["path"], match["tree"])

    def __str__(self) -> str:
        return f"{self.path}:{self.tree}" if self.tree else self.path


def is_remote(path: str) -> bool:
    """Whether a path is an address such as ``root://host//file.root``."""
    return "://" in path


def _check_client(address: str) -> None:
    """The XRootD client is a package of its own, and not on every machine."""
    if address.startswith("root://") and importlib.util.find_spec("XRootD") is None:
        raise InputError(f"'{address}': root:// needs the package xrootd: pip install xrootd")


def expand_files(patterns: Iterable[str]) -> list[FileSpec]:
    """Files meant by a list of paths, globs and ``root://`` addresses.

    Parameters
    ----------
    patterns : iterable of str
        Each a path, a glob or an address (whose only wildcard is ``*``), with ``:TREE`` or not.
        A glob's matches are sorted; otherwise the order is kept.

    Raises
    ------
    InputError
        If a pattern matches nothing, or the same file is meant twice, by a link for example.
    """
    specs: list[FileSpec] = []
    for pattern in patterns:
        named = FileSpec.parse(pattern)
        path = expanded(named.path)
        paths = _remote_matches(path) if is_remote(pattern) else _matches(path)
        if not paths:
            raise InputError(f"no file matches '{named.path}'")
        specs += [FileSpec(path, named.tree) for path in paths]
    real: dict[FileSpec, FileSpec] = {}
    for spec, count in Counter(specs).items():
        if count > 1:
            raise InputError(f"'{spec}' is named {count} times: its events would count as often")
        path = spec.path if is_remote(spec.path) else os.path.realpath(spec.path)
        other = real.setdefault(FileSpec(path, spec.tree), spec)
        if other is not spec:
            raise InputError(
                f"'{other}' and '{spec}' are one file, {path}: its events would count twice"
            )
    return specs


def _matches(path: str) -> list[str]:
    # A file with wildcards in its very name is itself.
    if Path(path).exists() or not _WILDCARDS.search(path):
        return [path] if Path(path).exists() else []
    return sorted(glob.glob(path, recursive=True))


def _remote_matches(address: str) -> list[str]:
    if "*" not in address:
        return [address]
    _check_client(address)
    with decoding(f"cannot list '{address}'"):
        files, path = fsspec.core.url_to_fs(address, timeout=REMOTE_TIMEOUT)
        files.ls(path.split("*")[0].rpartition("/")[0])  # glob takes a dead server for an empty one
        return sorted(files.unstrip_protocol(match) for match in files.glob(path))


@contextmanager
def decoding(what: str) -> Iterator[None]:
    """Turn whatever a broken file or server raises into an `InputError` that begins with `what`.

    A decoder fed with wrong bytes can raise any exception there is.
    """
    try:
        yield
    except (InputError, MemoryError):
        raise
    except Exception as error:
        # The whole reason: what names the branch or the remedy is often not in its first line.
        reason = " ".join(str(error).split())
        raise InputError(f"{what}: {reason or type(error).__name__}") from error


@contextmanager
def open_file(path: str) -> Iterator[uproot.ReadOnlyDirectory]:
    """Open a ROOT file.

    Raises
    ------
    InputError
        If it is not there, no ROOT file, shorter than its header says, or was not closed.
    """
    # Caches would grow with the file; a memory map would count as memory page by page.
    options: dict[str, Any] = {"object_cache": None, "array_cache": None, "use_threads": False}
    if is_remote(path):
        _check_client(path)
        options["timeout"] = REMOTE_TIMEOUT
    else:
        options["handler"] = uproot.MultithreadedFileSource
        if not Path(path).is_file():
            there = "is a folder, not a file" if Path(path).is_dir() else "is not there"
            raise InputError(f"'{path}' {there}")
    with decoding(f"cannot read '{path}' as a ROOT file ({LEAVE_OUT})"):
        file = uproot.reading.ReadOnlyFile(path, **options)
    with file:
        size = file.source.num_bytes
        if size < file.fEND:
            raise InputError(
                f"'{path}' is truncated: {size} of {file.fEND} bytes are there; {LEAVE_OUT}"
            )
        with decoding(f"cannot read '{path}' as a ROOT file"):
            directory = file.root_directory
        if not directory.fSeekKeys:
            raise InputError(
                f"'{path}' was not closed: the job that wrote it ended before its list of contents "
                "was written; write it again, or leave it out with `on_bad_file: skip`"
            )
        yield directory


def tree_names(directory: uproot.ReadOnlyDirectory) -> list[str]:
    """Names of the TTrees and RNTuples in a file, in folders too, without cycle numbers."""
    with decoding(f"cannot read the folders of '{directory.file_path}'"):
        classes = directory.classnames(recursive=True, cycle=False)
    return [name for name, kind in classes.items() if kind in _TREE_CLASSES]


@contextmanager
def open_tree(spec: FileSpec, tree: str = TREE) -> Iterator[Any]:
    """Open the TTree or RNTuple of a file.

    Parameters
    ----------
    spec : FileSpec
        The file; its own tree goes before `tree`.
    tree : str
        Name of the tree, with its folder if it is in one.

    Yields
    ------
    uproot.TTree or uproot.behaviors.RNTuple.RNTuple

    Raises
    ------
    InputError
        As `open_file`, or if there is no such tree: it lists those that there are.
    """
    name = spec.tree or tree
    with open_file(spec.path) as directory:
        names = tree_names(directory)
        if name.split(";")[0] not in names:
            near = nearest(name, names)
            others = f"; trees in it: {', '.join(names)}" if near.startswith("did you") else ""
            raise InputError(f"{spec.path}: no tree '{name}'; {near}{others}")
        with decoding(f"{spec.path}: cannot read the tree '{name}'"):
            opened = directory[name]
            # An RNTuple's description is read when it is first asked for.
            int(opened.num_entries)
            branch_names(opened)
        yield opened


def branch_names(tree: Any) -> dict[str, str]:
    """Names that a tree's branches go by.

    Returns
    -------
    dict of str to str
        To the full name (``"evt/Track_P"``) from itself, and from its last part (``"Track_P"``)
        where no other branch has the same.
    """
    full = list(tree.keys(recursive=True))
    return short_names(full) | {name: name for name in full}


def short_names(full: Sequence[str]) -> dict[str, str]:
    """The shortest names that branches go by, each with its full name."""
    counts = Counter(name.rsplit("/", 1)[-1] for name in full)
    last = ((name.rsplit("/", 1)[-1], name) for name in full)
    return {part if counts[part] == 1 else name: name for part, name in last}


def n_entries(spec: FileSpec, tree: str = TREE) -> int:
    """Number of entries of a tree, that is of events."""
    with open_tree(spec, tree) as opened:
        return int(opened.num_entries)


def fingerprint(spec: FileSpec, tree: str = TREE) -> str:
    """Identity of a file's tree, for provenance: the same for copies, whatever their names.

    It is the UUID that ROOT gave the file, its size in bytes and the tree's name. Only the header
    is read, so that it costs nothing over ``root://`` either; of files without a UUID, which
    Geant4 writes, both ends.
    """
    with open_file(spec.path) as directory:
        source = directory.file.source
        size, identity = int(source.num_bytes), str(directory.file.uuid)
        if not uuid.UUID(identity).int:
            ends = ((0, min(size, _END)), (max(size - _END, 0), size))
            total = hashlib.sha256()
            with decoding(f"cannot read '{spec.path}'"):
                for start, stop in ends:
                    total.update(source.chunk(start, stop).raw_data)
            identity = total.hexdigest()[:32]
    return f"{identity}:{size}:{spec.tree or tree}"
