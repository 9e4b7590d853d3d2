import numpy as np
import pytest

from hepcnn.config import Network
from hepcnn.errors import InputError
from hepcnn.learning import preprocessing as module
from hepcnn.learning.preprocessing import Preprocessing
from hepcnn.store.batches import Batches
from hepcnn.store.images import ImageSet


@pytest.fixture
def images(make_shards, tmp_path):
    return ImageSet(
        make_shards(tmp_path, views=("rich1", "rich2"), channels=("hits", "tracks"), events=20)
    )


def test_occupied_pixels_are_1_on_average(images, monkeypatch):
    monkeypatch.setattr(module, "SPAN", 7)
    which = np.arange(5, 70, 2)
    fitted = Preprocessing.fit(images, which, Network())
    assert len(np.unique(fitted.scale)) == 4
    batches = Batches(images, which, 100, scale=fitted.scale)
    dense = next(batches.epoch())["images"]
    for view in range(2):
        for channel in range(2):
            values = dense[:, view, channel]
            assert values[values > 0].mean() == pytest.approx(1, rel=1e-6)


def test_goes_through_json(images):
    fitted = Preprocessing.fit(images, np.arange(10), Network())
    again = Preprocessing.from_json(fitted.to_json())
    assert again.header == fitted.header
    np.testing.assert_array_equal(again.scale, fitted.scale)


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
