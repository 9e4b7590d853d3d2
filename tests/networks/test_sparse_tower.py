"""The sparse tower, alone and under `siamese`."""

import pytest
import torch
from torch.nn import functional
from waits import Reads, Waits

from hepcnn.networks.inputs import Inputs, SparseViews
from hepcnn.networks.registry import Shape, build
from hepcnn.networks.single_image import trunk
from hepcnn.networks.sparse.layers import StridedConv, SubmanifoldConv
from hepcnn.networks.sparse.sites import SparseMaps
from hepcnn.networks.sparse_tower import sparse_tower

ONE, PLANES = Shape(1, 1, 40, 48), Shape(3, 1, 40, 48)
SMALL = {"filters": [4, 6, 8]}


def tower(shape=ONE, classes=3, **options):
    torch.manual_seed(1)
    return build("sparse_tower", shape, classes, **SMALL | options)


def siamese(**options):
    torch.manual_seed(1)
    return build("siamese", PLANES, 3, backbone="sparse_tower", backbone_options=SMALL, **options)


def lines(shape, batch=6, seed=1):
    """Images with a straight line each, as long as its number in the batch is high."""
    numbers = torch.Generator().manual_seed(seed)
    inputs = Inputs.zeros(shape, batch)
    for image in inputs.images:
        for view in image:
            start, slope = torch.rand(2, generator=numbers)
            column = torch.arange(shape.width // 2)
            row = (shape.height * (0.2 + 0.5 * start) + 0.4 * column * (slope - 0.5)).long()
            view[0, row, column] = 0.1 + torch.rand(len(column), generator=numbers)
    return inputs


def on(inputs, order):
    return inputs._replace(images=inputs.images[order])


def test_it_computes_what_dense_layers_do_at_the_sites():
    """Stage by stage, with the dense maps put to 0 where nothing is."""
    shape = Shape(1, 1, 21, 18)
    network = tower(shape, filters=[4, 6], blocks=1).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            module.running_mean.uniform_(-1, 1)
            module.running_var.uniform_(0.5, 2)
    inputs = lines(shape)
    dense = inputs.images[:, 0]
    occupied = (dense != 0).double()

    def at_sites(maps):
        return maps * occupied

    def normalised(norm, maps):
        return at_sites(
            norm.double()(maps.movedim(1, -1).flatten(0, 2))
            .relu_()
            .view(len(maps), *maps.shape[2:], -1)
            .movedim(-1, 1)
        )

    def convolved(conv, maps, **how):
        kernel = conv.weight.double().permute(2, 1, 0)
        side = {SubmanifoldConv: 3, StridedConv: 2}[type(conv)]
        return functional.conv2d(maps, kernel.unflatten(-1, (side, side)), **how)

    reference = convolved(network.stem[0], dense.double(), padding=1)
    for number in (1, 2):
        if number == 2:
            down = network.down2
            padded = functional.pad(normalised(down.norm, reference), (0, 0, 0, 1))
            occupied = functional.max_pool2d(functional.pad(occupied, (0, 0, 0, 1)), 2)
            reference = convolved(down.conv, padded, stride=2)
        (block,) = getattr(network, f"stage{number}")
        inside = convolved(block.conv1, normalised(block.norm1, at_sites(reference)), padding=1)
        inside = convolved(block.conv2, normalised(block.norm2, at_sites(inside)), padding=1)
        reference = at_sites(reference + inside)
    last = normalised(network.pool.norm, reference)
    counts = occupied.sum(dim=(2, 3))
    seen = [last.sum(dim=(2, 3)) / counts, last.amax(dim=(2, 3)), counts.log1p()]
    expected = network.output.double()(torch.cat(seen, dim=1))
    torch.testing.assert_close(network.float()(inputs).double(), expected, rtol=1e-4, atol=1e-5)


def test_the_order_of_the_images_orders_the_outputs():
    network, inputs = tower().eval(), lines(ONE)
    order = torch.tensor([4, 2, 0, 5, 1, 3])
    torch.testing.assert_close(network(on(inputs, order)), network(inputs)[order])


def test_an_empty_image_gives_zeros_and_leaves_the_others_alone():
    network, width = trunk("sparse_tower", ONE, SMALL)
    network.eval()
    images = lines(ONE).images[:, 0]
    full = network(images)
    images[2] = 0
    found = network(images)
    assert width == found.shape[1] == 2 * 8 + 1
    assert torch.equal(found[2], torch.zeros(width))
    others = [0, 1, 3, 4, 5]
    torch.testing.assert_close(found[others], full[others])
    assert (full[:, -1] > 0).all()


@pytest.mark.parametrize("occupied", [0, 1, 2])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shared", [True, False])
def test_next_to_nothing_in_a_whole_batch(occupied, training, shared):
    network = siamese(shared=shared).train(training)
    inputs = Inputs.zeros(PLANES, 4)
    inputs.images[0, 1, 0, 17, :occupied] = 1
    output = network(inputs)
    assert output.isfinite().all()
    functional.cross_entropy(output, torch.arange(4) % 3).backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in network.parameters())
    assert all(b.isfinite().all() for b in network.buffers())


def test_a_shift_by_whole_pixels_of_the_last_stage_changes_nothing():
    network, inputs = tower().eval(), Inputs.zeros(ONE, 2)
    torch.manual_seed(3)
    inputs.images[0, 0, 0, 4:17, 8:20] = torch.rand(13, 12) * (torch.rand(13, 12) < 0.3)
    inputs.images[1] = inputs.images[0].roll((12, 16), dims=(2, 3))
    first, second = network(inputs)
    torch.testing.assert_close(first, second)


def test_a_few_steps_reduce_the_loss():
    network, inputs = siamese(shared=True, dropout=0), lines(PLANES, 12)
    label = torch.arange(12) % 3
    inputs.images[label == 1, :, :, :, 12:] = 0  # shorter ones
    inputs.images[label == 2] *= 3  # brighter ones
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    losses = []
    for _ in range(25):
        optimizer.zero_grad()
        loss = functional.cross_entropy(network(inputs), label)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_equal_seeds_make_equal_bits():
    def trained():
        network, inputs = siamese(shared=True), lines(PLANES)
        optimizer = torch.optim.Adam(network.parameters(), 1e-3)
        for _ in range(3):
            optimizer.zero_grad()
            functional.cross_entropy(network(inputs), torch.arange(6) % 3).backward()
            optimizer.step()
        return network.state_dict()

    first, second = trained(), trained()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_autocast_is_near_to_32_bits():
    network, inputs = siamese(shared=True).eval(), lines(PLANES)
    exact = network(inputs)
    with torch.autocast("cpu", torch.bfloat16):
        short = network(inputs)
    assert (short - exact).abs().max() < 0.05 * exact.abs().max()
    with torch.autocast("cpu", torch.bfloat16):
        loss = functional.cross_entropy(network.train()(inputs), torch.arange(6) % 3)
    loss.backward()
    assert all(p.grad.isfinite().all() for p in network.parameters())


def test_a_checkpoint_restores_it():
    torch.manual_seed(8)
    trained = sparse_tower(ONE, 3, **SMALL)
    trained(lines(ONE))  # running statistics
    restored = tower()
    restored.load_state_dict(trained.state_dict())
    inputs = lines(ONE, seed=2)
    assert torch.equal(trained.eval()(inputs), restored.eval()(inputs))


def test_stages_give_maps_of_half_the_size_each():
    network, shapes = tower(), {}
    for name, module in network.named_children():
        module.register_forward_hook(
            lambda _, args, output, name=name: shapes.setdefault(name, output)
        )
    network(lines(ONE, 2))
    for name, shape in (("stage1", (2, 4, 40, 48)), ("stage3", (2, 8, 10, 12))):
        assert isinstance(shapes[name], SparseMaps)
        assert shapes[name].shape == shapes[name].dense().shape == shape


def test_views_of_sites_fold_into_channels():
    network, inputs = tower(PLANES).eval(), lines(PLANES)
    inputs.images[2, 1] = 0
    folded = SparseViews.of(inputs.images).folded()
    torch.testing.assert_close(folded.dense(), inputs.images.flatten(1, 2))
    sites = network(inputs._replace(images=SparseViews.of(inputs.images)))
    torch.testing.assert_close(sites, network(inputs))


def test_a_view_of_sites_is_that_of_the_images_and_waits_once(device):
    images = lines(PLANES).images
    sites = SparseViews.of(images).to(device)
    with Waits() as waits, Reads(waits.found):
        view = sites.view(1)
    assert waits.found == ["nonzero"]
    assert torch.equal(view.dense().cpu(), images[:, 1])
