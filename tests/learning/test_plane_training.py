"""Training on wire planes: any target, processing steps, mirrored examples."""

import json

import numpy as np
import pytest
import torch
from plane_shards import plane_header, plane_images, write_planes
from precision import PRECISION

from hepcnn.config import Network, Split, validate
from hepcnn.config.image_tasks import InstanceTrain, SegmentTrain
from hepcnn.detector.labels import INTERACTIONS, PIXEL_CLASSES, SINGLE_PARTICLES
from hepcnn.errors import InputError
from hepcnn.learning import prediction
from hepcnn.learning.anchors import with_anchors
from hepcnn.learning.baselines import predict_baseline
from hepcnn.learning.checkpoint import Checkpoint
from hepcnn.learning.prediction import predict
from hepcnn.learning.preprocessing import Preprocessing
from hepcnn.learning.progress import TrainingProgress
from hepcnn.learning.training import train
from hepcnn.learning.training_data import training_data
from hepcnn.store.images import ImageSet
from hepcnn.store.predictions import read_predictions
from hepcnn.store.shard import ShardWriter
from hepcnn.store.split import split_of

STEPS = [{"step": "downsample", "factor": [2, 4]}, {"step": "log", "scale": 50.0}]


@pytest.fixture
def shards(tmp_path):
    """With an even number of training examples: two processes leave none out."""
    return write_planes(tmp_path / "planes", events=400, seed=3)


@pytest.fixture
def config():
    """A configuration with a small network; keyword arguments are settings of the training."""

    def maker(target="particle", network=None, seed=1, **settings):
        mlp = {"architecture": "mlp", "options": {"hidden": [16], "dropout": 0.1}}
        train = {"epochs": 4, "batch_size": 32, "learning_rate": 0.01, "precision": PRECISION}
        return validate(
            {
                "seed": seed,
                "samples": {"tpc": {"detector": "lartpc", "files": ["tpc.root"]}},
                "images": {"planes": {"sample": "tpc", "maker": "planes"}},
                "tasks": {
                    "task": {
                        "images": "planes",
                        "target": target,
                        "networks": {"net": mlp | (network or {})},
                        "baselines": ["majority"],
                        "train": train | settings,
                    }
                },
            },
            "test",
        )

    return maker


@pytest.fixture
def run(config, shards, tmp_path):
    """Train; the folder of the results."""

    def runner(name="out", images=None, **settings):
        train(images or shards, config(**settings), "task", "net", tmp_path / name)
        return tmp_path / name

    return runner


def scored(folder, images, part="test"):
    predict(images, folder / "checkpoint.ckpt", folder / "p.h5", part)
    return read_predictions(folder / "p.h5")


def accuracy(found):
    known = found.label >= 0
    return (found.scores.argmax(axis=1) == found.label)[known].mean()


@pytest.mark.parametrize(
    ("target", "classes"),
    [("particle", tuple(SINGLE_PARTICLES)), ("interaction", INTERACTIONS)],
)
def test_a_target_is_learnt_and_scored(run, shards, target, classes):
    """Others are never trained on, but scored; events are named, with energy and hits."""
    folder = run(target=target, epochs=8)
    trained = Checkpoint.load(folder / "checkpoint.ckpt")
    images = ImageSet(shards)
    labels, part = images.labels(target), split_of(images.key, trained.split)
    own = labels[(part == 0) & (labels >= 0)]
    np.testing.assert_allclose(trained.prior, np.bincount(own, minlength=len(classes)) / len(own))
    assert trained.target == target
    found = scored(folder, shards, "all")
    assert found.classes == classes
    assert accuracy(found) > 0.9
    np.testing.assert_array_equal(found.key, images.key)
    np.testing.assert_array_equal(found.label, labels)
    assert (found.label < 0).any()
    assert set(found.features) == {"energy", "n_hits"}
    np.testing.assert_array_equal(found.features["energy"], images.truth("energy"))
    np.testing.assert_array_equal(found.features["n_hits"], images.features("n_hits"))


@pytest.mark.parametrize("target", ["particle", "semantic"])
def test_few_examples_are_spread_over_the_training_split(shards, target):
    images = ImageSet(shards)

    def train_of(examples):
        settings = SegmentTrain(examples=examples)
        return training_data(images, target, "sparse_uresnet", Split(), settings, Network())

    everything, few = train_of(None), train_of(10)
    assert len(few.train) == 10
    np.testing.assert_array_equal(few.validation, everything.validation)
    place = np.searchsorted(everything.train, few.train)
    np.testing.assert_array_equal(everything.train[place], few.train)
    assert set(np.diff(place)) <= {len(everything.train) // 10, len(everything.train) // 10 + 1}
    many = train_of(10**6)
    np.testing.assert_array_equal(many.train, everything.train)


def test_anchors_that_were_not_chosen_are_fitted_to_the_true_boxes(shards, capfd):
    images, network = ImageSet(shards), Network(views=["y"])
    data = training_data(images, "instance", "mask_rcnn", Split(), InstanceTrain(), network)
    options = with_anchors(data, "mask_rcnn", {"backbone": "tower"})
    assert (options["backbone"], set(options)) == ("tower", {"backbone", "anchors", "ratios"})
    assert f"anchors {options['anchors'][0]:.3g}" in capfd.readouterr().err
    boxes = []
    for index in data.train:
        one = images.read(index, index + 1)
        place = np.column_stack(np.divmod(one.views["y"].pixel.astype(int), images.header.shape[1]))
        for instance in np.unique(one.views["y"].truth["instance"]):
            own = place[one.views["y"].truth["instance"] == instance]
            if instance >= 0:
                boxes.append(np.ptp(own, axis=0) + 1)
    sides = np.sqrt(np.prod(boxes, axis=1))
    assert 1 < len(options["anchors"]) <= 4
    assert sides.min() <= options["anchors"][0] < options["anchors"][-1] <= sides.max()
    only = with_anchors(data, "mask_rcnn", {"anchors": [7.0]})
    assert only == {"anchors": [7.0], "ratios": options["ratios"]}
    of_pixels = training_data(
        images, "instance", "sparse_uresnet", Split(), InstanceTrain(), Network()
    )
    assert with_anchors(of_pixels, "sparse_uresnet", {"levels": 2}) == {"levels": 2}


def test_steps_in_the_network_are_those_of_a_conversion(run, shards, tmp_path):
    """A checkpoint with steps predicts, from raw shards, what one without does on stepped ones."""
    steps = Network(steps=STEPS).steps
    stepped = write_planes(tmp_path / "stepped", events=400, seed=3, steps=steps)
    one, two = run("one", network={"steps": STEPS}), run("two", images=stepped)
    first, second = (Checkpoint.load(folder / "checkpoint.ckpt") for folder in (one, two))
    assert first.preprocessing.shape == second.preprocessing.shape == (3, 1, 8, 5, 0, 0, 0, 0)
    assert first.preprocessing.steps == tuple(steps)
    assert first.preprocessing.header == ImageSet(shards).header
    np.testing.assert_array_equal(first.preprocessing.scale, second.preprocessing.scale)
    for name, weights in first.weights.items():
        torch.testing.assert_close(weights, second.weights[name], rtol=0, atol=0)
    np.testing.assert_array_equal(scored(one, shards).scores, scored(two, stepped).scores)
    with pytest.raises(InputError, match=r"for other images than .*'shape'"):
        predict(stepped, one / "checkpoint.ckpt", tmp_path / "p.h5")


def test_occupied_pixels_are_1_on_average_after_the_steps(shards):
    images, which = ImageSet(shards), np.arange(0, 300, 2)
    fitted = Preprocessing.fit(images, which, Network(steps=STEPS, views=["y", "u"]))
    again = Preprocessing.from_json(json.loads(json.dumps(fitted.to_json())))
    assert again.steps == fitted.steps
    assert again.header == fitted.header
    for preprocessing in (fitted, again):
        (batch,) = preprocessing.dataset(images, which, 300, target="particle")
        for view in batch["images"].transpose(0, 1):
            assert view[view > 0].mean() == pytest.approx(1, rel=1e-5)


def test_an_impossible_step_is_named(run):
    crop = {"step": "crop", "shape": [99, 99]}
    with pytest.raises(InputError, match="crop: a window of 99 × 99 pixels is larger"):
        run(network={"steps": [crop]})


def test_mirrored_training(run, shards):
    """Another training, of the same accuracy; the validation is not mirrored."""
    mirrored, plain = (run(f"{a}", epochs=8, augment=a) for a in (["drift", "beam"], []))
    assert not _same(mirrored, plain)
    assert _same(mirrored, run("again", epochs=8, augment=["drift", "beam"]))
    assert accuracy(scored(mirrored, shards, "all")) > 0.9


def _same(one, other):
    return all(
        (one / name).read_bytes() == (other / name).read_bytes()
        for name in ("checkpoint.ckpt", "history.csv")
    )


def test_a_mirror_needs_both_planes(run):
    with pytest.raises(InputError, match="'v' becomes 'u', which is not seen"):
        run(network={"views": ["v", "y"]}, augment=["beam"])


def test_batch_normalisation_never_has_a_single_example(run, config, shards):
    """Maps of one pixel: with one view a batch of one example leaves nothing to normalise."""
    images, split = ImageSet(shards), config().split
    examples = (split_of(images.key, split) == 0) & (images.labels("particle") >= 0)
    one_view = {"architecture": "siamese", "options": {"backbone": "tower"}, "views": ["y"]}
    but_one = np.count_nonzero(examples) - 1
    assert run(network=one_view, epochs=1, batch_size=but_one).is_dir()
    with pytest.raises(InputError, match=r"train\.batch_size: a process has one example a step"):
        run("single", network=one_view, epochs=1, batch_size=1)


@pytest.mark.parametrize("target", ["vertex", "semantic", "instance", "points"])
def test_images_without_truth_are_not_learnt_from(tmp_path, target):
    """As of a user's file without the branches of truth; scored they can be."""
    unknown, header = plane_images(np.random.default_rng(3), 60), plane_header()
    unknown.truth["vertex_pixel"][:] = np.nan
    for view in unknown.views.values():
        view.truth["semantic"][:] = PIXEL_CLASSES.index("other")
        view.truth["instance"][:] = -1
    with ShardWriter(tmp_path / "unknown.h5", header) as writer:
        writer.append(unknown)
        writer.describe({"id": "unknown"}, {"kept": len(unknown)})
    asked = (target, "sparse_uresnet", Split(), SegmentTrain(), Network())
    words = rf"none of the \d+ examples of the train split has truth of '{target}'"
    with pytest.raises(InputError, match=words):
        training_data(ImageSet([tmp_path / "unknown.h5"]), *asked)


def test_it_goes_on_where_it_was_interrupted(run, monkeypatch):
    """With steps and mirrors: the same bytes."""
    settings = {"network": {"steps": STEPS}, "augment": ["beam"], "balance": "sampler"}
    whole = run("whole", **settings)
    save = TrainingProgress.save

    def saving(self, folder):
        save(self, folder)
        if self.epoch == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(TrainingProgress, "save", saving)
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            run("killed", **settings)
    assert _same(run("killed", **settings), whole)


@pytest.mark.parametrize("change", [{"network": {"steps": STEPS[:1]}}, {"augment": ["drift"]}])
def test_the_provenance_tells_settings_apart(run, change):
    records = [
        Checkpoint.load(run(name, epochs=1, **settings) / "checkpoint.ckpt").provenance["id"]
        for name, settings in (("one", {}), ("two", change))
    ]
    assert records[0] != records[1]


@pytest.mark.skipif(torch.cuda.is_available(), reason="devices are GPUs here")
def test_two_processes_train_as_one(run):
    """In 32 bits: of gradients near 0, Adam's steps in bf16 differ with the sums' order."""
    settings = {
        "epochs": 1, "augment": ["drift", "beam"], "precision": "32",
        "network": {"steps": STEPS, "options": {"hidden": [16], "dropout": 0}},
    }  # fmt: skip
    one, two = run("one", **settings), run("two", devices=2, **settings)
    first, second = (Checkpoint.load(folder / "checkpoint.ckpt") for folder in (one, two))
    for name, weights in first.weights.items():
        torch.testing.assert_close(weights, second.weights[name], rtol=1e-3, atol=1e-5)


def test_large_images_are_scored_in_small_batches(run, shards, monkeypatch):
    """The scores are the same to the last bits."""
    folder = run(epochs=1)
    many = scored(folder, shards).scores
    monkeypatch.setattr(prediction, "BATCH_PIXELS", 3 * 320 * 7)
    np.testing.assert_allclose(scored(folder, shards).scores, many, rtol=1e-5)


def test_the_majority_baseline_of_any_target(config, shards, tmp_path):
    for target, classes in (("particle", 5), ("interaction", 4)):
        settings = config(target=target)
        predict_baseline(shards, settings, "task", "majority", tmp_path / "p.h5")
        found = read_predictions(tmp_path / "p.h5")
        assert found.scores.shape[1] == classes
        assert (found.scores == found.scores[0]).all()
        np.testing.assert_allclose(found.scores[0], found.prior, rtol=1e-6)
