"""The part of the page on one image set: events lost and kept, momenta, example and mean images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hepcnn.config import PolarImages
from hepcnn.detector.geometry import RichGeometry, load_geometry
from hepcnn.detector.particles import MASSES, SPECIES
from hepcnn.detector.radiator import beta, detected_spectrum
from hepcnn.report import curves, pictures
from hepcnn.report.blocks import Picture, Studio
from hepcnn.report.image_section import ImageSection, common
from hepcnn.report.results import ShownImages
from hepcnn.store.images import ImageSet
from hepcnn.store.rich import DENSITY_UNIT

#: Examples are near this momentum (MeV), so that their rings can be compared: in RICH1 it is above
#: the threshold of every species.
EXAMPLE_MOMENTUM = 40_000.0
#: Of at most so many nearest tracks, or this fraction of the species, that of the quietest event is
#: shown: a ring can be seen in it.
NEAREST, FRACTION = 20, 0.02
#: Images read at a time for the means.
_BLOCK = 20_000

#: What each channel counts, in words, and the unit that its values are in.
_COUNTED = {
    "hits": ("hits", 1.0),
    "tracks": ("other tracks", 1.0),
    "expected_other": ("photons expected from others", DENSITY_UNIT),
}
_EXPLAINED = {
    "detector": "hits around the track's projection on the photon plane, in distance r and azimuth "
    "φ. Right the same hits back on the plane. Photons of the track itself lie on its ring, a row "
    "on the left: the dashed line is where it is expected for the true species.",
    "cherenkov": "each hit at the angle θ and the azimuth φ that it has if it is a photon of the "
    "track. Right the same around the track. The track's own photons are at its Cherenkov angle, a "
    "row on the left: the dashed line is where it is expected for the true species.",
}
_ROW = {"r": "the distance from the track", "theta": "the Cherenkov angle θ"}

_Means = dict[str, tuple[NDArray[np.float64], int]]


@dataclass(frozen=True)
class View:
    """One view of an image set: the images of one RICH.

    `means` has for each channel its mean image and its profile.
    """

    name: str
    examples: Sequence[Picture]
    means: Sequence[Picture]


@dataclass(frozen=True)
class PolarSection(ImageSection):
    """All that the page shows of one image set of tracks."""

    template: ClassVar[str] = "polar_images.html"
    unit: ClassVar[str] = "track"

    settings: PolarImages
    momentum: Picture
    explained: str
    views: Sequence[View]

    @property
    def contents(self) -> dict[str, str]:
        """Titles of the subsections by their anchors."""
        return super().contents | {"means": "Means"}

    @property
    def run(self) -> str:
        """How the images were made."""
        settings = self.settings
        low, high = settings.momentum_range
        shape, channels = " × ".join(map(str, settings.shape)), ", ".join(settings.channels)
        return f"{shape}, {channels}, {low / 1000:g}–{high / 1000:g} GeV/c"


def polar_section(
    name: str, settings: PolarImages, geometry: str, shown: ShownImages, studio: Studio
) -> PolarSection:
    """Draw and describe one image set.

    Parameters
    ----------
    name : str
        Its name.
    settings : PolarImages
        Its settings.
    geometry : str
        The geometry of its sample, for the expected rings.
    shown : ShownImages
        Its images.
    studio : Studio
        Where the figures go.
    """
    images = shown.images
    classes = images.header.classes["species"]
    labels, p = images.labels("species"), images.features("p")
    spectra = {c: p[labels == i].astype(np.float64) for i, c in enumerate(classes)}
    return PolarSection(
        **common(name, settings, shown),
        momentum=studio.picture(
            curves.momentum(spectra),
            "momentum",
            alt="Histogram of the momentum of each species' tracks, with their abundances",
            caption=f"Momentum of the {len(images):,} tracks in {name}, and the share of each "
            "species.",
        ),
        explained=_EXPLAINED[settings.coordinates],
        views=[
            _view(images, view, load_geometry(geometry)[view], studio)
            for view in images.header.views
        ],
    )


def _view(images: ImageSet, view: str, geometry: RichGeometry, studio: Studio) -> View:
    row, phi = images.header.axes[view]
    rich = view.upper()
    return View(
        name=rich,
        examples=[
            studio.picture(
                pictures.example(track, row, phi),
                f"example_{view}_{track.species}",
                alt=f"Image of one {track.species} of {track.momentum / 1000:.1f} GeV/c in {rich}: "
                f"left in polar coordinates, right its {track.total} around the track",
                caption=f"{track.species.capitalize()}: {track.name}.",
            )
            for track in examples(images, view, geometry)
        ],
        means=[
            picture
            for channel in images.header.channels
            for picture in _channel(images, view, channel, studio)
        ],
    )


def _channel(images: ImageSet, view: str, channel: str, studio: Studio) -> list[Picture]:
    """Mean image and profile of one channel."""
    row, phi = images.header.axes[view]
    rich, counted = view.upper(), _COUNTED[channel][0]
    means = mean_images(images, view, channel)
    name = view if channel == "hits" else f"{view}_{channel}"
    return [
        studio.picture(
            pictures.means(means, row, phi, counted),
            f"mean_{name}",
            alt=f"Mean {counted} of each species' images in {rich}, in polar coordinates",
            caption=f"Mean {counted} of each species in {rich}, over all momenta, in one colour "
            "scale.",
            wide=True,
        ),
        studio.picture(
            pictures.profiles(means, row, counted),
            f"profile_{name}",
            alt=f"Mean {counted} in {rich} against {_ROW[row.name]}, by species",
            caption=f"Mean {counted} in each ring of the image in {rich}, over all momenta.",
            wide=True,
        ),
    ]


def ring_radius(geometry: RichGeometry, species: str, momentum: float) -> float:
    """Radius (mm) of the ring of a particle of a momentum (MeV), NaN below threshold.

    f tan θ_C with the focal length f of the spherical mirror, half its radius, and the mean angle
    of detected photons; the tilt of the mirror makes it an ellipse of a few per cent.
    """
    velocity = beta(momentum, MASSES[SPECIES.index(species)])
    angle = detected_spectrum(geometry).mean_angle(velocity)
    return float(geometry.spherical_mirror.radius / 2 * np.tan(angle))


def examples(images: ImageSet, view: str, geometry: RichGeometry) -> list[pictures.Track]:
    """Pick a track of each species, where there is one, see the constants above.

    The image is of the hits, or of the first channel if they are not counted.
    """
    header = images.header
    channel = header.channels.index("hits") if "hits" in header.channels else 0
    counted, unit = _COUNTED[header.channels[channel]]
    labels, p, crowd = images.labels("species"), images.features("p"), images.features("n_tracks")
    found = []
    for index, species in enumerate(header.classes["species"]):
        own = np.flatnonzero(labels == index)
        if len(own):
            order = np.argsort(np.abs(p[own] - EXAMPLE_MOMENTUM), kind="stable")
            near = own[order[: max(1, min(NEAREST, int(FRACTION * len(own))))]]
            quiet = near[np.argsort(crowd[near], kind="stable")].tolist()
            # Tracks that do not cross this RICH have no image to show.
            at = next((i for i in quiet if len(images.view(view, i, i + 1).pixel)), quiet[0])
            one = images.read(at, at + 1)
            image = np.zeros(header.shape)
            image.ravel()[one.views[view].pixel] = unit * one.views[view].value[:, channel]
            ring = ring_radius(geometry, species, float(p[at]))
            if header.axes[view][0].name == "theta":
                angle = float(one.features[f"angle_{view}"][0, index])
                ring = 1000 * angle if angle else np.nan
            name = _named(one.key[0])
            found.append(pictures.Track(species, float(p[at]), name, image, ring, counted))
    return found


def _named(key: Any) -> str:
    return f"run {key['run']}, subrun {key['subrun']}, event {key['event']}, track {key['object']}"


def mean_images(images: ImageSet, view: str, channel: str = "hits") -> _Means:
    """Mean image of a channel and number of tracks of each species."""
    column, unit = images.header.channels.index(channel), _COUNTED[channel][1]
    classes, labels = images.header.classes["species"], images.labels("species")
    height, width = images.header.shape
    size = height * width
    total = np.zeros(len(classes) * size)
    for start in range(0, len(images), _BLOCK):
        stop = min(start + _BLOCK, len(images))
        sparse = images.view(view, start, stop)
        label = np.repeat(labels[start:stop].astype(np.int64), np.diff(sparse.offsets))
        own = label >= 0
        cell = label[own] * size + sparse.pixel[own]
        total += np.bincount(cell, sparse.value[own, column], minlength=len(total))
    counts = np.bincount(labels[labels >= 0], minlength=len(classes))
    sums = unit * total.reshape(len(classes), height, width)
    return {c: (sums[i] / max(counts[i], 1), int(counts[i])) for i, c in enumerate(classes)}
