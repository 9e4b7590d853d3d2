"""An image set: any number of shards read as one, lazily and in contiguous blocks."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from hepcnn.errors import InputError, nearest
from hepcnn.events.chunk import EVENT_KEY
from hepcnn.events.names import REMEDY, repeated
from hepcnn.store.header import HEADER_KEYS
from hepcnn.store.manifest import listed
from hepcnn.store.shard import Images, Rows, Skipped, Sparse
from hepcnn.store.shard_info import ShardInfo, damage_named, inspect_shard, open_shard

#: Files held open by one image set.
MAX_OPEN = 128


class ImageSet:
    """The examples of many shards, in the order given.

    Files are opened when they are read from, in each process anew, so that an image set can be
    pickled and used in worker processes.

    Parameters
    ----------
    paths : path or sequence of paths
        The shards, or the folder or the manifest of a set, see `hepcnn.store.manifest`.
    listed_only : bool
        Refuse a shard that the manifest beside it does not list.

    Attributes
    ----------
    header : Header
        What all images have in common.
    offsets : int64 array (shards + 1,)
        Index of the first example of each shard, and the number of all.

    Raises
    ------
    InputError
        If there is no shard, a file is missing, damaged, of another format or of a newer
        version, a shard is given twice, the headers differ, or two shards hold images of one
        file or of events of one name.
    """

    def __init__(
        self, paths: str | Path | Sequence[str | Path], *, listed_only: bool = True
    ) -> None:
        given = [Path(path) for path in ([paths] if isinstance(paths, str | Path) else paths)]
        if not given:
            raise InputError("no image shard was given")
        self._shards = [inspect_shard(path) for path in (listed(given) if listed_only else given)]
        _check_together(self._shards)
        self.header = self._shards[0].header
        lengths = [0] + [shard.length for shard in self._shards]
        self.offsets: npt.NDArray[np.int64] = np.cumsum(lengths, dtype=np.int64)
        self._open: dict[int, h5py.File] = {}
        self._process = os.getpid()
        self._check_names()

    def __len__(self) -> int:
        return int(self.offsets[-1])

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_open": {}}

    @property
    def paths(self) -> list[Path]:
        """The shards."""
        return [shard.path for shard in self._shards]

    @property
    def ids(self) -> list[str]:
        """Identities of the shards, from their provenance."""
        return [shard.id for shard in self._shards]

    @property
    def provenance(self) -> list[dict[str, Any]]:
        """The records of how the shards were made."""
        return [shard.provenance for shard in self._shards]

    def examples_in(self, size: int) -> int:
        """How many examples are, on average, so many bytes uncompressed; at least 1."""
        nbytes = sum(shard.nbytes for shard in self._shards)
        return max(size * len(self) // max(nbytes, 1), 1)

    @property
    def cutflow(self) -> dict[str, int]:
        """Counts by step, summed over the shards."""
        total: dict[str, int] = {}
        for shard in self._shards:
            for step, count in shard.cutflow:
                total[step] = total.get(step, 0) + count
        return total

    @property
    def skipped(self) -> list[Skipped]:
        """Files that were left out."""
        return [row for shard in self._shards for row in shard.skipped]

    @property
    def warnings(self) -> list[tuple[Path, str]]:
        """What looked wrong when the images were made, with the shard."""
        return [(shard.path, text) for shard in self._shards for text in shard.warnings]

    @cached_property
    def key(self) -> npt.NDArray[np.void]:
        """Names of all examples: run, subrun, event, object."""
        return self._whole("key")

    def labels(self, target: str) -> npt.NDArray[np.int16]:
        """Index of each example's class in ``header.classes[target]``, −1 for others."""
        if target not in (known := self.header.classes):
            raise InputError(
                f"{self.paths[0]}: no classes of the target '{target}'; {nearest(target, known)}"
            )
        return self.truth(target)

    def truth(self, name: str) -> np.ndarray:
        """A column of truth, of all examples."""
        return self._group_column("truth", name)

    def features(self, name: str) -> npt.NDArray[np.float32]:
        """A feature of all examples: (N,), or (N, k) if it has several numbers."""
        return self._group_column("features", name)

    def read(self, start: int, stop: int) -> Images:
        """Read the examples ``start`` to ``stop``, a contiguous block.

        Raises
        ------
        IndexError
            If it is not ``0 <= start <= stop <= len(self)``.
        """

        header = self.header

        def columns(group: str, names: Iterable[str]) -> dict[str, np.ndarray]:
            return {name: self._rows(f"{group}/{name}", start, stop) for name in names}

        def table(name: str) -> Rows:
            return self._ragged(f"tables/{name}", header.tables[name], start, stop)

        return Images(
            key=self._rows("key", start, stop),
            views={view: self.view(view, start, stop, truth=True) for view in header.views},
            truth=columns("truth", header.truth),
            features=columns("features", header.features),
            tables={name: table(name) for name in header.tables},
        )

    def view(self, name: str, start: int, stop: int, *, truth: bool = False) -> Sparse:
        """Read one view of the examples ``start`` to ``stop``, and nothing else; as `read`.

        Parameters
        ----------
        name : str
            The view.
        start, stop : int
            The examples.
        truth : bool
            Read the pixels' truth too.
        """
        columns = ["pixel", "value", *(self.header.pixel_truth if truth else ())]
        rows = self._ragged(f"views/{name}", columns, start, stop)
        return Sparse.of(rows.offsets, rows.columns)

    def _ragged(self, name: str, columns: Iterable[str], start: int, stop: int) -> Rows:
        """Read columns of which an example has any number of rows."""
        parts = []
        for shard, low, high in self._spans(start, stop):
            path = self._shards[shard].path
            with damage_named(path):
                group = self._file(shard)[name]
                offsets = group["offsets"][low : high + 1]
                # Compiled code goes by them: it must not leave the arrays.
                stored = min(len(group[column]) for column in columns)
                within = offsets[0] >= 0 and offsets[-1] <= stored
                if not within or (np.diff(offsets) < 0).any():
                    raise InputError(f"{path}: a damaged image shard: {name}/offsets")
                rows = slice(int(offsets[0]), int(offsets[-1]))
                read = {column: group[column][rows] for column in columns}
                pixel = read.get("pixel", offsets[:0])
                if len(pixel) and pixel.max() >= self.header.pixels:
                    raise InputError(
                        f"{path}: {name}/pixel: {pixel.max()} is not in an image of "
                        f"{self.header.pixels} pixels: a damaged image shard"
                    )
                parts.append(Rows(offsets - offsets[0], read))
        return Rows.join(parts)

    def _spans(self, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
        """The shards that hold a block, and which of their rows: at least one, if of no rows."""
        if not 0 <= start <= stop <= len(self):
            raise IndexError(f"[{start}, {stop}) is not within the {len(self)} examples")
        # An empty block is read from some shard too: it has the right types.
        first = min(int(np.searchsorted(self.offsets, start, "right")) - 1, len(self._shards) - 1)
        shard = first
        while shard < len(self._shards) and (shard == first or self.offsets[shard] < stop):
            low, high = self.offsets[shard], self.offsets[shard + 1]
            yield shard, int(max(start, low) - low), int(min(stop, high) - low)
            shard += 1

    def _rows(self, name: str, start: int, stop: int) -> np.ndarray:
        parts = []
        for shard, low, high in self._spans(start, stop):
            with damage_named(self._shards[shard].path):
                parts.append(self._file(shard)[name][low:high])
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _check_names(self) -> None:
        """Refuse events of one name in two shards: everything that follows takes them for one."""
        if len(self._shards) == 1:
            return
        keys = [_events(key) for key in np.split(self.key, self.offsets[1:-1])]
        while self._open:  # nothing is held open before the images are read
            self._open.popitem()[1].close()
        if found := repeated(keys):
            first, second = self._shards[found.first], self._shards[found.second]
            raise InputError(
                f"{found.name} is in {first.origin} and in {second.origin}{found.others}: {REMEDY}"
            )

    def _whole(self, name: str) -> np.ndarray:
        parts = []
        for shard, path in enumerate(self.paths):
            with damage_named(path):
                parts.append(self._file(shard)[name][:])
        return np.concatenate(parts)

    def _group_column(self, group: str, name: str) -> np.ndarray:
        with damage_named(self.paths[0]):
            names = list(self._file(0)[group])
        if name not in names:
            raise InputError(f"{self.paths[0]}: no {group} '{name}'; {nearest(name, names)}")
        return self._whole(f"{group}/{name}")

    def _file(self, shard: int) -> h5py.File:
        if self._process != os.getpid():
            # A fork shares the parent's file positions: leave its handles alone, open our own.
            self._open, self._process = {}, os.getpid()
        if shard not in self._open:
            if len(self._open) >= MAX_OPEN:
                self._open.pop(next(iter(self._open))).close()
            self._open[shard] = open_shard(self._shards[shard].path)
        return self._open[shard]


def _events(key: npt.NDArray[np.void]) -> npt.NDArray[np.void]:
    """Names of the events of some examples; those of one event follow one another."""
    new = np.zeros(len(key), bool)
    new[:1] = True
    for name in EVENT_KEY.names or ():
        new[1:] |= key[name][1:] != key[name][:-1]
    return key[new]


def _check_together(shards: Sequence[ShardInfo]) -> None:
    """Refuse shards that are not parts of one set."""
    first = shards[0]
    wanted = first.header.to_json()
    by_id: dict[str, Path] = {}
    by_input: dict[str, tuple[str, Path]] = {}
    for shard in shards:
        if shard.id in by_id:
            raise InputError(
                f"{by_id[shard.id]} and {shard.path} hold the same images (id {shard.id}): "
                "give each shard once"
            )
        by_id[shard.id] = shard.path
        for file, identity in shard.inputs.items():
            other, path = by_input.setdefault(identity, (file, shard.path))
            if path != shard.path:
                raise InputError(
                    f"{path} and {shard.path} hold images of the same file ('{other}' and '{file}' "
                    "are one or copies): its events would count twice"
                )
        found = shard.header.to_json()
        for name in HEADER_KEYS:
            if found[name] != wanted[name]:
                raise InputError(
                    f"{first.path} and {shard.path} are not of one image set: '{name}' is "
                    f"{json.dumps(wanted[name])} in the one and {json.dumps(found[name])} "
                    "in the other"
                )
