"""The seed networks are the published ones, and see any images."""

import subprocess
import sys

import pytest
import torch
import torchvision
from timm.models.inception_resnet_v2 import InceptionResnetV2
from torch.utils._python_dispatch import TorchDispatchMode

from hepcnn.errors import InputError
from hepcnn.networks.inputs import Inputs
from hepcnn.networks.registry import BACKBONES, Shape, build

#: Parameters with the original head (torchvision's and timm's tables), and the smallest image.
PUBLISHED = {
    "alexnet": (61_100_840, 63),
    "vgg16": (138_357_544, 32),
    "googlenet": (6_624_904, 15),
    "resnet18": (11_689_512, 1),
    "resnet50": (25_557_032, 1),
    "wide_resnet50": (68_883_240, 1),
    "inception_resnet_v2": (55_843_464, 75),
}
#: Small enough to be run and not only followed on the device "meta".
LIGHT = ("googlenet", "resnet18")
ORIGINALS = {
    "googlenet": lambda: torchvision.models.GoogLeNet(5, aux_logits=False, init_weights=False),
    "resnet18": lambda: torchvision.models.resnet18(num_classes=5),
    "resnet50": lambda: torchvision.models.resnet50(num_classes=5),
    "inception_resnet_v2": lambda: InceptionResnetV2(5),
}


def count(network):
    return sum(p.numel() for p in network.parameters())


def meta(name, shape, classes, **options):
    with torch.device("meta"):
        return build(name, shape, classes, **options)


def followed(network, shape, batch=2):
    with torch.device("meta"):
        return network(Inputs.zeros(shape, batch))


@pytest.mark.parametrize("name", BACKBONES)
def test_the_parameters_of_the_original_are_the_published_ones(name):
    entry = BACKBONES[name]
    network = meta(name, entry.shape, entry.classes)
    assert count(network) == PUBLISHED[name][0]
    assert followed(network, entry.shape).shape == (2, 1000)


class Products(TorchDispatchMode):
    """Shapes of all convolutions' and dense layers' results, in their order."""

    def __init__(self):
        super().__init__()
        self.shapes = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if function in (torch.ops.aten.convolution.default, torch.ops.aten.addmm.default):
            self.shapes.append(tuple(result.shape))
        return result


@pytest.mark.parametrize("name", ["alexnet", "vgg16", "wide_resnet50"])
def test_the_layers_run_in_the_order_of_the_original(name):
    entry = BACKBONES[name]
    with torch.device("meta"), Products() as ours:
        build(name, entry.shape, 7)(Inputs.zeros(entry.shape))
    original = {"wide_resnet50": "wide_resnet50_2"}.get(name, name)
    with torch.device("meta"), Products() as theirs:
        torchvision.models.get_model(original, num_classes=7)(torch.zeros(1, *entry.shape[1:4]))
    assert ours.shapes == theirs.shapes


@pytest.mark.parametrize("name", ORIGINALS)
def test_the_same_numbers_as_the_original(name):
    torch.manual_seed(1)
    ours = build(name, Shape(1, 3, 96, 80), 5).eval()
    torch.manual_seed(1)
    theirs = ORIGINALS[name]().eval()
    images = torch.rand(1, 1, 3, 96, 80)
    with torch.inference_mode():
        found = ours(Inputs.alone(images))
        torch.testing.assert_close(found, theirs(images[:, 0]), rtol=0, atol=0)


@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.parametrize("size", [(1, 1, 96, 200), (3, 1, 75, 75), (2, 2, 256, 131)])
def test_any_views_channels_and_sizes(name, size):
    shape = Shape(*size)
    assert followed(meta(name, shape, 4), shape).shape == (2, 4)


@pytest.mark.parametrize("name", BACKBONES)
def test_the_smallest_image_works_and_a_smaller_one_is_an_error(name):
    smallest = PUBLISHED[name][1]
    shape = Shape(1, 1, smallest, smallest)
    assert followed(meta(name, shape, 4), shape).shape == (2, 4)
    if smallest > 1:
        with pytest.raises(InputError, match=f"'{name}': images of 512 × {smallest - 1} .* small"):
            meta(name, Shape(1, 1, 512, smallest - 1), 4)


@pytest.mark.parametrize("name", BACKBONES)
def test_features_are_refused(name):
    with pytest.raises(InputError, match=f"'{name}': it takes no features"):
        meta(name, Shape(1, 1, 96, 96, features=1), 4)


@pytest.mark.parametrize("name", LIGHT)
def test_gradients_reach_all_parameters(name, make_inputs):
    torch.manual_seed(1)
    shape = Shape(1, 1, 64, 48)
    network = build(name, shape, 3).train()
    torch.nn.functional.cross_entropy(
        network(make_inputs(shape, 4)), torch.tensor([0, 1, 2, 0])
    ).backward()
    for parameter_name, parameter in network.named_parameters():
        assert parameter.grad.abs().sum() > 0, parameter_name


@pytest.mark.parametrize("channels", [1, 8])
def test_other_channels_leave_the_variance_behind_the_first_convolution(channels):
    torch.manual_seed(1)

    def variance(channels):
        first = build("resnet18", Shape(1, channels, 64, 64), 2).conv1
        return first(torch.randn(4, channels, 64, 64)).var().item()

    assert variance(channels) == pytest.approx(variance(3), rel=0.2)


@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.parametrize("shared", [True, False])
def test_any_of_them_is_a_siamese_tower(name, shared):
    shape = Shape(3, 1, 96, 96, features=2)
    network = meta("siamese", shape, 4, backbone=name, shared=shared)
    assert followed(network, shape).shape == (2, 4)
    one = count(meta(name, Shape(1, 1, 96, 96), 1)) - network.head[0].in_features // 3
    towers = sum(p.numel() for p in network.towers.parameters())
    assert towers == pytest.approx((1 if shared else 3) * one, rel=1e-3)


def test_no_weights_are_looked_for_on_the_network():
    """Neither importing nor building opens a connection."""
    code = (
        "import socket\n"
        "def refuse(*_): raise AssertionError('a connection')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "import torch\n"
        "from hepcnn.networks.registry import Shape, build\n"
        "with torch.device('meta'):\n"
        "    for name in ('resnet18', 'inception_resnet_v2'): build(name, Shape(1, 1, 99, 99), 2)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_libraries_are_imported_only_where_they_are_needed():
    code = (
        "import sys\n"
        "from hepcnn.networks.registry import Shape, build\n"
        "build('tower', Shape(1, 1, 64, 64), 2)\n"
        "assert not {'torchvision', 'timm'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
