import pytest
import torch
from torch import nn
from torchvision.ops import box_iou

from hepcnn.errors import InputError
from hepcnn.learning.loading import on_device
from hepcnn.networks.detectors.anchors import fit_anchors
from hepcnn.networks.detectors.boxes import about_masks, around, centres, transposed
from hepcnn.networks.inputs import Inputs
from hepcnn.networks.registry import DETECTORS, Shape, build

SHAPE = Shape(2, 1, 64, 48)
#: Of each network what makes it small.
SMALL = {
    "faster_rcnn": {"backbone": "tower", "maps": 16, "hidden": 32, "proposals": 20},
    "mask_rcnn": {"backbone": "tower", "maps": 16, "hidden": 32, "proposals": 20},
    "one_stage": {"width": 8},
}


def small(name, shape=SHAPE, outputs=1, **chosen):
    torch.manual_seed(1)
    return build(name, shape, outputs, **SMALL[name] | chosen)


def stars(examples=2, shape=SHAPE, seed=1):
    """Images with a cross of charge at the middle of a box; the last is empty and has no box."""
    numbers = torch.Generator().manual_seed(seed)
    inputs, targets = Inputs.zeros(shape, examples), []
    for image in inputs.images.flatten(0, 1)[:-1, 0]:
        row = int(torch.randint(12, shape.height - 12, (), generator=numbers))
        column = int(torch.randint(12, shape.width - 12, (), generator=numbers))
        image[row - 6 : row + 7, column] = image[row, column - 6 : column + 7] = 1
        targets.append(target(torch.tensor([[row + 0.5, column + 0.5]]), shape))
    return inputs, [*targets, target(torch.zeros(0, 2), shape)]


def target(points, shape):
    boxes = around(points, (8, 8), shape.sides)
    masks = torch.zeros(len(boxes), *shape.sides, dtype=torch.uint8)
    for mask, (left, top, right, bottom) in zip(masks, boxes.int().tolist(), strict=True):
        mask[top:bottom, left:right] = 1
    return {"boxes": boxes, "labels": torch.ones(len(boxes), dtype=torch.int64), "masks": masks}


def train(network, inputs, targets, steps, rate=3e-3):
    optimizer = torch.optim.Adam(network.parameters(), rate)
    history = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = sum(network(inputs, targets).values())
        loss.backward()
        optimizer.step()
        history.append(loss.item())
    return history


@pytest.mark.parametrize("name", DETECTORS)
@pytest.mark.parametrize("bf16", [False, True])
def test_losses_and_gradients_with_an_image_without_boxes(name, bf16, device):
    network = small(name).to(device)
    inputs, targets = stars()
    inputs = Inputs.of(on_device(inputs._asdict(), device))
    targets = [on_device(target, device) for target in targets]
    with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        losses = network(inputs, targets)
    assert all(loss.shape == () and loss.isfinite() for loss in losses.values())
    sum(losses.values()).backward()
    for parameter_name, parameter in network.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.isfinite().all(), parameter_name


@pytest.mark.parametrize("name", DETECTORS)
def test_nothing_but_background_has_finite_losses(name):
    network = small(name)
    _, (*_, nothing) = stars()
    losses = network(Inputs.zeros(SHAPE, 1), [nothing] * 2)
    assert all(loss.isfinite() for loss in losses.values())


@pytest.mark.parametrize("name", DETECTORS)
def test_what_is_found_lies_in_the_image_by_falling_score(name):
    network = small(name).eval()
    with torch.no_grad():
        found = network(stars()[0])
    assert len(found) == 4
    for image in found:
        boxes, scores = image["boxes"], image["scores"]
        assert boxes.dtype == scores.dtype == torch.float32
        assert (boxes >= 0).all()
        assert (boxes[:, 2] <= SHAPE.width).all()
        assert (boxes[:, 3] <= SHAPE.height).all()
        assert (scores.diff() <= 0).all()
        assert (image["labels"] == 1).all()
        if name == "mask_rcnn":
            assert image["masks"].shape == (len(boxes), 1, *SHAPE.sides)


@pytest.mark.parametrize("name", DETECTORS)
def test_the_seed_decides_the_losses(name):
    def losses():
        network = small(name)
        return train(network, *stars(), steps=2)

    assert losses() == losses()


@pytest.mark.parametrize("name", DETECTORS)
def test_losses_in_evaluation_leave_the_network_as_it_is(name):
    network = small(name).eval()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    inputs, targets = stars()
    with torch.no_grad():
        losses = network(inputs, targets)
        found = network(inputs)
    assert isinstance(losses, dict)
    assert isinstance(found, list)
    for key, value in network.state_dict().items():
        assert torch.equal(value, before[key]), key
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    assert norms
    assert not any(norm.training for norm in norms)
    assert not network.training


@pytest.mark.parametrize("name", DETECTORS)
def test_each_view_is_an_image_of_its_own(name):
    """What is in one view changes nothing in another, nor does padding."""
    network = small(name).eval()
    inputs, _ = stars()
    with torch.no_grad():
        whole = network(inputs)
        inputs.images[0, 1] = 1
        changed = network(inputs)
        one = network(inputs._replace(images=inputs.images[:1, :1]))
    for other in (changed, one):
        torch.testing.assert_close(whole[0]["boxes"], other[0]["boxes"])
    assert not torch.equal(whole[1]["scores"], changed[1]["scores"])


def test_one_stage_recovers_boxes():
    network = small("one_stage")
    inputs, targets = stars(4)
    history = train(network, inputs, targets, 40)
    assert history[-1] < 0.3 * history[0]
    with torch.no_grad():
        found = network(inputs)
    for image, true in zip(found[:-1], targets[:-1], strict=True):
        best = image["boxes"][:1]
        assert (centres(best) - centres(true["boxes"])).abs().max() < 2
        assert box_iou(best, true["boxes"]).item() > 0.5


def test_one_stage_tells_classes_apart():
    shape = Shape(1, 1, 64, 64)
    inputs, targets = stars(4, shape)
    for image, true in zip(inputs.images[::2], targets[::2], strict=True):
        image *= 3
        true["labels"] *= 2
    network = small("one_stage", shape, 2)
    train(network, inputs, targets, 40)
    with torch.no_grad():
        found = network(inputs)
    for image, true in zip(found[:-1], targets[:-1], strict=True):
        assert image["labels"][0] == true["labels"][0]


@pytest.mark.parametrize("position_sensitive", [False, True])
def test_faster_rcnn_learns(position_sensitive):
    inputs, targets = stars(3)
    network = small("faster_rcnn", anchors=[16], ratios=[1], position_sensitive=position_sensitive)
    history = train(network, inputs, targets, 25)
    assert history[-1] < 0.6 * history[0]


def test_proposals_limit_the_regions():
    network = small("faster_rcnn", proposals=7).eval()
    seen = []
    network.rcnn.roi_heads.box_head.register_forward_hook(lambda *a: seen.append(len(a[2])))
    with torch.no_grad():
        network(stars()[0])
    assert 0 < seen[0] <= 4 * 7


@pytest.mark.parametrize(
    ("backbone", "channels"), [("resnet18", 3), ("resnet50", 1), ("inception_resnet_v2", 2)]
)
def test_maps_of_the_backbones_divide_the_image(backbone, channels):
    from hepcnn.networks.detectors.pyramid import Pyramid

    with torch.device("meta"):
        pyramid = Pyramid(Shape(3, channels, 96, 160), backbone, 8)
        (maps,) = pyramid(torch.zeros(1, channels, 96, 160)).values()
    assert maps.shape == (1, 8, 96 // pyramid.stride, 160 // pyramid.stride)
    assert pyramid.stride == (16 if backbone == "inception_resnet_v2" else 4)


def test_images_are_seen_as_they_are():
    """No normalisation by colours' means, no resizing."""
    network, seen = small("faster_rcnn").eval(), []
    network.rcnn.backbone.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    inputs, _ = stars()
    with torch.no_grad():
        network(inputs)
    assert seen[0].shape == (4, 1, 64, 64)
    assert torch.equal(seen[0][..., :48], inputs.images.flatten(0, 1))
    assert not seen[0][..., 48:].any()


@pytest.mark.parametrize(
    ("name", "chosen", "message"),
    [
        ("faster_rcnn", {"backbone": "resnet34"}, "no backbone 'resnet34'.*'resnet18'"),
        ("faster_rcnn", {"backbone": 3}, "option 'backbone'"),
        ("faster_rcnn", {"anchors": []}, "option 'anchors'"),
        ("faster_rcnn", {"anchors": [8, -1]}, "option 'anchors'"),
        ("faster_rcnn", {"anchors": [16, 8]}, "option 'anchors'.* must increase"),
        ("faster_rcnn", {"anchors": [1, 2, 3, 4, 5]}, "5 are more than the 4 levels"),
        ("faster_rcnn", {"ratios": [float("nan")]}, "option 'ratios'"),
        ("faster_rcnn", {"maps": 0}, "option 'maps'"),
        ("faster_rcnn", {"hidden": 1.5}, "option 'hidden'"),
        ("mask_rcnn", {"proposals": 0}, "option 'proposals'"),
        ("mask_rcnn", {"position_sensitive": 1}, "option 'position_sensitive'"),
        ("one_stage", {"width": 0}, "option 'width'"),
    ],
)
def test_wrong_options_are_named(name, chosen, message):
    with pytest.raises(InputError, match=rf"network '{name}': .*{message}"):
        build(name, SHAPE, 1, **chosen)


@pytest.mark.parametrize("name", DETECTORS)
@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (Shape(1, 1, 31, 64), "too small"),
        (Shape(1, 1, 64, 64, features=1), "no features"),
        (Shape(1, 1, 64, 64, depth=64), "images of two axes"),
    ],
)
def test_wrong_shapes_are_named(name, shape, message):
    with pytest.raises(InputError, match=message):
        build(name, shape, 1)


def test_anchors_fit_boxes_of_known_sides():
    sides = torch.tensor([[10.0, 10], [10, 10.2], [40, 40], [41, 41], [10, 40], [11, 44]])
    boxes = torch.cat([torch.full_like(sides, 3), 3 + sides], dim=1)
    sizes, ratios = fit_anchors(boxes, 3, 2)
    assert sizes == pytest.approx((10.05, 21, 40.5), rel=0.02)
    assert ratios == pytest.approx((1, 4), rel=0.03)
    assert fit_anchors(boxes[:1], 4, 3) == (pytest.approx((10,)), pytest.approx((1,)))
    with pytest.raises(ValueError, match="positive"):
        fit_anchors(torch.zeros(1, 4))


def test_boxes_around_points_are_clipped():
    points = torch.tensor([[20.5, 30.5], [1.0, 2.0], [63.0, 47.0]])
    boxes = around(points, (8, 4), (64, 48))
    expected = [[26.5, 12.5, 34.5, 28.5], [0, 0, 6, 9], [43, 55, 48, 64]]
    torch.testing.assert_close(boxes, torch.tensor(expected))
    torch.testing.assert_close(centres(boxes)[:1], points[:1])
    assert transposed(boxes)[0].tolist() == [12.5, 26.5, 28.5, 34.5]
    assert torch.equal(transposed(transposed(boxes)), boxes)


def test_boxes_about_masks_hold_their_pixels():
    masks = torch.zeros(2, 8, 9, dtype=torch.bool)
    masks[0, 2:5, 3] = True
    masks[1, 7, 8] = masks[1, 0, 0] = True
    assert about_masks(masks).tolist() == [[3, 2, 4, 5], [0, 0, 9, 8]]
    assert about_masks(masks[:0]).shape == (0, 4)
