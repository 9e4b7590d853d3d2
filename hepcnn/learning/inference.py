"""A trained network over images, batch by batch."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from hepcnn.learning.checkpoint import Checkpoint
from hepcnn.learning.cpu import channels_last, keep_freed_memory
from hepcnn.learning.hardware import compute_in_32_bits, threads, threads_of_torch
from hepcnn.learning.loading import EpochDataset, loader
from hepcnn.networks.registry import is_sparse
from hepcnn.progress import progress

S = TypeVar("S")
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
        Is given the network, a batch, which is not on the network's device, and that device. On a
        GPU it is called in two threads.

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

        def seen(batch: dict[str, Tensor]) -> tuple[T, int]:
            with torch.inference_mode():  # of this thread, not of who asks for the batches
                return each(network, batch, device), len(batch["index"])

        work = map if device.type == "cpu" else overlapped
        for one, examples in work(seen, loader(dataset)):
            yield one
            advance(examples)


def overlapped(function: Callable[[S], T], items: Iterable[S]) -> Iterator[T]:
    """Do as `map`, with two items in work at a time.

    While the processor works on what a GPU found in one batch, the GPU sees the next. Items are
    drawn in the caller's thread; no third one is drawn before the first is done.

    Parameters
    ----------
    function : callable
        Is called in two threads.
    items : iterable
        What it is called with.

    Yields
    ------
    T
        The results, in the order of the items; or the first error is raised in its place.
    """
    begun: deque[Future[T]] = deque()
    with ThreadPoolExecutor(2) as pool:
        for item in items:
            begun.append(pool.submit(function, item))
            if len(begun) == 2:
                yield begun.popleft().result()
        yield from (one.result() for one in begun)
