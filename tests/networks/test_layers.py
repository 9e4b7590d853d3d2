import pytest
import torch
from torch import nn

from hepcnn.networks.layers import Dropout, Flatten


@pytest.mark.parametrize("rate", [0.25, 0.5, 0.1])
@pytest.mark.parametrize("format", [torch.contiguous_format, torch.channels_last])
def test_dropout_keeps_the_mean_and_drops_at_its_rate(rate, format):
    torch.manual_seed(2)
    images = torch.ones(100, 3, 31, 33).to(memory_format=format)
    dropped = Dropout(rate)(images)
    assert dropped.stride() == images.stride()
    assert (dropped == 0).float().mean().item() == pytest.approx(rate, abs=0.004)  # 4 sigmas
    assert dropped[dropped > 0].unique().item() == pytest.approx(1 / (1 - rate))


def test_dropout_draws_elements_independently():
    torch.manual_seed(3)
    kept = (Dropout(0.5)(torch.ones(1 << 18)) > 0).float()
    correlations = [((kept[lag:] - 0.5) * (kept[:-lag] - 0.5)).mean() * 4 for lag in range(1, 17)]
    assert max(abs(c.item()) for c in correlations) < 4 / (1 << 9)


def test_dropout_gradient_has_the_mask_of_the_output():
    images = torch.ones(7, 5, requires_grad=True)
    dropped = Dropout(0.25)(images)
    dropped.sum().backward()
    torch.testing.assert_close(images.grad, dropped.detach())


def test_dropout_rests_outside_training():
    images = torch.rand(3, 3)
    assert Dropout(0.25).eval()(images) is images
    torch.manual_seed(1)
    first = Dropout(0.25)(images)
    torch.manual_seed(1)
    torch.testing.assert_close(first, Dropout(0.25)(images), rtol=0, atol=0)
    assert isinstance(Dropout(0.25), nn.Dropout)


def test_flatten_is_keras_order_without_a_copy():
    maps = torch.arange(2 * 3 * 4 * 5.0).reshape(2, 3, 4, 5).to(memory_format=torch.channels_last)
    flat = Flatten()(maps)
    assert flat[1, (2 * 5 + 3) * 3 + 1] == maps[1, 1, 2, 3]
    assert flat.data_ptr() == maps.data_ptr()
