"""`hepcnn config --check`: what would stop a later stage is said before the first."""

import awkward as ak
import numpy as np
import pytest
import uproot
import yaml
from click.testing import CliRunner

from hepcnn.cli.main import main
from hepcnn.config import Config
from hepcnn.learning.checking import check
from hepcnn.networks.registry import NETWORKS, PIXEL_NETWORKS, SINGLE_IMAGE

SIMULATED = {
    "rich": {"simulate": {"events": 4, "shards": 1}},
    "argon": {"detector": "lartpc", "simulate": {"generator": "interactions"}},
}
POLAR = {"sample": "rich", "rich": ["rich1", "rich2"], "shape": [32, 32]}
PLANES = {"sample": "argon", "maker": "planes", "shape": [64, 64]}


def polar(**network):
    name = network.pop("name", "siamese")
    return {
        "samples": SIMULATED,
        "images": {"polar": POLAR},
        "tasks": {"pid": {"images": "polar", "networks": {name: network}}},
    }


def planes(target, name, **network):
    return {
        "samples": SIMULATED,
        "images": {"planes": PLANES},
        "tasks": {"t": {"images": "planes", "target": target, "networks": {name: network}}},
    }


def run(tmp_path, config, *arguments):
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(config))
    path = str(tmp_path / "mine.yaml")
    return CliRunner().invoke(main, ["config", "--config", path, "--check", *arguments])


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (polar(name="lenet6"), ["no network 'lenet6'", "lenet5"]),
        (polar(architecture="siamesse"), ["no network 'siamesse'", "siamese"]),
        (polar(options={"backbone": "smal"}), ["option 'backbone'", "'smal'", "small"]),
        (polar(options={"bakbone": "small"}), ["no option 'bakbone'", "'backbone'"]),
        (polar(options={"hidden": [0]}), ["option 'hidden'", "whole numbers above 0"]),
        (polar(options={"backbone_options": {"dropot": 0}}), ["no option 'dropot'", "'dropout'"]),
        (polar(views=["rich3"]), ["views", "'rich3'", "rich1"]),
        (polar(channels=["charge"]), ["channels", "'charge'", "hits"]),
        (polar(features=["momentum"]), ["features", "'momentum'"]),
        (polar(name="lecture_cnn", features=["p"]), ["takes no features", "siamese"]),
        (polar(name="alexnet"), ["32 × 32 pixels are too small"]),
        (planes("semantic", "lenet5"), ["cannot answer the target 'semantic'", "uresnet"]),
        (planes("vertex", "uresnet", options={"levls": 3}), ["no option 'levls'", "'levels'"]),
        (planes("vertex", "uresnet", options={"levels": "3"}), ["option 'levels'", "'3'"]),
        (
            planes(
                "interaction", "small", steps=[{"step": "mask_wires", "wires": {"y": [[0, 1]]}}]
            ),
            None,
        ),
    ],
)
def test_what_training_would_refuse_is_said_with_its_place(tmp_path, config, words):
    done = run(tmp_path, config)
    if words is None:
        assert (done.exit_code, done.output) == (0, "Nothing wrong was found.\n")
        return
    assert done.exit_code == 1, done.output
    (task,) = config["tasks"]
    (network,) = config["tasks"][task]["networks"]
    for word in (f"tasks.{task}.networks.{network}: ", *words):
        assert word in done.output


def test_a_geometry_that_is_not_there_is_said_with_its_image_set(tmp_path):
    config = polar()
    samples = SIMULATED | {"rich": {"simulate": {}, "geometry": "lhcb-run2"}}
    done = run(tmp_path, config | {"samples": samples})
    assert done.exit_code == 1
    assert "images.polar: no geometry 'lhcb-run2'" in done.output
    assert "lhcb-run3" in done.output


def fitting(name):
    """A configuration in which a network has something to do."""
    if name in PIXEL_NETWORKS:
        return planes("semantic", name)
    if name not in SINGLE_IMAGE and name not in ("siamese", "aligned"):
        return planes("instance" if name == "mask_rcnn" else "vertex", name)
    images = POLAR | {"shape": [96, 96], "coordinates": "cherenkov"}
    return polar(name=name) | {"images": {"polar": images}}


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_can_be_checked(name):
    check(Config.model_validate(fitting(name)))


@pytest.fixture(scope="module")
def events(tmp_path_factory):
    path = tmp_path_factory.mktemp("events") / "a.root"
    CliRunner().invoke(main, ["simulate", "rich", "--events", "3", "-o", str(path)])
    return path


def own(files, **sample):
    return polar() | {"samples": {"rich": {"files": [str(f) for f in files], **sample}}}


def test_the_first_file_is_looked_into(tmp_path, events):
    assert run(tmp_path, own([events])).output == "Nothing wrong was found.\n"
    done = run(tmp_path, own([events], branches={"track_p": "Track_P"}))
    assert done.exit_code == 1
    for word in ("samples.rich: ", str(events), "Track_P", "track_p"):
        assert word in done.output


def test_files_stand_in_the_place_of_the_samples_own(tmp_path, events):
    config = own([tmp_path / "later" / "*.root"])
    assert "no file matches" in run(tmp_path, config).output
    assert run(tmp_path, config, str(events)).exit_code == 0
    refused = run(tmp_path, polar(), str(events))
    assert refused.exit_code == 1
    assert "0 samples with 'files'" in refused.output


def test_networks_are_checked_on_the_images_that_larcvs_files_have(tmp_path):
    """Of the region 'whole' only the file says how large these are."""
    meta = {"row_count": 24, "col_count": 40, "plane": 0, "origin.x": 0.0, "origin.y": 0.0,
            "width": 40.0, "height": 144.0}  # fmt: skip
    with uproot.recreate(tmp_path / "a.root") as file:
        file.mkrntuple("image2d_wire_tree", {
            **{name: np.array([1]) for name in ("_run", "_subrun", "_event")},
            "_image_v._img": ak.values_astype(ak.Array([[[1.0] * 24 * 40]]), "f4"),
            **{f"_image_v._meta._{name}": ak.Array([[v]]) for name, v in meta.items()},
        })  # fmt: skip
    config = planes("semantic", "sparse_uresnet")
    sample = {"detector": "lartpc", "reader": "larcv", "tree": "image2d_wire_tree"}
    config["samples"] = {"argon": sample | {"files": [str(tmp_path / "later.root")]}}
    (name,) = config["images"]
    images = {"sample": "argon", "maker": "planes", "region": "whole", "shape": None}
    config["images"][name] = images | {"steps": [{"step": "crop", "shape": [24, 40]}]}
    refused = run(tmp_path, config)
    assert f"images.{name}: no file matches" in refused.output
    # The networks fit; only there is nothing to learn from.
    fitting = run(tmp_path, config, str(tmp_path / "a.root"))
    assert "no truth of 'semantic', which the task 't' learns from: train on" in fitting.output
    config["images"][name]["steps"][0]["shape"] = [24, 41]
    refused = run(tmp_path, config, str(tmp_path / "a.root"))
    assert "24 × 41 pixels is larger than the images, 24 × 40" in refused.output


def test_a_bad_first_file_is_passed_over_only_where_it_will_be_skipped(tmp_path, events):
    (tmp_path / "0.root").write_bytes(b"no")
    files = [tmp_path / "0.root", events]
    assert run(tmp_path, own(files)).exit_code == 1
    passed = run(tmp_path, own(files, on_bad_file="skip"))
    assert passed.exit_code == 0
    assert "0.root will be skipped" in passed.output
    assert run(tmp_path, own(files[:1], on_bad_file="skip")).exit_code == 1


def test_an_empty_first_file_is_passed_over_as_the_conversion_does(tmp_path, events):
    """Of a job that selected nothing; all empty is an error."""
    with uproot.recreate(tmp_path / "0.root") as file:
        file.mktree("events", {"run": "int64", "track_p": "var * float32"})
    passed = run(tmp_path, own([tmp_path / "0.root", events]))
    assert passed.exit_code == 0
    assert "0.root: empty" in passed.output
    alone = run(tmp_path, own([tmp_path / "0.root"]))
    assert alone.exit_code == 1
    assert "no entries" in alone.output


@pytest.fixture(scope="module")
def argon(tmp_path_factory):
    folder = tmp_path_factory.mktemp("argon")
    config = folder / "c.yaml"
    config.write_text(yaml.safe_dump({"samples": SIMULATED}))
    asked = ["--config", str(config), "--sample", "argon", "--events", "3"]
    done = CliRunner().invoke(main, ["simulate", "lartpc", *asked, "-o", str(folder / "a.root")])
    assert done.exit_code == 0
    return folder / "a.root"


def without(path, target, names):
    """A copy of a file of events without the branches whose names begin so."""
    with uproot.open(path) as file:
        arrays = file["events"].arrays()
    kept = {n: arrays[n] for n in arrays.fields if not n.startswith(names) and n[0] != "n"}
    with uproot.recreate(target) as file:
        file["events"] = kept
    return target


LEARNT = [
    ("vertex", "vertex", "vertex_x"),
    ("semantic", "hit_particle", "hit_particle"),
    ("points", ("particle", "hit_particle"), "particle_pdg"),
    ("interaction", "neutrino", "neutrino_pdg"),
    ("particle", ("particle", "hit_particle"), "particle_pdg"),
]


def learning(target, *files):
    network = "siamese" if target in ("interaction", "particle") else "sparse_uresnet"
    files = {"argon": {"detector": "lartpc", "files": [str(f) for f in files]}}
    return planes(target, network) | {"samples": files}


@pytest.mark.parametrize(("target", "missing", "branch"), LEARNT)
def test_a_task_needs_the_truth_that_it_learns_from(tmp_path, argon, target, missing, branch):
    assert run(tmp_path, learning(target, argon)).output == "Nothing wrong was found.\n"
    lacking = without(argon, tmp_path / "lacking.root", missing)
    refused = run(tmp_path, learning(target, lacking))
    assert refused.exit_code == 1
    for word in ("samples.argon: ", "lacking.root", f"no truth of '{target}'", "'t'", branch):
        assert word in refused.output
    # Of several files another may have it.
    passed = run(tmp_path, learning(target, lacking, argon))
    assert passed.exit_code == 0
    assert f"no truth of '{target}'" in passed.output


def test_a_rich_task_needs_a_known_species(tmp_path, events):
    refused = run(tmp_path, own([events], branches={"track_pdg": 0}))
    assert refused.exit_code == 1
    assert "no truth of 'species'" in refused.output


def test_what_would_leave_nothing_is_said_before_the_first_stage(tmp_path, events):
    refused = run(tmp_path, own([events], branches={"track_p": "track_p / 1000"}))
    assert refused.exit_code == 1
    for word in ("samples.rich: ", "momentum_range", "1000 * BRANCH"):
        assert word in refused.output
