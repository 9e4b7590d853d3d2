"""Sparse images in memory: what is seen of an image set, read in contiguous blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hepcnn.errors import InputError, nearest
from hepcnn.store.header import Header
from hepcnn.store.images import ImageSet
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
        Columns of the pixels' truth that are seen.
    points : bool
        Whether the key points are found.
    """

    views: tuple[str, ...]
    channels: tuple[int, ...]
    header: Header
    transform: Transform | None
    truth: tuple[str, ...] = ()
    points: bool = False

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
    """Sparse images of some examples.

    Attributes
    ----------
    index : int64 array (n,)
        Indices of the examples, increasing.
    views : list of Sparse
        Of each view seen the n images. Their ``truth`` int32 (nnz, T) has the columns of truth
        that are seen side by side.
    points : Rows, optional
        The key points, if they are asked for: see `hepcnn.store.points.true_points`.
    """

    index: NDArray[np.int64]
    views: list[Sparse]
    points: Rows | None = None

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return sum(a.nbytes for v in self.views for a in (v.offsets, *v.columns.values()))


def span(images: ImageSet) -> int:
    """Examples that are read at once."""
    return min(SPAN, images.examples_in(SPAN_BYTES))


def read_blocks(
    images: ImageSet, index: NDArray[np.int64], selection: Selection
) -> Iterator[Block]:
    """Read the examples of a strictly increasing index, a span of the image set at a time."""
    if selection.transform is None and not selection.points:
        truth = bool(selection.truth)
        for part, start, stop in _spans(images, index):
            stored = [images.view(name, start, stop, truth=truth) for name in selection.views]
            every = len(part) == stop - start
            views = [view if every else view.take(part - start) for view in stored]
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
    """The channels that are seen, and the columns of truth side by side."""
    value = sparse.value
    if selection.channels != tuple(range(value.shape[1])):
        value = np.ascontiguousarray(value[:, selection.channels])
    truth = np.empty((len(value), len(selection.truth)), np.int32)
    for column, name in zip(truth.T, selection.truth, strict=True):
        column[:] = sparse.columns[name]
    return Sparse(sparse.offsets, sparse.pixel, value, {"truth": truth})


def _points(made: Images, selection: Selection) -> Rows:
    """The key points of the views seen, numbered as these are."""
    header = selection.header
    points = true_points(made, header)
    place = [selection.views.index(v) if v in selection.views else -1 for v in header.views]
    view = np.array(place)[points.columns["view"]]
    return points.with_columns(view=view.astype(np.uint8)).select(view >= 0)


def join(parts: Sequence[Block]) -> Block:
    """Put blocks of increasing indices together."""
    points = [part.points for part in parts if part.points is not None]
    return Block(
        np.concatenate([part.index for part in parts]),
        [Sparse.join(view) for view in zip(*(part.views for part in parts), strict=True)],
        Rows.join(points) if points else None,
    )
