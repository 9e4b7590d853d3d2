"""What is where in wire planes, from simulated hits to tables, by the command line."""

import json

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from precision import PRECISION

from hepcnn.cli.main import main
from hepcnn.config import Network, validate
from hepcnn.errors import InputError
from hepcnn.learning.preprocessing import Preprocessing
from hepcnn.learning.vertices import vertex_columns, vertex_truth
from hepcnn.report import style
from hepcnn.report.blocks import Studio
from hepcnn.report.event_pictures import class_pictures
from hepcnn.store.blocks import read_whole
from hepcnn.store.findings_file import read_findings
from hepcnn.store.images import ImageSet
from hepcnn.store.shard import Rows

_NET = {"options": {"levels": 3, "filters": 4, "blocks": 1}, "steps": [{"step": "log"}]}
_TRAIN = {
    "epochs": 1, "batch_size": 8, "augment": ["drift", "beam"], "precision": PRECISION,
}  # fmt: skip
#: Of each target the task's settings: networks and baselines.
TASKS = {
    "semantic": (
        {"sparse_uresnet": _NET, "fcn8": {"options": {"width": 2}}},
        ["majority", "pixel_tree"],
    ),
    "instance": ({"sparse_uresnet": _NET}, ["clusters"]),
    "vertex": (
        {"sparse_uresnet": _NET, "one_stage": {"options": {"width": 4}, "views": ["y"]}},
        ["upstream_end", "line_intersection", "distance_bands"],
    ),
    "points": ({"sparse_uresnet": _NET}, ["cluster_ends"]),
}
SETTINGS = {
    "samples": {
        "interactions": {
            "detector": "lartpc",
            "simulate": {"generator": "interactions", "events": 60, "shards": 1},
        }
    },
    "images": {
        "planes": {
            "sample": "interactions", "maker": "planes", "shape": [96, 96],
            "wires_per_pixel": 4, "ticks_per_pixel": 24,
        }
    },
    "tasks": {
        target: {
            "images": "planes", "target": target, "networks": networks, "baselines": baselines,
            "train": _TRAIN | ({"weights": {"by": "class", "boundary": 2}}
                               if target == "semantic" else {}),
        }
        for target, (networks, baselines) in TASKS.items()
    },
}  # fmt: skip


def hepcnn(*arguments, code=0):
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    assert result.exit_code == code, result.output
    return result


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The shard."""
    folder = tmp_path_factory.mktemp("findings")
    config = folder / "c.yaml"
    config.write_text(yaml.safe_dump({**SETTINGS, "output": str(folder)}))
    root, shard = folder / "0000.root", folder / "0000.h5"
    hepcnn("simulate", "lartpc", "--config", config, "--sample", "interactions", "-o", root)
    hepcnn("convert", root, "--config", config, "--images", "planes", "-o", shard)
    return folder


@pytest.fixture(scope="module", params=TASKS)
def task(request, folder):
    """A target, what each of its methods found in all events, and its tables' folder."""
    networks, baselines = TASKS[request.param]
    of = ("--config", folder / "c.yaml", "--task", request.param)
    shard, out, paths = folder / "0000.h5", folder / request.param, {}
    for name in networks:
        hepcnn("train", shard, *of, "--network", name, "-o", out / name)
        paths[name] = out / name / "predictions.h5"
        checkpoint = out / name / "checkpoint.ckpt"
        hepcnn("predict", shard, "--checkpoint", checkpoint, "--split", "all", "-o", paths[name])
    for name in baselines:
        paths[name] = out / name / "predictions.h5"
        hepcnn("predict", shard, *of, "--baseline", name, "--split", "all", "-o", paths[name])
    hepcnn("evaluate", *paths.values(), *of, "-o", out / "tables")
    return request.param, {n: read_findings(p) for n, p in paths.items()}, out / "tables"


def test_all_methods_are_on_the_same_events_and_truth(folder, task):
    """Every event once; the pixels are those of the shard, with its truth."""
    target, found, _ = task
    images = ImageSet(folder / "0000.h5")
    stored = images.read(0, len(images))
    for findings in found.values():
        assert len(findings) == len(images) == 60
        assert findings.target == target
        if "pixels" not in findings.tables:
            continue
        pixels = findings.tables["pixels"].columns
        for v, view in enumerate(findings.views):
            here = pixels["view"] == v
            own = stored.views[view]
            np.testing.assert_array_equal(pixels["pixel"][here], own.pixel)
            np.testing.assert_array_equal(pixels["instance"][here], own.truth["instance"])
            np.testing.assert_array_equal(pixels["semantic"][here], own.truth["semantic"])


def test_each_method_is_in_the_tables(task):
    target, found, tables = task
    first = {"semantic": "pixels", "instance": "instances"}.get(target, target)
    records = json.loads((tables / f"{first}.json").read_text())["records"]
    assert {record["method"] for record in records} == set(found)
    assert (tables / "comparison.csv").is_file()


def test_what_is_found_is_drawn(folder, task):
    """Beside the truth, of a network and of a baseline; an event that is not there is refused."""
    target, _, _ = task
    network, baseline = next(iter(TASKS[target][0])), TASKS[target][1][0]
    found = {name: folder / target / name / "predictions.h5" for name in (network, baseline)}
    draw = ("display", folder / "0000.h5", "--event")
    for name, of in ((network, ("--checkpoint", folder / target / network / "checkpoint.ckpt")),
                     (baseline, ())):  # fmt: skip
        hepcnn(*draw, "1:0:7", "--predictions", found[name], *of, "-o", folder / "event.png")
        assert (folder / "event.png").read_bytes()[:4] == b"\x89PNG"
        (folder / "event.png").unlink()
    result = hepcnn(
        *draw, "1:0:999", "--predictions", found[baseline], "-o", folder / "no.png", code=1
    )
    assert "nothing of event 1:0:999" in result.output


def test_vertices_are_the_simulation_s(folder, task):
    """Those of the baselines and the network: truth in pixels and in space agree."""
    target, found, _ = task
    if target != "vertex":
        pytest.skip("of vertices")
    images = ImageSet(folder / "0000.h5")
    for findings in found.values():
        np.testing.assert_allclose(findings.columns["vertex"], images.truth("vertex"))
    for name in TASKS["vertex"][1]:
        columns = found[name].columns
        apart = np.linalg.norm(columns["found"] - columns["vertex"], axis=1)
        assert np.isfinite(apart).mean() > 0.3
        assert np.nanmedian(apart) < 50
    # Sees one plane: boxes there, and no point in space follows from it.
    plane = found["one_stage"]
    assert plane.views == ("u", "v", "y")
    assert np.isnan(plane.columns["found"]).all()
    candidates = plane.tables["candidates"].columns
    assert set(candidates["view"].tolist()) <= {2}
    assert (candidates["box"][:, 2:] > candidates["box"][:, :2]).all()


def test_networks_that_look_for_vertices_see_images_of_their_own(folder, monkeypatch):
    """Fine and coarse pixels of the same whole planes, to one table and one page."""
    # The page's figures are made, and not drawn.
    monkeypatch.setattr(style.ConstrainedLayoutEngine, "execute", lambda *_: None)
    monkeypatch.setattr(style, "save", lambda *_: None)
    monkeypatch.setattr(style, "svg", lambda _: "<svg/>")
    whole = {"sample": "interactions", "maker": "planes", "region": "whole", "shape": None}
    images = {
        name: whole | {"wires_per_pixel": wires, "ticks_per_pixel": 6 * wires}
        for name, wires in (("fine", 12), ("coarse", 24))
    }
    detector = {"options": {"width": 4}, "images": "coarse"}
    task = {
        "images": "fine", "target": "vertex", "train": _TRAIN, "baselines": ["upstream_end"],
        "networks": {"one_stage": detector, "sparse_uresnet": _NET},
    }  # fmt: skip
    out = folder / "own"
    config, tasks = folder / "own.yaml", out / "tasks" / "vertex"
    settings = SETTINGS | {"images": images, "tasks": {"vertex": task}, "output": str(out)}
    config.write_text(yaml.safe_dump(settings))
    of = ("--config", config, "--task", "vertex")
    shards = {name: out / "images" / name / "0000.h5" for name in images}
    for name, shard in shards.items():
        root = folder / "0000.root"
        hepcnn("convert", root, "--config", config, "--images", name, "-o", shard)
    paths = {}
    for name, network in task["networks"].items():
        shard = shards[network.get("images", "fine")]
        paths[name] = tasks / name / "predictions.h5"
        hepcnn("train", shard, *of, "--network", name, "-o", tasks / name)
        checkpoint = tasks / name / "checkpoint.ckpt"
        hepcnn("predict", shard, "--checkpoint", checkpoint, "-o", paths[name])
    paths["upstream_end"] = tasks / "upstream_end" / "predictions.h5"
    by = ("--baseline", "upstream_end")
    hepcnn("predict", shards["fine"], *of, *by, "-o", paths["upstream_end"])
    hepcnn("evaluate", *paths.values(), *of, "-o", tasks / "tables")
    coarse, fine, _ = (read_findings(path) for path in paths.values())
    assert [2 * side for side in coarse.shape] == pytest.approx(fine.shape, abs=1)
    np.testing.assert_allclose(coarse.pixel_mm, 2 * np.array(fine.pixel_mm))
    np.testing.assert_allclose(
        2 * coarse.columns["vertex_pixel"], fine.columns["vertex_pixel"], atol=1e-3
    )
    records = json.loads((tasks / "tables/vertex_planes.json").read_text())["records"]
    (true,) = {record["true"] for record in records}
    assert true > 0
    assert len(records) == 9
    hepcnn("report", "--config", config, "-o", out / "report.html")
    assert "event of one_stage" in (out / "report.html").read_text()


@pytest.mark.parametrize(
    "steps",
    [[], [{"step": "crop", "around": "charge", "shape": [64, 64]},
          {"step": "downsample", "factor": [2, 2]}]],
)  # fmt: skip
def test_the_true_pixels_of_a_vertex_are_the_vertex(folder, steps):
    """Combined in space, also after steps that move the pixels."""
    images = ImageSet(folder / "0000.h5")
    which = np.arange(len(images))
    transform = Preprocessing.fit(images, which, Network(steps=steps)).transform(images)
    header = images.header if transform is None else transform.header
    (truth,) = (made.truth for _, made in read_whole(images, which, transform))
    place = truth["vertex_pixel"].reshape(-1, 2)
    columns = {"view": np.tile(np.arange(3), len(images)), "row": place[:, 0]}
    columns |= {"column": place[:, 1], "score": np.ones(len(place))}
    candidates = Rows(3 * np.arange(len(images) + 1), columns)
    truth = vertex_truth(images, which, transform)
    known = vertex_columns(candidates, truth, header, header.views, 200.0)
    inside = np.isfinite(known["vertex"]).all(axis=1)
    assert inside.sum() > 20
    np.testing.assert_allclose(known["found"][inside], known["vertex"][inside], atol=2e-3)


def test_what_cannot_be_is_refused_at_once(folder):
    settings = yaml.safe_load((folder / "c.yaml").read_text())
    vertex = settings["tasks"]["vertex"]
    vertex["networks"]["sparse_uresnet"]["steps"] = [{"step": "mirror", "axis": "drift"}]
    (folder / "mirrored.yaml").write_text(yaml.safe_dump(settings | {"tasks": {"vertex": vertex}}))
    result = hepcnn("config", "--config", folder / "mirrored.yaml", code=1)
    assert "'mirror' leaves no vertex in space" in result.output
    classes = {"p": {"images": "planes", "target": "particle"}}
    (folder / "classes.yaml").write_text(yaml.safe_dump(settings | {"tasks": classes}))
    train = ("train", folder / "0000.h5", "--config", folder / "classes.yaml", "--task", "p")
    result = hepcnn(*train, "--network", "lecture_cnn", "-o", folder / "no", code=1)
    assert "of these classes: none" in result.output


def test_voxels_are_named_too(folder):
    """The same network in three dimensions, on the energy deposits."""
    images = {"sample": "interactions", "maker": "voxels", "voxel": 40, "shape": [32, 32, 32]}
    task = SETTINGS["tasks"]["semantic"] | {
        "images": "voxels", "networks": {"sparse_uresnet": _NET},
        "train": {"epochs": 1}, "baselines": ["majority"],
    }  # fmt: skip
    settings = SETTINGS | {"images": {"voxels": images}, "tasks": {"ssnet3d": task}}
    flat = {"sparse_uresnet": _NET | {"steps": [{"step": "downsample", "factor": [2, 2]}]}}
    with pytest.raises(InputError, match="'downsample' is for wire planes, not for voxels"):
        validate(settings | {"tasks": {"ssnet3d": task | {"networks": flat}}})
    config, out = folder / "voxels.yaml", folder / "ssnet3d"
    config.write_text(yaml.safe_dump({**settings, "output": str(folder)}))
    of = ("--config", config, "--task", "ssnet3d")
    shard = folder / "voxels.h5"
    hepcnn("convert", folder / "0000.root", "--config", config, "--images", "voxels", "-o", shard)
    hepcnn("train", shard, *of, "--network", "sparse_uresnet", "-o", out)
    hepcnn("predict", shard, "--checkpoint", out / "checkpoint.ckpt", "-o", out / "net.h5")
    hepcnn("predict", shard, *of, "--baseline", "majority", "-o", out / "majority.h5")
    hepcnn("evaluate", out / "net.h5", out / "majority.h5", *of, "-o", out / "tables")
    found = read_findings(out / "net.h5")
    assert found.shape == (32, 32, 32)
    assert found.tables["pixels"].columns["scores"].shape[1] == 5
    assert len(found.tables["pixels"].columns["pixel"]) > 100
    pictures = class_pictures(ImageSet([shard]), "interaction", Studio(folder / "figures"))
    assert pictures


def test_a_network_that_cannot_answer_is_refused(folder):
    of = ("--config", folder / "c.yaml", "--task", "semantic")
    text = (folder / "c.yaml").read_text().replace("fcn8:", "mlp:")
    (folder / "wrong.yaml").write_text(text.replace("width: 2", "hidden: [8]", 1))
    of = ("--config", folder / "wrong.yaml", "--task", "semantic")
    result = hepcnn(
        "train", folder / "0000.h5", *of, "--network", "mlp", "-o", folder / "no", code=1
    )
    assert "'mlp': cannot answer the target 'semantic'" in result.output
    assert "sparse_uresnet" in result.output
