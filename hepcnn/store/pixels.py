"""The occupied pixels of examples as rows of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hepcnn.store.shard import Images, Rows


def grouped(example: NDArray[np.int64], columns: Mapping[str, np.ndarray], examples: int) -> Rows:
    """Rows by their example (n,), in the order given within each."""
    order = np.argsort(example, kind="stable")
    offsets = np.searchsorted(example[order], np.arange(examples + 1)).astype(np.int64)
    return Rows(offsets, {name: own[order] for name, own in columns.items()})


def pixel_rows(made: Images, views: Sequence[str]) -> Rows:
    """The occupied pixels of some views with their truth: the table that findings have.

    Parameters
    ----------
    made : Images
        A block of examples.
    views : sequence of str
        The views, which are numbered as they stand here.

    Returns
    -------
    Rows
        ``view`` uint8, ``pixel`` uint32, ``value`` float32 (of the first channel), ``semantic`` and
        ``instance``, by view and pixel within an example.
    """
    own = [made.views[view] for view in views]
    example = np.concatenate([np.repeat(np.arange(len(v)), np.diff(v.offsets)) for v in own])
    columns: dict[str, np.ndarray] = {
        "view": np.repeat(np.arange(len(own), dtype=np.uint8), [len(v.pixel) for v in own]),
        "pixel": np.concatenate([v.pixel for v in own]).astype(np.uint32),
        "value": np.concatenate([v.value[:, 0] for v in own]).astype(np.float32),
    }
    columns |= {n: np.concatenate([v.truth[n] for v in own]) for n in ("semantic", "instance")}
    # Views stand one after the other: within an example they stay so.
    return grouped(example, columns, len(made))
