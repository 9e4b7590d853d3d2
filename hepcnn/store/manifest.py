"""Which shards make up an image set: their names, and the manifest that lists them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from hepcnn.errors import InputError
from hepcnn.files import write_text
from hepcnn.provenance import digest

#: Name of the manifest, in the folder of the shards.
MANIFEST = "manifest.json"
FORMAT = "hepcnn-image-set"
#: Shards in a folder; what is being written, or was when it was killed, begins with a dot.
SHARDS = "[!.]*.h5"
#: Characters of a file's name that stand in that of its shard; others would need quoting.
_PLAIN = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST = 60


def shard_name(files: Sequence[str]) -> str:
    """Name of the shard that is made of some files, as ``a-1f0c77a20b3d``.

    It is the first file's name and a hash of all names as they are given, so that it does not
    depend on what other files there are.
    """
    stem = _PLAIN.sub("_", Path(files[0]).stem).strip("-._") or "shard"
    return f"{stem[:_LONGEST]}-{digest(list(files))[:12]}"


def write_manifest(path: Path, shards: Mapping[str, Sequence[str]]) -> None:
    """Write the names of an image set's shards, in order, and the files that each is made of."""
    content = {"format": FORMAT, "shards": shards}
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def read_manifest(path: Path) -> list[Path]:
    """The shards that a manifest lists.

    Raises
    ------
    InputError
        If it is not a manifest.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] == FORMAT:
            return [path.parent / str(name) for name in content["shards"]]
    except (OSError, ValueError, LookupError, TypeError):
        pass
    raise InputError(f"{path}: not the manifest of an image set; `hepcnn gather` makes one")


def listed(paths: Iterable[Path]) -> list[Path]:
    """The shards meant by shards, manifests and folders.

    A folder's are those that its manifest lists, or without one all that are in it.

    Raises
    ------
    InputError
        If a folder has none, or a manifest is beside a shard and does not list it.
    """
    shards: list[Path] = []
    manifests: dict[Path, set[Path]] = {}
    for path in paths:
        manifest = path / MANIFEST if path.is_dir() else path
        if manifest.name == MANIFEST and manifest.is_file():
            shards += read_manifest(manifest)
        elif path.is_dir():
            found = sorted(path.glob(SHARDS))
            if not found:
                raise InputError(f"{path}: no image shard (*.h5) in this folder")
            shards += found
        else:
            beside = path.with_name(MANIFEST)
            if beside not in manifests and beside.is_file():
                manifests[beside] = set(read_manifest(beside))
            if path not in manifests.get(beside, {path}):
                raise InputError(
                    f"{path}: {MANIFEST} beside it does not list it: it is left over from files "
                    f"that the sample no longer has, or had in other groups. Delete it, or give "
                    f"the folder '{path.parent}' in the place of its shards"
                )
            shards.append(path)
    return shards


def left_over(manifest: Path) -> list[Path]:
    """The shards beside a manifest that it does not list."""
    return sorted(set(manifest.parent.glob(SHARDS)) - set(read_manifest(manifest)))
