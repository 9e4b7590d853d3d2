"""What is done to an image before a network sees it: one object, kept in the checkpoint."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from hepcnn.errors import InputError
from hepcnn.store.batches import SPAN
from hepcnn.store.images import ImageSet
from hepcnn.store.shard import Header

#: What of an image set's header must be the same in training and in prediction. The order of the
#: classes is among them: labels are indices into it.
_SAME = ("detector", "views", "shape", "channels", "axes", "classes")


@dataclass(frozen=True, eq=False)
class Preprocessing:
    """The images that a network is for, and the scale of their values.

    Attributes
    ----------
    header : Header
        Of the image set of the training.
    scale : ndarray (V, C) float32
        Values are multiplied by it: one over the mean of the occupied pixels of the training
        images, so that any channel enters the network near 1 where there is something.
    """

    header: Header
    scale: NDArray[np.float32]

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Views, channels, height and width of an example."""
        return len(self.header.views), len(self.header.channels), *self.header.shape

    @classmethod
    def fit(cls, images: ImageSet, which: NDArray[np.int64]) -> Self:
        """Find the scale from some examples (strictly increasing indices)."""
        header = images.header
        total = np.zeros((len(header.views), len(header.channels)))
        occupied = np.zeros_like(total)
        for start in range(0, len(images), SPAN):
            block = images.read(start, min(start + SPAN, len(images)))
            low, high = np.searchsorted(which, [start, start + len(block)])
            chosen = np.zeros(len(block), bool)
            chosen[which[low:high] - start] = True
            for v, view in enumerate(header.views):
                sparse = block.views[view]
                value = sparse.value[np.repeat(chosen, np.diff(sparse.offsets))]
                total[v] += value.sum(axis=0, dtype=np.float64)
                occupied[v] += np.count_nonzero(value, axis=0)
        # A channel with nothing in it stays nothing.
        scale = np.divide(occupied, total, out=np.ones_like(total), where=total > 0)
        return cls(header, scale.astype(np.float32))

    def check(self, images: ImageSet) -> None:
        """Refuse images of another kind.

        Raises
        ------
        InputError
            It names what differs.
        """
        mine, other = self.header.to_json(), images.header.to_json()
        for name in _SAME:
            if mine[name] != other[name]:
                raise InputError(
                    f"the checkpoint is for other images than {images.paths[0]}: '{name}' is "
                    f"{json.dumps(mine[name])} in the checkpoint and {json.dumps(other[name])} "
                    "in the images"
                )

    def to_json(self) -> dict[str, Any]:
        """Plain lists and dictionaries."""
        return {"header": self.header.to_json(), "scale": self.scale.tolist()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """The inverse of `to_json`."""
        return cls(Header.from_json(data["header"]), np.array(data["scale"], np.float32))
