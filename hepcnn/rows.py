"""Rows of events: tables of which each event, or each image, has any number of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numba import njit
from numpy.typing import NDArray


@dataclass(frozen=True)
class Rows:
    """A table of which each of n examples has any number of rows.

    Attributes
    ----------
    offsets : int64 array (n + 1,)
        The rows of example ``i`` are ``offsets[i]:offsets[i + 1]``; the first offset is 0.
    columns : dict of arrays (rows,) or (rows, k)
        The columns.
    """

    offsets: NDArray[np.int64]
    columns: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @classmethod
    def of(cls, offsets: NDArray[np.int64], columns: dict[str, np.ndarray]) -> Self:
        """Make a table; images of their pixels have a constructor of another form."""
        return cls(offsets, columns)

    @classmethod
    def grouped(
        cls, example: NDArray[np.int64], columns: Mapping[str, np.ndarray], examples: int
    ) -> Self:
        """Group rows by their example (rows,); within each they stay in the order given."""
        order = np.argsort(example, kind="stable")
        offsets = np.searchsorted(example[order], np.arange(examples + 1)).astype(np.int64)
        return cls.of(offsets, {name: column[order] for name, column in columns.items()})

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """Put the examples of several tables after one another; at least one."""
        if len(parts) == 1:
            return parts[0]
        starts = np.cumsum([0] + [part.offsets[-1] for part in parts[:-1]])
        shifted = [part.offsets[1:] + start for part, start in zip(parts, starts, strict=True)]
        return cls.of(
            np.concatenate([np.zeros(1, np.int64), *shifted]),
            {
                name: np.concatenate([part.columns[name] for part in parts])
                for name in parts[0].columns
            },
        )

    @property
    def example(self) -> NDArray[np.int64]:
        """The example of each row."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))

    def take(self, which: NDArray[np.integer]) -> Self:
        """Take the rows of some examples, in any order; −1 stands for one without rows."""
        lengths = np.append(np.diff(self.offsets), 0)[which]
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        starts = self.offsets[which]
        return self.of(
            offsets, {name: _copied(c, starts, offsets) for name, c in self.columns.items()}
        )

    def with_columns(self, **columns: np.ndarray) -> Self:
        """Copy the table with other columns, or more of them."""
        return self.of(self.offsets, self.columns | columns)

    def select(self, chosen: NDArray[np.bool_]) -> Self:
        """Keep some of the rows, (rows,) bool."""
        before = np.concatenate([np.zeros(1, np.int64), np.cumsum(chosen)])
        columns = {name: column[chosen] for name, column in self.columns.items()}
        return self.of(before[self.offsets], columns)


def _copied(
    column: np.ndarray, starts: NDArray[np.int64], offsets: NDArray[np.int64]
) -> np.ndarray:
    """Copy blocks of a column to lie one after the other."""
    column = np.ascontiguousarray(column)
    copy = np.empty((int(offsets[-1]), *column.shape[1:]), column.dtype)
    width = column.dtype.itemsize * int(np.prod(column.shape[1:], dtype=np.int64))
    # As bytes: one compiled function serves all types.
    source, target = (array.reshape(-1).view(np.uint8) for array in (column, copy))
    _copy_blocks(source, target, starts * width, offsets * width)
    return copy


@njit(cache=True, nogil=True)
def _copy_blocks(source, target, starts, offsets):  # type: ignore[no-untyped-def]  # numba
    for i in range(len(starts)):
        # Numba takes seconds to compile one slice's assignment to another; that is slower, too.
        block, copy = source[starts[i] :], target[offsets[i] : offsets[i + 1]]
        for k in range(len(copy)):
            copy[k] = block[k]
