"""One class an example."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from hepcnn.learning.heads.counting import count
from hepcnn.networks.inputs import Inputs


class ClassificationHead:
    """One of C classes: cross-entropy, accuracy and balanced accuracy.

    Parameters
    ----------
    weights : Tensor, (C,)
        Weight of each true class in the loss.

    Notes
    -----
    The loss of a batch is the mean of weight × cross-entropy over its examples, not over their
    weights: so it is the same however a batch is shared between processes. The sums are no module's
    buffers, because torch overwrites those with the first process's.
    """

    truth: tuple[str, ...] = ()
    wants_points = False

    def __init__(self, weights: Tensor) -> None:
        self.weights = weights.to(torch.float32)
        self.outputs = len(weights)
        self.reset()

    def loss(self, network: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        """Give the loss of a batch and count it in the metrics."""
        return self(network(Inputs.of(batch)), batch["label"])

    def reset(self, device: torch.device | str = "cpu") -> None:
        """Forget all batches: an epoch begins, on a device."""
        self.weights = self.weights.to(device)
        classes = len(self.weights)
        self._loss = torch.zeros((), dtype=torch.float64, device=device)
        #: Examples by true class (row) and most probable class (column).
        self._counts = torch.zeros(classes, classes, dtype=torch.float64, device=device)

    def __call__(self, logits: Tensor, label: Tensor) -> Tensor:
        """Give the loss of a batch and count it in the metrics.

        Parameters
        ----------
        logits : Tensor, (B, C)
            The network's output.
        label : Tensor, (B,) int64
            True classes, all within 0 to C − 1.
        """
        logits = logits.float()
        losses = self.weights[label] * functional.cross_entropy(logits, label, reduction="none")
        with torch.no_grad():
            self._loss += losses.sum(dtype=torch.float64)
            cell = label * len(self.weights) + logits.argmax(dim=1)
            self._counts += count(cell, self._counts.numel()).view_as(self._counts)
        return losses.mean()

    def metrics(self, total: Callable[[Tensor], Tensor] = lambda mine: mine) -> dict[str, float]:
        """Give the metrics of all batches since `reset`.

        Parameters
        ----------
        total : callable
            Sums a tensor over the processes of a training.

        Returns
        -------
        dict
            ``loss``: the mean of weight × cross-entropy, over the weights. ``accuracy``: the part
            called rightly. ``balanced_accuracy``: the mean over the classes that occur of the part
            of a class that is called rightly (its efficiency).
        """
        counts, loss = total(self._counts.clone()).cpu(), total(self._loss.clone()).cpu()
        true, right = counts.sum(dim=1), counts.diagonal()
        weight = (true * self.weights.cpu()).sum()
        return {
            "loss": float(loss / weight),
            "accuracy": float(right.sum() / true.sum()),
            "balanced_accuracy": float((right / true)[true > 0].mean()),
        }
