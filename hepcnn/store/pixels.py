"""The occupied pixels of examples as rows of a table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hepcnn.store.shard import Images, Rows


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
    example = np.concatenate([v.example for v in own])
    columns: dict[str, np.ndarray] = {
        "view": np.repeat(np.arange(len(own), dtype=np.uint8), [len(v.pixel) for v in own]),
        "pixel": np.concatenate([v.pixel for v in own]).astype(np.uint32),
        "value": np.concatenate([v.value[:, 0] for v in own]).astype(np.float32),
    }
    columns |= {n: np.concatenate([v.truth[n] for v in own]) for n in ("semantic", "instance")}
    # Views stand one after the other: within an example they stay so.
    return Rows.grouped(example, columns, len(made))
