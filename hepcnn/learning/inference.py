"""A trained network over images, batch by batch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from hepcnn.learning.checkpoint import Checkpoint
from hepcnn.learning.cpu import channels_last, keep_freed_memory
from hepcnn.learning.hardware import compute_in_32_bits, threads, threads_of_torch
from hepcnn.learning.loading import EpochDataset, loader
from hepcnn.networks.registry import is_sparse
from hepcnn.progress import progress

T = TypeVar("T")

#: Sites of a batch of a sparse network: its maps of all layers take below a gigabyte.
SITES = 1 << 17


def batching(trained: Checkpoint, examples: int, pixels: int) -> dict[str, Any]:
    """Choose the batches of a prediction, as settings of `Batches`.

    Parameters
    ----------
    trained : Checkpoint
        The network.
    examples : int
        Examples of a batch at most, and at least one.
    pixels : int
        Numbers of their dense images at most. Of a network that takes sites, `SITES` at most count.
    """
    if is_sparse(trained.architecture, trained.options):
        return {"batch_size": examples, "sparse": True, "sites": SITES}
    shape = trained.preprocessing.shape
    own = math.prod((shape.views, shape.channels, *shape.sides))
    return {"batch_size": max(min(examples, pixels // own), 1)}


def infer(
    trained: Checkpoint,
    dataset: EpochDataset,
    title: str,
    each: Callable[[nn.Module, dict[str, Tensor], torch.device], T],
) -> Iterator[T]:
    """Let a network see all batches, in 32 bits; on a GPU, if there is one.

    Parameters
    ----------
    trained : Checkpoint
        The network.
    dataset : EpochDataset
        Made by the checkpoint's preprocessing.
    title : str
        Of the progress shown.
    each : callable
        Is given the network, a batch, which is not on the network's device, and that device.

    Yields
    ------
    T
        What `each` makes of a batch, in order.
    """
    keep_freed_memory()
    compute_in_32_bits()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with (
        # Building draws weights, which the checkpoint's replace, and the loader draws too.
        torch.random.fork_rng(),
        threads_of_torch(threads(is_sparse(trained.architecture, trained.options))),
        progress(title, len(dataset.batches.which), "images") as advance,
    ):
        network = channels_last(trained.network()).to(device)
        for batch in loader(dataset):
            # Not about the loop: whoever asks for the batches is not to be in this mode.
            with torch.inference_mode():
                found = each(network, batch, device)
            yield found
            advance(len(batch["index"]))
