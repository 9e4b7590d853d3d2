"""What our network must and must not see."""

import pytest
import torch

from hepcnn.networks.aligned import Ridge, _weighed
from hepcnn.networks.inputs import Inputs
from hepcnn.networks.registry import Shape, build

SHAPE = Shape(2, 2, 64, 16, features=2, hypotheses=3)


@pytest.fixture
def network():
    torch.manual_seed(1)
    return build("aligned", SHAPE, 3, rows=5).eval()


@pytest.fixture
def inputs(make_inputs):
    """Hits and expected rows in the middle of the images, for there to be room to move."""
    inputs = make_inputs(SHAPE, batch=7)
    inputs.images[..., :20, :] = 0
    inputs.images[..., 44:, :] = 0
    inputs.expected[..., 0] = 26 + inputs.expected[..., 0] / 5
    return inputs


@pytest.mark.parametrize("rows", [-13, 4, 14])
def test_a_ring_moved_with_its_expected_row_scores_the_same(network, inputs, rows):
    expected = inputs.expected.clone()
    expected[..., 0] += rows
    moved = inputs._replace(images=inputs.images.roll(rows, dims=3), expected=expected)
    torch.testing.assert_close(network(moved), network(inputs))
    alone = inputs._replace(expected=expected)
    assert (network(alone) - network(inputs)).abs().max() > 0.01


def test_hypotheses_swapped_are_scores_swapped(network, inputs):
    order = [1, 0, 2]
    swapped = inputs._replace(expected=inputs.expected[:, :, order])
    torch.testing.assert_close(network.scores(swapped), network.scores(inputs)[:, order])


def test_it_begins_as_the_best_likelihood_and_corrects_it(make_inputs):
    """At first it says nothing of its own; what it learns of hits is on top of that."""
    shape = SHAPE._replace(likelihoods=2)
    network, inputs = build("aligned", shape, 3, rows=5), make_inputs(shape, batch=7)
    best = inputs.log_likelihood[:, 1]
    torch.testing.assert_close(network(inputs), best, rtol=0.1, atol=0.0)  # but for the limit
    other = inputs._replace(images=inputs.images.roll(1, dims=0))
    torch.testing.assert_close(network(other), network(inputs))
    far = inputs._replace(log_likelihood=torch.full((7, 2, 3), -1e6))
    assert (network(far) == -50).all()
    loss = torch.nn.functional.cross_entropy(network(inputs), torch.zeros(7, dtype=torch.int64))
    loss.backward()
    assert network.score.weight.grad.abs().max() > 0
    assert network.direct.weight.grad[0, -2:].abs().min() > 0


def test_swapped_hypotheses_swap_what_likelihoods_say_of_them(make_inputs):
    shape = SHAPE._replace(likelihoods=2)
    network, inputs, order = build("aligned", shape, 3), make_inputs(shape, batch=7), [1, 0, 2]
    torch.nn.init.normal_(network.score.weight)
    swapped = inputs._replace(
        expected=inputs.expected[:, :, order], log_likelihood=inputs.log_likelihood[:, :, order]
    )
    torch.testing.assert_close(network.scores(swapped), network.scores(inputs)[:, order])


def test_it_can_be_kept_from_the_likelihoods(make_inputs):
    shape = SHAPE._replace(likelihoods=2)
    network, inputs = build("aligned", shape, 3, analytic=False), make_inputs(shape, batch=7)
    other = inputs._replace(log_likelihood=inputs.log_likelihood + 3)
    torch.testing.assert_close(network(other), network(inputs), rtol=0, atol=0)


def test_views_are_told_apart(network, inputs):
    swapped = inputs._replace(images=inputs.images.flip(1), expected=inputs.expected.flip(1))
    assert (network(swapped) - network(inputs)).abs().max() > 0.01


def test_a_hypothesis_without_light_is_not_looked_for(network, inputs):
    """It has the same score whatever the image; but not that of one whose ring is not there."""
    inputs.expected[:, :, 1] = torch.tensor([-1.0, 0.0])
    images = inputs.images.roll(1, dims=0)
    first, second = network.scores(inputs), network.scores(inputs._replace(images=images))
    torch.testing.assert_close(first[:, 1], second[:, 1])
    assert (first[:, 0] - second[:, 0]).abs().min() > 1e-4
    inputs.expected[:, :, 1, 0] = 60
    assert not torch.allclose(network.scores(inputs)[:, 1], first[:, 1])


def test_what_is_outside_of_the_window_or_the_image_is_nothing(network, inputs):
    """Rings at the edges work; far beyond them there is nothing to see."""
    inputs.expected[:, :, :, 0] = torch.tensor([0.2, 30.0, 63.9])
    inputs.images[..., :, :] = 1
    assert network(inputs).isfinite().all()
    inputs.expected[:, :, :, 0] = 200
    beyond = network(inputs)
    torch.testing.assert_close(network(inputs._replace(images=inputs.images * 0)), beyond)


def delta(row, shape=(32, 8)):
    """A filter that is 1 on the hits in the expected row, and what it gives of random images."""
    ridge = Ridge(1, shape[1], rows=2, filters=1, harmonics=1)
    ridge.filters.data.zero_()
    ridge.filters.data[0, 2, 0] = 1
    images = torch.rand(1, 1, *shape, generator=torch.Generator().manual_seed(2))
    return images[0, 0], ridge.filtered(images, torch.tensor([[row]]))[0, 0]


@pytest.mark.parametrize(
    ("row", "first", "weight"), [(10.5, 10, 0), (10.75, 10, 0.25), (11.25, 10, 0.75), (31.5, 31, 0)]
)
def test_the_image_is_interpolated_between_the_middles_of_rows(row, first, weight):
    image, found = delta(row)
    expected = (1 - weight) * image[first] + (weight * image[first + 1] if weight else 0)
    torch.testing.assert_close(found, expected)


def test_outside_the_image_are_zeros():
    image, found = delta(0.25)
    torch.testing.assert_close(found, 0.75 * image[0])
    image, found = delta(31.75)
    torch.testing.assert_close(found, 0.75 * image[31])


def test_hits_count_less_where_more_is_expected():
    """n hits of equal background count n times; where nothing is expected they count in full."""
    hits = torch.tensor([1.0, 1, 1, 2, 0])
    others = torch.tensor([0, 0.25, 1, 0.5, 0])
    weighed = _weighed(torch.stack([hits, others]).reshape(1, 2, 1, 5))[0, 0]
    torch.testing.assert_close(weighed[0], hits)
    for strength, found in zip((1 / 16, 1 / 4, 1), weighed[1:], strict=True):
        wanted = [1, strength / (strength + 0.25), strength / (strength + 1), 2 * found[1], 0]
        torch.testing.assert_close(found, torch.tensor(wanted))


def test_a_turned_ring_has_the_same_sums_and_powers():
    """The rest of the numbers tell where it is turned to."""
    torch.manual_seed(1)
    ridge = Ridge(1, 16, rows=2, filters=3, harmonics=2)
    images, row = torch.rand(4, 1, 20, 16), torch.full((4, 1), 10.2)
    told, turned = ridge(images, row)[:, 0], ridge(images.roll(5, dims=3), row)[:, 0]
    assert told.shape == (4, ridge.outputs) == (4, 3 * (5 + 2 + 2))
    torch.testing.assert_close(told[:, [0, 5, 10]], turned[:, [0, 5, 10]])
    torch.testing.assert_close(told[:, 15:], turned[:, 15:], rtol=1e-4, atol=1e-5)
    assert (told - turned).abs()[:, [1, 2, 3, 4]].max() > 0.01


def test_16_bits_leave_the_interpolation_alone(network, inputs):
    with torch.autocast("cpu", torch.bfloat16):
        coarse = network(inputs)
        ridge, row = network.views[0], inputs.expected[:, 0, :, 0]
        filtered = ridge.filtered(inputs.images[:, 0], row)
    fine = network(inputs)
    torch.testing.assert_close(filtered, ridge.filtered(inputs.images[:, 0], row), rtol=0, atol=0)
    torch.testing.assert_close(coarse.float(), fine, rtol=0.05, atol=0.02)


def test_begins_without_an_opinion_on_species(inputs):
    """No class is much more probable than another before anything is learnt."""
    for seed in range(5):
        torch.manual_seed(seed)
        probable = build("aligned", SHAPE, 3)(inputs).softmax(dim=1)
        assert 0.2 < probable.mean(dim=0).min() < probable.mean(dim=0).max() < 0.5


def test_learns_which_ring_is_there():
    """Wherever the three expected rings are, on noise."""
    torch.manual_seed(3)
    shape = Shape(1, 1, 64, 16, hypotheses=3)
    network = build("aligned", shape, 3)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)

    def examples(n):
        rows = 4 + 56 * torch.rand(n, 3)
        label = torch.randint(0, 3, (n,))
        image = (torch.rand(n, 64, 16) < 0.1).float()
        ring = rows.gather(1, label[:, None]).long().squeeze(1)
        image[torch.arange(n), ring] += (torch.rand(n, 16) < 0.4).float()
        expected = torch.stack([rows, torch.full_like(rows, 6)], dim=-1)[:, None]
        return Inputs.alone(image[:, None, None])._replace(expected=expected), label

    for _ in range(60):
        inputs, label = examples(128)
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(inputs), label).backward()
        optimizer.step()
    inputs, label = examples(1000)
    assert (network.eval()(inputs).argmax(dim=1) == label).float().mean() > 0.85
