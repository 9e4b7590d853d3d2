"""A trained network over images, batch by batch."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn

from hepcnn.learning.checkpoint import Checkpoint
from hepcnn.learning.cpu import channels_last, keep_freed_memory
from hepcnn.learning.loading import EpochDataset, loader
from hepcnn.networks.registry import Shape
from hepcnn.progress import progress

T = TypeVar("T")


def batch_size(shape: Shape, examples: int, pixels: int) -> int:
    """So many examples, if they are no more than so many pixels, else fewer; at least one."""
    own = math.prod((shape.views, shape.channels, *shape.sides))
    return max(min(examples, pixels // own), 1)


def infer(
    trained: Checkpoint,
    dataset: EpochDataset,
    title: str,
    each: Callable[[nn.Module, dict[str, Tensor], torch.device], T],
) -> list[T]:
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

    Returns
    -------
    list
        What `each` makes of the batches, in order.
    """
    keep_freed_memory()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    found = []
    with (
        # Building draws weights, which the checkpoint's replace, and the loader draws too.
        torch.random.fork_rng(),
        torch.inference_mode(),
        progress(title, len(dataset.batches.which), "images") as advance,
    ):
        network = channels_last(trained.network()).to(device)
        for batch in loader(dataset):
            found.append(each(network, batch, device))
            advance(len(batch["index"]))
    return found
