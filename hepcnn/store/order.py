"""The order in which examples are drawn."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

#: Neighbours in the image set that stay together when the order is drawn.
BLOCK = 1024

#: `stored`: as in the shards. `shuffled`: block-shuffled, each example once. `balanced`: classes
#: equally often, examples of rare ones repeated and of frequent ones left out.
Order = Literal["stored", "shuffled", "balanced"]


def block_shuffled(
    which: NDArray[np.int64], window: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Shuffle blocks, then examples within windows of many blocks.

    Up to one window of examples this is a uniform shuffle.
    """
    blocks = np.split(which, range(BLOCK, len(which), BLOCK))
    order = np.concatenate([blocks[b] for b in rng.permutation(len(blocks))])
    for start in range(0, len(order), window):
        rng.shuffle(order[start : start + window])
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
