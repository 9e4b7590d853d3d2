"""Batches of dense images from sparse shards.

Images are sparse on disk and in memory and become dense only here, in buffers that are used again:
instead of clearing a buffer, the pixels that the last batch set are set back. Shards are read in
contiguous blocks and shuffled within windows of many blocks, because reading examples singly is
what makes loaders slow.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypedDict

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hepcnn.errors import InputError, nearest
from hepcnn.store.images import ImageSet

#: Neighbours in the image set that stay together when the order is drawn.
BLOCK = 1024
#: Examples, whole blocks, that are shuffled with one another.
WINDOW = 1 << 16
#: Examples read at once: bounds the memory of a read.
SPAN = 1 << 13
#: Sparse images up to so many bytes are held in memory: over a million of a busy RICH.
MEMORY = 2 << 30
#: Occupancy above which clearing a whole buffer is faster than setting its pixels back.
_CROWDED = 0.1
#: Buffers that batches are made in by turns.
BUFFERS = 3

#: `stored`: as in the shards. `shuffled`: block-shuffled, each example once. `balanced`: classes
#: equally often, examples of rare ones repeated and of frequent ones left out.
Order = Literal["stored", "shuffled", "balanced"]


class Batch(TypedDict):
    """B examples.

    ``images`` float32 (B, V, C, H, W), channels last in memory; ``features`` float32 (B, F), the
    columns asked for, side by side; ``expected`` float32 (B, V, K, 2), of each view and each of K
    hypotheses the row of its expected ring as a float, in rows from the image's lower edge (−1: no
    light), and the number of its photons expected, K = 0 in image sets that do not say; ``label``
    int64 (B,), −1 for a particle that is none of the classes; ``index`` int64 (B,) into the image
    set.
    """

    images: NDArray[np.float32]
    features: NDArray[np.float32]
    expected: NDArray[np.float32]
    label: NDArray[np.int64]
    index: NDArray[np.int64]


def block_shuffled(which: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Shuffle blocks, then examples within windows of many blocks.

    Up to `WINDOW` examples this is a uniform shuffle.
    """
    blocks = np.split(which, range(BLOCK, len(which), BLOCK))
    order = np.concatenate([blocks[b] for b in rng.permutation(len(blocks))])
    for start in range(0, len(order), WINDOW):
        rng.shuffle(order[start : start + WINDOW])
    return order


def balanced(
    which: NDArray[np.int64], labels: NDArray[np.integer], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draw as many examples as there are, the classes present equally often (to one example).

    An example comes as often as any other of its class, or once more or less.
    """
    classes = np.unique(labels[which])
    draws = []
    for i, label in enumerate(classes):
        members = which[labels[which] == label]
        wanted = (len(which) + i) // len(classes)
        whole, rest = divmod(wanted, len(members))
        draws += [np.tile(members, whole), rng.choice(members, rest, replace=False)]
    return rng.permutation(np.concatenate(draws))


@dataclass(frozen=True)
class _Sparse:
    """Sparse images in memory: of each view, offsets (n + 1,), pixels and values."""

    index: NDArray[np.int64]
    views: list[tuple[NDArray[np.int64], NDArray[np.unsignedinteger], NDArray[np.uint16]]]

    @property
    def nbytes(self) -> int:
        return sum(array.nbytes for view in self.views for array in view)


@dataclass(frozen=True)
class _Selection:
    """What of the images is seen: names of views, and indices of channels."""

    views: tuple[str, ...]
    channels: tuple[int, ...]


def _positions(images: ImageSet, names: Sequence[str] | None, what: str) -> list[int]:
    """Places of some views or channels among those that there are."""
    there: tuple[str, ...] = getattr(images.header, f"{what}s")
    if names is None:
        return list(range(len(there)))
    if not names:
        raise InputError(f"no {what} is chosen; there are {', '.join(there)}")
    for name in names:
        if name not in there:
            raise InputError(f"{images.paths[0]}: no {what} '{name}'; {nearest(name, there)}")
    return [there.index(name) for name in names]


def _features(images: ImageSet, names: Sequence[str]) -> NDArray[np.float32]:
    """Columns of features side by side, (N, F)."""
    columns = [images.features(name).reshape(len(images), -1) for name in names]
    return np.concatenate([np.empty((len(images), 0), np.float32), *columns], axis=1)


def _expected(images: ImageSet, views: Sequence[str]) -> NDArray[np.float32]:
    """Expected rows and photons of all examples, as in `Batch`."""
    header = images.header
    if not all({f"angle_{v}", f"photons_{v}"} <= header.features.keys() for v in views):
        return np.empty((len(images), len(views), 0, 2), np.float32)
    found = []
    for view in views:
        axis, angle = header.axes[view][0], images.features(f"angle_{view}")
        # The axis is in mrad.
        row = (1000 * angle - axis.low) * np.float32(axis.bins / (axis.high - axis.low))
        found.append(
            np.stack([np.where(angle > 0, row, -1), images.features(f"photons_{view}")], axis=-1)
        )
    return np.stack(found, axis=1).astype(np.float32)


def _read(images: ImageSet, index: NDArray[np.int64], selection: _Selection) -> Iterator[_Sparse]:
    """Read the examples of a strictly increasing index, a span of the image set at a time."""
    every = selection.channels == tuple(range(len(images.header.channels)))
    spans = np.split(index, np.flatnonzero(np.diff(index // SPAN)) + 1) if len(index) else []
    pixels = np.prod(images.header.shape)
    for part in spans:
        views = []
        for name in selection.views:
            sparse = images.view(name, int(part[0]), int(part[-1]) + 1)
            if len(sparse.pixel) and sparse.pixel.max() >= pixels:
                example = (
                    part[0] + np.searchsorted(sparse.offsets, sparse.pixel.argmax(), "right") - 1
                )
                path = images.paths[int(np.searchsorted(images.offsets, example, "right")) - 1]
                raise InputError(
                    f"{path}: views/{name}/pixel: {sparse.pixel.max()} is not in an image of "
                    f"{pixels} pixels: a damaged image shard"
                )
            value = sparse.value if every else sparse.value[:, selection.channels]
            whole = sparse.offsets, sparse.pixel, value
            views.append(whole if len(part) == len(sparse) else _take(*whole, part - part[0]))
        yield _Sparse(part, views)


def _join(parts: list[_Sparse]) -> _Sparse:
    views = []
    for view in zip(*(part.views for part in parts), strict=True):
        ends = np.cumsum([0, *(offsets[-1] for offsets, _, _ in view)])
        shifted = [offsets[1:] + end for (offsets, _, _), end in zip(view, ends, strict=False)]
        views.append(
            (
                np.concatenate([np.zeros(1, np.int64), *shifted]),
                np.concatenate([pixel for _, pixel, _ in view]),
                np.concatenate([value for _, _, value in view]),
            )
        )
    return _Sparse(np.concatenate([part.index for part in parts]), views)


@njit(cache=True, nogil=True)
def _take(offsets, pixel, value, rows):  # type: ignore[no-untyped-def]  # numba
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


@njit(cache=True, nogil=True)
def _scatter(dense, offsets, pixel, value, rows, first, scale):  # type: ignore[no-untyped-def]  # numba
    """Set the pixels of one view, value × scale, in a batch (B, H·W, V·C), from column `first`."""
    for b in range(len(rows)):
        part = slice(offsets[rows[b]], offsets[rows[b] + 1])
        where = pixel[part]
        for c in range(len(scale)):
            image, count, factor = dense[b, :, first + c], value[part, c], scale[c]
            for j in range(len(where)):
                image[where[j]] = count[j] * factor


class _Buffer:
    """A dense batch that is made again and again."""

    def __init__(self, batch_size: int, shape: tuple[int, int, int, int]) -> None:
        height, width, views, channels = shape
        self._dense = np.zeros((batch_size, height * width, views * channels), np.float32)
        self._shape = shape
        self._last: tuple[_Sparse, NDArray[np.int64]] | None = None

    def fill(
        self, sparse: _Sparse, rows: NDArray[np.int64], scale: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Make the batch of some rows, as (B, V, C, H, W); valid until the next."""
        self._clear()
        self._set(sparse, rows, scale)
        self._last = sparse, rows
        return self._dense[: len(rows)].reshape(-1, *self._shape).transpose(0, 3, 4, 1, 2)

    def _clear(self) -> None:
        if self._last is None:
            return
        sparse, rows = self._last
        occupied = sum(int((ends[rows + 1] - ends[rows]).sum()) for ends, _, _ in sparse.views)
        if occupied > _CROWDED * len(rows) * self._dense[0].size:
            self._dense.fill(0)
        else:
            self._set(sparse, rows, np.zeros(self._shape[2:], np.float32))

    def _set(self, sparse: _Sparse, rows: NDArray[np.int64], scale: NDArray[np.float32]) -> None:
        for v, (offsets, pixel, value) in enumerate(sparse.views):
            first = v * scale.shape[1]
            _scatter(self._dense, offsets, pixel, value, rows, first, scale[v])


class Batches:
    """The batches of some examples of an image set.

    The order is a pure function of the seed and the epoch, whatever fits in memory.

    Parameters
    ----------
    images : ImageSet
        The images.
    which : int array
        Indices of the examples, strictly increasing.
    batch_size : int
        Examples of a batch; the last may be smaller.
    views, channels : sequence of str, optional
        Names of those seen, in this order; by default all.
    features : sequence of str
        Names of the features given; by default none.
    target : str
        What the labels are of.
    order : {"stored", "shuffled", "balanced"}
        See `Order`.
    seed : int
        Seed of the order.
    scale : float32 array (V, C), optional
        Values are multiplied by this, for the views and channels seen; by default by 1.
    memory : int
        Images of at most so many bytes (sparse) are read once and held; others are read anew
        in each epoch, a window at a time. 0 for a single pass.

    Raises
    ------
    InputError
        If there is no view, channel or feature of a name.
    """

    def __init__(
        self,
        images: ImageSet,
        which: NDArray[np.int64],
        batch_size: int,
        *,
        views: Sequence[str] | None = None,
        channels: Sequence[str] | None = None,
        features: Sequence[str] = (),
        target: str = "species",
        order: Order = "stored",
        seed: int = 0,
        scale: NDArray[np.float32] | None = None,
        memory: int = MEMORY,
    ) -> None:
        self.images = images
        self.which = np.asarray(which, np.int64)
        self.batch_size = batch_size
        self.kind = order
        self.seed = seed
        seen = [images.header.views[v] for v in _positions(images, views, "view")]
        self._selection = _Selection(tuple(seen), tuple(_positions(images, channels, "channel")))
        shape = len(seen), len(self._selection.channels)
        self._scale = np.ones(shape, np.float32) if scale is None else np.asarray(scale, np.float32)
        if self._scale.shape != shape:
            raise ValueError(f"scale is {self._scale.shape}, for {shape} views and channels")
        self._labels = images.labels(target)
        self._features = _features(images, features)
        self._expected = _expected(images, seen)
        self._held = self._hold(memory)

    def __len__(self) -> int:
        """Batches of an epoch."""
        return -(-len(self.which) // self.batch_size)

    @property
    def in_memory(self) -> bool:
        """Whether the images are held in memory."""
        return self._held is not None

    def order(self, epoch: int) -> NDArray[np.int64]:
        """Indices of the examples in the order of an epoch."""
        rng = np.random.default_rng([self.seed, epoch])
        if self.kind == "balanced":
            return balanced(self.which, self._labels, rng)
        return block_shuffled(self.which, rng) if self.kind == "shuffled" else self.which

    def epoch(
        self, epoch: int = 0, *, rank: int = 0, ranks: int = 1, worker: int = 0, workers: int = 1
    ) -> Iterator[Batch]:
        """Go through an epoch once.

        The images of a batch lie in one of `BUFFERS` buffers: they are overwritten when as many
        further batches have been drawn. All else in it is the batch's own.

        Parameters
        ----------
        epoch : int
            Number of the epoch, from 0.
        rank, ranks : int
            Share each batch between so many processes: this one gets every `ranks`-th example.
            So that all get equally many, a shuffled order leaves the last ``n % ranks`` out; in
            stored order none is left out and the last batch of some ranks may be missing.
        worker, workers : int
            Give only every `workers`-th batch, from the `worker`-th. Each worker reads all.
        """
        order = self.order(epoch)
        if self.kind != "stored":
            order = order[: len(order) - len(order) % ranks]
        shape = (*self.images.header.shape, *self._scale.shape)
        buffers = [_Buffer(-(-self.batch_size // ranks), shape) for _ in range(BUFFERS)]
        window = max(WINDOW // self.batch_size, 1) * self.batch_size
        number = 0
        for start in range(0, len(order), window):
            part = order[start : start + window]
            sparse = self._held or self._read(np.unique(part))
            for low in range(0, len(part), self.batch_size):
                index = part[low : low + self.batch_size][rank::ranks]
                if number % workers == worker and len(index):
                    rows = np.searchsorted(sparse.index, index)
                    buffer = buffers[number // workers % BUFFERS]
                    yield Batch(
                        images=buffer.fill(sparse, rows, self._scale),
                        features=self._features[index],
                        expected=self._expected[index],
                        label=self._labels[index].astype(np.int64),
                        index=index.copy(),
                    )
                number += 1

    def _read(self, index: NDArray[np.int64]) -> _Sparse:
        return _join(list(_read(self.images, index, self._selection)))

    def _hold(self, memory: int) -> _Sparse | None:
        if not memory or not len(self.which):
            return None
        parts, size = [], 0
        for part in _read(self.images, self.which, self._selection):
            parts.append(part)
            size += part.nbytes
            if size > memory:
                return None
        return _join(parts)
