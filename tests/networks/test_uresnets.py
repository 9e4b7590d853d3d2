"""The sparse U-ResNet is the dense one where there is something."""

import itertools

import pytest
import torch
from torch import nn
from torch.nn import functional
from waits import Reads, Waits

from hepcnn.networks.inputs import Inputs, SparseViews
from hepcnn.networks.pixels.output import at_sites, padded
from hepcnn.networks.pixels.sparse_uresnet import dense_weights, sparse_weights
from hepcnn.networks.registry import Shape, build
from hepcnn.networks.sparse import functions
from hepcnn.networks.sparse.sites import Sites

PLANES = Shape(2, 3, 21, 34)
VOXELS = Shape(1, 2, 9, 12, depth=7)
SMALL = {"levels": 3, "filters": 4, "blocks": 2}
CONVOLUTIONS = (nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.ConvTranspose3d)


def hits(shape, occupancy, batch=3):
    images = torch.randn(batch, shape.views, shape.channels, *shape.sides, dtype=torch.float64)
    occupied = torch.rand(batch, shape.views, 1, *shape.sides) < occupancy
    inputs = Inputs.zeros(shape, batch)
    return inputs._replace(images=(images * occupied).requires_grad_())


def twins(shape, **options):
    """A sparse network with statistics as after a training, and the dense one of its weights."""
    torch.manual_seed(3)
    sparse = build("sparse_uresnet", shape, 5, **SMALL | options).double()
    for module in sparse.modules():
        if isinstance(module, nn.BatchNorm1d):
            nn.init.uniform_(module.running_mean, -1, 1)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 2)
            nn.init.uniform_(module.bias, -1, 1)
    dense = build("uresnet", shape, 5, **SMALL | options).double()
    dense.load_state_dict(dense_weights(sparse.state_dict()))
    return sparse, dense


def empty_pixels_stay_empty(dense, images):
    """Let each convolution of a dense network see 0 where no pixel is occupied."""
    levels = len(dense.u.downs) + 1
    occupied = padded(images.detach().flatten(0, 1), 2 ** (levels - 1)).any(dim=1, keepdim=True)
    mask, masks = occupied.double(), {}
    pool = {4: functional.max_pool2d, 5: functional.max_pool3d}[mask.ndim]
    for _ in range(levels):
        masks[mask.shape[2:]] = mask
        mask = pool(mask, 2)

    def before(module, arguments):
        return arguments[0] * masks[arguments[0].shape[2:]]

    for module in dense.modules():
        if isinstance(module, CONVOLUTIONS):
            module.register_forward_pre_hook(before)


def run(network, inputs):
    """Outputs at the sites, and gradients of what they weigh: of parameters and of images."""
    inputs.images.grad = None
    values = network(inputs).values
    weights = torch.linspace(-1, 1, values.numel(), dtype=values.dtype).view_as(values)
    (values * weights).sum().backward()
    gradients = {name: p.grad for name, p in network.named_parameters()}
    return values.detach(), gradients, inputs.images.grad


@pytest.mark.parametrize("shape", [PLANES, VOXELS])
@pytest.mark.parametrize("occupancy", [0.02, 0.3])
def test_sparse_equals_dense_on_the_occupied_sites(shape, occupancy):
    sparse, dense = twins(shape)
    sparse.eval(), dense.eval()
    inputs = hits(shape, occupancy)
    empty_pixels_stay_empty(dense, inputs.images)
    (found, gradients, to_images), expected = run(sparse, inputs), run(dense, inputs)
    torch.testing.assert_close(found, expected[0], rtol=1e-10, atol=1e-10)
    gradients = dense_weights(gradients)
    assert gradients.keys() == expected[1].keys()
    for name, gradient in gradients.items():
        size = expected[1][name].abs().max()
        assert size > 0, name
        assert (gradient - expected[1][name]).abs().max() < 1e-10 * size, name
    torch.testing.assert_close(to_images, expected[2], rtol=1e-10, atol=1e-10)


def test_without_the_masks_they_differ():
    """What the test above would not see if the masks did nothing, or all pixels were occupied."""
    sparse, dense = twins(PLANES)
    inputs = hits(PLANES, 0.02)
    found, expected = sparse.eval()(inputs).values, dense.eval()(inputs).values
    assert (found - expected).abs().max() > 0.1


@pytest.mark.parametrize("shape", [Shape(2, 1, 16, 8), Shape(1, 1, 8, 8, depth=8)])
def test_on_full_images_they_are_one_network_in_training_too(shape):
    sparse, dense = twins(shape)
    inputs = hits(shape, 1.1)
    found, expected = run(sparse, inputs), run(dense, inputs)
    torch.testing.assert_close(found[0], expected[0])
    torch.testing.assert_close(dense_weights(found[1]), expected[1], rtol=1e-6, atol=1e-6)
    statistics = dense_weights(sparse.state_dict())
    for name, value in dense.state_dict().items():
        if "running" in name:
            torch.testing.assert_close(statistics[name], value)


@pytest.mark.parametrize("shape", [PLANES, VOXELS])
def test_weights_go_there_and_back(shape):
    sparse, dense = twins(shape)
    state = sparse.state_dict()
    back = sparse_weights(dense.state_dict())
    assert list(back) == list(state)
    assert all(torch.equal(back[name], state[name]) for name in state)


@pytest.mark.parametrize("name", ["uresnet", "sparse_uresnet"])
@pytest.mark.parametrize(
    ("shape", "outputs", "options", "parameters"),
    [
        (Shape(1, 1, 512, 512), 5, {}, 954_309),  # the prototype's
        (Shape(3, 1, 512, 512), 5, {}, 954_309),  # one set of weights for all views
        (Shape(1, 1, 128, 128, depth=128), 5, {}, 2_741_477),
        # stem, two convolutions, three normalisations, output
        (Shape(1, 2, 8, 8), 3, {"levels": 1, "filters": 4, "blocks": 1}, 72 + 288 + 24 + 15),
    ],
)
def test_parameters(name, shape, outputs, options, parameters):
    with torch.device("meta"):
        network = build(name, shape, outputs, **options)
    assert sum(p.numel() for p in network.parameters()) == parameters


def test_both_begin_with_weights_of_the_same_spread():
    torch.manual_seed(1)
    shape = Shape(1, 1, 64, 64)
    dense = build("uresnet", shape, 5).state_dict()
    sparse = dense_weights(build("sparse_uresnet", shape, 5).state_dict())
    for name, weight in dense.items():
        if weight.numel() > 2000:
            assert weight.std() / sparse[name].std() == pytest.approx(1, abs=0.1), name


def test_each_level_sees_twice_as_far():
    """A pixel feels another at a distance only through the coarser levels, and dense chains."""
    line = torch.zeros(1, 1, 1, 1, 64)
    line[..., 0] = 1
    line[..., 32:] = 1  # not connected: only a coarse enough level sees both

    def change(levels):
        torch.manual_seed(2)
        options = {"levels": levels, "filters": 4, "blocks": 1}
        network = build("sparse_uresnet", Shape(1, 1, 1, 64), 2, **options).eval()
        both = [network(Inputs.alone(line * scale)).values[-1] for scale in (1, first())]
        return (both[1] - both[0]).abs().max()

    def first():
        scale = torch.ones_like(line)
        scale[..., 0] = 3
        return scale

    assert change(2) == 0
    assert change(6) > 0


def test_dense_maps_are_read_at_the_sites():
    images = torch.zeros(2, 1, 3, 4)
    images[1, 0, 2, 3] = images[0, 0, 1, 2] = 1
    sites, _ = Sites.occupied(images)
    maps = torch.arange(2 * 5 * 3 * 4).view(2, 5, 3, 4)
    assert torch.equal(at_sites(maps, sites), torch.stack([maps[0, :, 1, 2], maps[1, :, 2, 3]]))


@pytest.mark.parametrize(("sides", "size"), list(itertools.product([(5, 8), (9, 17, 1)], [1, 8])))
def test_images_are_padded_at_their_ends(sides, size):
    images = torch.rand(2, 1, *sides)
    more = padded(images, size)
    assert all(side % size == 0 and side >= 2 * size for side in more.shape[2:])
    assert torch.equal(more[(..., *(slice(n) for n in sides))], images)
    assert more.sum() == pytest.approx(float(images.sum()), rel=1e-5)


@pytest.mark.parametrize("shape", [PLANES, VOXELS])
def test_a_step_waits_for_the_number_of_coarser_sites_alone(shape, device, monkeypatch):
    """Once a level; on a CPU this takes the way of a GPU."""
    monkeypatch.setattr(functions, "_compiled", lambda values: False)
    network = build("sparse_uresnet", shape, 5, **SMALL).to(device)
    images = SparseViews.of(hits(shape, 0.1).images.detach().float()).to(device)
    with Waits() as waits, Reads(waits.found):
        network(Inputs.alone(images)).values.sum().backward()
    assert waits.found == ["_unique2"] * (SMALL["levels"] - 1)


@pytest.mark.parametrize("shape", [PLANES, VOXELS])
def test_sites_instead_of_dense_images_give_the_same(shape):
    sparse, _ = twins(shape)
    inputs = hits(shape, 0.1)
    dense = sparse(inputs)
    sites = sparse(inputs._replace(images=SparseViews.of(inputs.images)))
    assert torch.equal(sites.sites.place, dense.sites.place)
    assert torch.equal(sites.values, dense.values)
