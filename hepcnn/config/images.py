"""Image sets."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from hepcnn.config.settings import (
    Channel,
    Count,
    Fraction,
    NonNegative,
    Plane,
    Positive,
    Range,
    Rich,
    Settings,
    check_distinct,
)
from hepcnn.config.steps import Step
from hepcnn.config.unions import chosen_by, tag


class PolarImages(Settings):
    """Track-centred images: the hits around each track, in r or θ and in φ."""

    sample: str
    """The sample that the images are made of."""
    maker: Literal["polar"] = "polar"
    """How images are made."""
    coordinates: Literal["detector", "cherenkov"] = "detector"
    """`detector`: distance r and azimuth φ about the track's projection on the photon plane.
    `cherenkov`: the Cherenkov angle θ and the azimuth φ of each hit, taken as a photon of the
    track; with them come the results of the analytic reconstruction, which the likelihood
    baselines need."""
    rich: Annotated[list[Rich], Field(min_length=1)] = ["rich1"]
    """The RICHes seen; each is a view."""
    required: list[Rich] | None = None
    """The RICHes that a track must cross to be kept, by default all that are seen. In another one
    that it does not cross its image is empty."""
    shape: tuple[Count, Count] = (32, 32)
    """Bins in r or θ, and in φ."""
    radius: dict[Rich, Positive] = {"rich1": 130.0, "rich2": 170.0}
    """Outer radius of the image in each RICH (mm on the photon plane), in detector coordinates."""
    angle: dict[Rich, Positive] = {"rich1": 64.0, "rich2": 36.0}
    """Largest θ of the image in each RICH (mrad), in Cherenkov coordinates."""
    channels: Annotated[list[Channel], Field(min_length=1)] = ["hits"]
    """What is counted in the bins. `hits`: photon hits. `tracks`: the projections of the event's
    other tracks (detector coordinates only). `expected_other`: the photons expected in the hits'
    pixels from all but this track, in thousandths: the background, and the other tracks as the
    global likelihood takes them to be (Cherenkov coordinates only)."""
    momentum_range: Range = (3000.0, 100000.0)
    """Tracks kept: low <= p < high (MeV)."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        for name in ("rich", "channels"):
            check_distinct(name, getattr(self, name))
        bounds = "angle" if self.coordinates == "cherenkov" else "radius"
        if missing := [name for name in self.rich if name not in getattr(self, bounds)]:
            raise ValueError(f"{bounds}: no entry for {', '.join(missing)}")
        foreign = "tracks" if self.coordinates == "cherenkov" else "expected_other"
        if foreign in self.channels:
            raise ValueError(f"channels: there is no '{foreign}' in {self.coordinates} coordinates")
        if self.required is not None:
            if unseen := [name for name in self.required if name not in self.rich]:
                raise ValueError(f"required: {', '.join(unseen)} is not in 'rich'")
            if not self.required:
                raise ValueError("required: a track must cross at least one RICH")
        return self

    @property
    def must_cross(self) -> list[Rich]:
        """The RICHes that a track must cross."""
        return self.rich if self.required is None else self.required


#: A tick or a wire: single precision tells neighbours apart.
Corner = Annotated[float, Field(ge=-1e6, le=1e6)]
_MIDDLE = (0.5, 0.5)


class PlaneImages(Settings):
    """Images of a liquid-argon TPC's wire planes: one example an event, one view a plane.

    Rows are times, columns wires. All planes have the same rows.
    """

    sample: str
    """The sample that the images are made of."""
    maker: Literal["planes"]
    """How images are made."""
    planes: Annotated[list[Plane], Field(min_length=1)] = ["u", "v", "y"]
    """The planes seen; each is a view."""
    wires_per_pixel: Count = 1
    """Wires in a pixel; of LArCV's images, columns."""
    ticks_per_pixel: Annotated[float, Field(ge=0.1, le=1e6)] = 6.0
    """Ticks in a pixel; 6 are as long as the wires' pitch in the default geometry. Of LArCV's
    images, rows in a pixel: in a configuration by default 1."""
    region: Literal["whole", "charge", "vertex", "fixed"] = "charge"
    """`whole`: all wires and the whole drift; of LArCV's images, all that those of a file cover.
    `charge`: the window of `shape` that holds the most charge. `vertex`: the window with the true
    vertex at `anchor`. `fixed`: the window from `corner`."""
    shape: tuple[Count, Count] | None = (256, 256)
    """Rows and columns of the window; of the region `whole` it follows from the geometry."""
    anchor: tuple[Fraction, Fraction] = _MIDDLE
    """Where in the window the vertex lies, of the region `vertex`: fractions of its rows and
    columns."""
    corner: dict[Plane, tuple[Corner, Corner]] = {}
    """First tick and first wire of the window, of the region `fixed`, by plane; by default 0, 0."""
    threshold: NonNegative = 0.0
    """Pixels of less charge are left out (ADC x tick)."""
    steps: list[Step] = []
    """Processing steps, in order, before the images are stored."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        check_distinct("planes", self.planes)
        _check_shape(self)
        if self.anchor != _MIDDLE and self.region != "vertex":
            raise ValueError("anchor: of the region 'vertex' only")
        if self.corner and self.region != "fixed":
            raise ValueError("corner: of the region 'fixed' only")
        return self

    def of_rows(self) -> Self:
        """The settings for images whose ticks are rows already: by default each is a pixel."""
        stated = "ticks_per_pixel" in self.model_fields_set
        return self if stated else self.model_copy(update={"ticks_per_pixel": 1.0})


class VoxelImages(Settings):
    """Three-dimensional images of a liquid-argon TPC's energy deposits (MeV): one view, `xyz`."""

    sample: str
    """The sample that the images are made of."""
    maker: Literal["voxels"]
    """How images are made."""
    voxel: Positive = 10.0
    """Length of a voxel's edge (mm)."""
    region: Literal["whole", "charge", "vertex"] = "charge"
    """As of wire planes; `charge`: the cube about the mean of the deposits."""
    shape: tuple[Count, Count, Count] | None = (128, 128, 128)
    """Voxels along x (drift), y (up) and z (beam); of the region `whole` it follows from the
    geometry."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        _check_shape(self)
        return self


def _check_shape(images: PlaneImages | VoxelImages) -> None:
    """Refuse, inside a validator, a shape where the region decides it, and none where not."""
    if (images.shape is None) != (images.region == "whole"):
        raise ValueError("shape: needed, but of the region 'whole', which has its own: null")


_FORMS = {"polar": PolarImages, "planes": PlaneImages, "voxels": VoxelImages}
AnyImages = Annotated[
    Annotated[PolarImages, tag(PolarImages)]
    | Annotated[PlaneImages, tag(PlaneImages)]
    | Annotated[VoxelImages, tag(VoxelImages)],
    Field(discriminator=chosen_by("maker", _FORMS, default="polar")),
]
#: What made the events that each maker takes.
DETECTOR = {"polar": "rich", "planes": "lartpc", "voxels": "lartpc"}
