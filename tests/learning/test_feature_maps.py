"""What displays show of a network is what it computes."""

import numpy as np
import pytest
import torch
from made_up_planes import VIEWS, untrained, write_planes

from hepcnn.config.steps import Downsample, Log
from hepcnn.errors import InputError
from hepcnn.imaging.steps import apply_steps
from hepcnn.learning.feature_maps import convolutions, first_filters, respond
from hepcnn.learning.prediction import posteriors
from hepcnn.store.images import ImageSet

SHARED = {"backbone": "tower", "shared": True}


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return ImageSet(write_planes(tmp_path_factory.mktemp("planes") / "a.h5"))


def test_images_are_those_after_the_steps_and_the_scale(images):
    steps = [Downsample(step="downsample", factor=(2, 2)), Log(step="log", scale=10)]
    trained = untrained(images, "siamese", options=SHARED, steps=steps)
    found = respond(trained, images, 2).images
    after = apply_steps(steps, images.header, images.read(2, 3))
    assert found.shape == (3, 1, 32, 36)
    for v, view in enumerate(VIEWS):
        wanted = np.zeros(32 * 36, np.float32)
        sparse = after.views[view]
        wanted[sparse.pixel] = sparse.value[:, 0] * trained.preprocessing.scale[v, 0]
        np.testing.assert_allclose(found[v, 0].ravel(), wanted, rtol=1e-6)


def test_scores_are_those_of_the_prediction(images):
    trained = untrained(images, "siamese", options=SHARED)
    scores = posteriors(trained, images, np.arange(len(images)), "")
    np.testing.assert_allclose(respond(trained, images, 3).scores, scores[3], rtol=1e-4)


def test_maps_of_a_shared_tower_are_of_each_view(images):
    trained = untrained(images, "siamese", options=SHARED)
    layer = "towers.0.patches.0"
    response = respond(trained, images, 0, [layer, "head.output"])
    weight = trained.weights[f"{layer}.weight"]
    seen = torch.from_numpy(response.images)
    wanted = torch.nn.functional.conv2d(seen, weight, stride=4, padding=2)
    np.testing.assert_allclose(response.maps[layer], wanted, rtol=1e-3, atol=1e-5)
    assert response.maps["head.output"].shape == (1, 4)


def test_maps_are_what_a_layer_gives_and_not_what_the_next_makes_of_it(images):
    """The rectifier behind the normalisation works in place."""
    trained = untrained(images, "siamese", options=SHARED)
    names = ["towers.0.patches.1", "towers.0.patches.2"]
    before, after = respond(trained, images, 0, names).maps.values()
    assert before.min() < 0
    np.testing.assert_array_equal(after, np.maximum(before, 0))


def test_each_of_several_towers_sees_its_view(images):
    trained = untrained(images, "siamese", options={"backbone": "tower"})
    maps = respond(trained, images, 0, ["towers.1.stage4"]).maps
    assert maps["towers.1.stage4"].shape[:2] == (1, 96)
    assert first_filters(trained).shape == (3, 16, 1, 8, 8)
    own = trained.weights["towers.2.patches.0.weight"]
    np.testing.assert_array_equal(first_filters(trained)[2], own)


@pytest.mark.parametrize("shared", [True, False])
def test_stages_of_a_sparse_tower_are_seen_as_images(images, shared):
    options = {"backbone": "sparse_tower", "shared": shared}
    trained = untrained(images, "siamese", options=options)
    names = convolutions(trained)
    assert (names[0], names[1], names[-1]) == tuple(
        f"towers.0.{name}" for name in ("stem", "stage1", "stage6")
    )
    response = respond(trained, images, 0, [names[0], names[-1]])
    first, last = response.maps.values()
    kernel = first_filters(trained)
    assert kernel.shape == (1 if shared else 3, 16, 1, 3, 3)
    seen = torch.from_numpy(response.images[: len(first)])
    wanted = torch.nn.functional.conv2d(seen, torch.from_numpy(kernel[0]), padding=1) * (seen != 0)
    np.testing.assert_allclose(first, wanted, rtol=1e-3, atol=1e-5)
    assert last.shape == (3 if shared else 1, 96, 2, 3)
    with pytest.raises(InputError, match="gives nothing by itself"):
        respond(trained, images, 0, [f"{names[1]}.0.conv1"])


def test_convolutions_are_named_in_order(images):
    trained = untrained(images, "siamese", options={"backbone": "tower"})
    names = convolutions(trained)
    assert (names[0], names[-1]) == ("towers.0.patches.0", "towers.0.stage4.0.0")
    assert len(names) == 1 + 3 + 6
    assert convolutions(untrained(images, "mlp")) == []


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ("towers.0.stage9", "no layer 'towers.0.stage9' in made_up; did you mean 'towers.0.stage"),
        ("stage3", "no layer 'stage3' in made_up; .*'?towers.0.stage3"),
        ("", "no layer ''"),
        ("towers", "layer 'towers' of made_up gives nothing by itself"),
    ],
)
def test_a_wrong_layer_gets_the_nearest(images, layer, message):
    trained = untrained(images, "siamese", options=SHARED)
    with pytest.raises(InputError, match=message):
        respond(trained, images, 0, [layer])


def test_other_images_are_refused(images, tmp_path):
    other = ImageSet(write_planes(tmp_path / "b.h5", shape=(64, 64)))
    with pytest.raises(InputError, match=r"for other images.*'shape'"):
        respond(untrained(images, "mlp"), other, 0)


def test_a_network_without_convolutions_has_no_filters(images):
    with pytest.raises(InputError, match=r"made_up \(mlp\) has no convolution"):
        first_filters(untrained(images, "mlp"))


def test_the_random_numbers_are_left_alone(images):
    trained = untrained(images, "small")
    state = torch.random.get_rng_state()
    respond(trained, images, 0)
    first_filters(trained)
    assert torch.equal(torch.random.get_rng_state(), state)
