"""The part of the page on images of a liquid-argon TPC: examples and occupancy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hepcnn.config import PlaneImages, VoxelImages
from hepcnn.imaging.lengths import tpc_of
from hepcnn.report import class_curves
from hepcnn.report.blocks import Grid, Picture, Studio, grid
from hepcnn.report.event_pictures import class_pictures
from hepcnn.report.image_section import ImageSection, common
from hepcnn.report.results import ShownImages
from hepcnn.store.images import ImageSet
from hepcnn.store.shard import Header

#: Images read at a time.
_BLOCK = 5_000


@dataclass(frozen=True)
class PlaneSection(ImageSection):
    """All that the page shows of one image set of wire planes, or of voxels."""

    template: ClassVar[str] = "plane_images.html"

    settings: PlaneImages | VoxelImages
    pixel: str
    target: str
    pictures: Sequence[Picture]
    occupancy: Picture
    pixels: Grid

    @property
    def contents(self) -> dict[str, str]:
        """Titles of the subsections by their anchors."""
        return super().contents | {"occupancy": "Occupancy"}

    @property
    def run(self) -> str:
        """How the images were made."""
        settings = self.settings
        shape = " × ".join(str(n) for n in settings.shape or ()) or "all"
        if isinstance(settings, VoxelImages):
            return f"{shape} voxels of {self.pixel}, region {settings.region}"
        planes = ", ".join(plane.upper() for plane in settings.planes)
        return f"{planes}, {shape} pixels of {self.pixel}, region {settings.region}"


def _pixel(settings: PlaneImages | VoxelImages, header: Header) -> str:
    """How long a pixel is before the processing steps: a tick can be a row of LArCV's images."""
    if isinstance(settings, VoxelImages):
        return f"{settings.voxel:g} mm"
    tpc = tpc_of(header)
    rows, columns = settings.ticks_per_pixel, settings.wires_per_pixel
    return f"{rows * tpc.mm_per_tick:.3g} mm × {columns * tpc.pitch:.3g} mm"


def plane_section(
    name: str, settings: PlaneImages | VoxelImages, shown: ShownImages, studio: Studio
) -> PlaneSection:
    """Draw and describe one image set.

    Parameters
    ----------
    name : str
        Its name.
    settings : PlaneImages or VoxelImages
        Its settings.
    shown : ShownImages
        Its images.
    studio : Studio
        Where the figures go.
    """
    images = shown.images
    target = main_target(images)
    filled = occupied(images)
    return PlaneSection(
        **common(name, settings, shown),
        pixel=_pixel(settings, images.header),
        target=target,
        pictures=class_pictures(images, target, studio),
        occupancy=_occupancy(images, target, filled, studio),
        pixels=_pixels(images, filled),
    )


def main_target(images: ImageSet) -> str:
    """The target by which the images differ: the first of which they have several classes."""
    header = images.header
    targets = {t: images.labels(t) for t in header.classes if t in header.truth}
    several = (t for t, label in targets.items() if len(np.unique(label[label >= 0])) > 1)
    return next(several, next(iter(targets)))


def occupied(images: ImageSet) -> dict[str, NDArray[np.int64]]:
    """Pixels with a value of each image, (N,), by view."""
    counts: dict[str, list[NDArray[np.int64]]] = {view: [] for view in images.header.views}
    for start in range(0, len(images), _BLOCK):
        stop = min(start + _BLOCK, len(images))
        for view, found in counts.items():
            found.append(np.diff(images.view(view, start, stop).offsets))
    none = np.zeros(0, np.int64)
    return {view: np.concatenate([none, *found]) for view, found in counts.items()}


def _occupancy(
    images: ImageSet, target: str, filled: Mapping[str, NDArray[np.int64]], studio: Studio
) -> Picture:
    fraction = {view: 100 * n / images.header.pixels for view, n in filled.items()}
    classes = images.header.classes[target]
    return studio.picture(
        class_curves.occupancy(fraction, images.labels(target), classes),
        "occupancy",
        alt="Histogram of the fraction of pixels that hold a value, by view and class",
        caption="Fraction of the pixels that hold a value, by class: what is stored, read and "
        "computed with.",
        wide=True,
    )


def _pixels(images: ImageSet, filled: Mapping[str, NDArray[np.int64]]) -> Grid:
    size = images.header.pixels
    rows = [
        (
            view.upper(),
            f"{100 * n.mean() / size:.3f}" if len(n) else "n/a",
            f"{100 * n.max(initial=0) / size:.3f}",
            int(np.count_nonzero(n == 0)),
        )
        for view, n in filled.items()
    ]
    columns = ("view", "pixels with a value, mean (%)", "most (%)", "empty images")
    return grid(f"Occupancy of {size:,} pixels", columns, rows)
