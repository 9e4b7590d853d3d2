"""Layers on the sites of sparse images; values are (N, features), one row a site."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from hepcnn.networks.sparse.functions import inverse, strided, submanifold
from hepcnn.networks.sparse.sites import Coarser, Sites


class _Convolution(nn.Module):
    """Weights (size**D, inputs, outputs), without a bias: normalisation follows.

    Drawn so that a signal keeps its variance through rectifiers (K. He et al., arXiv:1502.01852),
    if all places that a kernel sees are occupied.
    """

    def __init__(self, places: int, inputs: int, outputs: int, seen: int) -> None:
        super().__init__()
        spread = math.sqrt(2 / (seen * inputs))
        self.weight = nn.Parameter(torch.randn(places, inputs, outputs) * spread)

    def extra_repr(self) -> str:
        places, inputs, outputs = self.weight.shape
        return f"{inputs}, {outputs}, places={places}"


class SubmanifoldConv(_Convolution):
    """A 3**D convolution that gives values at the sites it is given, and nowhere else."""

    def __init__(self, inputs: int, outputs: int, dimensions: int = 2) -> None:
        super().__init__(3**dimensions, inputs, outputs, seen=3**dimensions)
        self._size = (3,) * dimensions

    @property
    def kernel(self) -> Tensor:
        """The weights as a dense convolution has them: (outputs, inputs, 3, 3)."""
        return self.weight.permute(2, 1, 0).unflatten(-1, self._size)

    def forward(self, values: Tensor, sites: Sites) -> Tensor:
        return submanifold(values, self.weight, sites)


class StridedConv(_Convolution):
    """A 2**D convolution of stride 2, to the coarser sites."""

    def __init__(self, inputs: int, outputs: int, dimensions: int = 2) -> None:
        super().__init__(2**dimensions, inputs, outputs, seen=2**dimensions)

    def forward(self, values: Tensor, coarser: Coarser) -> Tensor:
        return strided(values, self.weight, coarser)


class InverseConv(_Convolution):
    """The transposed convolution of stride 2, from coarser sites back to those they came from."""

    def __init__(self, inputs: int, outputs: int, dimensions: int = 2) -> None:
        super().__init__(2**dimensions, inputs, outputs, seen=1)

    def forward(self, values: Tensor, coarser: Coarser) -> Tensor:
        return inverse(values, self.weight, coarser)


class SiteNorm(nn.BatchNorm1d):
    """Batch normalisation over all sites of a batch.

    With a single site, or none, there is no variance: then the running mean and variance stand in,
    as in evaluation, and stay as they are. On several GPUs torch's SyncBatchNorm takes its place in
    training: over the sites of all of them, of which there must be two.
    """

    def forward(self, input: Tensor) -> Tensor:
        return functional.batch_norm(
            input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            training=self.training and len(input) > 1,
            momentum=0.1,
            eps=self.eps,
        )


class SparseResidual(nn.Module):
    """Two submanifold convolutions, each after normalisation and rectifier, added to their input.

    K. He et al., Identity mappings in deep residual networks, arXiv:1603.05027. Where the width
    changes, a matrix takes the input to the new one.
    """

    def __init__(self, inputs: int, outputs: int, dimensions: int = 2) -> None:
        super().__init__()
        self.norm1 = SiteNorm(inputs)
        self.conv1 = SubmanifoldConv(inputs, outputs, dimensions)
        self.norm2 = SiteNorm(outputs)
        self.conv2 = SubmanifoldConv(outputs, outputs, dimensions)
        same = inputs == outputs
        self.projection = nn.Identity() if same else nn.Linear(inputs, outputs, bias=False)

    def forward(self, values: Tensor, sites: Sites) -> Tensor:
        inside = self.conv1(functional.relu(self.norm1(values), inplace=True), sites)
        inside = self.conv2(functional.relu(self.norm2(inside), inplace=True), sites)
        return self.projection(values) + inside
