"""Maps of efficiencies in bins, in HDF5: for programs that weight tracks by them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepcnn.store.hdf5 import set_text, text_array
from hepcnn.store.results import written

FORMAT = "hepcnn-pid-maps"
VERSION = 1


def write_maps(
    path: str | Path,
    names: Mapping[str, Sequence[str]],
    edges: Mapping[str, Sequence[float]],
    arrays: Mapping[str, NDArray[Any]],
    provenance: Mapping[str, Any],
) -> None:
    """Write maps atomically; equal maps give equal bytes.

    Parameters
    ----------
    path : path
        The file.
    names : mapping of str to sequence of str
        What the first axes run over; datasets ``axis/NAME``.
    edges : mapping of str to sequence of float
        Of the bins that the further axes run over; datasets ``axis/NAME`` too.
    arrays : mapping of str to array
        The maps by path. The attribute ``axes`` of each names its axes: the last ones of all.
    provenance : mapping
        See `hepcnn.provenance.record`.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    axes = [*names, *edges]
    with written(path, FORMAT, VERSION) as file:
        set_text(file, "provenance", json.dumps(provenance, sort_keys=True))
        for name, texts in names.items():
            file.create_dataset(f"axis/{name}", data=text_array(texts))
        for name, values in edges.items():
            file.create_dataset(f"axis/{name}", data=np.asarray(values, np.float64))
        for name, array in arrays.items():
            made = file.create_dataset(
                name, data=array, compression="gzip", shuffle=True, chunks=True, fletcher32=True
            )
            text = text_array([",".join(axes[len(axes) - array.ndim :])])
            made.attrs.create("axes", text[0], dtype=text.dtype)
