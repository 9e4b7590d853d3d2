import math

import numpy as np
import pytest
import torch
from torch import nn

from hepcnn.detector.labels import POINTS
from hepcnn.learning.heads.peaks import find_peaks
from hepcnn.learning.heads.points import PointHead, heat_loss, point_targets
from hepcnn.learning.heads.site_truth import Points, middles
from hepcnn.networks.pixels.output import AtSites
from hepcnn.networks.sparse.sites import Sites

LINE = ["..............", "mmmmmmmmmmmmmm", "..............", "......mm......"]
EMPTY = [".............."] * 4
#: Logit of a score of `PointHead` for an output of 0.
BASE = math.log(0.01 / 0.99)


def sites_of(batch):
    return Sites.occupied(batch["images"].flatten(0, 1))[0]


def vertices(sites, batch):
    return Points.of(batch).table(sites.images).places(POINTS.index("vertex"))


@pytest.fixture
def oracle(answers):
    """Make a network that gives a head's targets of a batch's points: its heat, its offsets."""

    def maker(head, batch):
        def values(sites):
            points, columns = Points.of(batch).table(sites.images), []
            for name in head.kinds:
                own = points.places(POINTS.index(name))
                target = point_targets(sites, own, head.sigma, head.radius)
                logit = torch.where(target.heat == 1, 12.0, torch.logit(target.heat * 0.5) - 3)
                columns += [logit.clamp(min=-20)[:, None] - BASE, target.offset]
            return torch.cat(columns, dim=1)

        return answers(values)

    return maker


def test_heat_is_gaussian_about_a_point_in_a_pixels_middle(drawn):
    batch = drawn(EMPTY, LINE, points=[(1, "vertex", 1.5, 5.5)])
    sites = sites_of(batch)
    target = point_targets(sites, vertices(sites, batch), sigma=2.0, radius=3.0)
    distance = (middles(sites) - torch.tensor([1.5, 5.5])).norm(dim=1)
    torch.testing.assert_close(target.heat, torch.exp(-(distance**2) / 8))
    assert target.near.tolist() == (distance <= 3).tolist()
    torch.testing.assert_close(middles(sites) + target.offset, torch.tensor([[1.5, 5.5]] * 16))


def test_a_point_on_no_site_is_hottest_at_the_nearest_one_unless_it_is_far(drawn):
    """(3.5, 3.5) is 2 pixels from (1, 3) and 3 from (3, 6); (3.5, 12.5) is 2 from (1, 12)."""
    batch = drawn(LINE, points=[(0, "vertex", 3.5, 3.5)])
    sites = sites_of(batch)
    target = point_targets(sites, vertices(sites, batch), sigma=2.0, radius=2.5)
    assert sites.place[target.heat == 1].tolist() == [[1, 3]]
    assert target.heat[sites.place[:, 0] == 3][0] == pytest.approx(math.exp(-5 / 8))
    far = point_targets(sites, vertices(sites, batch), sigma=2.0, radius=1.5)
    assert not far.heat.any()
    assert not far.near.any()
    assert not far.offset.any()


def test_each_site_follows_its_nearest_point(drawn):
    points = [(0, "vertex", 1.5, 2.5), (0, "vertex", 1.5, 9.5)]
    batch = drawn(LINE, points=points)
    sites = sites_of(batch)
    target = point_targets(sites, vertices(sites, batch), sigma=2.0, radius=20.0)
    voted = (middles(sites) + target.offset)[:14, 1]
    assert voted.tolist() == [2.5] * 6 + [9.5] * 8


def test_heat_loss_by_hand():
    """CornerNet's equation: scores 3/4 and 1/4 at heats 1 and 1/2."""
    logit = torch.tensor([math.log(3), -math.log(3)])
    expected = -(0.25**2) * math.log(0.75) - 0.5**4 * 0.25**2 * math.log(0.75)
    assert heat_loss(logit, torch.tensor([1.0, 0.5])).item() == pytest.approx(expected)


def test_ideal_outputs_lose_little_and_give_the_points_to_sub_pixels(drawn, oracle):
    """Two kinds; the second image has no vertex, the first one beside all sites."""
    points = [
        (0, "vertex", 2.8, 3.3), (0, "track_end", 1.21, 0.13), (0, "track_end", 1.77, 13.9),
        (2, "vertex", 1.4, 8.01), (2, "track_end", 3.6, 7.45),
    ]  # fmt: skip
    batch = drawn(LINE, EMPTY, LINE, points=points)
    head = PointHead(["vertex", "track_end"], sigma=1.0, radius=4.0)
    network = oracle(head, batch)
    assert head.outputs == 6
    assert head.loss(network, batch).item() < 0.1
    metrics = head.metrics()
    assert metrics["accuracy"] == 1
    assert metrics["distance"] == pytest.approx(0, abs=1e-5)
    found = head.predict(network, batch)
    assert found["kind"].tolist() == [0, 0, 1, 1, 1]
    assert found["kind"].dtype == np.uint8
    assert found["image"].tolist() == [0, 2, 0, 0, 2]
    true = np.array([p[2:] for p in points])[[0, 3, 1, 2, 4]]
    near = np.abs(found["place"][:, None] - true[None]).max(axis=2).min(axis=1)
    np.testing.assert_allclose(near, 0, atol=1e-5)
    assert (found["score"] > 0.99).all()


def test_kinds_not_asked_for_are_no_points(drawn, oracle):
    batch = drawn(LINE, points=[(0, "track_end", 1.5, 3.5)])
    head = PointHead(["vertex"])
    assert head.loss(oracle(head, batch), batch).item() < 1e-3
    assert len(head.predict(oracle(head, batch), batch)["score"]) == 0


def test_the_mean_of_neighbouring_votes_is_weighted_by_their_scores(drawn):
    """Three sites vote for 3, 3.4 and far away; their scores are 0.4, 0.8 and 0.8 less a bit."""
    sites = sites_of(drawn(["....", "mmm."]))
    logit = torch.logit(torch.tensor([0.4, 0.8, 0.7999]))
    vote = torch.tensor([[1.0, 3.0], [1.0, 3.4], [1.0, 30.0]])
    peaks = find_peaks(sites, logit, vote, 0.1, 2.0)
    np.testing.assert_allclose(peaks.place, [[1, (0.4 * 3 + 0.8 * 3.4) / 1.2]], rtol=1e-6)
    np.testing.assert_allclose(peaks.score, [0.8], rtol=1e-6)


def test_of_points_that_are_close_the_best_remains_in_each_image(drawn):
    """Maxima at columns 1, 5 and 9 of both images vote for 1.5, 5.5 - 2 and 9.5."""
    sites = sites_of(drawn(LINE[:3], LINE[:3]))
    logit = torch.full((28,), -50.0)
    for image, heights in enumerate([(1.0, 2.0, 0.0), (2.0, 1.0, 0.0)]):
        logit[torch.tensor([1, 5, 9]) + 14 * image] = torch.tensor(heights)
    vote = middles(sites)
    vote[[5, 19], 1] -= 2
    peaks = find_peaks(sites, logit, vote, 0.1, 2.5)
    assert peaks.image.tolist() == [0, 0, 1, 1]
    assert peaks.place[:, 1].tolist() == [3.5, 9.5, 1.5, 9.5]
    assert (np.diff(peaks.score[:2]) < 0).all()
    assert len(find_peaks(sites, logit, vote, 0.1, 1.5).image) == 6
    assert len(find_peaks(sites, logit, vote, 0.6, 1.5).image) == 4


def test_equal_scores_are_one_point(drawn):
    sites = sites_of(drawn(LINE[:3]))
    peaks = find_peaks(sites, torch.full((14,), 200.0), middles(sites), 0.5, 1.0)
    assert len(peaks.image) == 1


@pytest.fixture
def wavy(answers):
    """A network that is wrong in the same way wherever an image is."""

    def values(sites):
        steps = torch.arange(1.0, 7.0)
        return torch.sin(sites.place.sum(dim=1, keepdim=True) * steps) * 3

    return answers(values)


def test_the_order_of_images_and_points_does_not_matter(drawn, wavy):
    one = [("vertex", 1.2, 3.4), ("track_end", 1.0, 0.0), ("track_end", 1.2, 13.9)]
    two = [("track_end", 3.3, 6.7)]
    head = PointHead(["vertex", "track_end"])
    results = []
    for images, points in (
        ([LINE, EMPTY, EMPTY[:3] + LINE[3:]], [(0, *p) for p in one] + [(2, *p) for p in two]),
        (
            [EMPTY[:3] + LINE[3:], LINE, EMPTY],
            [(1, *p) for p in one[::-1]] + [(0, *p) for p in two],
        ),
    ):
        batch = drawn(*images, points=points)
        head.reset()
        results.append((head.loss(wavy, batch).item(), head.metrics()))
    assert results[0][0] == pytest.approx(results[1][0], rel=1e-5)
    assert results[0][1] == pytest.approx(results[1][1], rel=1e-5)
    assert head.metrics(lambda mine: mine * 2) == pytest.approx(head.metrics())


def test_metrics_are_those_of_all_batches_together(drawn, oracle, wavy):
    """One vertex found, one not."""
    batch = drawn(LINE, points=[(0, "vertex", 1.5, 3.5)])
    head = PointHead(["vertex", "track_end"])
    head.loss(oracle(head, batch), batch)
    head.loss(wavy, batch)
    assert head.metrics()["accuracy"] == 0.5


@pytest.mark.parametrize(
    ("picture", "points"),
    [(EMPTY, []), (EMPTY, [(0, "vertex", 1.0, 1.0)]), (LINE, []), (LINE, [(0, "vertex", -90, 0)])],
    ids=["nothing", "no sites", "no points", "far point"],
)
def test_nothing_to_find_gives_finite_losses_and_gradients(drawn, answers, picture, points):
    batch = drawn(picture, points=points)
    slope = torch.ones(6, requires_grad=True)
    head = PointHead(["vertex", "track_end"])
    network = answers(lambda sites: sites.place[:, :1] * slope)
    value = head.loss(network, batch)
    value.backward()
    assert value.isfinite()
    assert slope.grad.isfinite().all()
    assert (value.item() == 0) == (picture is EMPTY)
    assert math.isfinite(head.metrics()["loss"])
    found = head.predict(network, batch, lowest=1.0)
    assert {name: column.shape for name, column in found.items()} == {
        "image": (0,), "place": (0, 2), "score": (0,), "kind": (0,),
    }  # fmt: skip


def test_voxels_have_three_coordinates(answers):
    """One example, one view, two voxels; the second is the point's."""
    images = torch.zeros(1, 1, 1, 4, 4, 4)
    images[0, 0, 0, 1, 1, 1] = images[0, 0, 0, 3, 3, 3] = 1
    batch = {
        "images": images,
        "features": torch.zeros(1, 0),
        "expected": torch.zeros(1, 1, 0, 2),
        "log_likelihood": torch.zeros(1, 0, 0),
        "points": torch.tensor([[0, 0, 3.2, 3.4, 3.9, POINTS.index("shower_start")]]),
    }
    head = PointHead(["shower_start"], dimensions=3)
    ideal = torch.tensor([[-9.0, 0, 0, 0], [9.0, -0.3, -0.1, 0.4]])
    network = answers(lambda sites: ideal)
    assert head.outputs == 4
    assert head.loss(network, batch).isfinite()
    found = head.predict(network, batch)
    np.testing.assert_allclose(found["place"], [[3.2, 3.4, 3.9]], rtol=1e-6)
    assert found["kind"].tolist() == [POINTS.index("shower_start")]


def test_a_linear_layer_learns_where_a_line_begins(drawn):
    """The features are whether there is a site on the left, and a constant."""

    class Linear(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(1, 3)

        def forward(self, inputs):
            sites = Sites.occupied(inputs.images.flatten(0, 1))[0]
            left = (sites.neighbours[:, 3] < len(sites)).float()
            return AtSites(sites, self.layer(left[:, None]))

    torch.manual_seed(1)
    pictures = ["..mmmmmmmmmm..", "......mmmmm..."]
    batch = drawn(
        *([p] for p in pictures), points=[(0, "vertex", 0.3, 2.6), (1, "vertex", 0.3, 6.6)]
    )
    network, head = Linear(), PointHead(["vertex"], sigma=0.5, radius=0.5)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.2)
    for _ in range(80):
        optimiser.zero_grad()
        head.loss(network, batch).backward()
        optimiser.step()
    found = head.predict(network, batch, lowest=0.5)
    np.testing.assert_allclose(found["place"], [[0.3, 2.6], [0.3, 6.6]], atol=0.02)
