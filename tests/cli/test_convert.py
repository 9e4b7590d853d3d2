"""`hepcnn convert` on real files."""

import numpy as np
import pytest
from click.testing import CliRunner

from hepcnn.cli.main import main
from hepcnn.store.images import ImageSet

CONFIG = """
samples:
  mine: {files: [unused.root]}
  careless: {files: [unused.root], on_bad_file: skip}
images:
  rich_polar: {sample: mine}
  coarse: {sample: careless, shape: [8, 16], channels: [hits, tracks]}
tasks: {}
"""


@pytest.fixture(scope="module")
def events(tmp_path_factory):
    path = tmp_path_factory.mktemp("events") / "a.root"
    run("simulate", "rich", "--events", "3", "-o", path)
    return path


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    return path


def run(*arguments, status=0):
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    assert result.exit_code == status, result.output
    return result.output


def test_a_shard_of_the_default_images(tmp_path, events, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run("convert", events, "-o", tmp_path / "a.h5")
    images = ImageSet(tmp_path / "a.h5")
    assert len(images) > 100
    assert images.header.shape == (32, 32)


def test_the_image_set_is_chosen_by_name(tmp_path, events, config):
    run("convert", events, "--config", config, "--images", "coarse", "-o", tmp_path / "a.h5")
    header = ImageSet(tmp_path / "a.h5").header
    assert (header.shape, header.channels) == ((8, 16), ("hits", "tracks"))


def test_several_files_and_the_tree_named_with_the_file(tmp_path, events, config):
    output = tmp_path / "a.h5"
    run("simulate", "rich", "--events", "2", "--seed", "7", "-o", tmp_path / "b.root")
    files = (f"{events}:events", tmp_path / "b.root")
    polar = ("--config", config, "--images", "rich_polar")
    refused = run("convert", *files, *polar, "-o", output, status=1)
    assert "event 1:0:0 is in" in refused
    config.write_text(CONFIG.replace("mine: {", "mine: {branches: {run: $file}, "))
    run("convert", *files, *polar, "-o", output)
    assert ImageSet(output).cutflow["events read"] == 5
    assert len(np.unique(ImageSet(output).key["event"])) >= 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--images", "coarze"],
            "no image set 'coarze' in the configuration; did you mean 'coarse'",
        ),
        (["none.root", "--images", "coarse"], "no file matches 'none.root'"),
        ([], "the configuration has 2 image sets (rich_polar, coarse): name one"),
    ],
)
def test_mistakes_exit_with_a_message(tmp_path, events, config, arguments, message):
    output = tmp_path / "a.h5"
    said = run("convert", events, *arguments, "--config", config, "-o", output, status=1)
    assert message in said
    assert not output.exists()


def test_a_bad_file_fails_or_is_skipped_as_the_sample_says(tmp_path, events, config):
    bad = tmp_path / "bad.root"
    bad.write_bytes(events.read_bytes()[:-500])
    output = tmp_path / "a.h5"
    assert "bad.root' is truncated" in run(
        "convert", bad, events, "--config", config, "--images", "rich_polar", "-o", output, status=1
    )
    assert not output.exists()
    run("convert", bad, events, "--config", config, "--images", "coarse", "-o", output)
    assert [row.file for row in ImageSet(output).skipped] == [str(bad)]


def test_an_output_that_cannot_be_written(tmp_path, events):
    (tmp_path / "file").write_text("")
    polar = ("--images", "rich_polar")
    said = run("convert", events, *polar, "-o", tmp_path / "file" / "a.h5", status=1)
    assert "cannot write" in said
