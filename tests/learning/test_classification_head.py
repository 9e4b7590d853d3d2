import pytest
import torch

from hepcnn.learning.heads.classification import ClassificationHead


def test_loss_is_weighted_cross_entropy():
    torch.manual_seed(1)
    logits, label = torch.randn(10, 3), torch.arange(10) % 3
    weights = torch.tensor([1.0, 2.0, 0.5])
    head = ClassificationHead(weights)
    log_p = logits.log_softmax(dim=1)[torch.arange(10), label]
    torch.testing.assert_close(head(logits, label), -(weights[label] * log_p).mean())
    expected = -(weights[label] * log_p).sum() / weights[label].sum()
    assert head.metrics()["loss"] == pytest.approx(expected.item())


def test_metrics_are_those_of_all_batches_together():
    """Class 0: 3 of 4 right; class 1: 1 of 2; class 2 does not occur."""
    head = ClassificationHead(torch.ones(3))
    called = torch.tensor([0, 0, 0, 1, 1, 2])
    label = torch.tensor([0, 0, 0, 0, 1, 1])
    logits = torch.nn.functional.one_hot(called, 3) * 5.0
    for part in (slice(0, 4), slice(4, 6)):
        head(logits[part], label[part])
    metrics = head.metrics()
    assert metrics["accuracy"] == pytest.approx(4 / 6)
    assert metrics["balanced_accuracy"] == pytest.approx((3 / 4 + 1 / 2) / 2)
    doubled = head.metrics(lambda mine: mine * 2)
    assert doubled == pytest.approx(metrics)
    head.reset()
    head(logits[:1], label[:1])
    assert head.metrics()["accuracy"] == 1


def test_the_gradient_of_a_batch_is_the_mean_of_its_shares():
    """So that two processes do what one does, classes weighted or not."""
    torch.manual_seed(1)
    logits, label = torch.randn(8, 3, requires_grad=True), torch.tensor([0, 0, 1, 0, 2, 1, 0, 0])
    head = ClassificationHead(torch.tensor([0.3, 2.0, 4.0]))
    (whole,) = torch.autograd.grad(head(logits, label), logits)
    shares = (head(logits[::2], label[::2]) + head(logits[1::2], label[1::2])) / 2
    (shared,) = torch.autograd.grad(shares, logits)
    torch.testing.assert_close(whole, shared)
