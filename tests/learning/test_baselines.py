"""Baselines on toy windows: the right angles, and hits drawn by their counts."""

import shutil

import h5py
import numpy as np
import pytest
from click.testing import CliRunner

from hepcnn.cli.main import main
from hepcnn.config import Config, validate
from hepcnn.detector.particles import MASSES, SPECIES
from hepcnn.errors import InputError
from hepcnn.learning.baselines import predict_baseline
from hepcnn.reconstruction import boosted, controls
from hepcnn.store.images import ImageSet
from hepcnn.store.predictions import read_predictions
from hepcnn.store.rich import FEATURES, TRUTH, analytic_features
from hepcnn.store.shard import KEY, Axis, Header, Images, ShardWriter, Sparse
from hepcnn.store.split import split_of

RICHES = ("rich1", "rich2")
#: Refractive index, photons of a saturated ring, angle of one and resolution (mrad).
GAS = {"rich1": (1.0014, 40, 0.053, 1.0), "rich2": (1.0005, 22, 0.0316, 0.6)}
TREES = ("boosted_tree", "dll_tree")
LIKELIHOODS = ("likelihood_local", "likelihood_global", "likelihood_marginal")
ANALYTIC = ("threshold_counting", *TREES, *LIKELIHOODS)
AXES = (Axis("theta", "mrad", 0, 64, 8), Axis("phi", "rad", -3, 3, 8))
HEADER = Header(
    *("rich", RICHES, (8, 8), ("hits",), dict.fromkeys(RICHES, AXES), {"species": SPECIES}),
    {"coordinates": "cherenkov"},
    dict.fromkeys(FEATURES) | analytic_features(RICHES),
    dict(TRUTH),
)


def windows(rng, rich, p, species, density):
    """The columns of one RICH; the background of a window is ∝ its angle."""
    index, yield_, top, sigma = GAS[rich]
    energy = np.hypot(p[:, None], MASSES)
    angle = np.arccos(np.minimum(energy / p[:, None] / index, 1))
    photons = yield_ * (np.sin(angle) / np.sin(top)) ** 2
    own = np.take_along_axis(angle, species[:, None], axis=1)
    signal = rng.poisson(0.8 * np.take_along_axis(photons, species[:, None], axis=1))
    shared = np.abs(angle - own) < 3e-3 * sigma
    counts = rng.poisson(3000 * angle * density[:, None]) + shared * signal
    counts *= photons > 0
    columns = {
        "angle": angle,
        "photons": photons,
        "counts": counts,
        "expected_other": counts * density[:, None],
        "theta_mean": np.where(signal[:, 0] > 0, own[:, 0], 0),
    }
    return {f"{name}_{rich}": c.astype(np.float32) for name, c in columns.items()}


def write_toy(path, tracks=3000, run=1, density=0.05, abundance=(0.05, 0.05, 0.5, 0.25, 0.15, 0)):
    rng = np.random.default_rng(run)
    key = np.zeros(tracks, KEY)
    key["run"], key["event"], key["object"] = run, *np.divmod(np.arange(tracks), 10)
    species = rng.choice(6, tracks, p=abundance)
    p = np.clip(rng.lognormal(np.log(15000), 0.6, tracks), 3000, 100000)
    features = dict.fromkeys(FEATURES, np.full(tracks, 4, np.float32)) | {"p": p.astype(np.float32)}
    for rich in RICHES:
        features |= windows(rng, rich, p, species, rng.gamma(4, density / 4, tracks))
    for name, power in (("log_local", 3), ("log_global", 6), ("log_marginal", 6)):
        log = rng.normal(0, 1, (tracks, 7))
        log[np.arange(tracks), species] += power
        features[name] = ((log - log[:, 2:3]) * power).astype(np.float32)
    label = species.astype(np.int16)
    label[::20] = -1
    empty = Sparse(np.zeros(tracks + 1, np.int64), np.empty(0, np.uint16), np.empty((0, 1), "u2"))
    with ShardWriter(path, HEADER) as writer:
        truth = {"species": label, "pdg": np.zeros(tracks, np.int32)}
        writer.append(Images(key, dict.fromkeys(RICHES, empty), truth, features))
        writer.describe({"id": str(path)}, {"kept": tracks})
    return path


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    return [write_toy(tmp_path_factory.mktemp("toy") / "0000.h5")]


@pytest.fixture(scope="module")
def config() -> Config:
    return validate(
        {
            "samples": {"toy": {"files": ["toy.root"]}, "dark": {"files": ["dark.root"]}},
            "images": {"toy": {"sample": "toy", "coordinates": "cherenkov", "rich": list(RICHES)}},
            "tasks": {
                "pid": {
                    "images": "toy",
                    "baselines": ["majority", "momentum_prior", *ANALYTIC],
                    "robustness": ["dark"],
                }
            },
            "split": {"train": 0.5, "validation": 0.2, "test": 0.3},
        }
    )


@pytest.fixture
def scored(toy, config, tmp_path):
    """Predict with a baseline; what was written."""

    def scorer(name, paths=None, **more):
        predict_baseline(paths or toy, config, "pid", name, tmp_path / "p.h5", **more)
        return read_predictions(tmp_path / "p.h5")

    return scorer


def accuracy(found):
    known = found.label >= 0
    return (found.scores.argmax(axis=1) == found.label)[known].mean()


def test_the_momentum_prior_is_fitted_on_the_training_split(scored, toy, config):
    found, images = scored("momentum_prior"), ImageSet(toy)
    labels = images.labels("species")
    part, p = split_of(images.key, config.split), images.features("p")
    train, test = part == 0, part == 2
    control = controls.momentum_prior(labels[train], p[train], 6)
    np.testing.assert_array_equal(found.scores, controls.scores(control, p[test]))
    np.testing.assert_array_equal(found.key, images.key[test])
    assert (found.method, found.log_likelihood) == ("momentum_prior", None)
    fractions = np.bincount(labels[train & (labels >= 0)], minlength=6)
    np.testing.assert_allclose(found.prior, fractions / fractions.sum(), atol=0.01)


def test_the_majority_is_the_frequencies_of_the_training_split(scored, toy, config):
    found, images = scored("majority"), ImageSet(toy)
    train = split_of(images.key, config.split) == 0
    frequencies = controls.frequencies(images.labels("species")[train], 6)
    assert (found.scores == frequencies.astype(np.float32)).all()
    np.testing.assert_array_equal(found.prior, frequencies)


def test_the_analytic_baselines_beat_what_sees_no_hit(scored):
    blind = accuracy(scored("momentum_prior"))
    for name in ANALYTIC:
        assert accuracy(scored(name)) > blind + 0.1, name
    assert accuracy(scored("likelihood_global")) > accuracy(scored("likelihood_local"))


def test_a_likelihood_is_weighed_with_the_abundances_of_the_training_split(scored, toy):
    found = scored("likelihood_global")
    images = ImageSet(toy)
    chosen = np.isin(images.key, found.key)
    np.testing.assert_array_equal(found.log_likelihood, images.features("log_global")[chosen])
    weighted = np.exp(found.log_likelihood[:, :6].astype(float)) * found.prior
    expected = weighted / weighted.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found.scores, expected, rtol=1e-4, atol=1e-6)


def test_temperatures_are_of_the_validation_split(scored):
    """The toy's likelihoods are overconfident by their power: its T; ln L is drawn with width 1."""
    assert scored("majority").temperature == pytest.approx(1, abs=0.2)
    local, best = scored("likelihood_local"), scored("likelihood_global")
    assert 1 < local.temperature < 4
    again = scored("likelihood_local", part="train")
    assert again.temperature == local.temperature
    assert best.temperature != local.temperature


@pytest.mark.parametrize("name", ["threshold_counting", *TREES])
def test_a_class_without_an_example_has_a_small_score(scored, name):
    found = scored(name)
    deuteron = found.scores[:, SPECIES.index("deuteron")]
    assert (deuteron >= 0).all()
    assert deuteron.mean() < 0.01


@pytest.mark.parametrize("name", ["threshold_counting", *TREES])
def test_equal_bytes(toy, config, tmp_path, name):
    for file in ("a", "b"):
        predict_baseline(toy, config, "pid", name, tmp_path / file)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_altered_events_are_scored_with_what_was_fitted_on_the_others(scored, toy, tmp_path):
    nominal = scored("boosted_tree")
    dark = [write_toy(tmp_path / "dark.h5", 500, run=2, density=0.3)]
    found = scored("boosted_tree", dark, part="all", train=toy, altered="dark")
    assert (len(found), found.altered) == (500, "dark")
    np.testing.assert_array_equal(found.prior, nominal.prior)
    assert found.temperature == nominal.temperature
    assert accuracy(found) < accuracy(nominal)
    assert set(found.provenance["inputs"]) == {str(dark[0]), str(toy[0])}


def test_the_tree_of_likelihoods_sees_differences_alone(toy, config, tmp_path):
    """What is added to all ln L of a track changes nothing."""
    shifted = tmp_path / "shifted.h5"
    shutil.copy(toy[0], shifted)
    with h5py.File(shifted, "r+") as file:
        log = file["features/log_global"]
        log[:] = log[:] + np.arange(len(log), dtype=np.float32)[:, None] % 8
    scores = []
    for path in (toy[0], shifted):
        predict_baseline([path], config, "pid", "dll_tree", tmp_path / "p.h5")
        scores.append(read_predictions(tmp_path / "p.h5"))
    np.testing.assert_allclose(scores[0].scores, scores[1].scores, atol=1e-3)


def test_a_boosted_tree_of_one_class_is_refused():
    features = np.arange(8, dtype=np.float32)[:, np.newaxis]
    labels = np.array([2, -1] * 4)
    with pytest.raises(InputError, match="one class only"):
        boosted.fit(features, labels, features, labels, 6, seed=1)


def test_names_that_the_task_lacks_are_errors(scored):
    with pytest.raises(InputError, match="no baseline 'majorty'; did you mean 'majority'"):
        scored("majorty")
    with pytest.raises(InputError, match="no robustness sample 'darc'; did you mean 'dark'"):
        scored("majority", altered="darc")


@pytest.mark.parametrize("name", ANALYTIC)
def test_images_without_the_columns_are_refused(scored, make_shards, tmp_path, name):
    paths = make_shards(tmp_path, classes=SPECIES)
    with pytest.raises(InputError, match=r"0000\.h5: no feature .*coordinates: cherenkov"):
        scored(name, paths)
    assert not (tmp_path / "p.h5").exists()


def test_training_on_another_image_set_is_refused(scored, toy, make_shards, tmp_path):
    paths = make_shards(tmp_path, classes=SPECIES)
    with pytest.raises(InputError, match="not of the same image set"):
        scored("majority", toy, train=paths)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--altered", "dark"], "give --train"),
        (["--altered", "dark", "--split", "test"], "leave --split out"),
        (["--checkpoint", "c.ckpt"], "either --checkpoint, or --task and --baseline"),
    ],
)
def test_options_that_contradict_one_another(toy, options, message):
    baseline = ["--task", "rich_pid", "--baseline", "majority", "-o", "p.h5"]
    done = CliRunner().invoke(main, ["predict", str(toy[0]), *baseline, *options])
    assert done.exit_code == 2
    assert message in done.stderr
