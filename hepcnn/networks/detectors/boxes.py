"""Boxes in images: around points and masks, and in either order of the axes.

Points are (row, column), in pixels from the image's corner: the middle of pixel k is k + 0.5. The
networks' boxes are (x1, y1, x2, y2) as torchvision has them, x along the columns.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def around(points: Tensor, half: Sequence[float], sides: Sequence[int]) -> Tensor:
    """Put a box around each point, clipped to the image.

    Parameters
    ----------
    points : Tensor, (..., 2)
        Row and column, within the image.
    half : (float, float)
        Half the height and half the width of a box.
    sides : (int, int)
        Height and width of the image.

    Returns
    -------
    Tensor, (..., 4)
        Boxes (x1, y1, x2, y2).
    """
    reach = points.new_tensor(list(half))
    low, high = (points - reach).clamp(min=0), points + reach
    return transposed(torch.cat([low, torch.minimum(high, high.new_tensor(list(sides)))], dim=-1))


def transposed(boxes: Tensor) -> Tensor:
    """Turn boxes (x1, y1, x2, y2) into (row low, column low, row high, column high), or back."""
    return boxes[..., [1, 0, 3, 2]]


def centres(boxes: Tensor) -> Tensor:
    """Give row and column of the middle, (n, 2), of boxes (x1, y1, x2, y2)."""
    return (boxes[..., [1, 0]] + boxes[..., [3, 2]]) / 2


def about_masks(masks: Tensor) -> Tensor:
    """Give the smallest boxes (x1, y1, x2, y2) that hold all pixels of masks (n, H, W).

    None of the masks is empty. The far edges of the last pixels are their boxes', not their near
    ones as in torchvision's `masks_to_boxes`, of which a straight track's box is no box.
    """
    edges = []
    for along in (1, 2):  # any row: extent in columns
        some = masks.any(dim=along).to(torch.uint8)
        edges.append((some.argmax(dim=1), some.shape[1] - some.flip(1).argmax(dim=1)))
    (left, right), (top, bottom) = edges
    return torch.stack([left, top, right, bottom], dim=1).to(torch.float32)
