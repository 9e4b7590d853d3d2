"""Processing steps of sparse images, by name."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hepcnn.config.settings import Count, NonNegative, Plane, Positive, Rising, Settings
from hepcnn.config.unions import chosen_by, tag

#: What values are divided by: single precision holds the quotients.
Scale = Annotated[float, Field(ge=1e-6, le=1e12)]
#: Wires: first, and one after the last.
Wires = Annotated[tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]], Rising]


class Downsample(Settings):
    """Sum blocks of pixels; a block's truth is that of its largest charge."""

    step: Literal["downsample"]
    """The step's name."""
    factor: tuple[Count, Count]
    """Rows and columns of a block."""


class Crop(Settings):
    """Keep a window of each view."""

    step: Literal["crop"]
    """The step's name."""
    around: Literal["charge", "vertex", "centre"] = "charge"
    """What is in its middle: the window with the most charge, the true vertex, the image's
    centre."""
    shape: tuple[Count, Count]
    """Rows and columns of the window."""


class Threshold(Settings):
    """Leave out pixels below a value."""

    step: Literal["threshold"]
    """The step's name."""
    minimum: NonNegative
    """The least value that is kept."""


class Normalise(Settings):
    """Divide by a scale, or by each view's own sum."""

    step: Literal["normalise"]
    """The step's name."""
    by: Scale | Literal["sum"]
    """The scale."""


class Log(Settings):
    """ln(1 + value / scale)."""

    step: Literal["log"]
    """The step's name."""
    scale: Scale = 100.0
    """The scale, in the values' unit."""


class Blur(Settings):
    """Spread each value over its neighbours as a Gaussian; its sum stays, but at the edges."""

    step: Literal["blur"]
    """The step's name."""
    sigma: Annotated[float, Field(gt=0, le=1000)]
    """Width (pixels)."""


class Mirror(Settings):
    """Mirror the event, and all its labels, in space.

    `drift`: x → −x, the rows of every view. `beam`: z → −z, the columns of every view, and U
    changes places with V, whose wires stand at opposite angles.
    """

    step: Literal["mirror"]
    """The step's name."""
    axis: Literal["drift", "beam"]
    """The axis that is reversed."""


class MaskWires(Settings):
    """Leave out what some wires saw, as if they were dead."""

    step: Literal["mask_wires"]
    """The step's name."""
    wires: dict[Plane, list[Wires]]
    """By plane, ranges of wires: first, and one after the last."""


class HideStart(Settings):
    """Leave out the start, in each view: what is near the pixel that is nearest to the true vertex.

    It is where an electron begins and where a photon converts: a control without the start of the
    shower.
    """

    step: Literal["hide_start"]
    """The step's name."""
    radius: Positive
    """Distance from that pixel (mm)."""


class Binarise(Settings):
    """1 where there is charge."""

    step: Literal["binarise"]
    """The step's name."""
    above: NonNegative = 0.0
    """Only pixels above this value."""


_FORMS: dict[str, type[Settings]] = {
    "downsample": Downsample,
    "crop": Crop,
    "threshold": Threshold,
    "normalise": Normalise,
    "log": Log,
    "blur": Blur,
    "mirror": Mirror,
    "mask_wires": MaskWires,
    "hide_start": HideStart,
    "binarise": Binarise,
}
#: Those that take each value as it is, wherever it is: of voxels too.
OF_VALUES = ("threshold", "normalise", "log", "binarise")
Step = Annotated[
    Annotated[Downsample, tag(Downsample)]
    | Annotated[Crop, tag(Crop)]
    | Annotated[Threshold, tag(Threshold)]
    | Annotated[Normalise, tag(Normalise)]
    | Annotated[Log, tag(Log)]
    | Annotated[Blur, tag(Blur)]
    | Annotated[Mirror, tag(Mirror)]
    | Annotated[MaskWires, tag(MaskWires)]
    | Annotated[HideStart, tag(HideStart)]
    | Annotated[Binarise, tag(Binarise)],
    Field(discriminator=chosen_by("step", _FORMS, default=None)),
]
