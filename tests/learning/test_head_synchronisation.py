"""What heads do in a training step: without waiting for a GPU, and the same as image by image."""

import numpy as np
import pytest
import torch
from waits import Reads, Waits

from hepcnn.config.pixel_weights import PixelWeights
from hepcnn.learning.heads import site_truth
from hepcnn.learning.heads.classification import ClassificationHead
from hepcnn.learning.heads.counting import count
from hepcnn.learning.heads.instances import InstanceHead
from hepcnn.learning.heads.pixel_weights import inverse_counts, near
from hepcnn.learning.heads.points import PointHead, point_targets
from hepcnn.learning.heads.segmentation import SegmentationHead
from hepcnn.learning.heads.site_truth import NONE, Points, groups, middles
from hepcnn.networks.pixels.output import AtSites
from hepcnn.networks.sparse.sites import Sites


class Given(torch.nn.Module):
    """A network whose answer is known; its sites are found beforehand."""

    def __init__(self, sites, values):
        super().__init__()
        self.sites = sites
        self.values = torch.nn.Parameter(values)

    def forward(self, inputs):
        return AtSites(self.sites, self.values)


WEIGHTS = PixelWeights(by="instance", boundary=2.0, points=3.0, radius=4.0)
HEADS = {
    **{loss: (SegmentationHead(loss, WEIGHTS), 1) for loss in ("cross_entropy", "focal", "dice")},
    "by class": (SegmentationHead(weights=PixelWeights(by="class", boundary=2.0)), 0),
    "instances": (InstanceHead(), 0),
    "weighted instances": (InstanceHead(WEIGHTS), 1),
    "points": (PointHead(["vertex", "track_end"]), 1),
}
PICTURE = ["hh......", "mmmmmm..", "........", "...o..MM"]


@pytest.mark.parametrize("name", HEADS)
def test_a_step_waits_at_most_for_the_number_of_points(drawn, device, name):
    """Once: the columns of their table. Of heads that look at no points, for nothing."""
    head, expected = HEADS[name]
    batch = drawn(PICTURE, PICTURE, points=[(0, "vertex", 1.5, 2.5), (1, "track_end", 0.5, 0.5)])
    batch = {part: tensor.to(device) for part, tensor in batch.items()}
    sites, _ = Sites.occupied(batch["images"].flatten(0, 1))
    _ = sites.neighbours
    values = torch.rand(len(sites), head.outputs, device=device)
    network = Given(sites, values).to(device)
    head.reset(device)
    with Waits() as waits, Reads(waits.found):
        head.loss(network, batch).backward()
    assert waits.found == ["_local_scalar_dense"] * expected
    assert network.values.grad.isfinite().all()
    head.reset()


def test_a_step_of_classes_does_not_wait(device):
    head = ClassificationHead(torch.rand(5))
    head.reset(device)
    logits = torch.rand(20, 5, device=device, requires_grad=True)
    label = torch.arange(20, device=device) % 5
    with Waits() as waits, Reads(waits.found):
        head(logits, label).backward()
    assert not waits.found


@pytest.mark.parametrize(
    "waiting",
    [
        lambda x: x.sum().item(), lambda x: x[x > 0], lambda x: x.nonzero(), lambda x: x.unique(),
        lambda x: bool(x.any()), lambda x: x.long().bincount(), lambda x: x.sum().tolist(),
        lambda x: x.new_tensor([1]), lambda x: torch.unravel_index(x.long(), (2, 3)),
    ],
)  # fmt: skip
def test_what_waits_is_found(waiting):
    with Waits() as waits, Reads(waits.found):
        waiting(torch.ones(3))
    assert waits.found


@pytest.fixture
def made_up(device):
    """Sites and points of images of which some have none of either."""
    rng = np.random.default_rng(3)
    dense = torch.from_numpy(rng.random((7, 1, 30, 40)) < 0.1)
    dense[[1, 4]] = False
    sites, _ = Sites.occupied(dense)
    number = 60
    image = torch.from_numpy(rng.integers(0, 5, number))
    place = torch.from_numpy(rng.uniform(-5, 45, (number, 2)))
    kind = torch.from_numpy(rng.integers(0, 2, number))
    sites = Sites(sites.image.to(device), sites.place.to(device), sites.images, sites.shape)
    return sites, Points(image.to(device), place.to(device), kind.to(device))


def one_by_one(sites, points):
    """Sites of each image that has both, and the ways from them to its points."""
    for image in range(sites.images):
        here, own = sites.image == image, points.place[points.image == image]
        if here.any() and len(own):
            yield here, own - middles(sites)[here, None]


@pytest.mark.parametrize("numbers", [1, 300, 1 << 20])
def test_targets_of_points_are_those_of_each_image_by_itself(made_up, monkeypatch, numbers):
    """However many sites are looked at together."""
    monkeypatch.setattr(site_truth, "_NUMBERS", numbers)
    sites, points = made_up
    for kind in (0, 1, 2):
        excess = points.place.new_full((len(sites),), torch.inf)
        found = torch.zeros_like(middles(sites), dtype=torch.float64)
        close = torch.zeros_like(excess, dtype=torch.bool)
        for here, offset in one_by_one(sites, points.only(points.kind == kind)):
            squared = offset.square().sum(dim=-1)
            nearest = squared.amin(dim=0)
            beyond = (squared - nearest).masked_fill(nearest > 36, torch.inf)
            excess[here], which = beyond.min(dim=1)
            chosen = offset[torch.arange(len(offset), device=offset.device), which]
            found[here] = chosen * excess[here].isfinite()[:, None]
            close[here] = (squared <= 9).any(dim=1)
        place = points.table(sites.images).places(kind)
        target = point_targets(sites, place, 2.0, 6.0)
        assert torch.equal(target.heat, torch.exp(-excess / 8))
        assert torch.equal(target.offset, found)
        near_point = excess.isfinite() & (found.square().sum(dim=1) <= 36)
        assert torch.equal(target.near, near_point)
        assert torch.equal(near(sites, place, 3.0), close)
        assert close.any() == (kind < 2)


def test_no_points_at_all(made_up):
    sites, points = made_up
    table = points.only(points.kind == 9).table(sites.images)
    assert table.place.isinf().all()
    assert (table.kind == NONE).all()
    assert not near(sites, table.place, 1e6).any()


def test_groups_are_the_sites_of_one_image_and_label(made_up):
    sites, _ = made_up
    label = (sites.place[:, 0] * 7 + sites.place[:, 1]) % 5 + NONE
    label[::3] = 30000
    counted = sites.place[:, 1] % 3 > 0
    group, sizes = groups(sites, label, counted)
    pairs = torch.stack([sites.image, label], dim=1)
    kinds, expected = pairs.unique(dim=0, return_inverse=True)
    assert torch.equal(group, expected)
    own = torch.bincount(expected[counted], minlength=len(sites))
    assert torch.equal(sizes, own)
    there = own[: len(kinds)] > 0
    weight = torch.zeros(len(sites), device=label.device)
    for k, (image, _) in enumerate(kinds.tolist()):
        labels = (there & (kinds[:, 0] == image)).sum()
        number = (counted & (sites.image == image)).sum()
        weight[counted & (expected == k)] = number / labels / own[k]
    torch.testing.assert_close(inverse_counts(sites, label, counted), weight)


def test_counts_are_those_of_bincount(device):
    index = torch.arange(100, device=device) ** 2 % 11
    chosen = index % 2 == 0
    assert torch.equal(count(index, 12), torch.bincount(index, minlength=12))
    assert torch.equal(count(index, 12, chosen), torch.bincount(index[chosen], minlength=12))
