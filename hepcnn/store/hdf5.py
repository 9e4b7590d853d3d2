"""HDF5 files made and opened, as all of ours are."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import h5py

#: Whole files are renamed into place, so nobody needs a lock, and some file systems have none.
_UNLOCKED: dict[str, Any] = {"locking": False}

#: What h5py raises, and what comes of what it gives, where a file's bytes are damaged.
DAMAGE = (OSError, RuntimeError, TypeError, ValueError, LookupError, AttributeError)


def open_hdf5(path: str | Path, **settings: Any) -> h5py.File:
    """Open a file to read.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    return h5py.File(path, "r", **_UNLOCKED, **settings)


@contextmanager
def made_hdf5(path: str | Path, **settings: Any) -> Iterator[h5py.File]:
    """Make a file, in the format of HDF5 1.10; give it `path` with `hepcnn.files.atomic_path`.

    In older formats an attribute is at most 64 kB, and a provenance that lists a thousand files is
    longer.

    Raises
    ------
    OSError, RuntimeError
        If the file cannot be written.
    """
    file = h5py.File(path, "w", libver=("v110", "v110"), **_UNLOCKED, **settings)
    try:
        yield file
        file.flush()
    except BaseException:
        _redirect(file)
        raise
    finally:
        file.close()


def _redirect(file: h5py.File) -> None:
    """Let what is still to be written go to memory.

    A file that cannot be written, since the disk is full, cannot be closed either, and HDF5 crashes
    on it at the end of the process.
    """
    with suppress(AttributeError, OSError, RuntimeError):
        memory = os.memfd_create("hepcnn")  # Linux alone has it
        os.dup2(memory, file.id.get_vfd_handle())
        os.close(memory)
