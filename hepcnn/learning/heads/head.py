"""What every head is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch
from numpy.typing import NDArray
from torch import Tensor, nn


class Head(Protocol):
    """What a network is asked: its loss and its metrics.

    Attributes
    ----------
    outputs : int
        Numbers that the network gives, of an example or a pixel.
    truth : tuple of str
        Columns of the pixels' truth that it needs in a batch.
    wants_points : bool
        Whether it needs the key points.
    """

    @property
    def outputs(self) -> int: ...
    @property
    def truth(self) -> tuple[str, ...]: ...
    @property
    def wants_points(self) -> bool: ...

    def reset(self, device: torch.device | str = "cpu") -> None:
        """Forget all batches: an epoch begins, on a device."""

    def loss(self, network: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        """Give the loss of a batch and count it in the metrics."""
        ...

    def metrics(self, total: Callable[[Tensor], Tensor] = ...) -> dict[str, float]:
        """Give the metrics of all batches since `reset`, ``loss`` among them.

        `total` sums a tensor over the processes of a training.
        """
        ...


class FindingHead(Head, Protocol):
    """A head of what is not one class an example."""

    def predict(self, network: nn.Module, batch: dict[str, Tensor]) -> dict[str, NDArray[Any]]:
        """Give what the network finds in a batch; see each head."""
        ...
