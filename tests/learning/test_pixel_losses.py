import math

import pytest
import torch

from hepcnn.learning.heads.pixel_losses import PIXEL_LOSSES, cross_entropy, dice, focal

LOSSES = pytest.mark.parametrize("loss", PIXEL_LOSSES.values(), ids=PIXEL_LOSSES.keys())


@pytest.fixture
def pixels():
    """Logits, classes (one unknown) and weights of six pixels."""
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(6, 3, generator=generator, dtype=torch.float64)
    return logits, torch.tensor([0, 1, 2, -1, 1, 0]), torch.rand(6, generator=generator)


def test_cross_entropy_and_focal_loss_by_hand():
    """p = 3/4 and 1/4 for the true class; the third pixel does not count."""
    logits = torch.tensor([[math.log(3), 0], [math.log(3), 0], [9.0, -9.0]])
    label, weight = torch.tensor([0, 1, -1]), torch.tensor([1.0, 2.0, 5.0])
    expected = (-math.log(0.75) - 2 * math.log(0.25)) / 2
    assert cross_entropy(logits, label, weight).item() == pytest.approx(expected)
    expected = (-math.log(0.75) * 0.25**2 - 2 * math.log(0.25) * 0.75**2) / 2
    assert focal(logits, label, weight).item() == pytest.approx(expected)


def test_dice_by_hand():
    """One pixel of each of two classes, p = 3/4 and 1/4 for class 0; class 2 does not occur."""
    logits = torch.tensor([[0.75, 0.25, 1e-30], [0.25, 0.75, 1e-30]]).log()
    squares = 0.75**2 + 0.25**2
    expected = 1 - 2 * 0.75 / (squares + 1)
    loss = dice(logits, torch.tensor([0, 1]), torch.ones(2))
    assert loss.item() == pytest.approx(expected)


@LOSSES
def test_perfect_logits_lose_nothing(loss):
    label = torch.tensor([0, 1, 2, -1, 1])
    logits = 50.0 * torch.nn.functional.one_hot(label.clamp(min=0), 3)
    assert loss(logits, label, torch.rand(5)).item() == pytest.approx(0, abs=1e-6)
    assert loss(-logits, label, torch.ones(5)).item() > 0.9


@LOSSES
def test_order_and_pixels_of_no_class_do_not_matter(loss, pixels):
    logits, label, weight = pixels
    order = torch.tensor([4, 2, 5, 0, 1])
    torch.testing.assert_close(
        loss(logits[order], label[order], weight[order]), loss(logits, label, weight)
    )


@LOSSES
def test_gradients_are_those_of_finite_differences(loss, pixels):
    logits, label, weight = pixels
    leaf = logits.clone().requires_grad_()
    loss(leaf, label, weight).backward()
    assert (leaf.grad[3] == 0).all()
    step = torch.zeros_like(logits)
    step[1, 2] = 1e-2
    slope = (loss(logits + step, label, weight) - loss(logits - step, label, weight)) / 2e-2
    assert leaf.grad[1, 2].item() == pytest.approx(slope.item(), rel=1e-2, abs=1e-5)


@LOSSES
@pytest.mark.parametrize("pixels", [0, 4])
def test_nothing_that_counts_loses_nothing(loss, pixels):
    logits = torch.randn(pixels, 5, requires_grad=True)
    value = loss(logits, torch.full((pixels,), -1), torch.zeros(pixels))
    value.backward()
    assert value.item() == 0
    assert (logits.grad == 0).all()


@LOSSES
def test_extreme_logits_stay_finite(loss):
    logits = torch.tensor([[1e4, -1e4], [-1e4, 1e4]], requires_grad=True)
    value = loss(logits, torch.tensor([0, 0]), torch.ones(2))
    value.backward()
    assert value.isfinite()
    assert logits.grad.isfinite().all()
