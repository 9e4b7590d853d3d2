"""Examples that networks are tried on."""

import pytest
import torch

from hepcnn.networks.inputs import Inputs


@pytest.fixture(autouse=True)
def _one_thread():
    """Threads only wait for one another on networks as small as these."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def make_inputs():
    """Random examples of a shape: sparse hits, features, and light expected in the images."""

    def maker(shape, batch=5, seed=1):
        numbers = torch.Generator().manual_seed(seed)
        views, channels, height, width, features, hypotheses, _, likelihoods = shape

        def rand(*sizes):
            return torch.rand(*sizes, generator=numbers)

        hits = (rand(batch, views, 1, height, width) < 0.3).float()
        others = hits * rand(batch, views, channels - 1, height, width)
        rows = 2 + (height - 4) * rand(batch, views, hypotheses)
        return Inputs(
            torch.cat([hits, others], dim=2),
            torch.randn(batch, features, generator=numbers),
            torch.stack([rows, 30 * rand(batch, views, hypotheses)], dim=-1),
            5 * torch.randn(batch, likelihoods, hypotheses, generator=numbers),
        )

    return maker
