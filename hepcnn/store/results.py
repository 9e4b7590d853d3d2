"""Files of results, which are predictions and findings: how they are written, read and checked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from hepcnn.errors import InputError
from hepcnn.files import atomic_path
from hepcnn.store.hdf5 import DAMAGE, get_text, made_hdf5, open_hdf5, set_text

#: Bytes of a chunk of what is written and read in parts.
CHUNK = 1 << 16
# Of each dataset two chunks stay unpacked, not as many as HDF5 has room for by itself: findings
# have many datasets.
_CACHE = {"rdcc_nbytes": 2 * CHUNK}


@contextmanager
def written(path: str | Path, form: str, version: int) -> Iterator[h5py.File]:
    """Make a file of a format, atomically.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    with atomic_path(path) as temporary, made_hdf5(temporary, **_CACHE) as file:
        set_text(file, "format", form)
        file.attrs["version"] = version
        yield file


@contextmanager
def opened(
    path: str | Path,
    form: str,
    version: int,
    attributes: Sequence[str],
    datasets: Sequence[str],
    groups: Sequence[str],
) -> Iterator[h5py.File]:
    """Open a file of `written`; what is wrong with it is said together with its name.

    Parameters
    ----------
    path : path
        The file.
    form, version : str, int
        The format that is needed.
    attributes, datasets, groups : sequence of str
        What must be in it.

    Raises
    ------
    InputError
        If the file cannot be read, is of another format or version, lacks a part, or what is done
        with its parts fails because of them.
    """
    try:
        file = open_hdf5(path, **_CACHE)
    except FileNotFoundError as error:
        raise InputError(f"no file '{path}'") from error
    except OSError as error:
        raise InputError(f"{path}: not a readable HDF5 file: {error}") from error
    with file:
        try:
            named = get_text(file, "format") if "format" in file.attrs else None
            found = named, file.attrs.get("version")
            if found != (form, version):
                raise InputError(
                    f"format {found[0]}, version {found[1]}, where {form}, version {version} is "
                    "needed; such files are made by `hepcnn predict`"
                )
            missing = [name for name in attributes if name not in file.attrs]
            missing += [name for name in datasets if not isinstance(file.get(name), h5py.Dataset)]
            missing += [name for name in groups if not isinstance(file.get(name), h5py.Group)]
            if missing:
                raise InputError(f"no {', '.join(missing)} in it")
            yield file
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        except DAMAGE as error:
            raise InputError(f"{path}: damaged: {error}; predict again") from error


def check_array(
    name: str,
    array: NDArray[Any],
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    unknown: bool = False,
) -> None:
    """Refuse another shape or type, and values that are not finite, unless NaN for `unknown`."""
    if array.shape != shape or array.dtype != dtype:
        raise InputError(f"{name}: is {array.dtype} {array.shape} and must be {dtype} {shape}")
    if dtype.kind != "f":
        return
    good = ~np.isinf(array) if unknown else np.isfinite(array)
    if bad := int(np.count_nonzero(~good)):
        raise InputError(f"{name}: {bad} of {array.size} values are not finite")


def check_probabilities(name: str, rows: NDArray[np.floating[Any]], tolerance: float) -> None:
    """Refuse rows that are below 0 or do not sum to 1 within a tolerance."""
    off = np.abs(rows.sum(axis=1, dtype=np.float64) - 1) > tolerance
    off |= (rows < 0).any(axis=1)
    if off.any():
        raise InputError(
            f"{name}: {np.count_nonzero(off)} of {len(rows)} rows are not probabilities that sum "
            f"to 1; the first is {rows[off][0].tolist()}"
        )


def check_cutflow(cutflow: Sequence[tuple[str, int]], scored: int) -> None:
    """Refuse counts that do not end with the examples scored."""
    if not cutflow or cutflow[-1] != ("scored", scored):
        raise InputError(f"cutflow: must end with ('scored', {scored}): {cutflow[-1:]}")
