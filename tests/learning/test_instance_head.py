import math

import numpy as np
import pytest
import torch
from torch import nn

from hepcnn.config.pixel_weights import PixelWeights
from hepcnn.learning.heads.clustering import clusters
from hepcnn.learning.heads.instances import InstanceHead, centre_offsets
from hepcnn.learning.heads.site_truth import SiteTruth
from hepcnn.networks.pixels.output import AtSites
from hepcnn.networks.sparse.sites import Sites

#: Two tracks of a class that cross, the second over the first; a shower in two pieces; noise.
CROSSING = [
    "M............",
    ".M...........",
    "..M........ss",
    "mmmMmmmmm....",
    "....M.....ss.",
    ".....M.......",
    "o.....M......",
]
APART = ["hhh..mmm.....", *["............."] * 5, "............M"]
EMPTY = ["............."] * 7
NOISE = ["oo...........", *EMPTY[1:]]


def same_partition(one, other):
    """Whether two numberings make the same groups."""
    pairs = set(zip(one.tolist(), other.tolist(), strict=True))
    return len(pairs) == len(set(one.tolist())) == len(set(other.tolist()))


@pytest.fixture
def oracle(answers):
    """Make a network that knows each site's way to its particle's middle, but for an error."""

    def maker(batch, error=None, seed=20.0):
        def values(sites):
            instance = SiteTruth.at(sites, batch["truth"]).instance
            offset = centre_offsets(sites, instance)
            if error is not None:
                offset = offset + error(sites, offset)
            return torch.cat([torch.full((len(sites), 1), seed), offset / InstanceHead.unit], 1)

        return answers(values)

    return maker


def test_offsets_lead_to_the_mean_of_the_instances_sites_in_each_image(drawn):
    batch = drawn(APART, CROSSING)
    sites = Sites.occupied(batch["images"].flatten(0, 1))[0]
    offset = centre_offsets(sites, SiteTruth.at(sites, batch["truth"]).instance)
    assert offset[:7].tolist() == [[0, 1], [0, 0], [0, -1], [0, 1], [0, 0], [0, -1], [0, 0]]
    assert (sites.place + offset)[7].tolist() == [3, 3]
    assert torch.zeros(0, 2).equal(centre_offsets(*_empty()))


def _empty():
    sites = Sites.occupied(torch.zeros(2, 1, 4, 4))[0]
    return sites, torch.zeros(0, dtype=torch.int64)


def test_ideal_outputs_lose_nothing_and_give_the_particles_back(drawn, oracle):
    batch = drawn(CROSSING, EMPTY, APART)
    head = InstanceHead(margin=0.5, slack=0.01)
    network = oracle(batch)
    assert head.outputs == 3
    assert head.loss(network, batch).item() == pytest.approx(0, abs=1e-5)
    assert head.metrics() == pytest.approx({"loss": 0, "distance": 0, "accuracy": 1}, abs=1e-5)
    found = head.predict(network, batch)
    assert found["found"].dtype == np.int32
    assert np.unique(found["image"]).tolist() == [0, 2]
    for image in (0, 2):
        here = found["image"] == image
        assert same_partition(found["found"][here], found["instance"][here])
    assert found["cluster_image"].tolist() == [0] * 4 + [2] * 3
    assert found["cluster"].tolist() == [0, 1, 2, 3, 0, 1, 2]
    np.testing.assert_allclose(found["cluster_score"], 1)
    # Numbered by their first sites.
    assert found["found"][0] == 0
    assert found["semantic"].tolist().count(5) == 1


def test_a_long_track_holds_together_where_its_offsets_are_wrong(drawn, oracle):
    """All point to within 15 % of the way to the middle, much more than the margin."""
    batch = drawn(["m" * 200, *["." * 200] * 3, "M" * 20 + "." * 180])
    head = InstanceHead(margin=1.0, slack=0.1)
    found = head.predict(oracle(batch, lambda sites, offset: -0.15 * offset), batch)
    assert same_partition(found["found"], found["instance"])
    head.loss(oracle(batch, lambda sites, offset: -0.15 * offset), batch)
    assert 0 < head.metrics()["accuracy"] < 1


def test_neighbours_of_two_particles_stay_apart(drawn, oracle):
    batch = drawn(["mmmmmmmMMMMMMM"])
    found = InstanceHead().predict(oracle(batch), batch)
    assert found["found"].tolist() == [0] * 7 + [1] * 7


def test_small_fragments_make_no_chain():
    """Isolated sites that point to 0, 2 and 4 with a margin of 3: the first, the largest, keeps."""
    place = np.array([[0, 0], [0, 1], [0, 5], [0, 9]])
    aim = np.array([0, 0, 2, 4.0])
    offset = np.stack([np.zeros(4), aim - place[:, 1]], axis=1)
    around = np.full((4, 9), 4, np.int32)
    around[:, 4] = np.arange(4)
    around[0, 5], around[1, 3] = 1, 0
    image = np.zeros(4, np.int64)
    found = clusters(image, place, offset, np.ones(4), around, 3.0, 0.0)
    assert found.tolist() == [0, 0, 0, 1]
    image = np.array([0, 0, 1, 1])
    found = clusters(image, place, offset, np.ones(4), around, 3.0, 0.0)
    assert found.tolist() == [0, 0, 0, 0]


def test_fragments_that_are_less_sure_join_from_farther():
    """Two sites apart that point to 0 and 5, with a margin of 3."""
    place, offset = np.array([[0, 0], [0, 9]]), np.array([[0, 0], [0, -4.0]])
    around = np.full((2, 9), 2, np.int32)
    around[:, 4] = 0, 1
    for score, found in ((1.0, [0, 1]), (0.75, [0, 0]), (0.9999, [0, 1])):
        scores = np.full(2, score)
        own = clusters(np.zeros(2, np.int64), place, offset, scores, around, 3.0, 0.0)
        assert own.tolist() == found


def test_the_score_of_a_cluster_is_the_mean_of_its_seediness(drawn, oracle):
    batch = drawn(["mmm........hh"])
    network = oracle(batch, seed=math.log(3))
    np.testing.assert_allclose(
        InstanceHead().predict(network, batch)["cluster_score"], [0.75, 0.75], rtol=1e-6
    )


def test_metrics_are_those_of_all_batches_and_processes_together(drawn, oracle):
    """Sites of the first batch are 5 pixels off, those of the second right."""
    one, two = drawn(["mmm"]), drawn(["hhhhhh"])
    head = InstanceHead(margin=2.0)
    wrong = head.loss(oracle(one, lambda sites, offset: torch.tensor([3.0, 4.0])), one).item()
    right = head.loss(oracle(two), two).item()
    metrics = head.metrics()
    assert metrics["distance"] == pytest.approx(5 / 3)
    assert metrics["accuracy"] == pytest.approx(2 / 3)
    assert metrics["loss"] == pytest.approx((wrong + 2 * right) / 3)
    assert head.metrics(lambda mine: 2 * mine) == pytest.approx(metrics)


def test_the_order_of_images_does_not_matter(drawn, answers):
    network = answers(
        lambda sites: torch.sin(sites.place.sum(dim=1, keepdim=True) * torch.arange(1.0, 4.0))
    )
    settings = PixelWeights(by="instance", boundary=2.0)
    results, found = [], []
    for pictures in ([CROSSING, APART, NOISE], [NOISE, APART, CROSSING]):
        batch = drawn(*pictures)
        head = InstanceHead(settings)
        results.append((head.loss(network, batch).item(), head.metrics()))
        image = pictures.index(CROSSING)
        prediction = head.predict(network, batch)
        found.append(prediction["found"][prediction["image"] == image].tolist())
    assert results[0][0] == pytest.approx(results[1][0], rel=1e-5)
    assert results[0][1] == pytest.approx(results[1][1], rel=1e-5)
    assert found[0] == found[1]


@pytest.mark.parametrize("picture", [EMPTY, NOISE], ids=["nothing", "noise"])
def test_without_any_known_particle_nothing_is_lost(drawn, answers, picture):
    batch = drawn(picture)
    slope = torch.ones(3, requires_grad=True)
    network = answers(lambda sites: sites.place[:, :1] * slope)
    head = InstanceHead(PixelWeights(by="instance", boundary=2.0, points=2.0))
    value = head.loss(network, batch)
    value.backward()
    assert value.item() == 0
    assert (slope.grad == 0).all()
    assert head.metrics()["loss"] == 0
    found = head.predict(network, batch)
    assert len(found["found"]) == len(found["instance"]) == sum(row.count("o") for row in picture)
    assert len(found["cluster"]) == len(found["cluster_score"]) == (picture is NOISE)


def test_voxels_have_three_coordinates(answers):
    """Two straight tracks of 3 voxels, of which the first has a gap."""
    places = [(0, 0, 0), (0, 0, 1), (0, 0, 3), (3, 1, 0), (3, 2, 0), (3, 3, 0)]
    images, truth = torch.zeros(1, 1, 1, 4, 4, 4), torch.zeros(1, 1, 2, 4, 4, 4)
    for k, place in enumerate(places):
        images[0, 0, 0, *place] = 1
        truth[0, 0, :, *place] = torch.tensor([1, 1 + k // 3])
    batch = {"images": images, "truth": truth, "features": torch.zeros(1, 0)}
    batch["expected"] = torch.zeros(1, 1, 0, 2)
    batch["log_likelihood"] = torch.zeros(1, 0, 0)

    def values(sites):
        offset = centre_offsets(sites, torch.arange(6) // 3)
        return torch.cat([torch.zeros(6, 1), offset / InstanceHead.unit], dim=1)

    head = InstanceHead(margin=0.1, dimensions=3)
    assert head.outputs == 4
    assert head.predict(answers(values), batch)["found"].tolist() == [0, 0, 0, 1, 1, 1]


def test_a_linear_layer_learns_the_way_from_the_place(drawn):
    """Of one particle an image, always the same, the offset is linear in the place."""

    class Linear(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(2, 3)

        def forward(self, inputs):
            sites = Sites.occupied(inputs.images.flatten(0, 1))[0]
            return AtSites(sites, self.layer(sites.place / 10))

    torch.manual_seed(1)
    batch = drawn(["hhhhhhhhhhhh", "h..........h", "h..........h"])
    network, head = Linear(), InstanceHead(margin=0.5, slack=0.0)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.1)
    for _ in range(100):
        optimiser.zero_grad()
        head.loss(network, batch).backward()
        optimiser.step()
    head.reset()
    head.loss(network, batch)
    assert head.metrics()["accuracy"] == 1
    found = head.predict(network, batch)
    assert set(found["found"]) == {0}
    assert found["cluster_score"][0] > 0.9
