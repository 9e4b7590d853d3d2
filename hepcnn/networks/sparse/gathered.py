"""Products of tables of sites: what the sites of a table have is gathered, and multiplied at once.

For any device and precision. What is gathered is several times the values: it is never there as a
whole, but block by block.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

#: Bytes that are gathered at once: on a CPU what the cache holds, elsewhere enough to keep all
#: processors busy.
_BLOCK_CPU, _BLOCK = 1 << 21, 1 << 26


def convolve(values: Tensor, weight: Tensor, index: Tensor) -> Tensor:
    """Add up, for each row of a table, the products of rows of values and each place's matrix.

    Parameters
    ----------
    values : Tensor, (N, inputs)
        At N sites.
    weight : Tensor, (P, inputs, outputs)
        A matrix for each of P places; with any strides.
    index : Tensor, (R, P) int32
        The site in each place that a row sees, N where there is none: that adds nothing.

    Returns
    -------
    Tensor, (R, outputs)
        Sums, of the values' type.
    """
    matrix = weight.flatten(0, 1)
    result = values.new_empty(len(index), weight.shape[2])
    for block, seen in _gathered(values, index):
        torch.mm(seen, matrix, out=result[block])
    return result


def multiply(near: Tensor, far: Tensor, index: Tensor) -> Tensor:
    """Add up, for each place, the outer products of what rows have and what they see there.

    Parameters
    ----------
    near : Tensor, (R, A)
        Of each row of the table.
    far : Tensor, (N, B)
        At N sites.
    index : Tensor, (R, P) int32
        The site in each place that a row sees, N where there is none: that adds nothing.

    Returns
    -------
    Tensor, (P, A, B)
        Sums, of the values' type; what is of 16 bits is added up in 32.
    """
    rows, columns, places = near.shape[1], far.shape[1], index.shape[1]
    kind = torch.promote_types(near.dtype, torch.float32)
    total = near.new_zeros(rows, places * columns, dtype=kind)
    for block, seen in _gathered(far, index):
        total += near[block].t() @ seen
    return total.to(near.dtype).view(rows, places, columns).movedim(1, 0)


def _gathered(values: Tensor, index: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Gather values (N, C) for each row of an index (R, P), 0 where it is N.

    Yields blocks of rows: which they are, and what they see, (rows, P·C).
    """
    padded = torch.cat([values, values.new_zeros(1, values.shape[1])])
    width = index.shape[1] * values.shape[1]
    size = _BLOCK_CPU if values.device.type == "cpu" else _BLOCK
    rows = max(1, size // (width * values.element_size()))
    for start in range(0, len(index), rows):
        block = slice(start, start + rows)
        yield block, padded.index_select(0, index[block].flatten()).view(-1, width)
