"""Losses of classes of pixels.

All are functions of the logits (n, C), the true classes (n,), `NONE` where a pixel does not count,
and the weights (n,) of the pixels; they are 0, with gradients of 0, if no pixel counts. The first
two are the mean over the pixels that count of weight × the pixel's loss, not over their weights:
then an image in which all weigh more does count more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor
from torch.nn import functional

from hepcnn.learning.heads.site_truth import NONE

#: γ of the focal loss: the value that its authors found best.
FOCUS = 2.0


def cross_entropy(logits: Tensor, label: Tensor, weight: Tensor) -> Tensor:
    """Give the weighted cross-entropy."""
    losses = functional.cross_entropy(logits.float(), label, ignore_index=NONE, reduction="none")
    return _mean(weight * losses, label)


def focal(logits: Tensor, label: Tensor, weight: Tensor) -> Tensor:
    """Give the focal loss: cross-entropy times (1 − p)**γ, p the true class's probability.

    T.-Y. Lin et al., Focal loss for dense object detection, arXiv:1708.02002, eq. 4, γ = `FOCUS`.
    """
    losses = functional.cross_entropy(logits.float(), label, ignore_index=NONE, reduction="none")
    # 1 − p without cancellation; where a pixel does not count this is 0.
    return _mean(weight * (-torch.expm1(-losses)) ** FOCUS * losses, label)


def dice(logits: Tensor, label: Tensor, weight: Tensor) -> Tensor:
    """Give one less the soft dice coefficient, its mean over the classes that there are.

    F. Milletari et al., V-Net, arXiv:1606.04797, section 3: 2 Σ p g / (Σ p² + Σ g²), p the
    probability and g whether it is true, here with the pixels' weights in each sum.
    """
    counts = label != NONE
    probability = logits.float().softmax(dim=1)
    true = (label[:, None] == torch.arange(logits.shape[1], device=label.device)).long()
    weight = (weight * counts)[:, None]
    both = (weight * probability * true).sum(dim=0)
    either = (weight * (probability**2 + true)).sum(dim=0)
    there = true.any(dim=0)
    # Without any class neither sum is more than 0.
    missed = there * (1 - 2 * both / either.where(there, 1))
    return missed.sum() / there.sum().clamp(min=1)


def _mean(losses: Tensor, label: Tensor) -> Tensor:
    return losses.sum() / (label != NONE).sum().clamp(min=1)


#: The losses by name.
PIXEL_LOSSES: Mapping[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = MappingProxyType(
    {"cross_entropy": cross_entropy, "focal": focal, "dice": dice}
)
