"""The page's part on an image set draws the channels and coordinates that it has."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hepcnn.config import PolarImages
from hepcnn.detector.geometry import load_geometry
from hepcnn.detector.particles import SPECIES
from hepcnn.report import pictures
from hepcnn.report.blocks import Studio
from hepcnn.report.pictures import Track
from hepcnn.report.polar_section import examples, mean_images, polar_section
from hepcnn.report.results import ShownImages
from hepcnn.store.images import ImageSet
from hepcnn.store.shard import Axis

GEOMETRY = load_geometry("lhcb-run3")
THETA, PHI = Axis("theta", "mrad", 0, 64, 8), Axis("phi", "rad", -np.pi, np.pi, 8)
CHANNELS = ("expected_other", "hits")


@pytest.fixture
def images(make_shards: Callable[..., list[Path]], tmp_path: Path) -> ImageSet:
    """In Cherenkov coordinates; the hits are the second channel."""
    return ImageSet(
        make_shards(tmp_path, events=20, channels=CHANNELS, classes=SPECIES, analytic=True)
    )


def test_cherenkov_angles_are_named() -> None:
    track = Track("kaon", 40_000.0, "run 1", np.eye(8), 50.0)
    left, right = pictures.example(track, THETA, PHI).axes
    assert left.get_ylabel() == r"$\theta$ [mrad]"
    assert right.get_xlabel() == r"$\theta\,\cos\varphi$ [mrad]"
    (axes,) = pictures.profiles({"kaon": (np.eye(8), 1)}, THETA, "photons").axes
    assert axes.get_xlabel() == r"$\theta$ [mrad]"
    assert axes.get_ylabel() == "mean photons in the ring"


def test_the_total_is_in_words() -> None:
    image = np.zeros((8, 8))
    image[1, 1] = 1
    assert Track("kaon", 4e4, "", image, np.nan).total == "1 hit"
    assert Track("kaon", 4e4, "", 2 * image, np.nan).total == "2 hits"
    assert Track("kaon", 4e4, "", 12.3 * image, np.nan, "photons").total == "12 photons"


def test_examples_show_the_hits_and_the_expected_angle(images: ImageSet) -> None:
    """The made-up angles are the middle of row 1, 2, … and the first species gives no light."""
    shown = {track.species: track for track in examples(images, "rich1", GEOMETRY["rich1"])}
    rings = [shown[species].ring for species in SPECIES]
    np.testing.assert_allclose(rings, [np.nan, *(8 * (1.5 + np.arange(1, 6)))], rtol=1e-6)
    for track in shown.values():
        object_ = int(re.search(r"track (\d+)$", track.name).group(1))  # type: ignore[union-attr]
        event = int(re.search(r"event (\d+)", track.name).group(1))  # type: ignore[union-attr]
        subrun = int(re.search(r"subrun (\d+)", track.name).group(1))  # type: ignore[union-attr]
        key = images.key
        (at,) = np.flatnonzero(
            (key["object"] == object_) & (key["event"] == event) & (key["subrun"] == subrun)
        )
        assert track.image.sum() == images.view("rich1", at, at + 1).value[:, 1].sum()


def test_means_of_a_channel_are_in_its_unit(images: ImageSet) -> None:
    """Photons expected, not thousandths of them."""
    hits, photons = (mean_images(images, "rich1", c) for c in ("hits", "expected_other"))
    sparse = images.view("rich1", 0, len(images))
    row = np.repeat(np.arange(len(images)), np.diff(sparse.offsets))
    pion = images.labels("species")[row] == SPECIES.index("pion")
    for means, column, unit in ((hits, 1, 1.0), (photons, 0, 1e-3)):
        mean, count = means["pion"]
        assert mean.sum() * count == pytest.approx(unit * sparse.value[pion, column].sum())


def test_a_section_in_cherenkov_coordinates(images: ImageSet, tmp_path: Path) -> None:
    """Mean and profile of each channel, and a text that speaks of θ."""
    settings = PolarImages(sample="rich", coordinates="cherenkov", channels=list(CHANNELS))
    section = polar_section(
        "rich_cherenkov", settings, "lhcb-run3", ShownImages(images, 0), Studio(tmp_path / "f")
    )
    assert "the angle θ" in section.explained
    (view,) = section.views
    assert [picture.caption.split(" in ")[0] for picture in view.means] == [
        "Mean photons expected from others of each species",
        "Mean photons expected from others",
        "Mean hits of each species",
        "Mean hits",
    ]
    assert "against the Cherenkov angle θ" in view.means[1].alt
    names = {path.stem for path in (tmp_path / "f").glob("*.pdf")}
    assert {"mean_rich1", "mean_rich1_expected_other", "profile_rich1"} < names
