"""Counts that a GPU makes without being waited for."""

from __future__ import annotations

import torch
from torch import Tensor


def count(index: Tensor, bins: int, chosen: Tensor | None = None) -> Tensor:
    """Count how often each of some numbers occurs.

    `torch.bincount` asks a GPU for the largest index, and waits for it. Sums of whole numbers are
    the same in whatever order they are added.

    Parameters
    ----------
    index : Tensor, (N,) int64
        Numbers from 0 to `bins` − 1.
    bins : int
        How many there are.
    chosen : Tensor, (N,) bool, optional
        Those counted; by default all.

    Returns
    -------
    Tensor, (bins,) int64
        Counts.
    """
    ones = torch.ones_like(index) if chosen is None else chosen.long()
    return index.new_zeros(bins).index_add(0, index, ones)
