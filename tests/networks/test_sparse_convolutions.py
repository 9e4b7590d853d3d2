"""Sparse convolutions are dense ones at the occupied sites."""

import pytest
import torch
from torch.nn import functional

from hepcnn.networks.sparse import functions
from hepcnn.networks.sparse.functions import inverse, strided, submanifold
from hepcnn.networks.sparse.layers import (
    InverseConv,
    SiteNorm,
    SparseResidual,
    StridedConv,
    SubmanifoldConv,
)
from hepcnn.networks.sparse.sites import Sites

DENSE = {2: functional.conv2d, 3: functional.conv3d}
TRANSPOSED = {2: functional.conv_transpose2d, 3: functional.conv_transpose3d}
SHAPES = [(6, 8), (5, 7), (4, 3, 6), (3, 5, 5)]


@pytest.fixture(params=["kernels", "tables"])
def way(request, device, monkeypatch):
    """Where to compute; on a CPU in both ways: its own, and that of other devices."""
    if request.param == "tables":
        if device.type != "cpu":
            pytest.skip("other devices have one way")
        monkeypatch.setattr(functions, "_compiled", lambda values: False)
    return device


def images(shape, count=3, channels=2, seed=1):
    """Random images in 64 bits, one of them empty."""
    numbers = torch.Generator().manual_seed(seed)
    dense = torch.randn(count, channels, *shape, generator=numbers, dtype=torch.float64)
    dense *= torch.rand(count, 1, *shape, generator=numbers) < 0.3
    dense[1] = 0
    return dense


def weights(size, dimensions, device, inputs=2, outputs=3):
    numbers = torch.Generator().manual_seed(5)
    drawn = torch.randn(size**dimensions, inputs, outputs, generator=numbers, dtype=torch.float64)
    return drawn.to(device).requires_grad_()


def kernel(weight, size, dimensions):
    """Weights (places, inputs, outputs) as dense convolutions have them: (outputs, inputs, …)."""
    return weight.permute(2, 1, 0).unflatten(-1, (size,) * dimensions)


def even(dense):
    """Pad to whole pairs of rows and columns."""
    return functional.pad(dense, [n for size in dense.shape[:1:-1] for n in (0, size % 2)])


def at(sites, dense):
    return dense.movedim(1, -1)[sites.image, *sites.place.unbind(1)]


def same_with_gradients(ours, theirs, leaves):
    """Compare two results, and the gradients of a quantity of both."""
    torch.testing.assert_close(ours, theirs)
    pull = torch.linspace(-1, 1, ours.numel(), dtype=ours.dtype, device=ours.device).view_as(ours)
    for a, b in zip(
        torch.autograd.grad((ours * pull).sum(), leaves),
        torch.autograd.grad((theirs * pull).sum(), leaves),
        strict=True,
    ):
        assert a.abs().max() > 0
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("shape", SHAPES)
def test_submanifold_is_the_dense_convolution_at_the_sites(shape, way):
    sites, values = Sites.occupied(images(shape).to(way))
    values.requires_grad_()
    weight = weights(3, len(shape), way)
    dense = DENSE[len(shape)](sites.dense(values), kernel(weight, 3, len(shape)), padding=1)
    same_with_gradients(submanifold(values, weight, sites), at(sites, dense), [values, weight])


@pytest.mark.parametrize("shape", SHAPES)
def test_strided_is_the_dense_convolution_at_the_coarser_sites(shape, way):
    sites, values = Sites.occupied(images(shape).to(way))
    values.requires_grad_()
    weight, coarser = weights(2, len(shape), way), sites.coarser
    dense = DENSE[len(shape)](even(sites.dense(values)), kernel(weight, 2, len(shape)), stride=2)
    ours = strided(values, weight, coarser)
    assert torch.equal(coarser.sites.dense(ours) != 0, dense != 0)
    same_with_gradients(ours, at(coarser.sites, dense), [values, weight])


@pytest.mark.parametrize("shape", SHAPES)
def test_inverse_is_the_transposed_convolution_at_the_sites(shape, way):
    sites, _ = Sites.occupied(images(shape).to(way))
    coarser = sites.coarser
    count = len(coarser.sites)
    values = torch.randn(count, 2, dtype=torch.float64, device=way, requires_grad=True)
    weight = weights(2, len(shape), way)
    transposed = kernel(weight, 2, len(shape)).transpose(0, 1)
    dense = TRANSPOSED[len(shape)](coarser.sites.dense(values), transposed, stride=2)
    same_with_gradients(inverse(values, weight, coarser), at(sites, dense), [values, weight])


@pytest.mark.parametrize("shape", [(5, 6), (3, 3, 4)])
@pytest.mark.parametrize("function", [submanifold, strided, inverse])
def test_gradients_are_those_of_small_changes(function, shape, way):
    sites, _ = Sites.occupied(images(shape).to(way))
    where = sites if function is submanifold else sites.coarser
    count = len(sites.coarser.sites) if function is inverse else len(sites)
    values = torch.randn(count, 2, dtype=torch.float64, device=way, requires_grad=True)
    weight = weights(3 if function is submanifold else 2, len(shape), way)
    assert torch.autograd.gradcheck(lambda v, w: function(v, w, where), (values, weight))


def test_only_what_is_needed_has_a_gradient(way):
    sites, values = Sites.occupied(images((5, 6)).to(way))
    for function, size, where in ((submanifold, 3, sites), (strided, 2, sites.coarser)):
        weight = weights(size, 2, way)
        function(values, weight, where).sum().backward()
        assert values.grad is None
        assert weight.grad.abs().sum() > 0


@pytest.mark.parametrize("dimensions", [2, 3])
def test_images_do_not_see_one_another(dimensions):
    torch.manual_seed(1)
    dense = images((6, 5, 4)[:dimensions], count=5).float()
    first, down = SubmanifoldConv(2, 4, dimensions), StridedConv(4, 5, dimensions)
    up = InverseConv(5, 4, dimensions)

    def maps(dense):
        sites, values = Sites.occupied(dense)
        return sites.dense(up(down(first(values, sites), sites.coarser), sites.coarser))

    order = torch.tensor([3, 1, 4, 0, 2])
    torch.testing.assert_close(maps(dense[order]), maps(dense)[order], rtol=0, atol=1e-6)
    alone = torch.cat([maps(image[None]) for image in dense])
    torch.testing.assert_close(alone, maps(dense), rtol=0, atol=1e-6)


def test_a_shift_by_an_even_number_of_pixels_shifts_what_is_found():
    torch.manual_seed(1)
    dense = torch.zeros(1, 1, 16, 16)
    dense[0, 0, 2:7, 3:9] = torch.rand(5, 6) * (torch.rand(5, 6) < 0.5)
    shifted = dense.roll((4, 6), dims=(2, 3))
    first, down = SubmanifoldConv(1, 4), StridedConv(4, 5)

    def coarse(dense):
        sites, values = Sites.occupied(dense)
        return sites.coarser.sites.dense(down(first(values, sites), sites.coarser))

    assert coarse(dense).abs().max() > 0
    torch.testing.assert_close(coarse(shifted), coarse(dense).roll((2, 3), dims=(2, 3)))


def case(function, inputs, outputs, dimensions=2):
    """Random values and weights in 64 bits of some thousands of sites, and what else is needed."""
    sites, _ = Sites.occupied(images((60, 60, 20)[:dimensions], count=12 // dimensions))
    where = sites if function is submanifold else sites.coarser
    count = len(sites.coarser.sites) if function is inverse else len(sites)
    numbers = torch.Generator().manual_seed(7)
    places = (3 if function is submanifold else 2) ** dimensions
    draw = {"generator": numbers, "dtype": torch.float64, "requires_grad": True}
    values = torch.randn(count, inputs, **draw)
    return values, torch.randn(places, inputs, outputs, **draw), where


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize(
    ("inputs", "outputs"), [(1, 16), (7, 8), (8, 16), (9, 17), (20, 35), (32, 48)]
)
@pytest.mark.parametrize("function", [submanifold, strided, inverse])
def test_blocks_of_any_width_give_what_tables_give(
    function, inputs, outputs, dimensions, monkeypatch
):
    values, weight, where = case(function, inputs, outputs, dimensions)
    ours = function(values, weight, where)
    again = torch.autograd.grad(ours.sum(), weight, retain_graph=True)
    assert torch.equal(*again, *torch.autograd.grad(ours.sum(), weight, retain_graph=True))
    short = function(values.float(), weight.float(), where)
    assert (short - ours).abs().max() < 1e-5 * ours.abs().max()
    monkeypatch.setattr(functions, "_compiled", lambda values: False)
    same_with_gradients(ours, function(values, weight, where), [values, weight])


@pytest.mark.parametrize("function", [submanifold, strided, inverse])
def test_16_bits_are_near_to_32(function):
    values, weight, where = case(function, 8, 8)
    exact = function(values, weight, where)
    short = function(values.bfloat16(), weight.bfloat16(), where)
    assert short.dtype == torch.bfloat16
    (to_weight,) = torch.autograd.grad(exact.square().sum(), weight)
    (short_to_weight,) = torch.autograd.grad(short.double().square().sum(), weight)
    # 8 bits each of values, weights and sums
    for found, wanted in ((short.double(), exact), (short_to_weight, to_weight)):
        assert (found - wanted).abs().max() < 0.02 * wanted.abs().max()


@pytest.mark.parametrize("function", [submanifold, strided, inverse])
def test_on_a_cpu_autocast_computes_in_32_bits(function):
    values, weight, where = case(function, 8, 8)
    exact = function(values.float(), weight.float(), where)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(function(values.float(), weight.float(), where), exact)
        assert function(values.bfloat16(), weight.float(), where).dtype == torch.float32
        assert function(values, weight, where).dtype == torch.float64


@pytest.mark.parametrize("sites", [0, 1])
def test_normalisation_of_too_few_sites_takes_the_running_statistics(sites):
    norm = SiteNorm(3)
    norm(5 + 2 * torch.randn(100, 3))
    mean, variance = norm.running_mean.clone(), norm.running_var.clone()
    values = torch.randn(sites, 3, requires_grad=True)
    result = norm(values)
    torch.testing.assert_close(result, (values - mean) / (variance + norm.eps).sqrt())
    assert torch.equal(norm.running_mean, mean)
    assert torch.equal(norm.running_var, variance)
    result.sum().backward()
    assert values.grad.shape == values.shape
    assert norm.weight.grad.isfinite().all()


def test_normalisation_is_over_all_sites():
    norm, values = SiteNorm(3), 7 + 3 * torch.randn(500, 3)
    seen = norm(values)
    torch.testing.assert_close(seen.mean(dim=0), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(seen.var(dim=0, correction=0), torch.ones(3), atol=1e-3, rtol=0)
    torch.testing.assert_close(norm.running_mean, 0.1 * values.mean(dim=0))


@pytest.mark.parametrize("dimensions", [2, 3])
def test_a_residual_block_adds_to_what_it_is_given(dimensions):
    sites, values = Sites.occupied(images((4, 5, 3)[:dimensions]).float())
    same = SparseResidual(2, 2, dimensions)
    torch.nn.init.zeros_(same.conv2.weight)
    assert torch.equal(same(values, sites), values)
    wider = SparseResidual(2, 6, dimensions)
    torch.nn.init.zeros_(wider.conv2.weight)
    torch.testing.assert_close(wider(values, sites), values @ wider.projection.weight.t())


def test_weights_keep_the_variance():
    """Full images of noise, rectified: what comes in with a mean square of 1/2 leaves with 1."""
    torch.manual_seed(1)
    sites, values = Sites.occupied(torch.randn(8, 32, 16, 16))
    values = values.relu()
    torch.manual_seed(2)
    coarser = sites.coarser
    down = StridedConv(32, 32)(values, coarser)
    for result in (SubmanifoldConv(32, 32)(values, sites), down):
        assert 0.75 < result.square().mean() < 1.1
    assert 0.8 < InverseConv(32, 32)(values[: len(coarser.sites)], coarser).square().mean() < 1.2
