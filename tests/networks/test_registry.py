import subprocess
import sys

import pytest
import torch

from hepcnn.errors import InputError
from hepcnn.networks.registry import NETWORKS, build, names, options, require
from hepcnn.provenance import _imports

OPTIONS = [("mlp", {"hidden": [40]}), ("mlp", {"hidden": [512, 128, 32]}), ("mlp", {"hidden": []})]
DROPOUT = [(name, {"dropout": 0.125}) for name in ("mlp", "lecture_cifar10")]


def count(network):
    return sum(p.numel() for p in network.parameters())


def original(name, **chosen):
    torch.manual_seed(1)
    return build(name, NETWORKS[name].shape, NETWORKS[name].classes, **chosen)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("lecture_cnn", 1_625_350),  # the lecture
        ("lecture_cifar10", 1_070_794),  # the lecture
        ("lenet5", 61_706),  # LeCun et al. 1998: 156 + 2416 + 48120 + 10164 + 850
        ("mlp", 1024 * 512 + 512 + 512 * 128 + 128 + 128 * 6 + 6),
    ],
)
def test_parameters(name, parameters):
    assert count(original(name)) == parameters


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("shape", [(1, 1, 32, 32), (2, 3, 17, 40)])
def test_any_views_channels_and_sizes(name, shape):
    network = build(name, shape, 4)
    assert network(torch.rand(5, *shape)).shape == (5, 4)


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("view", [0, 1])
def test_every_view_and_channel_is_seen(name, view):
    network = build(name, (2, 2, 16, 16), 3).eval()
    images = torch.rand(1, 2, 2, 16, 16)
    for channel in range(2):
        other = images.clone()
        other[0, view, channel] = 0
        assert not torch.allclose(network(images), network(other))


@pytest.mark.parametrize("name", names())
def test_gradients_reach_all_parameters(name):
    network = original(name)
    torch.nn.functional.cross_entropy(
        network(torch.rand(8, *NETWORKS[name].shape)), torch.arange(8) % 6
    ).backward()
    for parameter_name, parameter in network.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.abs().sum() > 0, parameter_name


@pytest.mark.parametrize("name", names())
def test_the_seed_decides_the_weights_and_evaluation_is_deterministic(name):
    images = torch.rand(4, *NETWORKS[name].shape)
    a, b = original(name).eval(), original(name).eval()
    assert torch.equal(a(images), b(images))
    assert torch.equal(a(images), a(images))


@pytest.mark.parametrize("name", ["lecture_cnn", "mlp", "lecture_cifar10"])
def test_dropout_acts_in_training(name):
    network, images = original(name), torch.rand(4, *NETWORKS[name].shape)
    assert not torch.equal(network(images), network(images))


@pytest.mark.parametrize("name", names())
def test_the_smallest_image_works_and_a_smaller_one_is_an_error(name):
    smallest = {"lecture_cnn": 6, "lenet5": 16, "mlp": 1, "lecture_cifar10": 4}[name]
    build(name, (1, 1, smallest, smallest), 2)(torch.rand(1, 1, 1, smallest, smallest))
    if smallest > 1:
        with pytest.raises(InputError, match=rf"'{name}': images of {smallest - 1} × 64 .* small"):
            build(name, (1, 1, smallest - 1, 64), 2)


@pytest.mark.parametrize(("name", "chosen"), OPTIONS + DROPOUT)
def test_each_option_changes_the_network(name, chosen):
    assert str(original(name, **chosen)) != str(original(name))


def test_every_option_is_tested():
    tested = {(name, option) for name, chosen in OPTIONS + DROPOUT for option in chosen}
    assert tested == {(name, option) for name in names() for option in options(name)}


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"hiden": [3]}, "'mlp': no option 'hiden'; did you mean 'hidden'"),
        ({"shape": (1, 1, 8, 8)}, "no option 'shape'"),
        ({"classes": 3}, "no option 'classes'"),
        ({"hidden": 512}, "'mlp': option 'hidden': 512 must be a list"),
        ({"hidden": [512, 0]}, "option 'hidden'"),
        ({"hidden": [12.5]}, "option 'hidden'"),
        ({"hidden": ""}, "option 'hidden'"),
        ({"dropout": 1}, "option 'dropout': 1 must"),
        ({"dropout": "high"}, "option 'dropout': 'high' must"),
        ({"dropout": True}, "option 'dropout'"),
        ({"dropout": float("nan")}, "option 'dropout'"),
    ],
)
def test_wrong_options_are_named(chosen, message):
    with pytest.raises(InputError, match=message):
        build("mlp", (1, 1, 8, 8), 6, **chosen)


def test_a_network_without_options_says_so():
    with pytest.raises(InputError, match="'lecture_cnn': no option 'dropout'; there are none"):
        original("lecture_cnn", dropout=0.1)


@pytest.mark.parametrize("call", [require, options, lambda name: build(name, (1, 1, 32, 32), 6)])
def test_an_unknown_network_gets_the_nearest(call):
    with pytest.raises(InputError, match="no network 'lecture_cn'; did you mean 'lecture_cnn'"):
        call("lecture_cn")


@pytest.mark.parametrize(
    ("shape", "classes", "message"),
    [
        ((1, 32, 32), 6, r"shape \(1, 32, 32\)"),
        ((1, 0, 32, 32), 6, "shape"),
        ((1, 1, 32, 32), 0, "0 classes"),
    ],
)
def test_wrong_shapes_are_named(shape, classes, message):
    with pytest.raises(InputError, match=message):
        build("lecture_cnn", shape, classes)


def test_names_are_known_without_torch():
    code = (
        "import sys; from hepcnn.networks.registry import names, require; "
        "require(names()[0]); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_code_version_follows_the_lazy_import():
    assert "hepcnn.networks.single_image" in _imports("hepcnn.networks.registry")
