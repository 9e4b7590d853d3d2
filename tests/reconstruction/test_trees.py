"""What the boosted trees look at."""

from __future__ import annotations

import pytest

from hepcnn.config import PlaneImages
from hepcnn.detector.tpc import load_tpc
from hepcnn.imaging.planes import plane_header
from hepcnn.reconstruction.trees import TREES, tree_columns
from hepcnn.store.rich import FEATURES, analytic_features


def test_columns_by_view():
    assert tree_columns("charge_tree", ["u", "y"]) == ["n_hits", "charge_u", "charge_y"]
    assert tree_columns("shape_tree", ["y"]) == ["n_hits", "charge_y"]
    assert tree_columns("boosted_tree", ["rich2"])[:2] == ["p", "theta_mean_rich2"]


@pytest.mark.parametrize("tree", TREES)
def test_images_have_the_columns(tree):
    planes = PlaneImages(sample="s", maker="planes")
    riches = ["rich1", "rich2"]
    views, features = {
        True: (riches, {*FEATURES, *analytic_features(riches)}),
        False: (planes.planes, plane_header(planes, load_tpc("microboone")).features),
    }[tree in ("boosted_tree", "dll_tree")]
    assert set(tree_columns(tree, views)) <= set(features)
