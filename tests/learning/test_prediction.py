import numpy as np
import pytest
import torch

from hepcnn.errors import InputError
from hepcnn.learning.checkpoint import Checkpoint
from hepcnn.learning.prediction import predict
from hepcnn.networks.inputs import Inputs
from hepcnn.store.hdf5 import get_text, open_hdf5
from hepcnn.store.images import ImageSet
from hepcnn.store.predictions import read_predictions
from hepcnn.store.split import split_of


@pytest.fixture
def checkpoint(run):
    return run(epochs=1) / "checkpoint.ckpt"


@pytest.fixture
def scored(checkpoint, shards, tmp_path):
    """Predict; what was written."""

    def scorer(paths=None, part="test"):
        predict(paths or shards, checkpoint, tmp_path / "predictions.h5", part)
        return read_predictions(tmp_path / "predictions.h5")

    return scorer


def test_scores_stand_by_the_keys_of_the_split(scored, shards, make_config, checkpoint):
    """Labels, features and cutflow too; checked against the network image by image."""
    found, images = scored(), ImageSet(shards)
    which = np.flatnonzero(split_of(images.key, make_config().split) == 2)
    np.testing.assert_array_equal(found.key, images.key[which])
    np.testing.assert_array_equal(found.label, images.labels("species")[which])
    assert (found.label == -1).any()
    np.testing.assert_array_equal(found.features["p"], images.features("p")[which])
    assert found.cutflow == (
        ("events read", 200),
        ("kept", 800),
        ("in test split", len(which)),
        ("scored", len(which)),
    )
    assert (found.task, found.method) == ("pid", "mlp")
    trained = Checkpoint.load(checkpoint)
    network = trained.network()
    for row in (0, len(which) // 2, len(which) - 1):
        sparse = images.read(which[row], which[row] + 1).views["rich1"]
        image = torch.zeros(64)
        image[sparse.pixel.astype(int)] = torch.tensor(
            sparse.value[:, 0] * trained.preprocessing.scale[0]
        )
        inputs = Inputs.alone(image.reshape(1, 1, 1, 8, 8))
        scores = network(inputs).softmax(dim=1)[0]
        np.testing.assert_allclose(found.scores[row], scores.detach(), rtol=1e-4, atol=1e-6)


def test_all_parts_together_are_all(scored):
    parts = [scored(part=part) for part in ("train", "validation", "test")]
    assert sum(len(part) for part in parts) == len(scored(part="all")) == 800


def test_equal_bytes(checkpoint, shards, tmp_path):
    for name in ("a.h5", "b.h5"):
        predict(shards, checkpoint, tmp_path / name)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_new_images_need_nothing_but_the_checkpoint(make_shards, scored, tmp_path):
    (tmp_path / "new").mkdir()
    assert len(scored(make_shards(tmp_path / "new", events=8, shards=1, seed=7), "all")) == 32


def test_a_checkpoint_for_other_images_is_refused(make_shards, scored, tmp_path):
    (tmp_path / "new").mkdir()
    with pytest.raises(InputError, match=r"checkpoint is for other images .*'shape' is \[8, 8\]"):
        scored(make_shards(tmp_path / "new", shape=(10, 8)))
    assert not (tmp_path / "predictions.h5").exists()


def test_an_empty_part_is_an_error(make_shards, scored, tmp_path):
    (tmp_path / "new").mkdir()
    paths = make_shards(tmp_path / "new", events=1, shards=1, seed=7)
    with pytest.raises(InputError, match=r"test split is empty .*0\.15.* 4 examples of 1 events"):
        scored(paths)


def test_what_is_no_checkpoint_is_refused(shards, checkpoint, tmp_path):
    whole = checkpoint.read_bytes()
    data = torch.load(checkpoint, weights_only=True)
    torch.save({"weights": 3}, tmp_path / "torch")
    torch.save(data | {"version": 1}, tmp_path / "version")
    torch.save(data | {"description": data["description"].replace("prior", "x")}, tmp_path / "part")
    (tmp_path / "text").write_text("hello")
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "truncated").write_bytes(whole[: len(whole) // 2])
    weight = next(iter(data["weights"].values())).numpy().tobytes()
    (tmp_path / "bit").write_bytes(whole.replace(weight, weight[:-1] + bytes([weight[-1] ^ 1])))
    for name, message in {
        "bit": "not a checkpoint of .* or damaged",
        "missing": "missing: no such file",
        "text": "not a checkpoint of",
        "empty": "not a checkpoint of",
        "truncated": "not a checkpoint of",
        "torch": "a torch file, but not a checkpoint",
        "version": "format version 1; this hepcnn reads version 5",
        "part": "damaged checkpoint.*prior",
    }.items():
        with pytest.raises(InputError, match=message):
            predict(shards, tmp_path / name, tmp_path / "p.h5")
    assert not (tmp_path / "p.h5").exists()


def test_no_code_is_run_from_a_checkpoint(shards, tmp_path):
    class Hostile:
        def __reduce__(self):
            return (open, (str(tmp_path / "touched"), "w"))

    torch.save({"format": "hepcnn-checkpoint", "x": Hostile()}, tmp_path / "hostile")
    with pytest.raises(InputError, match="not a checkpoint"):
        predict(shards, tmp_path / "hostile", tmp_path / "p.h5")
    assert not (tmp_path / "touched").exists()


def test_provenance_leads_back(scored, shards, checkpoint):
    found = scored()
    inputs = found.provenance["inputs"]
    assert inputs[str(checkpoint)] == Checkpoint.load(checkpoint).provenance["id"]
    for path in shards:
        with open_hdf5(path) as file:
            assert inputs[str(path)] in get_text(file, "provenance")


def test_weights_of_another_architecture_are_refused(shards, checkpoint, tmp_path):
    data = torch.load(checkpoint, weights_only=True)
    data["weights"].pop("output.bias")
    torch.save(data, tmp_path / "other")
    with pytest.raises(InputError, match="weights do not fit the network 'mlp'"):
        predict(shards, tmp_path / "other", tmp_path / "p.h5")
