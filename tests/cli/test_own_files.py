"""A user's own ROOT file, with other names, units and order, through the command line alone."""

import awkward as ak
import h5py
import numpy as np
import pytest
import uproot
import yaml
from click.testing import CliRunner

from hepcnn.cli.main import main
from hepcnn.events.schema import BRANCHES

#: Native unit → the user's, and how many native ones it has.
UNITS = {"MeV": ("GeV", 1000), "mm": ("cm", 10)}
SIMULATED = {"samples": {"rich": {"simulate": {"events": 12, "tracks": 25, "shards": 1}}}}


def hepcnn(*arguments):
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A simulated file and its images, and the same events as a user would have them."""
    folder = tmp_path_factory.mktemp("own")
    config = folder / "native.yaml"
    config.write_text(yaml.safe_dump(SIMULATED))
    hepcnn("simulate", "rich", "--config", config, "-o", folder / "native.root")
    hepcnn("convert", folder / "native.root", "--config", config, "-o", folder / "native.h5")

    columns, branches = {}, {}
    with uproot.open({folder / "native.root": "events"}) as tree:
        for name, branch in BRANCHES.items():
            if name not in tree:
                continue
            unit, factor = UNITS.get(branch.unit, ("", 1))
            own = f"My_{name.title()}{unit}"
            values = tree[name].array()
            # In 64 bits, so that the way there and back is exact in the 32 bits of images.
            columns[own] = ak.values_astype(values, np.float64) / factor if unit else values
            branches[name] = f"{factor} * {own}" if unit else own
    with uproot.recreate(folder / "own.root") as file:
        order = sorted(columns, reverse=True)
        file.mktree("DecayTree", {name: columns[name].type for name in order})
        file["DecayTree"].extend({name: columns[name] for name in order})
    sample = {"files": [str(folder / "own.root")], "tree": "DecayTree", "branches": branches}
    (folder / "own.yaml").write_text(yaml.safe_dump({"samples": {"rich": sample}}))
    return folder


def test_other_names_and_units_give_the_same_images(folder):
    own = folder / "own.h5"
    hepcnn("convert", folder / "own.root", "--config", folder / "own.yaml", "-o", own)
    with h5py.File(folder / "native.h5") as native, h5py.File(own) as mine:
        names = []
        native.visititems(lambda name, item: names.append(name) if hasattr(item, "shape") else None)
        assert native["key"].size > 100
        for name in names:
            assert np.array_equal(native[name][()], mine[name][()], equal_nan="feat" in name), name


def test_inspect_proposes_branches_for_it(folder):
    printed = hepcnn("inspect", folder / "own.root").output
    assert "DecayTree" in printed
    assert "branches:" in printed
    assert "My_Track_PGeV" in printed


def test_inspect_writes_a_configuration_that_makes_the_same_images(folder, tmp_path):
    """Names, units and what is needed are found; only the RICH that is seen first is used."""
    new = tmp_path / "new.yaml"
    said = hepcnn("inspect", folder / "own.root", "--write", new)
    assert "Nothing wrong was found" in said.output
    text = new.read_text()
    assert "track_p: 1000 * My_Track_PGeV  # needed, guessed: momentum [MeV]; here " in text
    hepcnn(
        "convert",
        folder / "own.root",
        "--config",
        new,
        "--images",
        "rings",
        "-o",
        tmp_path / "a.h5",
    )
    with h5py.File(folder / "native.h5") as native, h5py.File(tmp_path / "a.h5") as mine:
        np.testing.assert_array_equal(native["key"], mine["key"])
        for name in ("pixel", "value"):
            np.testing.assert_array_equal(
                native[f"views/rich1/{name}"], mine[f"views/rich1/{name}"]
            )
    result = CliRunner().invoke(main, ["inspect", str(folder / "own.root"), "--write", str(new)])
    assert result.exit_code == 1
    assert "is there already" in result.stderr
    assert new.read_text() == text


def test_a_misspelt_branch_is_named_with_the_nearest(folder, tmp_path):
    settings = yaml.safe_load((folder / "own.yaml").read_text())
    settings["samples"]["rich"]["branches"]["track_p"] = "1000 * My_Trak_PGeV"
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(settings))
    arguments = ["convert", folder / "own.root", "--config", tmp_path / "c.yaml", "-o"]
    result = CliRunner().invoke(main, [str(a) for a in [*arguments, tmp_path / "x.h5"]])
    assert result.exit_code == 1
    for word in ("own.root", "My_Trak_PGeV", "My_Track_PGeV"):
        assert word in result.stderr
    assert not (tmp_path / "x.h5").exists()


def test_centimetres_taken_for_millimetres_are_refused(folder, tmp_path):
    settings = yaml.safe_load((folder / "own.yaml").read_text())
    branches = settings["samples"]["rich"]["branches"]
    branches |= {name: text.removeprefix("10 * ") for name, text in branches.items()}
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(settings))
    arguments = ["convert", folder / "own.root", "--config", tmp_path / "c.yaml", "-o"]
    result = CliRunner().invoke(main, [str(a) for a in [*arguments, tmp_path / "x.h5"]])
    assert result.exit_code == 1
    assert "own.root" in result.stderr
    assert "away from the photon plane" in result.stderr


def write_tree(path, arrays, entries=None):
    with uproot.recreate(path) as file:
        file.mktree("events", {name: a.type.content for name, a in arrays.items()})
        if entries != 0:
            file["events"].extend(arrays)
    return path


@pytest.fixture(scope="module")
def odd(folder):
    """Files as grid jobs leave them: one row is odd in the first, the second is empty."""
    arrays = {}
    with uproot.open({folder / "native.root": "events"}) as tree:
        for name in BRANCHES:
            if name in tree:
                arrays[name] = tree[name].array()
    momenta = ak.flatten(arrays["track_p"]).to_numpy().copy()
    momenta[5] = -1
    arrays["track_p"] = ak.unflatten(momenta, ak.num(arrays["track_p"]))
    odd = folder / "odd"
    odd.mkdir()
    write_tree(odd / "1.root", arrays)
    write_tree(odd / "2.root", arrays, entries=0)
    return odd


def convert(folder, sample, *files, output="x.h5"):
    config = folder / "selection.yaml"
    config.write_text(yaml.safe_dump({"samples": {"rich": {"files": list(files)} | sample}}))
    arguments = ["convert", *files, "--config", str(config), "-o", str(folder / output)]
    return CliRunner().invoke(main, arguments)


def test_an_odd_row_is_selected_away_and_an_empty_file_listed(odd, tmp_path):
    refused = convert(tmp_path, {}, f"{odd}/*.root")
    assert refused.exit_code == 1
    assert "track_p = -1.0; it must be finite and above 0" in refused.stderr
    assert "`selection: {track: CONDITION}` leaves such tracks out" in refused.stderr
    assert not (tmp_path / "x.h5").exists()

    taken = convert(tmp_path, {"selection": {"track": "track_p > 0"}}, f"{odd}/*.root")
    assert taken.exit_code == 0, taken.output
    with h5py.File(tmp_path / "x.h5") as shard:
        cutflow = {row["step"].decode(): int(row["count"]) for row in shard["cutflow"]}
        skipped = shard["skipped"][()]
        objects = shard["key"]["object"]
        run = shard["key"]["event"]
    assert cutflow["tracks read"] == cutflow["tracks before the selection"] - 1 > 0
    assert next(iter(cutflow)) == "tracks before the selection"
    assert [row["file"].decode() for row in skipped] == [f"{odd}/2.root"]
    assert skipped[0]["reason"].decode().startswith("empty")
    assert skipped[0]["events"] == 0
    assert "2.root: empty" in taken.stderr

    # The examples of the same tracks have the same names as without the selection.
    with h5py.File(odd.parent / "native.h5") as native:
        names = set(native["key"][()].tolist())
    assert {(event, track) for event, track in zip(run, objects, strict=True)} <= {
        (event, track) for _, _, event, track in names
    }


def test_only_empty_files_are_an_error(odd, tmp_path):
    result = convert(tmp_path, {}, f"{odd}/2.root")
    assert result.exit_code == 1
    assert "2.root: empty, its tree has no entries: tree 'events'" in result.stderr
    assert not (tmp_path / "x.h5").exists()


def test_a_job_may_have_an_empty_file_of_a_sample_alone(odd, tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text(yaml.safe_dump({"samples": {"rich": {"files": [f"{odd}/*.root"]}}}))
    hepcnn("convert", odd / "2.root", "--config", config, "-o", tmp_path / "x.h5")
    with h5py.File(tmp_path / "x.h5") as shard:
        assert len(shard["key"]) == 0
        assert len(shard["skipped"]) == 1


def test_names_of_events_that_a_file_lacks_are_supposed(folder, tmp_path):
    """So that its configuration runs as it stands; the same images, under other names."""
    with uproot.open({folder / "own.root": "DecayTree"}) as tree:
        arrays = tree.arrays()
    named = ("My_Run", "My_Subrun", "My_Event")
    kept = {n: arrays[n] for n in arrays.fields if n not in named and n[0] != "n"}
    with uproot.recreate(tmp_path / "nameless.root") as file:
        file["DecayTree"] = kept
    new = tmp_path / "new.yaml"
    said = hepcnn("inspect", tmp_path / "nameless.root", "--write", new)
    assert "Nothing wrong was found" in said.output
    for line in ("run: $file  # supposed", "subrun: 0  # supposed", "event: $entry  # supposed"):
        assert line in new.read_text()
    config = yaml.safe_load(new.read_text())
    assert list(config["tasks"]) or "entries are too few" in new.read_text()
    rings = ("--config", new, "--images", "rings", "-o", tmp_path / "a.h5")
    hepcnn("convert", tmp_path / "nameless.root", *rings)
    with h5py.File(folder / "native.h5") as native, h5py.File(tmp_path / "a.h5") as mine:
        np.testing.assert_array_equal(native["key"]["object"], mine["key"]["object"])
        assert len(np.unique(mine["key"][()][["run", "subrun", "event"]])) == 12


def test_the_likelihoods_are_proposed_where_segments_are_known(folder, tmp_path):
    new = tmp_path / "new.yaml"
    hepcnn("inspect", folder / "own.root", "--write", new)
    text = new.read_text().replace("# ", "").partition("images:\n")[2]
    assert "coordinates: cherenkov" in text
    for method in ("ours", "lecture_cnn", "likelihood_global"):
        assert method in text
