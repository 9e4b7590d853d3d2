import pytest
import torch
from pydantic import ValidationError

from hepcnn.config.pixel_weights import PixelWeights
from hepcnn.learning.heads.pixel_weights import pixel_weights
from hepcnn.learning.heads.site_truth import Points, SiteTruth, boundary
from hepcnn.networks.sparse.sites import Sites

#: Two hips beside eight mips, of which two are another particle; one pixel of noise.
PICTURE = ["hh......", "mmmmmm..", "........", "...o..MM"]
EMPTY = ["........"] * 4


def weigh(batch, **settings):
    """Sites of a batch, their truth and their weights."""
    sites, _ = Sites.occupied(batch["images"].flatten(0, 1))
    truth = SiteTruth.at(sites, batch["truth"])
    settings = PixelWeights(**{"clip": (1e-6, 1e6), **settings})
    return sites, truth, pixel_weights(sites, truth, settings, Points.of(batch).table(sites.images))


def at(sites, weights, row, column):
    (here,) = ((sites.place == torch.tensor([row, column])).all(dim=1)).nonzero()
    return weights[here].item()


def test_without_settings_all_pixels_with_a_class_weigh_1(drawn):
    _, truth, weights = weigh(drawn(PICTURE))
    assert weights.tolist() == (truth.semantic >= 0).float().tolist()


def test_classes_weigh_the_same_in_all_and_the_mean_is_1(drawn):
    """10 pixels with a class, 2 and 8: 10 / (2·2) and 10 / (2·8)."""
    sites, truth, weights = weigh(drawn(PICTURE), by="class")
    assert at(sites, weights, 0, 0) == 2.5
    assert at(sites, weights, 1, 3) == 0.625
    assert at(sites, weights, 3, 3) == 0
    assert weights[truth.semantic == 0].sum() == weights[truth.semantic == 1].sum()
    assert weights.sum() / (truth.semantic >= 0).sum() == 1


def test_particles_weigh_the_same_in_all(drawn):
    """10 pixels of three particles: 2, 6, 2."""
    sites, _, weights = weigh(drawn(PICTURE), by="instance")
    for place, expected in {(0, 0): 10 / 6, (1, 3): 10 / 18, (3, 7): 10 / 6}.items():
        assert at(sites, weights, *place) == pytest.approx(expected)


def test_each_image_is_balanced_by_itself(drawn):
    """The same picture weighs the same beside any other."""
    alone = weigh(drawn(PICTURE), by="class")[2]
    together = weigh(drawn(["mmmmmmmm"] * 4, PICTURE, EMPTY), by="class")
    torch.testing.assert_close(together[2][together[0].image == 1], alone)
    assert (together[2][together[0].image == 0] == 1).all()


def test_boundary_is_where_other_classes_touch_corners_too(drawn):
    sites, truth, weights = weigh(drawn(PICTURE), boundary=3.0)
    ring = {tuple(p) for p, w in zip(sites.place.tolist(), weights, strict=True) if w == 3}
    assert ring == {(0, 0), (0, 1), (1, 0), (1, 1), (1, 2)}
    assert (weights == 3).tolist() == boundary(sites, truth.semantic).tolist()


def test_boundary_of_particles_of_one_class_and_not_of_noise(drawn):
    sites, truth, weights = weigh(drawn(["mmMM", "...o"]), boundary=2.0)
    assert weights.tolist() == [1, 2, 2, 1, 0]
    assert not boundary(sites, truth.semantic).any()


def test_boundary_in_three_dimensions_counts_26_neighbours():
    place = torch.tensor([[0, 0, 0], [1, 1, 1], [1, 1, 3]])
    sites = Sites(torch.zeros(3, dtype=torch.int64), place, 1, (4, 4, 4))
    assert boundary(sites, torch.tensor([0, 1, 0])).tolist() == [True, True, False]


def test_points_weigh_within_the_radius_of_the_pixels_middles(drawn):
    """The point is at the middle of pixel (1, 2); (0, 1) is √2 away, (1, 4) 2."""
    batch = drawn(PICTURE, PICTURE, points=[(1, "vertex", 1.5, 2.5)])
    sites, _, weights = weigh(batch, points=5.0, radius=1.5)
    assert (weights[sites.image == 0] != 5).all()
    close = sites.place[(weights == 5)].tolist()
    assert close == [[0, 1], [1, 1], [1, 2], [1, 3]]


@pytest.mark.parametrize(("combine", "expected"), [("sum", 7.0), ("max", 5.0)])
def test_factors_are_combined_and_multiply_the_groups_weight(drawn, combine, expected):
    """At (0, 1) factors 3 and 5: 1 + 2 + 4, or 5."""
    batch = drawn(PICTURE, points=[(0, "vertex", 1.5, 2.5)])
    settings = {"boundary": 3.0, "points": 5.0, "radius": 1.5, "combine": combine}
    sites, _, weights = weigh(batch, **settings)
    assert at(sites, weights, 0, 1) == expected
    sites, _, weights = weigh(batch, by="class", **settings)
    assert at(sites, weights, 0, 1) == 2.5 * expected


def test_weights_are_clipped_and_noise_still_counts_nothing(drawn):
    _, truth, weights = weigh(drawn(PICTURE), by="class", clip=(0.75, 2.0))
    assert set(weights[truth.semantic >= 0].tolist()) == {0.75, 2.0}
    assert weights[truth.semantic < 0].tolist() == [0]


@pytest.mark.parametrize("by", ["none", "class", "instance"])
def test_nothing_to_weigh(drawn, by):
    settings = {"by": by, "boundary": 2.0, "points": 2.0}
    assert weigh(drawn(EMPTY), **settings)[2].tolist() == []
    noise = drawn(["oo......", *EMPTY[1:]], points=[(0, "vertex", 0.0, 0.0)])
    assert weigh(noise, **settings)[2].tolist() == [0, 0]


@pytest.mark.parametrize(
    "wrong", [{"boundary": 0.5}, {"points": 0.0}, {"radius": 0.0}, {"clip": (2, 1)}, {"by": "view"}]
)
def test_settings_that_mean_nothing_are_refused(wrong):
    with pytest.raises(ValidationError):
        PixelWeights(**wrong)
