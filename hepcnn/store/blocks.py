"""Sparse images in memory: what is seen of an image set, read in contiguous blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hepcnn.errors import InputError, nearest
from hepcnn.store.header import Header
from hepcnn.store.images import ImageSet, join_rows
from hepcnn.store.points import true_points
from hepcnn.store.shard import Images, Rows, Sparse

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
    """What is seen of images: names of views, indices of channels, after a transform if any.

    Attributes
    ----------
    truth : tuple of str
        Columns of the pixels' truth, seen as further channels: the column plus 1.
    points : bool
        Whether the key points are found.
    """

    views: tuple[str, ...]
    channels: tuple[int, ...]
    header: Header
    transform: Transform | None
    truth: tuple[str, ...] = ()
    points: bool = False

    @property
    def width(self) -> int:
        """Numbers seen of a pixel: channels, and columns of truth."""
        return len(self.channels) + len(self.truth)

    @classmethod
    def of(
        cls,
        images: ImageSet,
        views: Sequence[str] | None,
        channels: Sequence[str] | None,
        transform: Transform | None = None,
        truth: Sequence[str] = (),
        points: bool = False,
    ) -> Selection:
        """Choose views and channels by name, by default all; columns of truth, by default none.

        Raises
        ------
        InputError
            If there is no view, channel or column of truth of a name, or no view or channel is
            chosen; or the images have no key points.
        """
        header = images.header if transform is None else transform.header
        path = images.paths[0]
        for what, names, there in (
            ("view", views, header.views),
            ("channel", channels, header.channels),
            ("truth of pixels", truth or None, tuple(header.pixel_truth)),
        ):
            if names is not None and not names:
                raise InputError(f"no {what} is chosen; there are {', '.join(there)}")
            for name in names or ():
                if name not in there:
                    raise InputError(f"{path}: no {what} '{name}'; {nearest(name, there)}")
        places = [header.channels.index(name) for name in channels or header.channels]
        seen = tuple(views or header.views)
        if points and (header.detector != "lartpc" or len(header.shape) != 2):
            raise InputError(f"{path}: no key points: they are of wire planes")
        return cls(seen, tuple(places), header, transform, tuple(truth), points)


@dataclass(frozen=True)
class Block:
    """Sparse images of some examples: of increasing indices (n,), and of each view seen.

    With the key points, if they are asked for: see `hepcnn.store.points.true_points`.
    """

    index: NDArray[np.int64]
    views: list[Sparse]
    points: Rows | None = None

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
    if selection.transform is None and not selection.truth and not selection.points:
        for part, start, stop in _spans(images, index):
            views = [
                _take(images.view(name, start, stop), part - start) for name in selection.views
            ]
            yield Block(part, [_seen(view, selection) for view in views])
        return
    for part, made in read_whole(images, index, selection.transform):
        views = [_seen(made.views[name], selection) for name in selection.views]
        yield Block(part, views, _points(made, selection) if selection.points else None)


def read_whole(
    images: ImageSet, index: NDArray[np.int64], transform: Transform | None = None
) -> Iterator[tuple[NDArray[np.int64], Images]]:
    """Read examples as `read_blocks`, with their truth, features and tables."""
    for part, start, stop in _spans(images, index):
        stored = images.read(start, stop)
        made = stored if len(part) == len(stored) else stored.take(part - start)
        yield part, made if transform is None else transform.apply(made)


def _spans(
    images: ImageSet, index: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], int, int]]:
    """The parts of a strictly increasing index that are read at once, and from where to where."""
    cuts = np.flatnonzero(np.diff(index // span(images))) + 1
    for part in np.split(index, cuts) if len(index) else []:
        yield part, int(part[0]), int(part[-1]) + 1


def _seen(sparse: Sparse, selection: Selection) -> Sparse:
    """The channels and the columns of truth that are seen, side by side."""
    value = sparse.value
    if selection.channels != tuple(range(value.shape[1])):
        value = np.ascontiguousarray(value[:, selection.channels])
    if selection.truth:
        truth = [sparse.truth[name].astype(np.float32) + 1 for name in selection.truth]
        value = np.column_stack([value.astype(np.float32), *truth])
    return Sparse(sparse.offsets, sparse.pixel, value)


def _points(made: Images, selection: Selection) -> Rows:
    """The key points of the views seen, numbered as these are."""
    header = selection.header
    points = true_points(made, header)
    place = [selection.views.index(v) if v in selection.views else -1 for v in header.views]
    view = np.array(place)[points.columns["view"]]
    example = np.repeat(np.arange(len(points)), np.diff(points.offsets))[view >= 0]
    columns = points.columns | {"view": view.astype(np.uint8)}
    return Rows(
        np.searchsorted(example, np.arange(len(points) + 1)),
        {name: column[view >= 0] for name, column in columns.items()},
    )


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
    points = [part.points for part in parts if part.points is not None]
    return Block(
        np.concatenate([part.index for part in parts]), views, join_rows(points) if points else None
    )


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
