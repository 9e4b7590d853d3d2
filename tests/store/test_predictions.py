import dataclasses

import h5py
import numpy as np
import pytest

from hepcnn.errors import InputError
from hepcnn.store.predictions import FEATURES, Predictions, read_predictions, write_predictions
from hepcnn.store.shard import KEY

CLASSES = ("pion", "kaon", "proton")


def make(n=50, **changes):
    rng = np.random.default_rng(3)
    key = np.zeros(n, KEY)
    key["event"], key["object"] = np.arange(n) // 7, np.arange(n) % 7
    parts = {
        "task": "rich_pid",
        "method": "lecture_cnn",
        "classes": CLASSES,
        "prior": np.array([0.7, 0.2, 0.1]),
        "key": key,
        "scores": rng.dirichlet(np.ones(3), n).astype(np.float32),
        "label": rng.integers(-1, 3, n).astype(np.int16),
        "features": {name: rng.random(n, dtype=np.float32) for name in FEATURES["rich"]},
        "cutflow": (("events read", 8), ("scored", n)),
        "provenance": {"stage": "predict", "inputs": {"a.h5": "0123"}},
        "temperature": 1.25,
        "log_likelihood": rng.normal(0, 9, (n, 4)).astype(np.float32),
        "altered": "dark_hits_x2",
    }
    return Predictions(**(parts | changes))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "deep" / "predictions.h5"


@pytest.mark.parametrize("n", [0, 1, 50])
def test_what_is_written_is_read(path, n):
    p = make(n)
    write_predictions(path, p)
    q = read_predictions(path)
    assert len(q) == n
    for field in dataclasses.fields(Predictions):
        a, b = getattr(p, field.name), getattr(q, field.name)
        if field.name == "features":
            assert all(np.array_equal(a[name], b[name]) for name in a | b)
        elif isinstance(a, np.ndarray):
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)
        else:
            assert a == b


def test_an_unknown_direction_has_no_eta(path):
    """Of tuples that give a track's projection only; anything else must be finite."""
    eta = np.array([np.nan, 2, 3], np.float32)
    features = dict.fromkeys(FEATURES["rich"], np.ones(3, np.float32)) | {"eta": eta}
    write_predictions(path, make(3, features=features))
    np.testing.assert_array_equal(read_predictions(path).features["eta"], eta)
    for wrong in ({"eta": eta * np.inf}, {"p": eta}):
        with pytest.raises(InputError, match=r"of 3 values are not finite"):
            make(3, features=features | wrong)


def test_a_method_that_is_no_likelihood_has_none(path):
    write_predictions(path, make(log_likelihood=None))
    assert read_predictions(path).log_likelihood is None


def test_equal_predictions_give_equal_bytes(tmp_path):
    for name in "ab":
        write_predictions(tmp_path / name, make())
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    write_predictions(tmp_path / "c", make(task="other"))
    assert (tmp_path / "a").read_bytes() != (tmp_path / "c").read_bytes()


def test_a_provenance_of_thousands_of_shards_fits(path):
    inputs = {f"results/images/rich/shard-{i:05d}.h5": f"{i:016x}" for i in range(3000)}
    write_predictions(path, make(provenance={"inputs": inputs}))
    assert read_predictions(path).provenance["inputs"] == inputs


def _scores(**rows):
    scores = np.full((50, 3), 1 / 3, np.float32)
    for row, values in rows.items():
        scores[int(row[1:])] = values
    return scores


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scores": np.ones((50, 2), np.float32)}, r"scores: .*\(50, 3\)"),
        ({"scores": _scores().astype(np.float64)}, "scores: is float64"),
        ({"scores": _scores(r4=[0.5, 0.5, 0.1])}, "scores: 1 of 50 rows"),
        ({"scores": _scores(r4=[1.2, -0.2, 0])}, "scores: 1 of 50 rows"),
        ({"scores": _scores(r4=[np.nan, 0.5, 0.5])}, "scores: 1 of 150 values are not finite"),
        ({"label": np.full(50, 3, np.int16)}, "label: from 3 to 3"),
        ({"label": np.full(50, -2, np.int16)}, "label: from -2"),
        ({"label": np.zeros(49, np.int16)}, "label: "),
        ({"key": np.zeros(50, np.int64)}, "key: "),
        ({"prior": np.array([0.7, 0.2, 0.2])}, "prior: "),
        ({"prior": np.array([0.5, 0.5])}, "prior: "),
        ({"classes": ("pion", "pion", "kaon")}, "classes: "),
        ({"features": {"p": np.ones(50, np.float32)}}, "features: "),
        (
            {"features": {n: np.full(50, np.inf, np.float32) for n in FEATURES["rich"]}},
            "features/p: 50",
        ),
        ({"cutflow": (("scored", 49),)}, "cutflow: "),
        ({"cutflow": ()}, "cutflow: "),
        ({"temperature": 0.0}, "temperature: 0"),
        ({"temperature": np.nan}, "temperature: nan"),
        ({"log_likelihood": np.zeros((50, 3), np.float32)}, r"log_likelihood: .*\(50, 4\)"),
    ],
)
def test_contradictions_are_named(change, message):
    with pytest.raises(InputError, match=message):
        make(**change)


def test_not_our_files(tmp_path):
    path = tmp_path / "p.h5"
    with pytest.raises(InputError, match=r"no file '.*p\.h5'"):
        read_predictions(path)
    path.write_text("not HDF5")
    with pytest.raises(InputError, match=r"p\.h5: not a readable HDF5 file"):
        read_predictions(path)
    with h5py.File(path, "w") as file:
        file.attrs["format"] = "hepcnn-images"
    with pytest.raises(InputError, match=r"p\.h5: format hepcnn-images.*hepcnn predict"):
        read_predictions(path)


def test_another_version_is_refused(path):
    write_predictions(path, make())
    with h5py.File(path, "a") as file:
        file.attrs["version"] = 1
    with pytest.raises(InputError, match="version 1, where hepcnn-predictions, version 4"):
        read_predictions(path)


@pytest.mark.parametrize("name", ["key", "scores", "label", "features"])
def test_a_missing_dataset_is_named(path, name):
    write_predictions(path, make())
    with h5py.File(path, "a") as file:
        del file[name]
    with pytest.raises(InputError, match=rf"predictions\.h5: no {name} in it"):
        read_predictions(path)


def test_a_missing_attribute_is_named(path):
    write_predictions(path, make())
    with h5py.File(path, "a") as file:
        del file.attrs["prior"]
    with pytest.raises(InputError, match="no prior in it"):
        read_predictions(path)


def test_damage_is_an_error_that_names_the_file(path):
    for attribute, value in {"cutflow": "[[", "classes": "3"}.items():
        write_predictions(path, make())
        with h5py.File(path, "a") as file:
            file.attrs[attribute] = value
        with pytest.raises(InputError, match=r"predictions\.h5: damaged"):
            read_predictions(path)
    write_predictions(path, make())
    with h5py.File(path, "a") as file:
        file["scores"][3] = 0
    with pytest.raises(InputError, match=r"predictions\.h5: scores: 1 of 50 rows"):
        read_predictions(path)


def test_a_truncated_file_is_refused(path):
    write_predictions(path, make())
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"predictions\.h5"):
        read_predictions(path)


def test_a_failure_leaves_the_old_file(path):
    write_predictions(path, make())
    before = path.read_bytes()
    with pytest.raises(TypeError):
        write_predictions(path, make(provenance={"not JSON": object()}))
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]
