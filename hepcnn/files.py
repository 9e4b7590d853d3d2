"""Whole files or none: everything is written beside its place and renamed into it.

And what a path that a user gives stands for.
"""

from __future__ import annotations

import errno
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hepcnn.errors import InputError

#: What the system says where no more can be written.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def expanded(path: str) -> str:
    """Give a path with ``~``, ``$NAME`` and ``${NAME}`` in their places, as a shell would.

    A file that is called so as it stands is itself.

    Raises
    ------
    InputError
        If there is no such variable in the environment.
    """
    if os.path.exists(path):
        return path
    for name in re.findall(r"\$(?:(\w+)|\{(\w+)\})", path):
        variable = "".join(name)
        if variable not in os.environ:
            raise InputError(f"'{path}': there is no variable {variable} in the environment")
    return os.path.expanduser(os.path.expandvars(path))


def _missing(folder: Path) -> list[Path]:
    """The folders that must be made for this one to be there, the deepest first."""
    return [part for part in (folder, *folder.parents) if not part.exists()]


def _reason(error: BaseException) -> str | None:
    """Why no more could be written, if that is what an error, or what it came from, tells.

    Libraries wrap what the system says: HDF5 and PyTorch into texts of their own.
    """
    seen: BaseException | None = error
    while seen:
        if isinstance(seen, OSError) and seen.errno in _FULL:
            return os.strerror(seen.errno)
        for code in _FULL:
            if os.strerror(code) in str(seen):
                return os.strerror(code)
        seen = seen.__cause__ or seen.__context__
    return None


@contextmanager
def atomic_path(target: str | Path) -> Iterator[Path]:
    """Give a temporary path beside `target`; rename it into place on success.

    On an exception the temporary file is removed and `target` stays as it was. Parent folders
    are made, and on an exception taken away again.

    Raises
    ------
    InputError
        If `target` is a folder, its own folder cannot be made or written to, or there is no space
        left for it.
    """
    target = Path(target)
    if target.is_dir():
        raise InputError(f"cannot write '{target}': it is a folder, not a file")
    made = _missing(target.parent)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # Same folder: a rename is atomic only within a file system. Same suffix: some writers
        # choose the format by it.
        handle, name = tempfile.mkstemp(
            prefix=f".{target.name}.", suffix=target.suffix, dir=target.parent
        )
        os.close(handle)
    except OSError as error:
        _take_away(made)
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
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        _take_away(made)
        if reason := _reason(error):
            raise InputError(f"cannot write '{target}': {reason}") from error
        raise


def _take_away(made: Iterable[Path]) -> None:
    """Remove folders that were made in vain; those in which something is by now are kept."""
    for folder in made:
        with suppress(OSError):
            folder.rmdir()


@contextmanager
def folders(*paths: Path) -> Iterator[None]:
    """Make folders; on an exception take away those that were made in vain.

    Raises
    ------
    InputError
        If one cannot be made, before hours are spent on what goes there.
    """
    made: list[Path] = []
    try:
        for path in paths:
            missing = _missing(path)
            made = missing + made
            try:
                path.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                reason = error.strerror or error
                raise InputError(f"cannot write to '{path}': {reason}") from error
        yield
    except BaseException:
        _take_away(made)
        raise


def write_text(target: str | Path, text: str) -> None:
    """Write a text file atomically."""
    with atomic_path(target) as path:
        path.write_text(text, encoding="utf-8")


def read_text(path: Path, make: str) -> str:
    """Read a text file; `make` is the command that makes it.

    Raises
    ------
    InputError
        If it cannot be read; if it is not there, with the command.
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; it is made by '{make}'") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
