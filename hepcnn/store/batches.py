"""Batches of images from sparse shards: of sites for sparse networks, dense for others.

Images are sparse on disk and in memory and become dense, where they do, only here. Shards are read
in contiguous blocks and shuffled within windows of many blocks, because reading examples singly is
what makes loaders slow.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, TypedDict

import numpy as np
from numpy.typing import NDArray

from hepcnn.detector.tpc import OPPOSITE
from hepcnn.errors import InputError
from hepcnn.store.blocks import Block, Selection, Transform, join, read_blocks
from hepcnn.store.dense import Buffer, Drawn
from hepcnn.store.images import ImageSet
from hepcnn.store.order import Order, balanced, block_shuffled
from hepcnn.store.rich import likelihoods_of
from hepcnn.store.sparse import SparseBatch, sparse_batch

#: Examples, whole blocks, that are shuffled with one another, if they are no more than so many
#: bytes uncompressed.
WINDOW, WINDOW_BYTES = 1 << 16, 256 << 20
#: Sparse images up to so many bytes are held in memory: over a million of a busy RICH.
MEMORY = 2 << 30
#: Buffers that batches are made in by turns.
BUFFERS = 3

#: Axes along which examples are mirrored: images' first (the drift), and their last (the beam).
Mirror = Literal["drift", "beam"]
_AXES: tuple[Mirror, ...] = ("drift", "beam")


class Batch(TypedDict):
    """B examples.

    ``images`` float32 (B, V, C, H, W), or with three axes (B, V, C, X, Y, Z), in memory view after
    view, each channels last; or the sites of these images alone, a `SparseBatch`; ``features``
    float32 (B, F), the columns asked for, side by side;
    ``expected`` float32 (B, V, K, 2), of each view and each of K hypotheses the row of its expected
    ring as a float, in rows from the image's lower edge (−1: no light), and the number of its
    photons expected, K = 0 in image sets that do not say; ``log_likelihood`` float32 (B, L, K),
    what the analytic likelihoods say of these hypotheses, see `likelihoods_of`; ``label`` int64
    (B,), −1 for what is none of the classes; ``index`` int64 (B,) into the image set. If they are
    asked for: ``truth`` float32 (B, V, T, H, W), columns of the pixels' truth plus 1, 0 where there
    is no pixel; or of N sites int64 (N, T), the columns; ``points`` float32 (P, 5), example, view,
    row, column and kind of the key points, see
    `hepcnn.store.points.true_points`.
    """

    images: NDArray[np.float32] | SparseBatch
    features: NDArray[np.float32]
    expected: NDArray[np.float32]
    log_likelihood: NDArray[np.float32]
    label: NDArray[np.int64]
    index: NDArray[np.int64]
    truth: NDArray[np.float32] | NDArray[np.int64]
    points: NDArray[np.float32]


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
        Names of the features given, as they are stored; by default none.
    target : str, optional
        What the labels are of; by default all are −1.
    truth : sequence of str
        Columns of the pixels' truth that are given; by default none.
    points : bool
        Whether the key points are given.
    order : {"stored", "shuffled", "balanced"}
        See `Order`.
    mirrored : sequence of {"drift", "beam"}
        Axes along which half of the examples, drawn anew in each epoch, are mirrored: ``drift``
        reverses the images' first axis, ``beam`` their last one, and the views U and V, and the
        features that end on their names, change places. Labels are of classes and stay.
    seed : int
        Seed of the order and of the mirroring.
    scale : float32 array (V, C), optional
        Values are multiplied by this, for the views and channels seen; by default by 1.
    transform : Transform, optional
        What is done to the images before; views and channels are of what comes out.
    sparse : bool
        Whether the images are given as their sites, not dense.
    sites : int, optional
        A batch in stored order ends before it has more sites than this, with one example at least.
    memory : int
        Images of at most so many bytes (sparse) are read once and held; others are read anew
        in each epoch, a window at a time. 0 for a single pass.

    Raises
    ------
    InputError
        If there is no view, channel, feature or target of a name, or one of the views or features
        that change places is not among those seen.
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
        target: str | None = "species",
        truth: Sequence[str] = (),
        points: bool = False,
        order: Order = "stored",
        mirrored: Sequence[Mirror] = (),
        seed: int = 0,
        scale: NDArray[np.float32] | None = None,
        transform: Transform | None = None,
        sparse: bool = False,
        sites: int | None = None,
        memory: int = MEMORY,
    ) -> None:
        if sites is not None and order != "stored":
            raise ValueError("only batches in stored order can be sized by their sites")
        self.images = images
        self.which = np.asarray(which, np.int64)
        self.batch_size = batch_size
        self.kind = order
        self.mirrored = tuple(mirrored)
        self.seed = seed
        self._selection = Selection.of(images, views, channels, transform, truth, points)
        seen = self._selection.views
        shape = len(seen), len(self._selection.channels)
        scale = np.ones(shape, np.float32) if scale is None else np.asarray(scale, np.float32)
        if scale.shape != shape:
            raise ValueError(f"scale is {scale.shape}, for {shape} views and channels")
        self._scale = scale
        self._sparse, self._sites = sparse, sites
        self._seen = *shape, len(truth)
        self._labels = _labels(images, target)
        self._features = _features(images, features)
        self._expected = _expected(images, seen)
        self._log_likelihood = _log_likelihood(images, self._expected.shape[2])
        if "beam" in self.mirrored:
            self._places = swapped(seen)
            widths = [images.header.features[name] or 1 for name in features]
            columns = np.split(np.arange(sum(widths)), np.cumsum(widths)[:-1])
            moved = [columns[place] for place in swapped(features)]
            self._feature_places = np.concatenate([np.empty(0, np.int64), *moved])
        self._window = min(WINDOW, images.examples_in(WINDOW_BYTES))
        self._held = self._hold(memory)
        self._buffers: dict[int, list[Buffer]] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_buffers": {}}

    def __len__(self) -> int:
        """Batches of an epoch of one process; more, where they are sized by their sites."""
        return self.count(1)

    def count(self, ranks: int) -> int:
        """Batches of an epoch that so many processes share."""
        return -(-self._drawn(ranks) // self.batch_size)

    def _drawn(self, ranks: int) -> int:
        """Examples of an epoch that so many processes share, see `epoch`."""
        n = len(self.which)
        if self.kind == "stored":
            return n
        n -= n % ranks
        alone = n % self.batch_size == ranks < min(n, self.batch_size)
        return n - ranks if alone else n

    @property
    def in_memory(self) -> bool:
        """Whether the images are held in memory."""
        return self._held is not None

    def order(self, epoch: int) -> NDArray[np.int64]:
        """Indices of the examples in the order of an epoch."""
        rng = np.random.default_rng([self.seed, epoch])
        if self.kind == "balanced":
            return balanced(self.which, self._labels, rng)
        if self.kind == "shuffled":
            return block_shuffled(self.which, self._window, rng)
        return self.which

    def mirrors(self, epoch: int) -> NDArray[np.bool_]:
        """Whether the drift's and the beam's axis are reversed, (N, 2), in an epoch's order."""
        drawn = np.zeros((len(self.which), len(_AXES)), bool)
        rng = np.random.default_rng([self.seed, epoch, 1])
        for axis in self.mirrored:
            drawn[:, _AXES.index(axis)] = rng.random(len(drawn)) < 0.5
        return drawn

    def epoch(
        self, epoch: int = 0, *, rank: int = 0, ranks: int = 1, worker: int = 0, workers: int = 1
    ) -> Iterator[Batch]:
        """Go through an epoch once.

        The dense images of a batch lie in one of `BUFFERS` buffers: they are overwritten when as
        many further batches have been drawn. All else in it is the batch's own.

        Parameters
        ----------
        epoch : int
            Number of the epoch, from 0.
        rank, ranks : int
            Share each batch between so many processes: this one gets every `ranks`-th example.
            So that all get equally many, an order that is drawn leaves the last ``n % ranks`` out,
            and the last batch too if it has a single example for each: batch normalisation needs
            two. In stored order none is left out and the last batch of some ranks may be missing.
        worker, workers : int
            Give only every `workers`-th batch, from the `worker`-th. Each worker reads all.
        """
        order, mirrors = self.order(epoch), self.mirrors(epoch)
        order = order[: self._drawn(ranks)]
        # Kept from epoch to epoch, since new memory is slow; a second iterator needs its own.
        buffers = self._buffers.pop(ranks, None) or self._make_buffers(ranks)
        window = max(self._window // self.batch_size, 1) * self.batch_size
        number = 0
        for start in range(0, len(order), window):
            stop = min(start + window, len(order))
            block = self._held or self._read(np.unique(order[start:stop]))
            for low, high in self._cuts(block, order[start:stop]):
                mine = slice(start + low + rank, start + high, ranks)
                if number % workers == worker and len(order[mine]):
                    buffer = buffers[number // workers % BUFFERS] if buffers else None
                    yield self._batch(buffer, block, order[mine], mirrors[mine])
                number += 1
        self._buffers[ranks] = buffers

    def _make_buffers(self, ranks: int) -> list[Buffer]:
        """Buffers of dense batches; of sparse ones none."""
        size, shape = -(-self.batch_size // ranks), self._selection.header.shape
        return [Buffer(size, shape, self._seen) for _ in range(0 if self._sparse else BUFFERS)]

    def _cuts(self, block: Block, index: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
        """Where each batch of some examples of a block begins and ends."""
        if self._sites is None:
            for low in range(0, len(index), self.batch_size):
                yield low, min(low + self.batch_size, len(index))
            return
        rows = np.searchsorted(block.index, index)
        sites = np.sum([np.diff(view.offsets)[rows] for view in block.views], axis=0)
        low, total = 0, 0
        for i, own in enumerate(sites.tolist()):
            if i > low and (i - low == self.batch_size or total + own > self._sites):
                yield low, i
                low, total = i, 0
            total += own
        yield low, len(index)

    def _batch(
        self,
        buffer: Buffer | None,
        block: Block,
        index: NDArray[np.int64],
        mirrored: NDArray[np.bool_],
    ) -> Batch:
        place = np.repeat(np.arange(len(block.views))[:, np.newaxis], len(index), axis=1)
        features, beam = self._features[index], mirrored[:, 1]
        if beam.any():
            place = np.where(beam, self._places[:, np.newaxis], place)
            features[beam] = features[beam][:, self._feature_places]
        drawn = Drawn(np.searchsorted(block.index, index), mirrored, place)
        images: NDArray[np.float32] | SparseBatch
        truth: NDArray[np.float32] | NDArray[np.int64]
        if buffer is None:
            shape = self._selection.header.shape
            images, truth = sparse_batch(block, drawn, self._scale, shape)
        else:
            images, truth = buffer.fill(block, drawn, self._scale)
        return Batch(
            images=images,
            features=features,
            expected=self._expected[index],
            log_likelihood=self._log_likelihood[index],
            label=self._labels[index].astype(np.int64),
            index=index.copy(),
            truth=truth,
            points=self._points(block, drawn),
        )

    def _points(self, block: Block, drawn: Drawn) -> NDArray[np.float32]:
        """The key points of a batch, as in `Batch`: where the images put them."""
        if block.points is None:
            return np.empty((0, 5), np.float32)
        points = block.points.take(drawn.rows)
        example = points.example
        view, place = points.columns["view"], points.columns["place"]
        mirrored = np.asarray(self._selection.header.shape) - place
        place = np.where(drawn.mirrored[example], mirrored, place)
        columns = [example, drawn.place[view, example], *place.T, points.columns["kind"]]
        return np.column_stack(columns).astype(np.float32)

    def _read(self, index: NDArray[np.int64]) -> Block:
        return join(list(read_blocks(self.images, index, self._selection)))

    def _hold(self, memory: int) -> Block | None:
        if not memory or not len(self.which):
            return None
        parts, size = [], 0
        for part in read_blocks(self.images, self.which, self._selection):
            parts.append(part)
            size += part.nbytes
            if size > memory:
                return None
        return join(parts)


def swapped(names: Sequence[str]) -> NDArray[np.int64]:
    """Where views, or features by the views that they end on, go when the beam is mirrored.

    Raises
    ------
    InputError
        If one of them goes to what is not among them.
    """
    others = []
    for name in names:
        view = name.rpartition("_")[2]
        other = name.removesuffix(view) + OPPOSITE.get(view, view)
        if other not in names:
            raise InputError(
                f"augment: mirrored along the beam, '{name}' becomes '{other}', which is not seen: "
                "see both or neither"
            )
        others.append(names.index(other))
    return np.array(others, np.int64)


def _labels(images: ImageSet, target: str | None) -> NDArray[np.int16]:
    """Labels of all examples."""
    return np.full(len(images), -1, np.int16) if target is None else images.labels(target)


def _features(images: ImageSet, names: Sequence[str]) -> NDArray[np.float32]:
    """Columns of features side by side, (N, F)."""
    columns = [images.features(name).reshape(len(images), -1) for name in names]
    return np.concatenate([np.empty((len(images), 0), np.float32), *columns], axis=1)


def _log_likelihood(images: ImageSet, hypotheses: int) -> NDArray[np.float32]:
    """What the likelihoods say of the hypotheses, of all examples, as in `Batch`."""
    found = np.empty((len(images), 0, hypotheses), np.float32)
    for name in likelihoods_of(images.header):
        found = np.append(found, images.features(name)[:, None, :hypotheses], axis=1)
    return found.astype(np.float32, copy=False)


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
