import subprocess
import sys

import pytest
import torch

from hepcnn.errors import InputError
from hepcnn.learning.loading import on_device
from hepcnn.networks.inputs import Inputs
from hepcnn.networks.registry import (
    BACKBONES,
    DETECTORS,
    NETWORKS,
    PIXEL_NETWORKS,
    SINGLE_IMAGE,
    Shape,
    build,
    names,
    options,
    require,
)
from hepcnn.provenance import _parsed

#: Those of image recognition are large, and have tests of their own; so have those of pixels and
#: of boxes.
OURS = [name for name in names() if name not in BACKBONES | PIXEL_NETWORKS | DETECTORS]
OPTIONS = [
    ("tower", {"width": 8}),
    ("sparse_tower", {"filters": [16, 32]}),
    ("sparse_tower", {"blocks": 2}),
    ("mlp", {"hidden": [40]}),
    ("mlp", {"hidden": [512, 128, 32]}),
    ("mlp", {"hidden": []}),
    ("siamese", {"backbone": "lecture_cnn"}),
    ("siamese", {"backbone": "mlp", "backbone_options": {"hidden": [7]}}),
    ("siamese", {"shared": True}),
    ("siamese", {"hidden": []}),
    *[(name, {"levels": 3}) for name in ("uresnet", "sparse_uresnet")],
    *[(name, {"filters": 8}) for name in ("uresnet", "sparse_uresnet")],
    *[(name, {"blocks": 1}) for name in ("uresnet", "sparse_uresnet")],
    ("fcn8", {"width": 8}),
    ("segnet", {"width": 8}),
    ("deeplab", {"backbone": "resnet18"}),
    ("aligned", {"rows": 3}),
    ("aligned", {"filters": 5}),
    ("aligned", {"harmonics": 1}),
    ("aligned", {"hidden": [16, 16]}),
    ("aligned", {"joint": 5}),
    ("aligned", {"analytic": False}),
    ("one_stage", {"width": 8}),
    *[
        (name, {option: value})
        for name in ("faster_rcnn", "mask_rcnn")
        for option, value in {
            "backbone": "tower",
            "anchors": [24],
            "ratios": [1],
            "maps": 32,
            "hidden": 64,
            "position_sensitive": True,
        }.items()
    ],
]
DROPOUT = [
    (name, {"dropout": 0.125}) for name in ("mlp", "lecture_cifar10", "small", "siamese", "fcn8")
]


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
        ("small", 52_974),
        ("tower", 258_757),
        ("sparse_tower", 494_138),
        ("siamese", 2 * (52_974 - 198) + 4 * 32 + 97 * 64 + 65 * 6),
    ],
)
def test_parameters(name, parameters):
    assert count(original(name)) == parameters


def test_ours_is_small():
    assert count(original("aligned")) < 25_000


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("size", [(1, 1, 32, 32), (2, 3, 17, 40), (3, 1, 64, 16)])
@pytest.mark.parametrize("features", [0, 2])
def test_any_views_channels_and_sizes(name, size, features, make_inputs):
    shape = Shape(*size, 0 if name in SINGLE_IMAGE else features, hypotheses=4)
    assert build(name, shape, 4)(make_inputs(shape)).shape == (5, 4)


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("view", [0, 1])
def test_every_view_and_channel_is_seen(name, view, make_inputs):
    shape = Shape(2, 2, 16, 16, hypotheses=3)
    network, inputs = build(name, shape, 3).eval(), make_inputs(shape)
    for channel in range(2):
        images = inputs.images.clone()
        images[:, view, channel] = 0
        assert not torch.allclose(network(inputs), network(inputs._replace(images=images)))


@pytest.mark.parametrize("name", sorted(set(OURS) - set(SINGLE_IMAGE)))
def test_every_feature_is_seen(name, make_inputs):
    inputs, network = make_inputs(NETWORKS[name].shape), original(name).eval()
    for parameter in network.parameters():  # some begin at 0
        parameter.data += 1e-2
    for k in range(3):
        features = inputs.features.clone()
        features[:, k] += 1
        changed = network(inputs._replace(features=features)) - network(inputs)
        # Not only all logits alike.
        assert (changed - changed.mean(dim=1, keepdim=True)).abs().max() > 1e-5


@pytest.mark.parametrize("name", SINGLE_IMAGE)
def test_features_that_are_not_taken_are_an_error(name):
    with pytest.raises(InputError, match=f"'{name}': it takes no features; 'siamese'"):
        build(name, Shape(1, 1, 32, 32, features=1), 6)


@pytest.mark.parametrize("name", OURS)
def test_gradients_reach_all_parameters(name, make_inputs, device):
    network, entry = original(name).to(device), NETWORKS[name]
    for parameter in network.parameters():  # some begin at 0, which stops gradients
        parameter.data += 1e-3
    inputs = Inputs.of(on_device(make_inputs(entry.shape, 8)._asdict(), device))
    label = torch.arange(8, device=device) % entry.classes
    torch.nn.functional.cross_entropy(network(inputs), label).backward()
    for parameter_name, parameter in network.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.abs().sum() > 0, parameter_name


@pytest.mark.parametrize("name", OURS)
def test_the_seed_decides_the_weights_and_evaluation_is_deterministic(name, make_inputs):
    images = make_inputs(NETWORKS[name].shape)
    a, b = original(name).eval(), original(name).eval()
    assert torch.equal(a(images), b(images))
    assert torch.equal(a(images), a(images))


@pytest.mark.parametrize("name", ["lecture_cnn", "mlp", "lecture_cifar10", "small", "siamese"])
def test_dropout_acts_in_training(name, make_inputs):
    network, images = original(name), make_inputs(NETWORKS[name].shape)
    assert not torch.equal(network(images), network(images))


@pytest.mark.parametrize(
    ("name", "smallest"),
    [
        *[("lecture_cnn", 6), ("lenet5", 16), ("mlp", 1), ("lecture_cifar10", 4), ("small", 4)],
        *[("tower", 4), ("sparse_tower", 1), ("siamese", 4), ("aligned", 1)],
    ],
)
def test_the_smallest_image_works_and_a_smaller_one_is_an_error(name, smallest, make_inputs):
    shape = Shape(1, 1, smallest, smallest, hypotheses=2)
    build(name, shape, 2)(make_inputs(shape))
    if smallest > 1:
        with pytest.raises(InputError, match=rf"images of {smallest - 1} × 64 .* small"):
            build(name, Shape(1, 1, smallest - 1, 64), 2)


@pytest.mark.parametrize(("name", "chosen"), OPTIONS + DROPOUT)
def test_each_option_changes_the_network(name, chosen):
    def form(network):
        return str(network), [p.shape for p in network.parameters()]

    assert form(original(name, **chosen)) != form(original(name))


def test_every_option_is_tested():
    tested = {(name, option) for name, chosen in OPTIONS + DROPOUT for option in chosen}
    elsewhere = {(name, "proposals") for name in ("faster_rcnn", "mask_rcnn")}
    assert tested | elsewhere == {(name, option) for name in names() for option in options(name)}


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"hiden": [3]}, "'mlp': no option 'hiden'; did you mean 'hidden'"),
        ({"shape": Shape(1, 1, 8, 8)}, "no option 'shape'"),
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
        build("mlp", Shape(1, 1, 8, 8), 6, **chosen)


@pytest.mark.parametrize(
    ("name", "chosen", "message"),
    [
        ("siamese", {"backbone": "smal"}, "no network 'smal' that sees one image.*'small'"),
        ("siamese", {"backbone": "siamese"}, "no network 'siamese' that sees one image"),
        ("siamese", {"backbone": 3}, "no network '3'"),
        ("siamese", {"backbone_options": [1]}, "option 'backbone_options'"),
        ("siamese", {"backbone_options": {"drop": 0}}, "'small': no option 'drop'.*'dropout'"),
        ("siamese", {"shared": "yes"}, "option 'shared': 'yes' must be true or false"),
        ("siamese", {"hidden": [0]}, "option 'hidden'"),
        ("siamese", {"dropout": 1}, "option 'dropout'"),
        ("small", {"dropout": -1}, "option 'dropout'"),
        ("tower", {"width": 0}, "option 'width': 0 must be a whole number, at least 1"),
        ("sparse_tower", {"filters": 16}, "option 'filters': 16 must be a list"),
        ("sparse_tower", {"filters": []}, "option 'filters': there must be at least one"),
        ("sparse_tower", {"blocks": 0}, "option 'blocks': 0 must be a whole number, at least 1"),
        ("aligned", {"rows": -1}, "option 'rows': -1 must be a whole number, at least 0"),
        ("aligned", {"rows": 1.5}, "option 'rows'"),
        ("aligned", {"filters": 0}, "option 'filters'"),
        ("aligned", {"filters": True}, "option 'filters'"),
        ("aligned", {"harmonics": "2"}, "option 'harmonics'"),
        ("aligned", {"hidden": 48}, "option 'hidden'"),
        ("aligned", {"hidden": []}, "option 'hidden': there must be at least one"),
        ("aligned", {"joint": 0}, "option 'joint'"),
    ],
)
def test_wrong_options_of_the_others_are_named(name, chosen, message):
    with pytest.raises(InputError, match=rf"network '{name}': .*{message}"):
        original(name, **chosen)


def test_ours_needs_expected_angles():
    with pytest.raises(InputError, match=r"'aligned': it needs the expected angles .*cherenkov"):
        build("aligned", Shape(1, 1, 32, 32), 6)
    with pytest.raises(InputError, match="6 hypotheses are not the 3 classes"):
        build("aligned", Shape(1, 1, 32, 32, hypotheses=6), 3)


def test_a_network_without_options_says_so():
    with pytest.raises(InputError, match="'lecture_cnn': no option 'dropout'; there are none"):
        original("lecture_cnn", dropout=0.1)


@pytest.mark.parametrize(
    "call", [require, options, lambda name: build(name, Shape(1, 1, 32, 32), 6)]
)
def test_an_unknown_network_gets_the_nearest(call):
    with pytest.raises(InputError, match="no network 'lecture_cn'; did you mean 'lecture_cnn'"):
        call("lecture_cn")


@pytest.mark.parametrize(
    ("shape", "classes", "message"),
    [
        (Shape(1, 0, 32, 32), 6, "channels=0"),
        (Shape(1, 1, 32, 32, -1), 6, "features=-1"),
        (Shape(1, 1, 32, 32), 0, "0 classes"),
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
    parts = (
        "single_image",
        "siamese",
        "aligned",
        "tower",
        "sparse_tower",
        "backbones",
        "pixels.uresnet",
    )
    modules = {f"hepcnn.networks.{name}" for name in parts}
    assert modules <= _parsed("hepcnn.networks.registry")[1]
