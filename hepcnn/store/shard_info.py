"""An image shard's description, read and checked, without its images."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401 - registers the compression with HDF5

from hepcnn.errors import InputError
from hepcnn.store.hdf5 import DAMAGE, get_text, open_hdf5
from hepcnn.store.header import HEADER_KEYS, Header, Kind
from hepcnn.store.shard import FORMAT, KEY, VERSION, Skipped


@dataclass(frozen=True)
class ShardInfo:
    """What is known of a shard without its images."""

    path: Path
    header: Header
    provenance: dict[str, Any]
    id: str
    length: int
    nbytes: int
    cutflow: tuple[tuple[str, int], ...]
    skipped: tuple[Skipped, ...]
    warnings: tuple[str, ...]

    @property
    def inputs(self) -> dict[str, str]:
        """The files that it is made of, and their identities."""
        return dict(self.provenance.get("inputs", {}))

    @property
    def origin(self) -> str:
        """``shard.h5 (of events.root)``."""
        files = list(self.inputs)
        more = f" and {len(files) - 1} more" if len(files) > 1 else ""
        return f"{self.path} (of {files[0]}{more})" if files else str(self.path)


@contextmanager
def damage_named(path: Path) -> Iterator[None]:
    """Say which file it is that cannot be read."""
    try:
        yield
    except DAMAGE as error:
        raise InputError(f"{path}: a damaged image shard: {error}; convert it again") from error


def open_shard(path: Path) -> h5py.File:
    """Open a shard to read it.

    Raises
    ------
    InputError
        If there is no such file, or it is no HDF5 file or a damaged one.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        return open_hdf5(path)
    except OSError as error:
        if not h5py.is_hdf5(path):
            raise InputError(f"{path}: not an HDF5 file, so not an image shard") from error
        raise InputError(f"{path}: a damaged HDF5 file: {error}") from error


def inspect_shard(path: Path) -> ShardInfo:
    """Read a shard's description.

    Raises
    ------
    InputError
        If it is no image shard, of another version, or damaged.
    """
    with open_shard(path) as file, damage_named(path):
        found = get_text(file, "format") if "format" in file.attrs else None
        if found != FORMAT:
            what = "names no format" if found is None else f"has the format '{found}'"
            raise InputError(f"{path}: not an image shard: it {what}, not '{FORMAT}'")
        version = int(file.attrs.get("version", 0))
        if version != VERSION:
            raise InputError(
                f"{path}: format version {version}; this hepcnn reads version {VERSION}: "
                + ("use a newer hepcnn" if version > VERSION else "convert the events again")
            )
        provenance = json.loads(get_text(file, "provenance"))
        header = Header.from_json({name: _attribute(file, name) for name in HEADER_KEYS})
        shard = ShardInfo(
            path=path,
            header=header,
            provenance=provenance,
            id=provenance["id"],
            length=len(file["key"]),
            nbytes=sum(file[name].nbytes for name in _ragged_columns(header)),
            cutflow=tuple((row["step"].decode(), int(row["count"])) for row in file["cutflow"]),
            skipped=tuple(
                Skipped(row["file"].decode(), row["reason"].decode(), int(row["events"]))
                for row in file["skipped"]
            ),
            # Older shards have none.
            warnings=tuple(t.decode() for t in file["warnings"]) if "warnings" in file else (),
        )
        if wrong := [*_misfits(file, shard.length, shard.header)]:
            raise InputError(f"{path}: a damaged image shard: {wrong[0]} is not of the right form")
        return shard


def _ragged_columns(header: Header) -> list[str]:
    return [f"{group}/{name}" for group, columns in header.ragged.items() for name in columns]


def _misfits(file: h5py.File, n: int, header: Header) -> Iterator[str]:
    """Columns that n examples cannot have: of another length, width or type."""

    def check(columns: Mapping[str, Kind], length: int, group: str = "") -> Iterator[str]:
        for name, (dtype, width) in columns.items():
            column = file[group + name]
            shape = (length,) if width is None else (length, width)
            if column.shape != shape or column.dtype != dtype:
                yield group + name

    if file["key"].dtype != KEY:
        yield "key"
    yield from check(header.columns, n)
    for group, columns in header.ragged.items():
        yield from check({"offsets": ("int64", None)}, n + 1, f"{group}/")
        yield from check(columns, int(file[f"{group}/offsets"][-1]), f"{group}/")


def _attribute(file: h5py.File, name: str) -> Any:
    text = get_text(file, name)
    return text if name in ("detector", "values") else json.loads(text)
