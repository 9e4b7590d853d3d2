import numpy as np
import pytest
import torch
from torch import nn

from hepcnn.config.pixel_weights import PixelWeights
from hepcnn.detector.labels import PIXEL_CLASSES
from hepcnn.learning.heads.segmentation import SegmentationHead
from hepcnn.learning.heads.site_truth import SiteTruth
from hepcnn.networks.pixels.output import AtSites
from hepcnn.networks.sparse.sites import Sites

PICTURE = ["hh..cc..", "mmmmmm..", "..ss..dd", "...o..MM"]
NOISE = ["oo......", "........", "........", "........"]
EMPTY = ["........"] * 4
LOSSES = pytest.mark.parametrize("loss", ["cross_entropy", "focal", "dice"])


@pytest.fixture
def oracle(answers):
    """Make a network that is sure of the truth of a batch; wrong where the truth is a key."""

    def maker(batch, wrong=()):
        def values(sites):
            semantic = SiteTruth.at(sites, batch["truth"]).semantic
            for true, called in dict(wrong).items():
                semantic[semantic == PIXEL_CLASSES.index(true)] = PIXEL_CLASSES.index(called)
            return 30.0 * nn.functional.one_hot(semantic.clamp(min=0), 5)

        return answers(values)

    return maker


@LOSSES
def test_the_truth_loses_nothing_and_is_all_right(drawn, oracle, loss):
    batch = drawn(PICTURE, EMPTY, NOISE)
    head = SegmentationHead(loss, PixelWeights(by="class", boundary=2.0))
    assert head.loss(oracle(batch), batch).item() == pytest.approx(0, abs=1e-6)
    metrics = head.metrics()
    assert metrics.pop("loss") == pytest.approx(0, abs=1e-6)
    assert metrics == {"accuracy": 1, "balanced_accuracy": 1, "two_class_accuracy": 1}


def test_metrics_are_those_of_all_batches_and_processes_together(drawn, oracle):
    """Of 16 pixels 2 hips are called mips, 2 Michel electrons too; then 4 more are right."""
    one, two = drawn(PICTURE), drawn(["mmmm"])
    head = SegmentationHead()
    lost = head.loss(oracle(one, {"hip": "mip", "michel": "mip"}), one).item()
    head.loss(oracle(two), two)
    metrics = head.metrics()
    assert metrics["accuracy"] == pytest.approx(16 / 20)
    assert metrics["balanced_accuracy"] == pytest.approx((0 + 1 + 1 + 0 + 1) / 5)
    assert metrics["two_class_accuracy"] == pytest.approx(18 / 20)
    assert metrics["loss"] == pytest.approx(lost * 16 / 20)
    assert head.metrics(lambda mine: 2 * mine) == pytest.approx(metrics)
    head.reset()
    head.loss(oracle(two), two)
    assert head.metrics()["accuracy"] == 1


@LOSSES
def test_the_order_of_images_does_not_matter(drawn, answers, loss):
    def values(sites):
        return torch.sin(sites.place.sum(dim=1, keepdim=True) * torch.arange(1.0, 6.0))

    settings = PixelWeights(by="instance", boundary=3.0, points=4.0)
    found = []
    for pictures in ([PICTURE, NOISE, ["mmmm...."] * 4], [["mmmm...."] * 4, PICTURE, NOISE]):
        b = next(k for k, picture in enumerate(pictures) if picture is PICTURE)
        batch = drawn(*pictures, points=[(b, "vertex", 1.0, 1.0)])
        head = SegmentationHead(loss, settings)
        found.append((head.loss(answers(values), batch).item(), head.metrics()))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-6)
    assert found[0][1] == pytest.approx(found[1][1], rel=1e-6)


def test_weights_weigh_the_loss(drawn, answers):
    """Of 8 pixels 2 are hips: those, and the mips, count half each."""
    batch = drawn(["hh......", "..mmmmmm"])
    network = answers(lambda sites: torch.zeros(len(sites), 5).index_fill(1, torch.tensor(1), 9.0))
    plain = SegmentationHead().loss(network, batch).item()
    equal = SegmentationHead(weights=PixelWeights(by="class")).loss(network, batch).item()
    assert equal / plain == pytest.approx(2, rel=1e-3)


@LOSSES
@pytest.mark.parametrize("picture", [EMPTY, NOISE])
def test_without_any_labelled_pixel_nothing_is_lost(drawn, answers, loss, picture):
    batch = drawn(picture)
    slope = torch.ones(5, requires_grad=True)
    head = SegmentationHead(loss, PixelWeights(by="class", boundary=2.0, points=2.0))
    value = head.loss(answers(lambda sites: sites.place[:, :1] * slope), batch)
    value.backward()
    assert value.item() == 0
    assert (slope.grad == 0).all()
    assert head.metrics()["loss"] == 0
    assert np.isnan(head.metrics()["accuracy"])


def test_predictions_are_in_the_order_of_the_sites_with_their_truth(drawn, oracle):
    batch = drawn(EMPTY, PICTURE)
    found = SegmentationHead().predict(oracle(batch), batch)
    image, _, _, row, column = batch["images"].nonzero().T.numpy()
    np.testing.assert_array_equal(found["image"], image)
    np.testing.assert_array_equal(found["place"], np.stack([row, column], axis=1))
    letters = [PICTURE[r][c] for r, c in zip(row, column, strict=True)]
    classes = ["hmscdo".index(letter.lower()) for letter in letters]
    assert found["semantic"].tolist() == classes
    assert found["semantic"].dtype == np.uint8
    assert found["instance"].dtype == np.int16
    assert (found["instance"] == -1).tolist() == [letter == "o" for letter in letters]
    known = found["semantic"] < 5
    assert found["scores"].shape == (len(image), 5)
    assert found["scores"].dtype == np.float32
    np.testing.assert_array_equal(found["scores"].argmax(axis=1)[known], found["semantic"][known])
    np.testing.assert_allclose(found["scores"].sum(axis=1), 1, rtol=1e-6)
    # All touch another class; the noise, that touches showers, does not count.
    assert found["boundary"].tolist() == known.tolist()


def test_nothing_is_predicted_of_nothing(drawn, oracle):
    batch = drawn(EMPTY)
    found = SegmentationHead().predict(oracle(batch), batch)
    assert {name: column.shape for name, column in found.items()} == {
        "image": (0,), "place": (0, 2), "scores": (0, 5), "semantic": (0,), "instance": (0,),
        "boundary": (0,),
    }  # fmt: skip


@LOSSES
def test_a_linear_layer_learns_classes_from_brightness(drawn, loss):
    torch.manual_seed(1)
    batch = drawn(["hhhmmmmmmm", "..h.ssssss"])
    batch["images"][:, 0, 0] = batch["truth"][:, 0, 0]

    class Linear(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.Sequential(nn.Linear(1, 32), nn.ReLU(), nn.Linear(32, 5))

        def forward(self, inputs):
            sites, values = Sites.occupied(inputs.images.flatten(0, 1))
            return AtSites(sites, self.layers(values))

    network, head = Linear(), SegmentationHead(loss, PixelWeights(by="class"))
    optimiser = torch.optim.Adam(network.parameters(), lr=0.05)
    for _ in range(60):
        optimiser.zero_grad()
        head.loss(network, batch).backward()
        optimiser.step()
    head.reset()
    head.loss(network, batch)
    assert head.metrics()["accuracy"] == 1
