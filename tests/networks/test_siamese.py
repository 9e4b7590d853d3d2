"""Towers: one for all views, or one each."""

import pytest
import torch

from hepcnn.networks.inputs import Inputs, SparseViews
from hepcnn.networks.registry import BACKBONES, SINGLE_IMAGE, Shape, build, is_sparse

SHAPE = Shape(2, 2, 32, 16, features=2)


def siamese(**options):
    torch.manual_seed(1)
    return build("siamese", SHAPE, 3, **options).eval()


@pytest.mark.parametrize("backbone", [n for n in SINGLE_IMAGE if n not in BACKBONES])
@pytest.mark.parametrize("shared", [True, False])
def test_any_backbone(backbone, shared, make_inputs):
    assert siamese(backbone=backbone, shared=shared)(make_inputs(SHAPE)).shape == (5, 3)


def test_a_shared_tower_sees_all_views_alike(make_inputs):
    """Views swapped, and their weights in the head with them: nothing has changed."""
    network, inputs = siamese(shared=True), make_inputs(SHAPE)
    swapped = inputs._replace(images=inputs.images.flip(1))
    before = network(inputs)
    assert not torch.allclose(network(swapped), before)
    weight = network.head.dense1.weight.data
    weight[:, :64] = weight[:, :64].unflatten(1, (2, 32)).flip(1).flatten(1)
    torch.testing.assert_close(network(swapped), before)


def test_each_view_reaches_its_own_tower(make_inputs):
    network, inputs = siamese(), make_inputs(SHAPE)
    seen = {}
    for v, tower in enumerate(network.towers):
        tower.register_forward_pre_hook(lambda _, args, v=v: seen.__setitem__(v, args[0]))
    network(inputs)
    for v in range(2):
        torch.testing.assert_close(seen[v], inputs.images[:, v])
        assert seen[v].is_contiguous(memory_format=torch.channels_last)


def test_sharing_halves_the_towers():
    def towers(network):
        return sum(p.numel() for p in network.towers.parameters())

    assert towers(siamese()) == 2 * towers(siamese(shared=True))


def test_towers_begin_different():
    first, second = (tower.conv1.weight for tower in siamese().towers)
    assert not torch.equal(first, second)


@pytest.mark.parametrize("shared", [True, False])
def test_learns_from_images_and_features_together(shared):
    """The class is the row of a ring in either view, moved by a feature."""
    torch.manual_seed(2)
    network = build("siamese", Shape(2, 1, 16, 8, features=1), 3, shared=shared)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)

    def examples(n):
        label, step = torch.randint(0, 3, (n,)), torch.randint(0, 3, (n,))
        images = (torch.rand(n, 2, 1, 16, 8) < 0.05).float()
        images[torch.arange(n), step % 2, 0, 3 * (label + step) % 16] = 1
        return Inputs.alone(images)._replace(features=step[:, None] - 1.0), label

    for _ in range(80):
        inputs, label = examples(128)
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(inputs), label).backward()
        optimizer.step()
    inputs, label = examples(1000)
    assert (network.eval()(inputs).argmax(dim=1) == label).float().mean() > 0.85


@pytest.mark.parametrize("shared", [True, False])
def test_towers_of_sites_see_what_those_of_dense_images_see(shared, make_inputs):
    network, inputs = siamese(backbone="sparse_tower", shared=shared), make_inputs(SHAPE)
    sparse = inputs.images * (torch.rand(inputs.images.shape) < 0.1)
    sparse[3, 1] = 0
    dense = network(inputs._replace(images=sparse))
    sites = network(inputs._replace(images=SparseViews.of(sparse)))
    torch.testing.assert_close(sites, dense)
    assert is_sparse("siamese", {"backbone": "sparse_tower"})
    assert not is_sparse("siamese", {})
