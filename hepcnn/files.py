"""Whole files or none: everything is written beside its place and renamed into it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hepcnn.errors import InputError


@contextmanager
def atomic_path(target: str | Path) -> Iterator[Path]:
    """Give a temporary path beside `target`; rename it into place on success.

    On an exception the temporary file is removed and `target` stays as it was. Parent folders
    are made.

    Raises
    ------
    InputError
        If `target` is a folder, or its own folder cannot be made or written to.
    """
    target = Path(target)
    if target.is_dir():
        raise InputError(f"cannot write '{target}': it is a folder, not a file")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # Same folder: a rename is atomic only within a file system. Same suffix: some writers
        # choose the format by it.
        handle, name = tempfile.mkstemp(
            prefix=f".{target.name}.", suffix=target.suffix, dir=target.parent
        )
        os.close(handle)
    except OSError as error:
        # The obstacle can be another file than the target: one in the place of a folder.
        raise InputError(
            f"cannot write '{target}': {error.filename}: {error.strerror or error}"
        ) from error
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes private files; a result is as readable as the user's umask allows.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(target: str | Path, text: str) -> None:
    """Write a text file atomically."""
    with atomic_path(target) as path:
        path.write_text(text, encoding="utf-8")
