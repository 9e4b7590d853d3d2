"""Images that are not like those of the training are seen at prediction."""

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from hand_made_planes import random_events
from made_up_planes import untrained, write_planes

from hepcnn.cli.main import main
from hepcnn.detector.tpc import load_tpc
from hepcnn.events.writing import write_events
from hepcnn.learning.image_statistics import compare_images, image_statistics
from hepcnn.store.images import ImageSet


def test_the_numbers_are_those_of_the_dense_images(tmp_path):
    images = ImageSet(write_planes(tmp_path / "planes.h5", n=9))
    which = np.array([0, 1, 2, 4, 5, 8])  # the second is empty: it is left out
    found = image_statistics(images, which)
    for view in images.header.views:
        rows = []
        for i in which[[0, 2, 3, 4, 5]]:
            sparse = images.view(view, i, i + 1)
            dense = np.zeros(images.header.pixels)
            dense[sparse.pixel] = sparse.value[:, 0]
            occupied = dense.reshape(images.header.shape) > 0
            starts = occupied & ~np.vstack([np.zeros((1, occupied.shape[1]), bool), occupied[:-1]])
            n = occupied.sum()
            rows.append([n, dense.sum(), dense.sum() / n, n / starts.sum()])
        numbers = list(found[view].values())
        np.testing.assert_allclose(numbers[2:], np.median(rows, axis=0), rtol=1e-6)
        tpc = load_tpc("microboone")
        np.testing.assert_allclose(numbers[:2], [6 * tpc.mm_per_tick, tpc.pitch])


def test_sets_of_one_kind_do_not_part(tmp_path):
    """Other events of the same detector, fewer than are looked at."""
    sets = [
        ImageSet(write_planes(tmp_path / f"{seed}.h5", n=n, seed=seed))
        for seed, n in ((1, 250), (2, 30))
    ]
    first, second = (image_statistics(images, np.arange(len(images))) for images in sets)
    assert not list(compare_images(first, second))


@pytest.mark.parametrize(
    ("name", "factor", "parts"),
    [
        ("occupied pixels", 1.4, False),
        ("occupied pixels", 1.6, True),
        ("occupied pixels", 1 / 1.6, True),
        ("pixel along time (mm)", 1.1, True),
        ("pixel along time (mm)", 1.01, False),
        ("charge", np.nan, True),
    ],
)
def test_where_they_part_is_named(tmp_path, name, factor, parts):
    images = ImageSet(write_planes(tmp_path / "planes.h5"))
    training = image_statistics(images, np.arange(len(images)))
    here = {view: dict(numbers) for view, numbers in training.items()}
    here["v"][name] *= factor
    said = list(compare_images(training, here))
    assert len(said) == parts
    assert all(text.startswith(f"v: {name}: ") for text in said)


def shard_of(folder, name, **settings):
    """Convert the same random events, with or without a width of their hits."""
    write_events(folder / f"{name}.root", [random_events(**settings)], {})
    config = {
        "samples": {"s": {"detector": "lartpc", "files": ["unused"]}},
        "images": {"i": {"sample": "s", "maker": "planes", "region": "charge", "shape": [64, 64]}},
        "tasks": {},
    }
    (folder / "c.yaml").write_text(yaml.safe_dump(config))
    paths = [str(folder / end) for end in (f"{name}.root", "c.yaml", f"{name}.h5")]
    done = CliRunner().invoke(
        main, ["convert", paths[0], "--config", paths[1], "--images", "i", "-o", paths[2]]
    )
    assert done.exit_code == 0, done.output
    return folder / f"{name}.h5"


def test_prediction_shows_both_and_warns_of_hits_without_a_width(tmp_path):
    wide, narrow = (shard_of(tmp_path, str(w), wide=w) for w in (True, False))
    untrained(ImageSet(wide), "lenet5").save(tmp_path / "c.ckpt")
    said = {}
    for path in (wide, narrow):
        given = [str(path), "--checkpoint", str(tmp_path / "c.ckpt"), "--split", "all"]
        done = CliRunner().invoke(main, ["predict", *given, "-o", str(tmp_path / "p.h5")])
        assert done.exit_code == 0, done.output
        said[path] = done.stderr
    assert "warning" not in said[wide]
    (row,) = (line.split() for line in said[wide].splitlines() if "y     run along" in line)
    assert row[-1] == row[-2]
    *warned, last = [line for line in said[narrow].splitlines() if "warning" in line]
    assert "hits without a width (hit_rms)" in last
    assert {line.split(": ")[2] for line in warned} == {"u", "v", "y"}
    assert {line.split(": ")[3] for line in warned} >= {"occupied pixels", "charge a pixel"}


def test_charges_below_zero_are_compared_by_their_size():
    training, here = ({"u": {"charge": value}} for value in (-3.0, -3.3))
    assert not list(compare_images(training, here))
    assert len(list(compare_images(training, {"u": {"charge": 3.0}}))) == 1
