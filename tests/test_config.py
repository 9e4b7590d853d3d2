import json

import pytest
import yaml
from click.testing import CliRunner

from hepcnn.cli.main import main
from hepcnn.config import (
    Config,
    LArTPCSample,
    abundances,
    entry,
    load,
    network_of,
    number_of,
    read_mapping,
    validate,
)
from hepcnn.errors import InputError


def broken(data, *words):
    with pytest.raises(InputError) as caught:
        validate(data, "my.yaml")
    for word in ("my.yaml", *words):
        assert word in str(caught.value)


def test_rows_of_larcvs_images_are_pixels_by_default():
    larcv = {"samples": {"a": LARTPC | {"reader": "larcv"}}}
    for given, reader, expected in (
        (None, larcv, 1), (12, larcv, 12), (6, larcv, 6), (None, {}, 6),
    ):  # fmt: skip
        stated = {} if given is None else {"ticks_per_pixel": given}
        config = validate(planes(**stated) | reader)
        assert config.images["i"].ticks_per_pixel == expected
        again = validate(config.model_dump(mode="json"))
        assert again.images["i"].ticks_per_pixel == expected


def test_rows_and_pixel_are_of_larcvs_images():
    for key, value in (("rows", "down"), ("pixel", [3, 3])):
        broken(
            {"samples": {"a": LARTPC | {key: value}}}, "samples.a", f"{key}: of the reader larcv"
        )
        config = validate({"samples": {"a": LARTPC | {"reader": "larcv", key: value}}, "tasks": {}})
        assert validate(config.model_dump(mode="json")) == config
    broken({"samples": {"a": LARTPC | {"reader": "larcv", "rows": "left"}}}, "samples.a", "rows")


def test_everything_has_a_default():
    config = validate({})
    assert config == Config()
    assert config.tasks["rich_pid"].images in config.images


POLAR = {"images": "rich_polar"}
LARTPC = {"detector": "lartpc", "files": ["a.root"]}
INFINITE = float("inf")


def simulated(**settings):
    return {"samples": {"a": {"detector": "lartpc", "simulate": settings}}}


def planes(**settings):
    images = {"sample": "a", "maker": "planes"} | settings
    return {"samples": {"a": LARTPC}, "images": {"i": images}, "tasks": {}}


WRONG = [
    ({"sampels": {}}, ["sampels", "did you mean 'samples'"]),
    ({"samples": {"a": {"simulate": {"event": 1}}}}, ["samples.a.simulate.event", "'events'"]),
    ({"tasks": {"t": POLAR | {"train": {"epoch": 1}}}}, ["train.epoch", "'epochs'"]),
    (
        {"tasks": {"t": POLAR | {"networks": {"lenet5": {"train": {"epoch": 1}}}}}},
        ["tasks.t", "networks.lenet5.train", "epoch", "'epochs'"],
    ),
    ({"tasks": {"t": {"images": "rich_polr"}}}, ["rich_polr", "did you mean 'rich_polar'"]),
    ({"images": {"i": {"sample": "rihc"}}}, ["rihc", "did you mean 'rich'"]),
    (
        {"validation": ["rich"], "samples": {"rich": {"files": ["a.root"]}}},
        ["validation: no sample of rich is simulated"],
    ),
    ({"samples": {"a": {}}}, ["samples.a", "'simulate' or 'files'"]),
    ({"split": {"train": 0.9}}, ["split", "1.2"]),
    ({"tasks": {"t": POLAR | {"tables": {"momentum_bins": [2, 1]}}}}, ["momentum_bins"]),
    ({"images": {"i": {"sample": "rich", "shape": [0, 32]}}}, ["images.i.shape", "got 0"]),
    ({"images": {"i": {"sample": "rich", "rich": ["rich1", "rich1"]}}}, ["twice"]),
    (
        {"images": {"i": {"sample": "rich", "momentum_range": [9, 3]}}},
        ["i.momentum_range", "9"],
    ),
    ({"samples": {"a": {"simulate": {"events": 2, "shards": 3}}}}, ["shards: 3", "events (2)"]),
    ({"samples": {"a": {"simulate": {"mixture": {"kaon": 0}}}}}, ["mixture", "above 0"]),
    ({"samples": {"a": {"simulate": {"momentum_range": [100, 1e4]}}}}, ["500 MeV", "decays"]),
    ({"tasks": {"t": POLAR | {"networks": {"majority": {}}}}}, ["majority", "baseline"]),
    ({"tasks": {"t": POLAR | {"networks": {"tables": {}}}}}, ["networks: 'tables'", "folder"]),
    ({"tasks": {"K vs pi": POLAR}}, ["tasks.K vs pi: not a possible name", "digits"]),
    ({"tasks": {"t": POLAR | {"networks": {"a;b": {}}}}}, ["networks.a;b: not a possible name"]),
    ({"images": {"../i": {"sample": "rich"}}}, ["images.../i: not a possible name"]),
    ({"samples": {"-a": {"files": ["a.root"]}}}, ["samples.-a: not a possible name"]),
    ({"samples": {"": {"files": ["a.root"]}}}, ["samples.: not a possible name"]),
    ({"samples": {"π": {"files": ["a.root"]}}}, ["samples.π: not a possible name"]),
    ({"tasks": {"t": POLAR | {"robustness": ["dark"]}}}, ["no sample 'dark'"]),
    ({"tasks": {"t": POLAR | {"robustness": ["rich"]}}}, ["'rich' is the sample", "trained on"]),
    ({"tasks": {"t": POLAR | {"robustness": ["nominal"]}}}, ["'nominal'", "the task's own"]),
    ({"tasks": {"t": POLAR | {"robustness": ["a", "a"]}}}, ["robustness: one is named twice"]),
    (
        {"tasks": {"t": POLAR | {"networks": {"mlp": {"seeds": 3}}, "robustness": ["3"]}}},
        ["robustness: '3' is the number of a training"],
    ),
    ({"tasks": {"t": POLAR | {"systematics": ["a"]}}}, ["systematics: 'a'", "in 'robustness'"]),
    (
        {"tasks": {"t": POLAR | {"baselines": ["majority", "majority"]}}},
        ["baselines: one is named twice"],
    ),
    (
        {"tasks": {"t": POLAR | {"tables": {"misid": [0.1, 0.1]}}}},
        ["misid: one is named twice"],
    ),
    ({"tasks": {"t": POLAR | {"tables": {"ablation": ["majorty"]}}}}, ["'majority'"]),
    (
        {"tasks": {"t": POLAR | {"baselines": ["majority", "likelihood_global"]}}},
        ["likelihood_global need", "'rich_polar' is in detector coordinates"],
    ),
    (
        {"tasks": {"t": POLAR | {"networks": {"n": {"images": "rich_polr"}}}}},
        ["networks.n.images", "'rich_polar'"],
    ),
    (
        {
            "images": {"a": {"sample": "rich"}, "b": {"sample": "rich", "rich": ["rich2"]}},
            "tasks": {"t": {"images": "a", "networks": {"n": {"images": "b"}}}},
        },
        ["t.networks.n.images", "not of the same examples", "must_cross"],
    ),
    (
        {"images": {"i": {"sample": "rich", "channels": ["expected_other"]}}},
        ["no 'expected_other' in detector coordinates"],
    ),
    (
        {"images": {"i": {"sample": "rich", "required": ["rich2"]}}},
        ["required: rich2 is not in 'rich'"],
    ),
    (
        {"samples": {"a": LARTPC | {"reader": "larcv", "branches": {"hit_wire": "w"}}}},
        ["samples.a: the reader larcv takes no"],
    ),
    ({"samples": {"a": LARTPC | {"pixel": [3, 3]}}}, ["samples.a: pixel: of the reader larcv"]),
    (
        {"samples": {"a": LARTPC | {"reader": "larcv", "pixel": [3, 0]}}},
        ["samples.a", "pixel"],
    ),
    (
        {"samples": {"a": LARTPC | {"branches": {"hit_channel": "Channel"}}}},
        ["hit_channel needs a 'channel_map'"],
    ),
    ({"samples": {"a": LARTPC | {"branches": {"hit_wire": []}}}}, ["branches.hit_wire"]),
    (simulated(mixture={"muon": INFINITE}), ["simulate.mixture", "finite number"]),
    (simulated(mixture={"kaon": 1}), ["mixture: no class 'kaon'"]),
    (simulated(mixture={"muon": 0}), ["mixture", "above 0"]),
    (simulated(cosmics=INFINITE), ["simulate.cosmics", "finite number"]),
    (simulated(energy_range=[1, 2e6]), ["energy_range: up to 1e+06 MeV"]),
    (planes(ticks_per_pixel=1e-9), ["images.i.ticks_per_pixel", "0.1"]),
    (planes(wires_per_pixel=10**30), ["images.i.wires_per_pixel"]),
    (planes(corner={"u": [0, 0]}), ["images.i: corner: of the region 'fixed' only"]),
    (planes(region="fixed", corner={"u": [0, 1e9]}), ["images.i.corner.u"]),
    (planes(anchor=[0, 0]), ["images.i: anchor: of the region 'vertex' only"]),
    (planes(region="whole"), ["images.i: shape: needed, but of the region 'whole'"]),
    (planes(steps=[{"step": "log", "scale": 1e-300}]), ["steps.0.scale"]),
    (planes(steps=[{"step": "blur", "sigma": 1e12}]), ["steps.0.sigma"]),
    (planes(steps=[{"step": "mask_wires", "wires": {"u": [[9, 5]]}}]), ["9 is not below 5"]),
    (planes(steps=[{"step": "blurr"}]), ["steps.0", "'step' must be one of", "blur"]),
]


BLUR, MIRROR = {"step": "blur", "sigma": 1}, {"step": "mirror", "axis": "drift"}
HALF = {"step": "downsample", "factor": [2, 2]}
#: Image sets of the same events beside `i`, by name.
OTHERS = {
    "same": {"steps": [{"step": "log"}]},
    "fine": {"ticks_per_pixel": 3, "shape": [512, 256]},
    "whole": {"region": "whole", "shape": None},
    "about": {"region": "vertex"},
    "turned": {"steps": [MIRROR]},
    "reordered": {"planes": ["y", "u", "v"]},
    "threshold": {"threshold": 30},
}


def finding(target, networks, **settings):
    """A task on `i`; of a network settings, or its image set, its steps or its views alone."""
    images = {name: {"sample": "a", "maker": "planes"} | own for name, own in OTHERS.items()}
    keys = {str: "images", list: "steps", tuple: "views"}
    networks = {n: v if isinstance(v, dict) else {keys[type(v)]: v} for n, v in networks.items()}
    task = {"images": "i", "target": target, "networks": networks} | settings
    data = planes()
    return data | {"images": data["images"] | images, "tasks": {"t": task}}


@pytest.mark.parametrize("target", ["semantic", "instance", "points"])
@pytest.mark.parametrize(
    ("network", "words"),
    [
        (("y", "u"), ["n.views", "the same views, and 'n' has y, u, '{first}' u, v, y"]),
        (("u", "y", "v"), ["n.views"]),
        ([HALF], ["n.steps", "the same shape, and 'n' has 128, 128, '{first}' 256, 256"]),
        ([{"step": "crop", "shape": [64, 64]}], ["n.steps", "64, 64"]),
        ([MIRROR], ["n.steps", "mirrored axes, and 'n' has drift, '{first}' none"]),
        ("fine", ["n.images", "has 512, 256, '{first}' 256, 256"]),
        ("whole", ["n.images", "has whole"]),
        ("about", ["n.images", "the same region, and 'n' has vertex, 0.5, 0.5, '{first}' charge"]),
        ("turned", ["n.images", "mirrored axes"]),
        ("reordered", ["n.images", "the same views"]),
    ],
)
def test_methods_that_cannot_be_compared_are_refused(target, network, words):
    """Named are the network and the key; of what comes first, a baseline if there is one."""
    first = {"semantic": "pixel_tree", "instance": "clusters", "points": "cluster_ends"}[target]
    for more, other in (({}, first), ({"baselines": []}, "m")):
        task = finding(target, {"m": [], "n": network}, **more)
        about = [f"tasks.t.networks.{words[0]}", f"for the target '{target}'", "task of its own"]
        broken(task, *about, *(word.format(first=other) for word in words[1:]))


@pytest.mark.parametrize("target", ["semantic", "instance"])
def test_a_blurred_image_has_other_pixels(target):
    broken(finding(target, {"n": [BLUR]}), "n.steps", "the same blur, and 'n' has 1.0")
    # What a threshold leaves of it only the images tell; key points are not pixels.
    validate(finding(target, {"n": [BLUR, {"step": "threshold", "minimum": 1}]}))
    validate(finding("points", {"n": [BLUR]}))


@pytest.mark.parametrize("target", ["semantic", "instance", "points"])
@pytest.mark.parametrize(
    ("networks", "settings"),
    [
        ({"n": [{"step": "log"}, {"step": "threshold", "minimum": 1}]}, {}),
        ({"n": [MIRROR, MIRROR], "m": ("u", "v", "y")}, {}),
        ({"n": "same", "m": "threshold"}, {}),
        ({"n": "fine"}, {"baselines": []}),
        ({"n": {"images": "fine", "steps": [{"step": "downsample", "factor": [2, 1]}]}}, {}),
        ({"n": [HALF], "m": [HALF]}, {"baselines": []}),
        ({"n": [{"step": "crop", "shape": [9, 9]}], "m": [{"step": "crop", "shape": [9, 9]}]},
         {"baselines": []}),
    ],
)  # fmt: skip
def test_methods_that_may_be_comparable_are_not_refused(target, networks, settings):
    validate(finding(target, networks, **settings))


def test_methods_for_the_vertex_may_see_other_pixels_of_the_same_planes():
    networks = {"fine": "fine", "whole": "whole", "half": [HALF], "y": ("y",)}
    validate(finding("vertex", networks))
    broken(finding("vertex", {"n": "reordered"}), "tasks.t.networks.n.images", "the same views")
    broken(finding("vertex", {"n": "turned"}), "tasks.t.networks.n.images", "'mirror' leaves no")


@pytest.mark.parametrize(("data", "words"), WRONG)
def test_a_wrong_key_or_value_is_named_with_what_would_be_right(data, words):
    broken(data, *words)


def test_branches_may_be_numbers_and_lists():
    branches = {"subrun": 0, "hit_plane": [0, 2], "hit_wire": ["i", "c"]}
    sample = LArTPCSample(files=["a.root"], detector="lartpc", branches=branches)
    assert sample.branches == {"subrun": "0", "hit_plane": ["0", "2"], "hit_wire": ["i", "c"]}


@pytest.mark.parametrize("file", ["config.yaml", "workflow/rich.yaml", "workflow/lecture.yaml"])
def test_our_files_are_valid_and_a_printed_configuration_reads_back(tmp_path, file):
    printed = CliRunner().invoke(main, ["config", "--config", file])
    assert printed.exit_code == 0, printed.output
    (tmp_path / "c.yaml").write_text(printed.stdout)
    assert load(tmp_path / "c.yaml") == load(file)


def test_the_schema_describes_every_key():
    printed = CliRunner().invoke(main, ["config", "--schema"])
    schema = yaml.safe_load(printed.stdout)
    models = [schema, *schema["$defs"].values()]
    undescribed = [k for m in models for k, v in m["properties"].items() if "description" not in v]
    assert not undescribed


@pytest.mark.parametrize("text", ["a: [", "- 1\n- 2\n"])
def test_a_file_that_is_no_mapping_is_an_error(tmp_path, text):
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=r"c\.yaml"):
        load(path)


def test_a_command_reports_bad_configuration_and_exits_1(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("sed: 1\n")
    result = CliRunner().invoke(main, ["config", "--config", str(path)])
    assert result.exit_code == 1
    assert "did you mean 'seed'" in result.stderr
    assert "Traceback" not in result.output


def test_a_mistyped_command_is_named_with_the_nearest():
    result = CliRunner().invoke(main, ["simulat"])
    assert result.exit_code == 2
    assert "did you mean 'simulate'" in result.stderr


def test_entry_names_the_nearest():
    with pytest.raises(InputError, match=r"no task 'rich_pdi'.*'rich_pid'"):
        entry(Config().tasks, "rich_pdi", "task")


def test_abundances_are_normalised_in_the_order_of_the_species():
    assert abundances({"pion": 3, "kaon": 1}) == [0, 0, 0.75, 0.25, 0, 0]
    assert sum(abundances("flat")) == pytest.approx(1)


def test_a_networks_training_is_the_tasks_with_its_own_settings_over_it():
    networks = {"lenet5": {}, "mlp": {"train": {"learning_rate": 0.01}}}
    task = POLAR | {"networks": networks, "train": {"epochs": 3, "learning_rate": 0.002}}
    task = validate({"tasks": {"t": task}}).tasks["t"]
    assert task.train_of("lenet5") == task.train
    assert task.train_of("mlp").learning_rate == 0.01
    assert task.train_of("mlp").epochs == 3


def test_the_trainings_of_a_network_are_named_after_it():
    images = {"rich_polar": {"sample": "rich"}, "wide": {"sample": "rich", "shape": [8, 8]}}
    networks = {
        "mlp": {"seeds": 3, "images": "wide", "train": {"epochs": 2}},
        "lenet5": {},
    }
    task = {"images": "rich_polar", "networks": networks, "baselines": ["majority"]}
    task = validate({"images": images, "tasks": {"t": task}}).tasks["t"]
    assert list(task.trainings) == ["mlp", "mlp@2", "mlp@3", "lenet5"]
    assert task.predictors == [*task.trainings, "majority"]
    assert task.methods == ["mlp", "lenet5", "majority"]
    assert task.images_of("mlp@3") == "wide"
    assert task.train_of("mlp@3").epochs == 2
    assert [network_of(name) for name in ("mlp@3", "mlp", "majority")] == ["mlp", "mlp", "majority"]
    assert [number_of(name) for name in ("mlp@3", "mlp")] == [3, 1]


@pytest.mark.parametrize("seeds", [0, -1, 1.5])
def test_a_network_is_trained_at_least_once(seeds):
    with pytest.raises(InputError, match=r"networks\.mlp\.seeds"):
        validate({"tasks": {"t": {"images": "rich_polar", "networks": {"mlp": {"seeds": seeds}}}}})


def test_a_users_samples_stand_without_the_defaults_of_others():
    planes = {"sample": "mine", "maker": "planes"}
    assert not validate({"samples": {"mine": LARTPC}}).images
    config = validate({"samples": {"mine": LARTPC}, "images": {"planes": planes}})
    assert (list(config.images), config.tasks) == (["planes"], {})
    # The lecture's image set and task are those of the sample `rich`.
    rich = validate({"samples": {"rich": {"files": ["a.root"]}, "mine": LARTPC}})
    assert (rich.images, rich.tasks) == (Config().images, Config().tasks)
    assert not validate({"images": {"i": {"sample": "rich"}}}).tasks
    # What is printed is read as the same.
    for some in (config, rich):
        assert validate(some.model_dump(mode="json")) == some


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("output: a\nseed: 2020-13-45", "line 2: '2020-13-45' .* 'timestamp'.* in quotes"),
        ("seed: !!int abc", "line 1: 'abc' .* 'int'"),
        ("seed: " + "[" * 3000 + "]" * 3000, "nested too deeply"),
    ],
)
def test_what_yaml_cannot_make_is_refused_with_its_line(tmp_path, text, message):
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(InputError, match=f"c.yaml: .*{message}"):
        load(tmp_path / "c.yaml")


def test_only_what_is_wrong_is_said():
    with pytest.raises(InputError) as error:
        validate({"seed": "x"}, "my.yaml")
    assert len(str(error.value).splitlines()) == 2


def test_a_key_twice_is_refused_with_its_lines(tmp_path):
    file = tmp_path / "twice.yaml"
    file.write_text("samples:\n  a: {files: [a.root]}\nseed: 1\nsamples:\n  b: {}\n")
    with pytest.raises(InputError, match=r"twice.yaml: the key 'samples' .* line 1 and in line 4"):
        load(file)
    file.write_text("images: {i: &i {sample: rich, shape: [8, 8]}, j: {<<: *i, shape: [4, 4]}}\n")
    assert load(file).images["j"].shape == (4, 4)


def test_a_file_that_is_not_utf_8_is_named_with_the_line(tmp_path):
    file = tmp_path / "latin.yaml"
    file.write_bytes("output: a\nseed: 5  # angles in °\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"^.*latin.yaml: line 2: not UTF-8"):
        load(file)


def in_folder(tmp_path, monkeypatch, text, *arguments):
    (tmp_path / "config.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    return CliRunner().invoke(main, arguments)


def test_the_config_yaml_of_another_tool_is_left_alone_and_this_is_said(tmp_path, monkeypatch):
    done = in_folder(tmp_path, monkeypatch, "theme: dark\nplugins: []\n", "config")
    assert done.exit_code == 0
    assert "config.yaml here has none of the keys" in done.stderr
    assert validate(yaml.safe_load(done.stdout)) == Config()


@pytest.mark.parametrize(
    "arguments", [["config", "--schema"], ["predict", "a.h5", "--checkpoint", "c", "-o", "p.h5"]]
)
def test_a_wrong_config_yaml_is_nothing_to_commands_that_need_none(
    tmp_path, monkeypatch, arguments
):
    done = in_folder(tmp_path, monkeypatch, "seed: [not, ours]\n", *arguments)
    assert "seed" not in done.stderr
    assert "seed: " in in_folder(tmp_path, monkeypatch, "seed: [1]\n", "config").stderr


@pytest.mark.parametrize("number", [1e-05, 2.5e-07, 1e22, -1e-300])
def test_numbers_are_numbers_as_json_has_them(tmp_path, number):
    """The workflow hands the configuration on as JSON; YAML 1.1 takes 1e-05 for a text."""
    (tmp_path / "c.json").write_text(json.dumps({"x": [number]}))
    assert read_mapping(tmp_path / "c.json") == {"x": [number]}
