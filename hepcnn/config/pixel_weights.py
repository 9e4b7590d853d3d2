"""Weights of pixels in a training."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hepcnn.config.settings import Positive, Range, Settings

Factor = Annotated[float, Field(ge=1, allow_inf_nan=False)]


class PixelWeights(Settings):
    """What each pixel of an image counts in the loss, in the manner of arXiv:1808.07269.

    A pixel's weight is that of its group, times what its being on a boundary and near a key point
    add to it.
    """

    by: Literal["none", "class", "instance"] = "none"
    """Whose pixels count equally together in an image: those of each class, or of each particle.
    Their weights are the inverse of the number of such pixels; the mean over the image is 1."""
    boundary: Factor = 1.0
    """Factor of the pixels that touch, also by a corner, one of another class or particle."""
    points: Factor = 1.0
    """Factor of the pixels near a key point."""
    radius: Positive = 3.0
    """What is near a key point (pixels)."""
    combine: Literal["sum", "max"] = "sum"
    """What becomes of a pixel with both factors a and b. `sum`: 1 + (a - 1) + (b - 1). `max`: the
    larger one."""
    clip: Range = (0.1, 10.0)
    """The least and the most that a pixel can weigh, after all else."""
