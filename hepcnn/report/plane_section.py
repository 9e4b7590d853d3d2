"""The part of the page on images of a liquid-argon TPC: examples and occupancy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hepcnn.config import PlaneImages, VoxelImages
from hepcnn.report import class_curves
from hepcnn.report.blocks import Grid, Picture, Studio, grid
from hepcnn.report.event_pictures import class_pictures
from hepcnn.report.image_section import ImageSection, common
from hepcnn.report.results import ShownImages
from hepcnn.store.images import ImageSet

#: Images read at a time.
_BLOCK = 5_000


@dataclass(frozen=True)
class PlaneSection(ImageSection):
    """All that the page shows of one image set of wire planes, or of voxels."""

    template: ClassVar[str] = "plane_images.html"

    settings: PlaneImages | VoxelImages
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
            return f"{shape} voxels of {settings.voxel:g} mm, region {settings.region}"
        planes = ", ".join(plane.upper() for plane in settings.planes)
        pixel = f"{settings.ticks_per_pixel:g} ticks × {settings.wires_per_pixel} wires"
        return f"{planes}, {shape} pixels of {pixel}, region {settings.region}"


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
