"""Networks that tell the class of each occupied pixel, of any images."""

import pytest
import torch
from torch.nn import functional
from torchvision.models.segmentation import deeplabv3_resnet50

from hepcnn.errors import InputError
from hepcnn.learning.loading import on_device
from hepcnn.networks.inputs import Inputs
from hepcnn.networks.registry import PIXEL_NETWORKS, Shape, build

#: Small enough for tests.
OPTIONS = {
    "sparse_uresnet": {"levels": 4, "filters": 4, "blocks": 1},
    "uresnet": {"levels": 4, "filters": 4, "blocks": 1},
    "fcn8": {"width": 2, "dropout": 0},
    "segnet": {"width": 4},
    "deeplab": {"backbone": "resnet18"},
}
CASES = [
    *[(name, sides) for name in OPTIONS for sides in ((32, 32), (21, 34))],
    *[(name, (9, 12, 7)) for name in ("sparse_uresnet", "uresnet")],
    *[(name, (1, 5)) for name in ("sparse_uresnet", "uresnet", "fcn8", "deeplab")],
]
OUTPUTS = 3


def small(name, sides=(32, 32), views=2, channels=2):
    shape = Shape(views, channels, *sides[:2], depth=sides[2] if len(sides) == 3 else 0)
    torch.manual_seed(1)
    return build(name, shape, OUTPUTS, **OPTIONS[name])


def inputs_of(images):
    return Inputs.alone(images)


def hits(sides=(32, 32), batch=3, views=2, channels=2, occupancy=0.1):
    numbers = torch.Generator().manual_seed(4)
    occupied = torch.rand(batch, views, 1, *sides, generator=numbers) < occupancy
    values = torch.rand(batch, views, channels, *sides, generator=numbers)
    return inputs_of(occupied * values)


def test_all_are_tested():
    assert set(OPTIONS) == set(PIXEL_NETWORKS)


@pytest.mark.parametrize(("name", "sides"), CASES)
def test_outputs_at_the_occupied_pixels_and_finite_gradients(name, sides, device):
    network = small(name, sides).to(device)
    inputs = Inputs.of(on_device(hits(sides, occupancy=0.3)._asdict(), device))
    found = network(inputs)
    places = inputs.images.flatten(0, 1).any(dim=1).nonzero()
    assert torch.equal(torch.cat([found.sites.image[:, None], found.sites.place], dim=1), places)
    assert found.sites.images == 6
    assert found.sites.shape == sides
    assert found.values.shape == (len(places), OUTPUTS)
    label = torch.arange(len(places), device=device) % OUTPUTS
    functional.cross_entropy(found.values, label).backward()
    for parameter_name, parameter in network.named_parameters():
        assert parameter.grad.isfinite().all(), parameter_name


@pytest.mark.parametrize("name", OPTIONS)
def test_gradients_reach_all_parameters(name):
    network = small(name)
    found = network(hits()).values
    functional.cross_entropy(found, torch.arange(len(found)) % OUTPUTS).backward()
    for parameter_name, parameter in network.named_parameters():
        assert parameter.grad.abs().sum() > 0, parameter_name


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("pixels", [0, 1])
def test_images_with_one_pixel_or_none(name, training, pixels):
    network = small(name).train(training)
    images = torch.zeros(2, 2, 2, 32, 32)
    images[0, 1, 0, 5, :pixels] = 1
    found = network(inputs_of(images))
    assert found.values.shape == (pixels, OUTPUTS)
    assert found.sites.counts.tolist() == [0, pixels, 0, 0]
    found.values.sum().backward()
    tensors = [*network.buffers(), *(p.grad for p in network.parameters() if p.grad is not None)]
    assert all(tensor.isfinite().all() for tensor in (found.values, *tensors))


@pytest.mark.parametrize("name", ["sparse_uresnet", "uresnet"])
@pytest.mark.parametrize("training", [True, False])
def test_empty_voxels(name, training):
    network = small(name, (8, 8, 8), views=1).train(training)
    found = network(inputs_of(torch.zeros(1, 1, 2, 8, 8, 8)))
    assert found.values.shape == (0, OUTPUTS)


@pytest.mark.parametrize("name", OPTIONS)
def test_images_and_views_do_not_see_one_another(name):
    """Whatever their order and company, images give the same."""
    network, inputs = small(name).eval(), hits()
    for parameter in network.parameters():  # for outputs that are not all small
        parameter.data *= 1.2
    values = network(inputs).values.split(network(inputs).sites.counts.tolist())
    order = torch.tensor([2, 0, 1])
    turned = network(inputs_of(inputs.images[order].flip(1)))
    turned = turned.values.split(turned.sites.counts.tolist())
    for example in range(3):
        for view in range(2):
            expected = values[2 * order[example] + 1 - view]
            torch.testing.assert_close(turned[2 * example + view], expected, rtol=1e-4, atol=1e-4)
    alone = network(inputs_of(inputs.images[1:2, :1])).values
    torch.testing.assert_close(alone, values[2], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("channel", [0, 1])
def test_every_channel_is_seen(name, channel):
    network, inputs = small(name).eval(), hits()
    images = inputs.images.clone()
    images[:, :, channel] *= 2
    changed = network(inputs_of(images)).values
    assert not torch.allclose(changed, network(inputs).values, rtol=1e-3)


@pytest.mark.parametrize("name", OPTIONS)
def test_in_16_bits(name):
    network, inputs = small(name), hits()
    with torch.autocast("cpu", torch.bfloat16):
        values = network(inputs).values
    values.float().sum().backward()
    assert values.isfinite().all()


def tracks_and_blobs(side, numbers):
    """Two straight lines and two discs, of about equal charge a pixel: 0 and 1."""
    row, column = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    kind = torch.full((side, side), -1)
    for number in range(4):
        y, x, angle = torch.rand(3, generator=numbers) * torch.tensor([side, side, 3.14])
        across = (row - y) * angle.cos() - (column - x) * angle.sin()
        if number < 2:
            kind[across.abs() < 0.7] = 0
        else:
            kind[(row - y) ** 2 + (column - x) ** 2 < 9] = 1
    return kind


@pytest.mark.parametrize("name", ["sparse_uresnet", "uresnet", "fcn8", "segnet"])
def test_tracks_are_told_from_blobs(name):
    numbers = torch.Generator().manual_seed(5)
    kinds = torch.stack([tracks_and_blobs(32, numbers) for _ in range(8)])
    inputs = inputs_of((kinds >= 0).float()[:, None, None])
    label = kinds[kinds >= 0]
    network = small(name, channels=1, views=1)
    optimizer = torch.optim.Adam(network.parameters(), lr=5e-3)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = functional.cross_entropy(network(inputs).values, label)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])


#: Parameters of VGG-16, of its last layer, of its convolutions, and maps that these give.
VGG16, LAST, CONVOLUTIONS, MAPS = 138_357_544, 4_097_000, 14_714_688, 4224


@pytest.mark.parametrize(
    ("name", "options", "parameters"),
    [
        # Normalisation has two numbers a map for the one that a bias is. Scores of three levels are
        # made twice as fine twice.
        (
            "fcn8",
            {"width": 64},
            VGG16 - LAST + MAPS + 21 * (4097 + 513 + 257) + 2 * 16 * 21**2,
        ),
        # The way back gives what the way here takes, but for the first layer and the last.
        (
            "segnet",
            {"width": 64},
            2 * (CONVOLUTIONS - MAPS) + 2 * (MAPS + MAPS - 512) - 9 * 64 * 3 + 21 * (9 * 64 + 1),
        ),
        # torchvision's table, without the auxiliary classifier
        ("deeplab", {}, 42_004_074 - (9 * 1024 * 256 + 2 * 256 + 21 * 257)),
    ],
)
def test_parameters_of_the_originals(name, options, parameters):
    with torch.device("meta"):
        network = build(name, Shape(1, 3, 224, 224), 21, **options)
    assert sum(p.numel() for p in network.parameters()) == parameters


def test_deeplab_is_torchvisions():
    theirs = deeplabv3_resnet50(weights=None, weights_backbone=None, num_classes=OUTPUTS).eval()
    ours = build("deeplab", Shape(1, 3, 33, 40), OUTPUTS).eval()
    ours.load_state_dict(theirs.state_dict())
    images = torch.rand(1, 3, 33, 40)
    with torch.inference_mode():
        torch.testing.assert_close(ours.maps(images), theirs(images)["out"])


def test_fcn_begins_with_bilinear_interpolation():
    up = small("fcn8").ups[0]
    maps = torch.rand(1, OUTPUTS, 6, 5)
    expected = functional.interpolate(maps, scale_factor=2, mode="bilinear")
    torch.testing.assert_close(up(maps)[..., 1:-1, 1:-1], expected[..., 1:-1, 1:-1])


def test_segnet_goes_back_to_where_the_largest_was():
    network, inputs = small("segnet").eval(), hits()
    seen = {}
    network.encoders[0].register_forward_hook(lambda _, __, out: seen.update(before=out))
    network.output.register_forward_pre_hook(lambda _, arguments: seen.update(after=arguments[0]))
    network(inputs)
    _, largest = functional.max_pool2d(seen["before"], 2, return_indices=True)
    elsewhere = torch.ones_like(seen["after"]).flatten(2)
    elsewhere.scatter_(2, largest.flatten(2), 0)
    assert seen["after"].abs().sum() > 0
    assert (seen["after"].flatten(2) * elsewhere).abs().sum() == 0


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        *[
            (name, {option: value}, f"option '{option}': {value} must be a whole number")
            for name in ("uresnet", "sparse_uresnet")
            for option, value in (("levels", 0), ("filters", 1.5), ("blocks", True))
        ],
        ("fcn8", {"width": 0}, "option 'width': 0 must"),
        ("fcn8", {"dropout": 1}, "option 'dropout': 1 must"),
        ("segnet", {"width": "64"}, "option 'width': '64' must"),
        ("deeplab", {"backbone": "resnet5"}, "'backbone': no 'resnet5'; did you mean 'resnet50'"),
        ("deeplab", {"backbone": 50}, "option 'backbone': no '50'"),
        ("segnet", {"width": 2, "filters": 3}, "no option 'filters'; .*width"),
    ],
)
def test_wrong_options_are_named(name, options, message):
    with pytest.raises(InputError, match=f"network '{name}': .*{message}"):
        build(name, Shape(1, 1, 32, 32), 2, **options)


@pytest.mark.parametrize("name", OPTIONS)
def test_features_are_refused(name):
    with pytest.raises(InputError, match=f"'{name}': it takes no features"):
        build(name, Shape(1, 1, 32, 32, features=2), 2)


@pytest.mark.parametrize("name", ["fcn8", "segnet", "deeplab"])
def test_voxels_are_refused(name):
    with pytest.raises(InputError, match=rf"'{name}': .* two axes, .* three; 'uresnet'"):
        build(name, Shape(1, 1, 32, 32, depth=32), 2)


def test_images_that_are_too_small_are_refused():
    with pytest.raises(InputError, match="'segnet': images of 16 × 40 pixels are too small"):
        build("segnet", Shape(1, 1, 16, 40), 2)


def test_deeplab_says_why_it_cannot_learn_from_one_image():
    with pytest.raises(InputError, match="take a larger batch"):
        small("deeplab", views=1, channels=1)(hits(batch=1, views=1, channels=1))
