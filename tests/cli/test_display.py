"""`hepcnn display` on the command line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from made_up_planes import untrained, write_planes
from matplotlib.image import imread

from hepcnn.cli.main import main
from hepcnn.detector.labels import INTERACTIONS
from hepcnn.detector.particles import SPECIES
from hepcnn.store.images import ImageSet
from hepcnn.store.predictions import Predictions, write_predictions


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shard, a network and predictions of the events but the last."""
    folder = tmp_path_factory.mktemp("display")
    images = ImageSet(write_planes(folder / "planes.h5"))
    options = {"backbone": "tower", "shared": True}
    untrained(images, "siamese", options=options).save(folder / "c.ckpt")
    n = len(images) - 1
    predictions = Predictions(
        task="made_up",
        method="charge_tree",
        classes=INTERACTIONS,
        prior=np.full(4, 0.25),
        key=images.key[:n],
        scores=np.full((n, 4), 0.25, np.float32),
        label=images.labels("interaction")[:n],
        features={name: np.ones(n, np.float32) for name in ("energy", "n_hits")},
        cutflow=(("scored", n),),
        provenance={"id": "p"},
    )
    write_predictions(folder / "p.h5", predictions)
    write_predictions(folder / "q.h5", replace(predictions, method="other"))
    label = (predictions.label + np.int16(1)) % np.int16(4)
    write_predictions(folder / "events.h5", replace(predictions, label=label))
    tracks = {"classes": SPECIES, "prior": np.full(6, 1 / 6)}
    tracks |= {"scores": np.full((n, 6), 1 / 6, np.float32)}
    write_predictions(folder / "tracks.h5", replace(predictions, **tracks))
    return folder


def run(folder: Path, *arguments: str, output: str = "out.png") -> Result:
    known = {"planes.h5", "c.ckpt", "p.h5", "q.h5", "events.h5", "tracks.h5"}
    given = [str(folder / a) if a in known else a for a in arguments]
    return CliRunner().invoke(main, ["display", *given, "-o", str(folder / output)])


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--truth", "semantic"],
        ["--truth", "instance", "--predictions", "p.h5", "--predictions", "q.h5"],
        ["--checkpoint", "c.ckpt", "--layer", "towers.0.stage2", "--layer", "head", "--filters"],
    ],
)
def test_a_figure_is_made(folder: Path, arguments: list[str]) -> None:
    result = run(folder, "planes.h5", "--event", "1:0:20", *arguments)
    assert result.exit_code == 0, result.stderr
    figure = imread(folder / "out.png")
    height = {0: 1, 2: 2, 6: 2, 7: 5}[len(arguments)]
    assert figure.shape[0] > 500 * height
    assert figure[..., :3].std() > 0.05


def test_a_pdf_is_made_and_equal_bytes_each_time(folder: Path) -> None:
    contents = []
    for _ in range(2):
        assert run(folder, "planes.h5", "--event", "1:0:0", output="a.pdf").exit_code == 0
        contents.append((folder / "a.pdf").read_bytes())
    assert contents[0].startswith(b"%PDF")
    assert contents[0] == contents[1]


def test_a_track_of_a_rich(make_shards: Callable[..., list[Path]], tmp_path: Path) -> None:
    (shard,) = make_shards(tmp_path, events=4, shards=1, views=("rich1", "rich2"))
    result = run(tmp_path, str(shard), "--event", "1:0:2:3")
    assert result.exit_code == 0, result.stderr
    assert imread(tmp_path / "out.png")[..., :3].std() > 0.02


def test_an_empty_event(folder: Path) -> None:
    arguments = ["--event", "1:0:10", "--truth", "instance", "--checkpoint", "c.ckpt"]
    result = run(folder, "planes.h5", *arguments, "--layer", "towers.0.stage4")
    assert result.exit_code == 0, result.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--event", "1:0:21"], 1, "planes.h5: no event 1:0:21; the nearest: 1:0:20, 1:0:30"),
        (["--event", "-1:-1:-21"], 1, "planes.h5: no event -1:-1:-21; the nearest: 1:0:0"),
        (["--event", "1:0"], 2, "'1:0' must be whole numbers, such as 1:0:17"),
        (["--event", "1:0:x"], 2, "'1:0:x' must be whole numbers"),
        (["--event", f"1:0:{2**63}"], 2, "beyond 64 bits"),
        ([], 2, "Missing option '--event'"),
        (["--event", "1:0:20", "--truth", "colour"], 2, "'colour' is not one of"),
        (["--event", "1:0:20", "--layer", "head"], 2, "need the --checkpoint"),
        (["--event", "1:0:20", "--filters"], 2, "need the --checkpoint"),
        (["--event", "1:0:20", "--predictions", "events.h5"], 1, "events.h5: made of other events"),
        (["--event", "1:0:20", "--predictions", "tracks.h5"], 1, "of the classes electron, muon,"),
        (["--event", "1:0:70", "--predictions", "p.h5"], 1, "no scores of run 1, subrun 0, event"),
        (
            ["--event", "1:0:20", "--checkpoint", "c.ckpt", "--layer", "towers.0.stag2"],
            1,
            "no layer 'towers.0.stag2' in made_up; did you mean 'towers.0.stage2",
        ),
        (["--event", "1:0:20", "--checkpoint", "p.h5"], 1, "not a checkpoint"),
    ],
)
def test_bad_input(folder: Path, arguments: list[str], status: int, message: str) -> None:
    result = run(folder, "planes.h5", *arguments, output="bad.png")
    assert result.exit_code == status
    assert message in result.stderr
    assert not (folder / "bad.png").exists()


def test_other_formats_are_refused(folder: Path) -> None:
    result = run(folder, "planes.h5", "--event", "1:0:20", output="bad.jpg")
    assert result.exit_code == 1
    assert "bad.jpg: a figure must end in .png or .pdf" in result.stderr
