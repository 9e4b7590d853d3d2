"""HDF5 files made and opened, as all of ours are."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

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


# Texts are of fixed length: those of any length lie in heaps without checksums, and HDF5 hangs on a
# damaged one.


def set_text(file: h5py.File, name: str, text: str) -> None:
    """Write a text as an attribute of a file."""
    array = text_array([text])
    file.attrs.create(name, array[0], dtype=array.dtype)


def get_text(file: h5py.File, name: str) -> str:
    """Read a text of an attribute.

    Raises
    ------
    KeyError, TypeError, ValueError
        If there is none.
    """
    found = file.attrs[name]
    if not isinstance(found, str | bytes):
        raise TypeError(f"{name}: {found!r} is no text")
    return found.decode() if isinstance(found, bytes) else found


def text_array(texts: Sequence[str]) -> NDArray[np.bytes_]:
    """Texts as they are written to a dataset, (n,)."""
    encoded = [text.encode() for text in texts]
    return np.array(encoded, h5py.string_dtype("utf-8", max([1, *map(len, encoded)])))


def table(
    texts: Mapping[str, Sequence[str]], numbers: Mapping[str, Sequence[int]]
) -> NDArray[np.void]:
    """Columns as the rows of a dataset, (n,)."""
    arrays: dict[str, NDArray[Any]] = {name: text_array(column) for name, column in texts.items()}
    arrays |= {name: np.array(column, np.int64) for name, column in numbers.items()}
    rows = np.empty(
        len(next(iter(arrays.values()))), [(name, array.dtype) for name, array in arrays.items()]
    )
    for name, array in arrays.items():
        rows[name] = array
    return rows


def _redirect(file: h5py.File) -> None:
    """Let what is still to be written go to memory.

    A file that cannot be written, since the disk is full, cannot be closed either, and HDF5 crashes
    on it at the end of the process.
    """
    with suppress(AttributeError, OSError, RuntimeError):
        memory = os.memfd_create("hepcnn")  # Linux alone has it
        os.dup2(memory, file.id.get_vfd_handle())
        os.close(memory)
