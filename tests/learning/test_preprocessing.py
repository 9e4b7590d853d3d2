import json

import h5py
import numpy as np
import pytest

from hepcnn.config import Network
from hepcnn.errors import InputError
from hepcnn.learning.preprocessing import Preprocessing
from hepcnn.store import blocks
from hepcnn.store.batches import Batches
from hepcnn.store.images import ImageSet


@pytest.fixture
def analytic(make_shards, tmp_path):
    """Of two views and channels, with expected angles."""
    channels = ("hits", "expected_other")
    views = ("rich1", "rich2")
    return ImageSet(make_shards(tmp_path, views=views, channels=channels, analytic=True, events=40))


@pytest.fixture
def images(make_shards, tmp_path):
    return ImageSet(
        make_shards(tmp_path, views=("rich1", "rich2"), channels=("hits", "tracks"), events=20)
    )


def test_occupied_pixels_are_1_on_average(images, monkeypatch):
    monkeypatch.setattr(blocks, "SPAN", 7)
    which = np.arange(5, 70, 2)
    fitted = Preprocessing.fit(images, which, Network())
    assert len(np.unique(fitted.scale)) == 4
    batches = Batches(images, which, 100, scale=fitted.scale)
    dense = next(batches.epoch())["images"]
    for view in range(2):
        for channel in range(2):
            values = dense[:, view, channel]
            assert values[values > 0].mean() == pytest.approx(1, rel=1e-6)


def test_the_scale_is_that_of_what_is_seen(analytic):
    which = np.arange(0, 100, 3)
    everything = Preprocessing.fit(analytic, which, Network())
    assert everything.shape == (2, 2, 8, 8, 0, 6, 0, 3)
    chosen = Network(views=["rich2"], channels=["expected_other"])
    fitted = Preprocessing.fit(analytic, which, chosen)
    assert fitted.shape == (1, 1, 8, 8, 0, 6, 0, 3)
    np.testing.assert_array_equal(fitted.scale, everything.scale[1:, 1:])
    swapped = Preprocessing.fit(analytic, which, Network(views=["rich2", "rich1"]))
    np.testing.assert_array_equal(swapped.scale, everything.scale[::-1])
    batch, all_of_it = (next(iter(p.dataset(analytic, which, 9))) for p in (fitted, everything))
    np.testing.assert_array_equal(batch["images"], all_of_it["images"][:, 1:, 1:])
    np.testing.assert_array_equal(batch["expected"], all_of_it["expected"][:, 1:])


def test_features_are_standard_in_the_training_examples(analytic):
    """Side by side; the momentum as its logarithm; a constant one (n_tracks) is 0."""
    which = np.arange(0, 100, 3)
    names = ["log_global", "p", "n_tracks"]
    fitted = Preprocessing.fit(analytic, which, Network(features=names))
    assert fitted.shape.features == 9
    (batch,) = fitted.dataset(analytic, which, len(which))
    found = batch["features"].numpy()
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(found.std(axis=0), [*[1] * 8, 0], rtol=1e-4)
    momentum = np.log(analytic.features("p")[which])
    np.testing.assert_allclose(
        found[:, 7], (momentum - momentum.mean()) / momentum.std(), rtol=1e-3
    )
    likelihood = analytic.features("log_global")[which]
    assert np.corrcoef(found[:, 3], likelihood[:, 3])[0, 1] == pytest.approx(1)


def test_what_is_not_known_is_the_mean(analytic):
    fitted = Preprocessing.fit(analytic, np.arange(50), Network(features=["eta", "p"]))
    raw = np.array([[np.nan, 5e3], [4, np.nan], [np.inf, 5e3]], np.float32)
    found = fitted.standardise(raw)
    assert found[0, 0] == found[1, 1] == found[2, 0] == 0
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    assert np.isnan(raw[0, 0])


def test_a_feature_that_is_known_of_no_example_is_refused(make_shards, tmp_path):
    paths = make_shards(tmp_path)
    for path in paths:
        with h5py.File(path, "a") as file:
            file["features/eta"][:] = np.nan
    with pytest.raises(InputError, match="'eta' is a number in none of the 50 examples"):
        Preprocessing.fit(ImageSet(paths), np.arange(50), Network(features=["eta"]))


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"views": ["rich3"]}, "views: the images have no 'rich3'; did you mean"),
        ({"views": []}, "views: none is chosen; there are rich1, rich2"),
        ({"channels": ["hit"]}, "channels: the images have no 'hit'; did you mean 'hits'"),
        ({"channels": ["hits", "hits"]}, "channels: hits, hits: one is named twice"),
        ({"features": ["P"]}, "features: the images have no 'P'"),
        ({"features": ["angle_rich3"]}, "features: .* 'angle_rich3'; did you mean 'angle_rich"),
    ],
)
def test_what_is_not_there_cannot_be_seen(analytic, chosen, message):
    with pytest.raises(InputError, match=message):
        Preprocessing.fit(analytic, np.arange(10), Network(**chosen))


def test_images_without_expected_angles_have_no_hypotheses(images):
    assert Preprocessing.fit(images, np.arange(10), Network()).shape.hypotheses == 0


def test_goes_through_json(analytic):
    chosen = Network(views=["rich2"], channels=["hits"], features=["p", "angle_rich1"])
    fitted = Preprocessing.fit(analytic, np.arange(10), chosen)
    again = Preprocessing.from_json(json.loads(json.dumps(fitted.to_json())))
    for name, value in fitted.__dict__.items():
        np.testing.assert_array_equal(getattr(again, name), value)
        assert type(getattr(again, name)) is type(value)
    assert again.shape == fitted.shape == (1, 1, 8, 8, 7, 6, 0, 3)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"shape": (9, 8)}, r"'shape' is \[8, 8\] in the checkpoint and \[9, 8\] in the images"),
        ({"views": ("rich2",)}, "'views'"),
        ({"channels": ("tracks",)}, "'channels'"),
        ({"classes": ("kaon", "pion", "proton")}, "'classes'"),
    ],
)
def test_other_images_are_refused(make_shards, tmp_path, other, message):
    (tmp_path / "other").mkdir()
    fitted = Preprocessing.fit(ImageSet(make_shards(tmp_path)), np.arange(10), Network())
    fitted.check(ImageSet(make_shards(tmp_path, seed=2)))
    with pytest.raises(InputError, match=r"other images than .*0000\.h5: " + message):
        fitted.check(ImageSet(make_shards(tmp_path / "other", **other)))
