"""Wire planes from simulated hits to tables and page, and extreme events, by the command line."""

import json

import awkward as ak
import numpy as np
import pytest
import uproot
import yaml
from click.testing import CliRunner
from precision import PRECISION

from hepcnn.cli.main import main
from hepcnn.detector.labels import SINGLE_PARTICLES
from hepcnn.store.images import ImageSet
from hepcnn.store.predictions import read_predictions

METHODS = ("planes", "majority", "shape_tree")
SETTINGS = {
    "samples": {"particles": {"detector": "lartpc", "simulate": {"events": 150, "shards": 1}}},
    "images": {
        "planes": {"sample": "particles", "maker": "planes", "region": "charge", "shape": [64, 64]}
    },
    "tasks": {
        "particle": {
            "images": "planes",
            "target": "particle",
            "networks": {
                "planes": {
                    "architecture": "siamese",
                    "options": {"backbone": "tower", "backbone_options": {"width": 4}},
                    "steps": [{"step": "log"}],
                }
            },
            "baselines": ["majority", "shape_tree"],
            "train": {
                "epochs": 1,
                "batch_size": 16,
                "augment": ["drift"],
                "precision": PRECISION,
            },
        }
    },
}
#: Events that are not like others, and their hits.
EXTREMES = {"empty": 0, "one hit": 1, "empty plane": 200, "50,000 hits": 50_000}


def hepcnn(*arguments):
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Everything that the workflow would make, in its places."""
    folder = tmp_path_factory.mktemp("lartpc")
    config, task = folder / "c.yaml", folder / "tasks" / "particle"
    config.write_text(yaml.safe_dump({**SETTINGS, "output": str(folder)}))
    root, shard = folder / "events/particles/0000.root", folder / "images/planes/0000.h5"
    hepcnn("simulate", "lartpc", "--config", config, "--sample", "particles", "-o", root)
    hepcnn("convert", root, "--config", config, "--images", "planes", "-o", shard)
    of = ("--config", config, "--task", "particle")
    hepcnn("train", shard, *of, "--network", "planes", "-o", task / "planes")
    checkpoint = task / "planes" / "checkpoint.ckpt"
    predictions = {name: task / name / "predictions.h5" for name in METHODS}
    hepcnn("predict", shard, "--checkpoint", checkpoint, "-o", predictions["planes"])
    for name in METHODS[1:]:
        hepcnn("predict", shard, *of, "--baseline", name, "-o", predictions[name])
    hepcnn("evaluate", *predictions.values(), *of, "-o", task / "tables")
    return folder


def test_each_simulated_particle_is_an_example_of_its_class(folder):
    images = ImageSet(folder / "images/planes/0000.h5")
    assert len(images) == 150
    codes = np.array(list(SINGLE_PARTICLES.values()))
    np.testing.assert_array_equal(codes[images.labels("particle")], np.abs(images.truth("pdg")))
    assert (images.features("charge_y") > 0).mean() > 0.9


def test_every_class_has_its_efficiency_with_an_interval(folder):
    table = json.loads((folder / "tasks/particle/tables/classes.json").read_text())
    of_class = {(r["method"], r["class"]): r for r in table["records"]}
    for method in METHODS:
        for name in SINGLE_PARTICLES:
            row = of_class[method, name]
            assert row["efficiency_n_total"] == row["events"] > 0
            assert row["efficiency"] == row["efficiency_n_pass"] / row["events"]
            assert row["efficiency_err_low"] + row["efficiency_err_high"] > 0.05


def test_the_page_shows_the_task(folder):
    hepcnn("report", "--config", folder / "c.yaml", "-o", folder / "report.html")
    page = (folder / "report.html").read_text()
    assert all(name in page for name in (*METHODS, *SINGLE_PARTICLES))


def test_extreme_events_convert_and_classify(folder):
    rng = np.random.default_rng(1)
    counts = list(EXTREMES.values())
    total = sum(counts)
    plane = rng.integers(0, 3, total)
    first = sum(counts[:2])
    plane[first : first + 200] = 2 * rng.integers(0, 2, 200)  # nothing in V
    hits = {
        "plane": plane.astype(np.int8),
        "wire": rng.integers(1000, 1060, total).astype(np.int32),
        "time": rng.uniform(3050, 3330, total).astype(np.float32),
        "charge": rng.exponential(100, total).astype(np.float32),
        "rms": rng.uniform(0, 5, total).astype(np.float32),
    }
    number = np.arange(len(counts), dtype=np.int64)
    columns = {"run": number, "subrun": number, "event": number}
    columns["hit"] = ak.unflatten(ak.zip(hits), counts)
    with uproot.recreate(folder / "extreme.root") as file:
        types = {name: ak.type(column).content for name, column in columns.items()}
        file.mktree("events", types).extend(columns)
    config, shard, scores = (folder / name for name in ("own.yaml", "own.h5", "own_scores.h5"))
    sample = {"detector": "lartpc", "files": [str(folder / "extreme.root")]}
    config.write_text(yaml.safe_dump({**SETTINGS, "samples": {"particles": sample}}))
    hepcnn(
        "convert", folder / "extreme.root", "--config", config, "--images", "planes", "-o", shard
    )
    images = ImageSet(shard).read(0, len(counts))
    kept = {
        v: np.add.reduceat(np.r_[s.value[:, 0], 0], s.offsets[:-1]) for v, s in images.views.items()
    }
    assert np.diff(images.views["v"].offsets)[2] == 0
    assert kept["y"][3] == pytest.approx(
        hits["charge"][first + 200 :][plane[first + 200 :] == 2].sum(), rel=1e-4
    )
    hepcnn(
        "predict", shard, "--split", "all", "-o", scores,
        "--checkpoint", folder / "tasks/particle/planes/checkpoint.ckpt",
    )  # fmt: skip
    made = read_predictions(scores)
    np.testing.assert_array_equal(made.key["event"], number)
    assert np.isfinite(made.scores).all()
    np.testing.assert_allclose(made.scores.sum(axis=1), 1, rtol=1e-5)
    assert (made.label == -1).all()
