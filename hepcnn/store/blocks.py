"""Sparse images in memory: what is seen of an image set, read in contiguous blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hepcnn.errors import InputError, nearest
from hepcnn.store.header import Header
from hepcnn.store.images import ImageSet
from hepcnn.store.shard import Images, Sparse

#: Examples read at once, if they are no more than so many bytes uncompressed: bounds the memory of
#: a read.
SPAN, SPAN_BYTES = 1 << 13, 128 << 20


@dataclass(frozen=True)
class Transform:
    """What is done to images as they are read: example by example, no more and no fewer.

    Attributes
    ----------
    header : Header
        Of the images that come out.
    apply : callable
        From images as they are stored to images of this header.
    """

    header: Header
    apply: Callable[[Images], Images]


@dataclass(frozen=True)
class Selection:
    """What is seen of images: names of views, indices of channels, after a transform if any."""

    views: tuple[str, ...]
    channels: tuple[int, ...]
    header: Header
    transform: Transform | None

    @classmethod
    def of(
        cls,
        images: ImageSet,
        views: Sequence[str] | None,
        channels: Sequence[str] | None,
        transform: Transform | None = None,
    ) -> Selection:
        """Choose views and channels by name, by default all.

        Raises
        ------
        InputError
            If there is no view or channel of a name, or none is chosen.
        """
        header = images.header if transform is None else transform.header
        path = images.paths[0]
        for what, names, there in (
            ("view", views, header.views),
            ("channel", channels, header.channels),
        ):
            if names is not None and not names:
                raise InputError(f"no {what} is chosen; there are {', '.join(there)}")
            for name in names or ():
                if name not in there:
                    raise InputError(f"{path}: no {what} '{name}'; {nearest(name, there)}")
        places = [header.channels.index(name) for name in channels or header.channels]
        return cls(tuple(views or header.views), tuple(places), header, transform)


@dataclass(frozen=True)
class Block:
    """Sparse images of some examples: of increasing indices (n,), and of each view seen."""

    index: NDArray[np.int64]
    views: list[Sparse]

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return sum(a.nbytes for v in self.views for a in (v.offsets, v.pixel, v.value))


def span(images: ImageSet) -> int:
    """Examples that are read at once."""
    return min(SPAN, images.examples_in(SPAN_BYTES))


def read_blocks(
    images: ImageSet, index: NDArray[np.int64], selection: Selection
) -> Iterator[Block]:
    """Read the examples of a strictly increasing index, a span of the image set at a time."""
    every = selection.channels == tuple(range(len(selection.header.channels)))
    cuts = np.flatnonzero(np.diff(index // span(images))) + 1
    for part in np.split(index, cuts) if len(index) else []:
        start, stop = int(part[0]), int(part[-1]) + 1
        rows = part - start
        if selection.transform is None:
            views = [_take(images.view(name, start, stop), rows) for name in selection.views]
        else:
            stored = images.read(start, stop)
            chosen = stored if len(rows) == len(stored) else stored.take(rows)
            made = selection.transform.apply(chosen)
            views = [made.views[name] for name in selection.views]
        if not every:
            views = [
                Sparse(v.offsets, v.pixel, np.ascontiguousarray(v.value[:, selection.channels]))
                for v in views
            ]
        yield Block(part, views)


def join(parts: Sequence[Block]) -> Block:
    """Put blocks of increasing indices together."""
    if len(parts) == 1:
        return parts[0]
    views = []
    for view in zip(*(part.views for part in parts), strict=True):
        ends = np.cumsum([0, *(sparse.offsets[-1] for sparse in view)])
        shifted = [sparse.offsets[1:] + end for sparse, end in zip(view, ends, strict=False)]
        views.append(
            Sparse(
                np.concatenate([np.zeros(1, np.int64), *shifted]),
                np.concatenate([sparse.pixel for sparse in view]),
                np.concatenate([sparse.value for sparse in view]),
            )
        )
    return Block(np.concatenate([part.index for part in parts]), views)


def _take(sparse: Sparse, rows: NDArray[np.int64]) -> Sparse:
    if len(rows) == len(sparse):
        return sparse
    return Sparse(*_taken(sparse.offsets, sparse.pixel, sparse.value, rows))


@njit(cache=True, nogil=True)
def _taken(offsets, pixel, value, rows):  # type: ignore[no-untyped-def]  # numba
    """Sparse images of some rows."""
    taken = np.zeros(len(rows) + 1, np.int64)
    for i in range(len(rows)):
        taken[i + 1] = taken[i] + offsets[rows[i] + 1] - offsets[rows[i]]
    new_pixel = np.empty(taken[-1], pixel.dtype)
    new_value = np.empty((taken[-1], value.shape[1]), value.dtype)
    for i in range(len(rows)):
        old, new = slice(offsets[rows[i]], offsets[rows[i] + 1]), slice(taken[i], taken[i + 1])
        new_pixel[new] = pixel[old]
        new_value[new] = value[old]
    return taken, new_pixel, new_value
