"""Figures of classes of events draw the numbers that they are given."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_up_planes import VIEWS, write_planes
from matplotlib.colors import to_hex

from hepcnn.report import class_curves
from hepcnn.report.class_curves import Selection
from hepcnn.report.plane_section import main_target, occupied
from hepcnn.report.style import COLOURS, looks
from hepcnn.store.images import ImageSet

LOOK = looks(["three", "one"], ["charge_tree"], ["majority"])


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> ImageSet:
    return ImageSet(write_planes(tmp_path_factory.mktemp("planes") / "a.h5"))


def test_the_best_cut_is_marked_on_each_curve() -> None:
    efficiency, purity = np.array([1.0, 0.8, 0.2]), np.array([0.2, 0.6, np.nan])
    one = Selection(efficiency, purity, [1])
    found = {"nue_cc": {"three": one, "majority": one}, "nc": {"three": one}}
    figure = class_curves.selections(found, LOOK)
    assert [axes.get_title(loc="left") for axes in figure.axes[:2]] == [r"$\nu_e$ CC", "NC"]
    marked = [line for line in figure.axes[0].lines if line.get_label() in found["nue_cc"]]
    assert [line.get_xydata().tolist() for line in marked] == [[[0.8, 0.6]]] * 2
    assert [line.get_color() for line in marked] == [LOOK[m].colour for m in found["nue_cc"]]


def test_probabilities_are_normalised_for_each_true_class() -> None:
    probability = np.array([[0.9, 0.1], [0.7, 0.3], [0.2, 0.8], [0.5, 0.5]])
    figure = class_curves.probabilities(probability, np.array([0, 0, 1, -1]), ["muon", "pion"])
    for axes in figure.axes[:2]:
        assert [patch.get_data().values.sum() for patch in axes.patches] == pytest.approx([1, 1])
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert [label[-3:] for label in labels] == ["(2)", "(1)"]


def test_a_class_without_events_is_drawn_as_nothing() -> None:
    figure = class_curves.probabilities(np.ones((1, 2)) / 2, np.array([1]), ["muon", "pion"])
    assert not figure.axes[0].patches[0].get_data().values.any()


def test_occupancy_is_of_the_classes_that_there_are(images: ImageSet) -> None:
    filled = occupied(images)
    assert list(filled) == list(VIEWS)
    assert filled["u"][1] == 0  # the empty event
    assert filled["v"].sum() == len(images.view("v", 0, len(images)).pixel)
    label = images.labels("interaction")
    percent = {view: n / 10 for view, n in filled.items()}
    figure = class_curves.occupancy(percent, label, images.header.classes["interaction"])
    for axes in figure.axes:
        counts = [patch.get_data().values.sum() for patch in axes.patches]
        assert counts == np.bincount(label).tolist()
    colours = [to_hex(patch.get_edgecolor()) for patch in figure.axes[0].patches]
    assert colours == list(COLOURS[: len(colours)])


def test_images_without_any_pixel_have_an_axis_too() -> None:
    figure = class_curves.occupancy({"y": np.zeros(2)}, np.array([0, -1]), ["electron"])
    assert figure.axes[0].get_xlim()[1] > 0


def test_the_target_is_the_first_that_tells_images_apart(
    images: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main_target(images) == "interaction"
    # Single particles are all of the interaction class `cosmic` or of none.
    labels = {"interaction": np.full(8, 3), "particle": np.arange(8) % 5}
    monkeypatch.setattr(ImageSet, "labels", lambda _, target: labels[target])
    assert main_target(images) == "particle"
